package scheduler_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// lateTimer is the timer of a simulator: it fires a nanosecond late.
type lateTimer struct{ *time.Timer }

func (l lateTimer) Reset(d time.Duration) bool { return l.Timer.Reset(max(d, 0) + 1) }

// countingScaler counts how often a scaler is asked.
type countingScaler struct {
	scale.Scaler[scale.Snapshot]
	asked *atomic.Int64
}

func (c countingScaler) Scale(s scale.Snapshot) scale.Decision {
	c.asked.Add(1)
	return c.Scaler.Scale(s)
}

// TestHooksOfASimulator: the pool makes one timer, at the start, lives by it, and calls Settle before
// it asks the scaler, without a lock.
func TestHooksOfASimulator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var timers, settled, asked atomic.Int64
		var p *scheduler.Pool[int]
		p, err := scheduler.NewPool(scheduler.Config[int]{
			Max:         2,
			IdleTimeout: time.Second,
			Scaler:      countingScaler{scale.Demand(1), &asked},
			Hooks: scheduler.Hooks[int]{
				Timer: func(ring func()) scheduler.Timer {
					timers.Add(1)
					timer := time.AfterFunc(time.Hour, ring)
					timer.Stop()
					return lateTimer{timer}
				},
				Settle: func() {
					if settled.Add(1); p != nil {
						p.Snapshot() // blocks forever if the pool is locked
					}
				},
			},
		}, func(int32, int) {})
		if err != nil {
			t.Fatal(err)
		}
		if n := timers.Load(); n != 1 {
			t.Errorf("the pool has made %d timers before it has anything to do, want 1", n)
		}
		if err := p.Submit(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := p.Snapshot().Workers; n != 1 {
			t.Errorf("%d workers after an item, want 1", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := p.Snapshot().Workers; n != 1 {
			t.Errorf("%d workers before the timer fires, want 1", n)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n := p.Snapshot().Workers; n != 0 {
			t.Errorf("%d workers after the timer has fired, want 0", n)
		}
		if settled.Load() < asked.Load() || asked.Load() == 0 {
			t.Errorf("the pool has asked the scaler %d times, and called Settle %d times", asked.Load(), settled.Load())
		}
		if n := timers.Load(); n != 1 {
			t.Errorf("the pool has made %d timers, want 1", n)
		}
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
