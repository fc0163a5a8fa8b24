// Package scaletest checks that a scaler of pools keeps the promises of one, for
// those of package scheduler and for your own:
//
//	func TestMine(t *testing.T) {
//		scaletest.Run(t, func() scale.Scaler[scale.Snapshot] { return mine.New() })
//	}
//
// It feeds the scaler with the signals of imagined pools, random ones and such as
// react to it, and prints the shortest history that breaks a rule, with the way to
// replay it. These are the rules:
//
//   - Bounds: the target is within the bounds of the pool, also at the very start,
//     with no time passed and nothing done; Again is not negative; there is a reason.
//   - Replay: the same signals give the same decisions.
//   - Monotony: more that waits, or a longer wait, never means fewer workers.
//   - Liveness: while something waits, all workers are busy and there may be more,
//     there will be more; also if nothing happens but that the time comes at which the
//     scaler wants to be asked again, and if workers that were idle at the last
//     question were just about to take something.
//   - FixedPoint: under constant load the target comes to rest.
//   - Turns, only with [WithTurns]: it does not go up and down all the time.
//
// A scaler that promises less says so with [Without].
package scaletest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// Scaler is what is checked.
type Scaler = scale.Scaler[scale.Snapshot]

// Rule names a rule.
type Rule string

// The rules, which the package documentation explains.
const (
	Bounds     Rule = "Bounds"
	Replay     Rule = "Replay"
	Monotony   Rule = "Monotony"
	Liveness   Rule = "Liveness"
	FixedPoint Rule = "FixedPoint"
	Turns      Rule = "Turns"
)

// Option adjusts what [Run] expects.
type Option func(*suite)

// Without leaves out rules that the scaler does not claim to keep.
func Without(rules ...Rule) Option {
	return func(s *suite) { s.without = append(s.without, rules...) }
}

// WithTurns demands that in any time T the target turns from growing to shrinking
// or back at most 2T/d + 1 times.
func WithTurns(d time.Duration) Option { return func(s *suite) { s.turns = d } }

type suite struct {
	fresh   func() Scaler
	without []Rule
	turns   time.Duration
}

// Run checks the scalers that fresh makes, each rule in a subtest of its own. Each
// call of fresh must return a new one.
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

// bounds: no decision is impossible.
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

// replay: a scaler knows nothing but its signals.
func (s *suite) replay(t *rapid.T) {
	past := history(t)
	if diff := cmp.Diff(decide(s.fresh(), past), decide(s.fresh(), past)); diff != "" {
		t.Fatalf("two scalers were given the same signals and decided differently (-first +second):\n%s", diff)
	}
}

// decide lists the decisions of a scaler.
func decide(scaler Scaler, past []scale.Snapshot) []scale.Decision {
	decisions := make([]scale.Decision, len(past))
	for i, signals := range past {
		decisions[i] = scaler.Scale(signals)
	}
	return decisions
}

// monotony: of two pools with one history, that in which more waits, or has waited
// longer, gets no fewer workers.
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

// liveness: where all workers are busy and something waits, the pool grows.
func (s *suite) liveness(t *rapid.T) {
	p := newPlant(t)
	p.Max = p.Min + rapid.IntRange(1, 40).Draw(t, "more workers than the minimum")
	p.Workers = min(p.Workers, p.Max)
	scaler := s.fresh()
	for p.Workers < p.Max {
		before := p.Workers
		for asked := 0; p.Workers == before; asked++ {
			if asked == patience {
				t.Fatalf("%d items waited for %v, with all of %d workers busy and %d allowed, and the target never rose",
					p.Queued, p.Now.Sub(epoch), p.Workers, p.Max)
			}
			p.load = p.Workers + 1 + rapid.IntRange(0, 3).Draw(t, "items that wait")
			p.pass(p.tick())
			if d := p.followAsked(scaler, rapid.IntRange(0, 2).Draw(t, "workers on their way")); p.Workers == before && d.Again == 0 {
				t.Fatalf("%d items wait with %d workers for %d of them; the target is %d (%s), and nobody will ask again",
					p.Queued, before, p.load, d.Target, d.Reason)
			}
		}
	}
}

// fixedPoint: where the load is constant, the target comes to rest.
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

// fewTurns: the target does not swing.
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
		t.Fatalf("the target turned %d times in %v; want at most %d", turns, p.Now.Sub(epoch), most)
	}
}
