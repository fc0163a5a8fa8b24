// Package scaletest is a conformance suite for scalers of worker pools. Run checks a
// scaler of your own against the rules that a pool relies on:
//
//	func TestMine(t *testing.T) {
//		scaletest.Run(t, func() scale.Scaler[scale.Snapshot] { return mine.New() })
//	}
//
// The suite generates signals with rapid, from random histories and from a simulated
// pool that follows the decisions. It prints the shortest history that breaks a rule,
// and how to replay it. The rules are:
//
//   - [Bounds]: the target is within the bounds of the pool, also in a new pool where no
//     time has passed. Again is not negative. Reason is not empty.
//   - [Replay]: the same signals give the same decisions.
//   - [Monotony]: more waiting items, or a longer wait, never lower the target.
//   - [Liveness]: while items wait, all workers are busy and the pool is below its
//     maximum, the target rises eventually. It must rise even if nothing happens except
//     that Again passes, and even if idle workers were about to take items when the
//     scaler was asked.
//   - [FixedPoint]: under a constant load the target becomes constant.
//   - [Turns], only with [WithTurns]: the target changes direction rarely.
//
// Exclude rules that your scaler does not keep by design with [Without].
//
// # Files of rapid
//
// When a rule fails, rapid writes the history to testdata/rapid in the directory of the test,
// and replays it in later runs. Run the test with -rapid.nofailfile, or with
// RAPID_NOFAILFILE=1 in the environment, to write no file. To delete the files is safe.
package scaletest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// Scaler is the type of scaler that a pool takes.
type Scaler = scale.Scaler[scale.Snapshot]

// Rule is the name of a rule.
type Rule string

// The rules. The package documentation explains them.
const (
	Bounds     Rule = "Bounds"
	Replay     Rule = "Replay"
	Monotony   Rule = "Monotony"
	Liveness   Rule = "Liveness"
	FixedPoint Rule = "FixedPoint"
	Turns      Rule = "Turns"
)

// Option configures [Run].
type Option func(*suite)

// Without excludes rules that the scaler does not keep by design.
func Without(rules ...Rule) Option {
	return func(s *suite) { s.without = append(s.without, rules...) }
}

// WithTurns adds the rule [Turns]: in any time T the target changes direction at most
// 2T/d + 1 times.
func WithTurns(d time.Duration) Option { return func(s *suite) { s.turns = d } }

type suite struct {
	fresh   func() Scaler
	without []Rule
	turns   time.Duration
}

// Run checks the scalers that fresh returns, each rule in its own subtest. Each call of
// fresh must return a new scaler.
func Run(t *testing.T, fresh func() Scaler, opts ...Option) {
	t.Helper()
	s := &suite{fresh: fresh}
	for _, o := range opts {
		o(s)
	}
	if s.turns <= 0 {
		s.without = append(s.without, Turns)
	}
	for _, rule := range []struct {
		name  Rule
		check func(*rapid.T)
	}{
		{Bounds, s.bounds}, {Replay, s.replay}, {Monotony, s.monotony},
		{Liveness, s.liveness}, {FixedPoint, s.fixedPoint}, {Turns, s.fewTurns},
	} {
		if !slices.Contains(s.without, rule.name) {
			t.Run(string(rule.name), func(t *testing.T) { rapid.Check(t, rule.check) })
		}
	}
}

// bounds checks that no decision is impossible.
func (s *suite) bounds(t *rapid.T) {
	scaler := s.fresh()
	for i, signals := range history(t) {
		d := scaler.Scale(signals)
		if d.Target < signals.Min || d.Target > signals.Max || d.Again < 0 || d.Reason == "" {
			t.Fatalf("decision %d is %+v; want a target from %d to %d, Again not negative, and a reason; the signals were\n%+v",
				i, d, signals.Min, signals.Max, signals)
		}
	}
}

// replay checks that the signals alone determine the decisions.
func (s *suite) replay(t *rapid.T) {
	past := history(t)
	if diff := cmp.Diff(decide(s.fresh(), past), decide(s.fresh(), past)); diff != "" {
		t.Fatalf("two scalers decided differently on the same signals (-first +second):\n%s", diff)
	}
}

// decide returns the decisions of a scaler on a history.
func decide(scaler Scaler, past []scale.Snapshot) []scale.Decision {
	decisions := make([]scale.Decision, len(past))
	for i, signals := range past {
		decisions[i] = scaler.Scale(signals)
	}
	return decisions
}

// monotony compares two pools with the same history. The one in which more items wait, or
// the oldest has waited longer, must not get fewer workers.
func (s *suite) monotony(t *rapid.T) {
	past := history(t)
	last := past[len(past)-1]
	more := last
	more.Queued += rapid.IntRange(0, 100).Draw(t, "more in the queue")
	more.OldestWait += time.Duration(rapid.IntRange(0, 2000).Draw(t, "longer wait, ms")) * time.Millisecond
	one, other := s.fresh(), s.fresh()
	decide(one, past[:len(past)-1])
	decide(other, past[:len(past)-1])
	if few, many := one.Scale(last), other.Scale(more); many.Target < few.Target {
		t.Fatalf("with %d queued, the oldest for %v, the target is %d; with %d queued, the oldest for %v, it is %d (%s)",
			last.Queued, last.OldestWait, few.Target, more.Queued, more.OldestWait, many.Target, many.Reason)
	}
}

// liveness checks that the pool grows up to its maximum while all workers are busy and
// items wait.
func (s *suite) liveness(t *rapid.T) {
	p := newPlant(t)
	p.Max = p.Min + rapid.IntRange(1, 40).Draw(t, "more workers than the minimum")
	p.Workers = min(p.Workers, p.Max)
	scaler := s.fresh()
	for p.Workers < p.Max {
		before := p.Workers
		for asked := 0; p.Workers == before; asked++ {
			if asked == patience {
				t.Fatalf("%d items waited for %v, with all of %d workers busy and %d allowed, and the target did not rise",
					p.Queued, p.Now.Sub(epoch), p.Workers, p.Max)
			}
			p.load = p.Workers + 1 + rapid.IntRange(0, 3).Draw(t, "items that wait")
			p.pass(p.tick())
			if d := p.followEarly(scaler, rapid.IntRange(0, 2).Draw(t, "workers on their way")); p.Workers == before && d.Again == 0 {
				t.Fatalf("%d items wait with %d workers for %d of them; the target is %d (%s) and Again is 0, so the pool would never ask again",
					p.Queued, before, p.load, d.Target, d.Reason)
			}
		}
	}
}

// fixedPoint checks that the target becomes constant under a constant load.
func (s *suite) fixedPoint(t *rapid.T) {
	p := newPlant(t)
	p.load = rapid.IntRange(0, 60).Draw(t, "items in the system")
	scaler := s.fresh()
	for range patience {
		p.pass(p.tick())
		p.follow(scaler)
	}
	last := p.follow(scaler)
	for range patience / 4 {
		p.pass(p.tick())
		d := p.follow(scaler)
		if d.Target != last.Target {
			t.Fatalf("under a constant load of %d items, with %d of %d workers busy, the target still changes after %v, from %d (%s) to %d (%s)",
				p.load, p.Busy, p.Workers, p.Now.Sub(epoch), last.Target, last.Reason, d.Target, d.Reason)
		}
		last = d
	}
}

// fewTurns checks that the target does not oscillate under a random load.
func (s *suite) fewTurns(t *rapid.T) {
	p := newPlant(t)
	scaler := s.fresh()
	turns, rising, target := 0, false, -1
	for range 600 {
		p.load = rapid.IntRange(0, 60).Draw(t, "items in the system")
		p.pass(p.tick())
		d := p.follow(scaler)
		if target >= 0 && d.Target != target {
			if up := d.Target > target; up != rising {
				turns++
				rising = up
			}
		}
		target = d.Target
	}
	most := int(2*p.Now.Sub(epoch)/s.turns) + 1
	if turns > most {
		t.Fatalf("the target changed direction %d times in %v; want at most %d", turns, p.Now.Sub(epoch), most)
	}
}
