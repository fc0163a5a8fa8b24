package yardstick_test

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/yardstick"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The state follows from the time.
func TestStateOfATime(t *testing.T) {
	for ns, want := range map[float64]yardstick.State{
		-1: yardstick.Unknown, 0: yardstick.Unknown, math.NaN(): yardstick.Unknown,
		0.1: yardstick.Near, 80: yardstick.Near, yardstick.FarFrom - 0.1: yardstick.Near,
		yardstick.FarFrom: yardstick.Far, 245: yardstick.Far, 999: yardstick.Far,
		1000: yardstick.Unknown, 3e6: yardstick.Unknown, math.Inf(1): yardstick.Unknown,
	} {
		if got := yardstick.StateOf(ns); got != want {
			t.Errorf("the state of %v ns is %v, want %v", ns, got, want)
		}
	}
	check.Equal(t, "the zero state", yardstick.State("").String(), "unknown")
	check.Equal(t, "near", yardstick.Near.String(), "near")
}

// The result is the median. The state is known only if the middle half of the runs agrees.
func TestMedianOfTheRuns(t *testing.T) {
	const slow = 50_000 // a run with an interruption
	for name, c := range map[string]struct {
		runs []float64
		want yardstick.Transfer
	}{
		"none":             {nil, yardstick.Transfer{State: yardstick.Unknown}},
		"too few":          {[]float64{80, 80, 80}, yardstick.Transfer{State: yardstick.Unknown}},
		"near":             {[]float64{82, 80, 81, 79, 83, 80, 80}, yardstick.Transfer{Nanoseconds: 80, State: yardstick.Near}},
		"a quarter slow":   {[]float64{slow, 240, 241, 240, slow, 239, 240, 242}, yardstick.Transfer{Nanoseconds: 241, State: yardstick.Far}},
		"half of them far": {[]float64{80, 240, 80, 240, 80, 240, 80}, yardstick.Transfer{Nanoseconds: 80, State: yardstick.Unknown}},
		"one processor":    {slices.Repeat([]float64{slow}, 7), yardstick.Transfer{Nanoseconds: slow, State: yardstick.Unknown}},
	} {
		check.Equal(t, name, yardstick.Summarise(c.runs, 7), c.want)
	}
}

// A known state is the state of the time, and the order of the runs does not matter.
func TestKnownStateIsThatOfTheTime(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		runs := rapid.SliceOfN(rapid.Float64Range(1, 2000), 1, 30).Draw(t, "runs")
		got := yardstick.Summarise(slices.Clone(runs), len(runs))
		if got.State != yardstick.Unknown && got.State != yardstick.StateOf(got.Nanoseconds) {
			t.Errorf("%v ns are %v", got.Nanoseconds, got.State)
		}
		slices.Reverse(runs)
		check.Equal(t, "the result in another order", yardstick.Summarise(runs, len(runs)), got)
	})
}

// A measurement on this machine is unknown, or a positive time and its state. No goroutine
// stays.
func TestMeasurementHere(t *testing.T) {
	for range 3 {
		got := yardstick.MeasureTransfer()
		if got.State != yardstick.Unknown && (got.Nanoseconds <= 0 || yardstick.StateOf(got.Nanoseconds) != got.State) {
			t.Errorf("measured %+v", got)
		}
	}
	goleak.VerifyNone(t)
}

// With one processor there is nothing to measure.
func TestOneProcessorIsUnknown(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	check.Equal(t, "with GOMAXPROCS 1", yardstick.MeasureTransfer(), yardstick.Transfer{State: yardstick.Unknown})
}

// If the other side does not answer in time, the side that asks gives up. A late reply does not
// prevent the end of the other side.
func TestGivingUpEndsBothSides(t *testing.T) {
	ask, answer, reply := yardstick.Halves()
	if runs := ask(3, 3, 0); len(runs) != 0 {
		t.Errorf("it measured %v", runs)
	}
	reply(1)
	answer()
}
