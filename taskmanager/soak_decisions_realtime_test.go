package taskmanager_test

import (
	"context"
	"time"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler"
)

// soakMaxWorkers is the largest maximum of workers that the soak sets.
const soakMaxWorkers = 6

// ScalerDecided keeps a decision, and checks that it is told once.
func (o *soakObserver) ScalerDecided(d observe.Decision) {
	if _, again := o.decisions.LoadOrStore(d.Number, d); again || d.Number == 0 {
		o.x.fail("decision %d comes twice", d.Number)
	}
	if d.Manager != o.x.name || d.Target < 0 || d.Target > soakMaxWorkers || d.Reason == "" || d.At.IsZero() {
		o.x.fail("the observer gets the decision %+v", d)
	}
}

// checkKept checks that the decisions that the manager keeps are the latest ones, without gaps. It
// returns them.
func (x *life) checkKept() []scheduler.Decided {
	kept := x.m.Decisions()
	for i, d := range kept {
		if d.Number != kept[0].Number+uint64(i) { //nolint:gosec // at most 32
			x.fail("after decision %d comes decision %d", kept[0].Number, d.Number)
		}
	}
	return kept
}

// checkDecisions checks, after the end of the manager, that its observer has got each decision.
func (x *life) checkDecisions() {
	kept := x.checkKept()
	if x.watcher == nil || len(kept) == 0 {
		return
	}
	last := kept[len(kept)-1].Number
	for n := uint64(1); n <= last; n++ {
		v, ok := x.watcher.decisions.Load(n)
		for limit := time.Now().Add(soakHang); !ok && time.Now().Before(limit); v, ok = x.watcher.decisions.Load(n) {
			rest(context.Background(), time.Millisecond) // a driver, or a submit after the end, may still tell of it
		}
		if !ok {
			x.fail("the observer has missed decision %d of %d", n, last)
			return
		}
		x.s.count("decisions observed")
		if n < kept[0].Number {
			continue
		}
		got, want := v.(observe.Decision), kept[n-kept[0].Number]
		if got.Workers != want.Workers || got.Target != want.Target || got.Reason != want.Reason {
			x.fail("the observer got the decision %+v, and the manager keeps %+v", got, want)
		}
	}
	x.watcher.decisions.Range(func(n, d any) bool {
		if n.(uint64) > last {
			x.fail("the observer got the decision %+v, after the last one, %d", d, last)
		}
		return true
	})
}
