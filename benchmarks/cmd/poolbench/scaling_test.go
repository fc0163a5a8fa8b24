package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/seed56799101/taskmanager/benchmarks/internal/contest"
)

// The model has a path for each way to submit a task without waiting for its result, and no other.
func TestPathsOfTheModel(t *testing.T) {
	for _, p := range paths {
		found := false
		for _, x := range contest.All() {
			way, ok := pathOf(x)
			found = found || ok && way == p && x.Ours
		}
		if !found {
			t.Errorf("no contender has the path %q", p.contender)
		}
	}
}

// These hold for any unit costs: processors do not help beyond their number, a section of the lock
// is the least time of a task, and longer transfers or shorter pauses never make a task faster.
func TestPropertiesOfTheModel(t *testing.T) {
	for _, p := range paths {
		for _, transfer := range []float64{20, 80, 245} {
			for _, single := range []float64{20, 300, 1300, 10_300, 100_300} {
				u := units{section: 15, call: 1.5, transfer: transfer}
				if got := u.perTask(p, 1, single, leastPause); got != single {
					t.Errorf("one processor takes %v, want %v", got, single)
				}
				for _, n := range []int{2, 3, 16, 64} {
					short, long := u.perTask(p, n, single, leastPause), u.perTask(p, n, single, mostPause)
					further := units{section: 15, call: 1.5, transfer: 2 * transfer}.perTask(p, n, single, leastPause)
					if long < max(single/float64(n), u.section) || short < long*0.999 || further < short*0.999 { // but for rounding
						t.Errorf("%s, %d processors, %v ns on one: %v with short pauses, %v with long ones, %v further apart",
							p.contender, n, single, short, long, further)
					}
				}
			}
		}
	}
}

// Long tasks are limited by the processors, and short ones by the lock: an example by hand.
func TestExamplesOfTheModel(t *testing.T) {
	u, p := units{section: 15, call: 1.5, transfer: 80}, path{held: 4, moved: 20}
	for _, c := range []struct {
		n            int
		single, want float64
	}{
		{2, 100_000, (100_000 + 0.5*20*40) / 2},
		{16, 100_000, (100_000 + 0.5*20*75) / 16},
		{16, 2000, 15 + 4*75/(1+400*1.5/(15*2000))}, // about one turn: the tasks are longer than a pause
		{64, 300, 15 + 4*78.75/(1+400*1.5/(63*300))},
	} {
		if got := u.perTask(p, c.n, c.single, leastPause); math.Abs(got-c.want) > 1e-6*c.want {
			t.Errorf("%d processors, %v ns on one: %v, want %v", c.n, c.single, got, c.want)
		}
	}
}

// The numbers of processors are powers of two, and the largest.
func TestStepsOfProcessors(t *testing.T) {
	for most, want := range map[int]string{1: "[1]", 2: "[1 2]", 6: "[1 2 4 6]", 16: "[1 2 4 8 16]"} {
		if got := fmt.Sprint(steps(most)); got != want {
			t.Errorf("up to %d: %s, want %s", most, got, want)
		}
	}
}

// A run has a row for each path, length and number of processors.
func TestScalingHasAllRows(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	c, err := parse([]string{"-scaling", "-quick", "-contender", "^scheduler.Pool$"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := scaling(t.Context(), c, &out); err != nil {
		t.Fatal(err)
	}
	contains(t, out.String(), "Unit costs: section with a lock ", "2 processors")
	if got := strings.Count(out.String(), "\nscheduler.Pool "); got != 4 {
		t.Errorf("there are %d rows, want 4:\n%s", got, out.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := scaling(ctx, c, &out); err == nil {
		t.Error("an interrupt is no error")
	}
	if err := scaling(t.Context(), c, broken{}); err == nil {
		t.Error("output that cannot be written is no error")
	}
}

// broken is a writer that fails.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }
