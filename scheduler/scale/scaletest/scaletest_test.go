package scaletest_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/scheduler/scale/scaletest"
)

// scalerFunc is a scaler defined by a function of the signals and of the number of
// previous calls.
type scalerFunc struct {
	asked  int
	decide func(s scale.Snapshot, asked int) scale.Decision
}

func (f *scalerFunc) Scale(s scale.Snapshot) scale.Decision {
	f.asked++
	d := f.decide(s, f.asked-1)
	if d.Reason == "" {
		d.Reason = "test"
	}
	return d
}

func made(decide func(s scale.Snapshot, asked int) scale.Decision) func() scaletest.Scaler {
	return func() scaletest.Scaler { return &scalerFunc{decide: decide} }
}

// to returns a decision for n workers, limited to the bounds.
func to(n int, s scale.Snapshot) scale.Decision {
	return scale.Decision{Target: max(min(n, s.Max), s.Min)}
}

var asks int // calls of all scalers together

// subjects has scalers for the suite to judge, each with the rule that it breaks, if any.
var subjects = map[string]struct {
	fresh func() scaletest.Scaler
	rule  scaletest.Rule
	opts  []scaletest.Option
}{
	"correct": {fresh: made(func(s scale.Snapshot, _ int) scale.Decision { return to(s.Busy+s.Queued+s.Blocked, s) })},
	"tooMany": {rule: scaletest.Bounds, fresh: made(func(s scale.Snapshot, _ int) scale.Decision {
		return scale.Decision{Target: s.Busy + s.Queued}
	})},
	"tooFew": {rule: scaletest.Bounds, fresh: made(func(s scale.Snapshot, _ int) scale.Decision {
		return scale.Decision{Target: min(s.Busy, s.Max)}
	})},
	"notANumber": {rule: scaletest.Bounds, fresh: made(func(s scale.Snapshot, _ int) scale.Decision {
		return scale.Decision{Target: int(float64(s.Busy) / s.BusyTime * 0)}
	})},
	"backInTime": {rule: scaletest.Bounds, fresh: made(func(s scale.Snapshot, asked int) scale.Decision {
		d := to(s.Busy+s.Queued, s)
		d.Again = time.Duration(3 - asked)
		return d
	})},
	"remembersOthers": {rule: scaletest.Replay, fresh: made(func(s scale.Snapshot, _ int) scale.Decision {
		asks++
		return to(asks%7, s)
	})},
	"shrinksWhenItWaits": {rule: scaletest.Monotony, fresh: made(func(s scale.Snapshot, _ int) scale.Decision {
		return to(200-s.Queued, s)
	})},
	"forgetsTheOldest": {rule: scaletest.Monotony, fresh: made(func(s scale.Snapshot, _ int) scale.Decision {
		if s.OldestWait > time.Second {
			return to(s.Busy, s)
		}
		return to(s.Busy+s.Queued, s)
	})},
	"contentWithFive": {rule: scaletest.Liveness, fresh: made(func(s scale.Snapshot, _ int) scale.Decision {
		return to(min(s.Busy+s.Queued, 5), s)
	})},
	"neverGrows": {rule: scaletest.Liveness, fresh: made(func(s scale.Snapshot, _ int) scale.Decision { return to(s.Workers, s) })},
	"swings": {rule: scaletest.FixedPoint, fresh: made(func(s scale.Snapshot, asked int) scale.Decision {
		return to(s.Busy+s.Queued+asked%2, s)
	})},
	"turns": {rule: scaletest.Turns, opts: []scaletest.Option{scaletest.WithTurns(10 * time.Second)},
		fresh: made(func(s scale.Snapshot, _ int) scale.Decision { return to(s.Busy+s.Queued, s) })},
	"excused": {opts: []scaletest.Option{scaletest.Without(scaletest.Liveness)}, fresh: made(func(s scale.Snapshot, _ int) scale.Decision {
		return to(3, s)
	})},
}

// TestJudge runs the suite on the subjects. It runs in a separate process, because the
// suite must fail on most of them.
func TestJudge(t *testing.T) {
	if os.Getenv("SCALERTEST_JUDGE") == "" {
		t.Skip("TestSuiteCatchesBrokenScalers runs this")
	}
	for name, s := range subjects {
		t.Run(name, func(t *testing.T) { scaletest.Run(t, s.fresh, s.opts...) })
	}
}

var failLine = regexp.MustCompile(`--- FAIL: TestJudge/(\w+)/(\w+) `)

// TestSuiteCatchesBrokenScalers checks that each broken scaler fails the rule that it
// breaks, and that a correct one passes all rules.
func TestSuiteCatchesBrokenScalers(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestJudge$", "-test.v", "-rapid.nofailfile", "-rapid.shrinktime=0s")
	cmd.Env = append(os.Environ(), "SCALERTEST_JUDGE=1")
	out, _ := cmd.CombinedOutput() // it fails by design
	failed := map[string][]string{}
	for _, m := range failLine.FindAllStringSubmatch(string(out), -1) {
		failed[m[1]] = append(failed[m[1]], m[2])
	}
	for name, s := range subjects {
		if s.rule == "" && len(failed[name]) > 0 {
			t.Errorf("%s fails %v, want it to pass", name, failed[name])
		}
		if s.rule != "" && !slices.Contains(failed[name], string(s.rule)) {
			t.Errorf("%s fails %v, want %s among them", name, failed[name], s.rule)
		}
	}
	if t.Failed() {
		t.Logf("%.5000s", out)
	}
}
