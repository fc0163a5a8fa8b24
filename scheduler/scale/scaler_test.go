package scale_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/scheduler/scale/scaletest"
)

// scalers has a constructor for each scaler that measures nothing.
var scalers = map[string]func() scale.Scaler[scale.Snapshot]{
	"Fixed(0)":  func() scale.Scaler[scale.Snapshot] { return scale.Fixed(0) },
	"Fixed(3)":  func() scale.Scaler[scale.Snapshot] { return scale.Fixed(3) },
	"Demand(0)": func() scale.Scaler[scale.Snapshot] { return scale.Demand(0) },
	"Demand(1)": func() scale.Scaler[scale.Snapshot] { return scale.Demand(1) },
	"Demand(7)": func() scale.Scaler[scale.Snapshot] { return scale.Demand(7) },
	"Step(0)":   func() scale.Scaler[scale.Snapshot] { return scale.Step(0) },
	"Step(1s)":  func() scale.Scaler[scale.Snapshot] { return scale.Step(time.Second) },
}

// scalerFunc is a scaler without state.
type scalerFunc func(scale.Snapshot) scale.Decision

func (f scalerFunc) Scale(s scale.Snapshot) scale.Decision { return f(s) }

// measuringScalers has a constructor for each of the other scalers, with the options
// for rules of scaletest that the scaler does not keep, or keeps in addition.
var measuringScalers = map[string]struct {
	fresh func() scaletest.Scaler
	opts  []scaletest.Option
}{
	"TargetWait": {fresh: func() scaletest.Scaler { return scale.TargetWait(scale.TargetWaitConfig{}) }},
	"TargetWait, patient": {fresh: func() scaletest.Scaler {
		return scale.TargetWait(scale.TargetWaitConfig{Wait: 2 * time.Second, Share: 0.5, Window: time.Second})
	}},
	"Utilisation": {fresh: func() scaletest.Scaler { return scale.Utilisation(scale.UtilisationConfig{}) }},
	"Probe": {
		fresh: func() scaletest.Scaler { return scale.Probe(0) },
		opts:  []scaletest.Option{scaletest.Without(scaletest.Liveness, scaletest.FixedPoint)},
	},
	"Stabilise": {
		fresh: func() scaletest.Scaler { return scale.Stabilise(5*time.Second, scale.Demand(1)) },
		opts:  []scaletest.Option{scaletest.WithTurns(5 * time.Second)},
	},
	"Tolerance": {fresh: func() scaletest.Scaler { return scale.Tolerance(0.1, scale.Demand(1)) }},
	"RateLimit": {fresh: func() scaletest.Scaler { return scale.RateLimit(3, scale.Demand(1)) }},
	"Max": {fresh: func() scaletest.Scaler {
		return scale.Max(scale.Fixed(2), scale.Utilisation(scale.UtilisationConfig{}))
	}},
	"all together": {
		fresh: func() scaletest.Scaler {
			return scale.Stabilise(time.Second, scale.RateLimit(2,
				scale.Max(scale.Tolerance(0.2, scale.TargetWait(scale.TargetWaitConfig{})), scale.Step(0))))
		},
		opts: []scaletest.Option{scaletest.WithTurns(time.Second)},
	},
}

// TestScalersKeepTheirPromises runs the public conformance suite on each scaler.
func TestScalersKeepTheirPromises(t *testing.T) {
	for name, fresh := range scalers {
		var opts []scaletest.Option
		if strings.HasPrefix(name, "Fixed") {
			opts = append(opts, scaletest.Without(scaletest.Liveness)) // by design
		}
		t.Run(name, func(t *testing.T) { scaletest.Run(t, fresh, opts...) })
	}
	for name, s := range measuringScalers {
		t.Run(name, func(t *testing.T) { scaletest.Run(t, s.fresh, s.opts...) })
	}
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// drawSignals draws the state of a pool at a time not before now.
func drawSignals(t *rapid.T, now time.Time) scale.Snapshot {
	s := scale.Snapshot{Min: rapid.IntRange(0, 5).Draw(t, "min")}
	s.Max = max(1, s.Min) + rapid.IntRange(0, 100).Draw(t, "more")
	s.Workers = rapid.IntRange(s.Min, s.Max).Draw(t, "workers")
	s.Busy = rapid.IntRange(0, s.Workers).Draw(t, "busy")
	s.Idle = s.Workers - s.Busy
	s.Queued = rapid.IntRange(0, 1000).Draw(t, "queued")
	s.Now = now.Add(rapid.SampledFrom([]time.Duration{0, 1, 100 * time.Millisecond, time.Second, time.Hour}).Draw(t, "time"))
	if s.Queued > 0 {
		s.OldestWait = rapid.SampledFrom([]time.Duration{0, 1, 499 * time.Millisecond, 500 * time.Millisecond, time.Hour}).Draw(t, "wait")
	}
	return s
}

func drawHistory(t *rapid.T) []scale.Snapshot {
	history := make([]scale.Snapshot, rapid.IntRange(1, 20).Draw(t, "length"))
	now := epoch
	for i := range history {
		history[i] = drawSignals(t, now)
		now = history[i].Now
	}
	return history
}

func decisions(s scale.Scaler[scale.Snapshot], history []scale.Snapshot) []scale.Decision {
	out := make([]scale.Decision, len(history))
	for i, h := range history {
		out[i] = s.Scale(h)
	}
	return out
}

func TestFixedFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(-3, 200).Draw(t, "n")
		s := drawSignals(t, epoch)
		want := max(min(n, s.Max), s.Min)
		if n < 1 {
			want = s.Max
		}
		check.Equal(t, "target", scale.Fixed(n).Scale(s).Target, want)
	})
}

// TestDemandFormula checks the target busy + ⌈waiting/backlog⌉ and its monotony.
func TestDemandFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backlog := rapid.IntRange(-2, 20).Draw(t, "backlog")
		s := drawSignals(t, epoch)
		s.Min, s.Max = 0, math.MaxInt32 // so that the bounds do not hide the formula
		target := scale.Demand(backlog).Scale(s).Target
		per := max(backlog, 1)
		left := max(s.Queued-s.Idle, 0) // not taken by an idle worker
		over := target - s.Busy - (s.Queued - left)
		if over*per < left || (over-1)*per >= left && over > 0 {
			t.Fatalf("%d workers for %d items that no idle worker takes, at %d items each; want the smallest number that suffices", over, left, per)
		}
		more := s
		more.Queued += rapid.IntRange(1, 50).Draw(t, "more")
		if got := scale.Demand(backlog).Scale(more).Target; got < target {
			t.Errorf("the target falls from %d to %d as the queue grows from %d to %d", target, got, s.Queued, more.Queued)
		}
	})
}

// TestStepFormula checks each decision of Step: whether it may jump, how far, and that
// Again leads to the next possible jump.
func TestStepFormula(t *testing.T) {
	const wait = 500 * time.Millisecond
	rapid.Check(t, func(t *rapid.T) {
		history := drawHistory(t)
		var jumped time.Time
		for i, d := range decisions(scale.Step(wait), history) {
			s := history[i]
			cool := jumped.IsZero() || s.Now.Sub(jumped) >= wait
			jump := s.Queued > 0 && s.OldestWait >= wait && cool && s.Workers < s.Max
			want := s.Workers
			switch {
			case jump:
				want, jumped = s.Workers+(s.Max-s.Workers+1)/2, s.Now
			case s.Queued == 0:
				want = max(s.Busy, s.Min)
			}
			what := fmt.Sprintf("decision %d, %+v", i, s)
			check.Equal(t, "target of "+what, d.Target, want)
			if s.Queued > 0 && s.Workers < s.Max && (d.Again <= 0 || d.Again > wait) {
				t.Errorf("%s: Again is %v while items wait; want more than 0 and at most %v", what, d.Again, wait)
			}
		}
	})
}

func TestOnlyStepNeedsTime(t *testing.T) {
	for name, fresh := range scalers {
		timed, ok := fresh().(scale.Timed)
		if want := name[0] == 'S'; !ok || timed.NeedsTime() != want {
			t.Errorf("%s: it implements Timed: %v; want NeedsTime to be %v", name, ok, want)
		}
	}
}

// TestTargetWaitFormula checks that the target is the smallest number of workers that
// Erlang's formula allows, or the number that clears the backlog, if that is larger.
func TestTargetWaitFormula(t *testing.T) {
	const wait, share = 100 * time.Millisecond, 0.95
	rapid.Check(t, func(t *rapid.T) {
		load := float64(rapid.IntRange(0, 300).Draw(t, "load in tenths")) / 10
		service := float64(rapid.IntRange(1, 500).Draw(t, "service in ms")) / 1000
		queued := rapid.SampledFrom([]int{0, 0, 3, 50}).Draw(t, "queued")
		before := scale.Snapshot{Now: epoch, Max: 1000, Queued: queued}
		after := before
		after.Now = epoch.Add(10 * time.Second)
		after.Completed = 1000
		after.ServiceTime, after.BusyTime = 1000*service, 10*load
		s := scale.TargetWait(scale.TargetWaitConfig{Window: 10 * time.Second})
		s.Scale(before)
		got := s.Scale(after).Target
		steady := 1
		for ; float64(steady) <= load || scale.ErlangC(steady, load)*math.Exp(-(float64(steady)-load)*wait.Seconds()/service) > 1-share; steady++ {
		}
		backlog := int(math.Ceil(load + float64(queued)*service/wait.Seconds() - 1e-9))
		check.Equal(t, "target", got, max(steady, backlog))
	})
}

// TestRateLimitFormula checks that in any interval the target grows by at most the rate
// times the interval, plus the tokens of one second.
func TestRateLimitFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]float64{0.5, 1, 3, 40}).Draw(t, "rate")
		s := scale.RateLimit(rate, scale.Fixed(0))
		now := scale.Snapshot{Now: epoch, Max: 1000, Queued: 1}
		type grown struct {
			at time.Time
			by int
		}
		var past []grown
		for range rapid.IntRange(1, 60).Draw(t, "questions") {
			d := s.Scale(now)
			past = append(past, grown{now.Now, max(d.Target-now.Workers, 0)})
			if d.Target < now.Max && (d.Again <= 0 || d.Again > time.Duration(float64(time.Second)/rate)+1) {
				t.Fatalf("Again is %v, want at most %v, in which one worker may start", d.Again, time.Duration(float64(time.Second)/rate))
			}
			sum := 0
			for _, g := range slices.Backward(past) {
				sum += g.by
				if most := now.Now.Sub(g.at).Seconds()*rate + max(rate, 1); float64(sum) > most+1e-6 {
					t.Fatalf("the target grew by %d in %v, want at most %v", sum, now.Now.Sub(g.at), most)
				}
			}
			now.Workers = d.Target
			if rapid.Bool().Draw(t, "workers leave") {
				now.Workers /= 2
			}
			now.Now = now.Now.Add(rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second, d.Again}).Draw(t, "time"))
		}
	})
}

// TestToleranceBand checks that a target within the tolerance changes nothing, unless
// an item waits for which no worker is idle.
func TestToleranceBand(t *testing.T) {
	for _, tc := range []struct{ workers, busy, queued, inner, want int }{
		{20, 18, 0, 18, 20}, // a tenth less
		{20, 17, 0, 17, 17},
		{20, 18, 2, 22, 20}, // two idle workers for two waiting items
		{20, 18, 4, 22, 22}, // two idle workers for four waiting items
		{20, 20, 1, 21, 21},
	} {
		inner := scalerFunc(func(scale.Snapshot) scale.Decision {
			return scale.Decision{Target: tc.inner, Reason: "inner"}
		})
		s := scale.Snapshot{Max: 100, Workers: tc.workers, Busy: tc.busy, Idle: tc.workers - tc.busy, Queued: tc.queued}
		check.Equal(t, fmt.Sprintf("target of %+v", tc), scale.Tolerance(0.1, inner).Scale(s).Target, tc.want)
	}
}

// TestBadScalersAreErrors checks that Validate finds invalid arguments, at any depth.
func TestBadScalersAreErrors(t *testing.T) {
	read := func(s scale.Snapshot) scale.Snapshot { return s }
	for name, tc := range map[string]struct {
		scaler scale.Scaler[scale.Snapshot]
		word   string
	}{
		"share":       {scale.TargetWait(scale.TargetWaitConfig{Share: 2}), "share 2"},
		"target":      {scale.Utilisation(scale.UtilisationConfig{Target: -1}), "target is -1"},
		"stabilise":   {scale.Stabilise(0, scale.Demand(1)), "time is 0s"},
		"tolerance":   {scale.Tolerance(1, scale.Demand(1)), "fraction is 1"},
		"rate":        {scale.RateLimit(math.Inf(1), scale.Demand(1)), "finite"},
		"max of none": {scale.Max(), "no scalers"},
		"nil inside":  {scale.Max(scale.Demand(1), nil), "is nil"},
		"deep inside": {scale.Stabilise(1, scale.WithSignals(read, scale.RateLimit(0, scale.Demand(1)))), "rate is 0"},
		"no signals":  {scale.WithSignals[int](nil, nil), "WithSignals"},
	} {
		t.Run(name, func(t *testing.T) {
			err := scale.Validate(tc.scaler)
			if err == nil || !strings.Contains(err.Error(), tc.word) {
				t.Errorf("Validate returned %v, want an error with %q", err, tc.word)
			}
		})
	}
}
