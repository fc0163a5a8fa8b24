package scheduler_test

import (
	"testing"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// TestListingWorkersDoesNotStallThePool lists a million workers. The pool must not be locked
// while their states are put together.
func TestListingWorkersDoesNotStallThePool(t *testing.T) {
	const workers = 1_000_000
	pool, err := scheduler.NewPool(scheduler.Config[int]{Max: workers, Scaler: scale.Fixed(workers)}, func(int32, int) {})
	if err != nil {
		t.Fatal(err)
	}
	defer mustStop(t, pool)
	wantUnlocked(t, pool, func() {
		if n := len(pool.Workers()); n != workers {
			t.Errorf("%d workers are listed, want %d", n, workers)
		}
	})
}

// wantUnlocked checks that the pool is not locked for most of the time that f takes. It looks
// again and again, and the best of several attempts counts, since other programs take the
// processors away from the test.
func wantUnlocked[T any](t *testing.T, pool *scheduler.Pool[T], f func()) {
	t.Helper()
	least := 1.0
	for range 5 {
		over, share := make(chan struct{}), make(chan float64)
		go func() {
			looks, locked := 1, 0
			for {
				select {
				case <-over:
					share <- float64(locked) / float64(looks)
					return
				default:
				}
				looks++
				if pool.Locked() {
					locked++
				}
			}
		}()
		f()
		close(over)
		if least = min(least, <-share); least < 0.05 {
			return
		}
	}
	t.Errorf("the pool was locked for %.0f%% of the time", 100*least)
}
