package scheduler_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// insistent is a scaler that asks to be called every 10 ms.
type insistent struct{ asked *atomic.Int32 }

func (s insistent) Scale(scale.Snapshot) scale.Decision {
	s.asked.Add(1)
	return scale.Decision{Target: 1, Again: 10 * time.Millisecond}
}

// TestDrainAsksTheScalerNoMoreThanItWants checks that the alarm does not ring repeatedly
// while the last item runs.
func TestDrainAsksTheScalerNoMoreThanItWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		pool, err := scheduler.NewPool(scheduler.Config[time.Duration]{Min: 1, Max: 4, Scaler: insistent{&asked}},
			func(_ int32, d time.Duration) { time.Sleep(d) })
		if err != nil {
			t.Fatal(err)
		}
		if err := pool.TrySubmit(time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
		asked.Store(0)
		if err := pool.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := asked.Load(); got > 101 {
			t.Errorf("the scaler was asked %d times in a second, want once in 10ms at most", got)
		}
	})
}

// TestRejectGrowsForAllThatComeTogether checks that no submit is refused while the pool can
// grow.
func TestRejectGrowsForAllThatComeTogether(t *testing.T) {
	const most = 8
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			pool, err := scheduler.NewPool(scheduler.Config[int]{Max: most, Limit: scheduler.HandOver, Overflow: scheduler.Reject},
				func(int32, int) { <-release })
			if err != nil {
				t.Fatal(err)
			}
			var full atomic.Int32
			for range most {
				go func() {
					if err := pool.TrySubmit(1); errors.Is(err, scheduler.ErrQueueFull) {
						full.Add(1)
					}
				}()
			}
			synctest.Wait()
			if got := full.Load(); got > 0 {
				t.Errorf("%d of %d items were refused by a pool of %d", got, most, most)
			}
			close(release)
			if err := pool.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
