package scheduler_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// TestStopDropsInPortions checks that Stop does not drop all items while it locks the pool:
// at the first report most of them still count as queued. All are dropped in the end, in order.
func TestStopDropsInPortions(t *testing.T) {
	const items = 10_000
	key := func(i int) int { return i % 2 }
	for name, discipline := range map[string]queue.Factory[int]{
		"FIFO":       queue.NewFIFO[int],
		"LimitByKey": queue.LimitByKey(1, key, queue.NewFIFO[int]), // which holds them back
		"LIFO":       newLIFO[int],                                 // without optional interfaces
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				var pool *scheduler.Pool[int]
				dropped, most := 0, uint64(0)
				pool, err := scheduler.NewPool(scheduler.Config[int]{
					Min: 2, Max: 2, Queue: discipline,
					Dropped: func(_ int, reason error) {
						check.Is(t, "Dropped", reason, scheduler.ErrStopped)
						s := pool.Snapshot()
						dropped++
						most = max(most, s.Dropped-uint64(dropped))
						check.Equal(t, "items accounted for", uint64(s.Busy+s.Queued)+s.Dropped, items)
					},
				}, func(int32, int) { <-release })
				if err != nil {
					t.Fatal(err)
				}
				for i := range items {
					mustSubmit(t, pool, i)
					if i < 2 {
						synctest.Wait()
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				check.Is(t, "Stop", pool.Stop(ctx), context.DeadlineExceeded)
				check.Equal(t, "dropped", dropped, items-2)
				if most > 256 {
					t.Errorf("%d items were dropped and not yet reported, want at most 256", most)
				}
				close(release)
				mustStop(t, pool)
			})
		})
	}
}

// TestStopEndsItemsWhileItDrops checks that a running item can end, and a submit is refused,
// before all waiting items are dropped.
func TestStopEndsItemsWhileItDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Dropped: func(*job, error) { <-gate }})
		js := newJobs(1000)
		mustSubmit(t, r.pool, js...)
		synctest.Wait()
		stopped := background(func() error { return r.pool.Stop(context.Background()) })
		synctest.Wait()
		js[0].end <- returns
		synctest.Wait()
		s := r.pool.Snapshot()
		check.Equal(t, "completed", s.Completed, 1)
		check.Equal(t, "workers", s.Workers, 0)
		check.Equal(t, "queued", s.Queued+int(s.Dropped), 999)
		check.Is(t, "TrySubmit", r.pool.TrySubmit(newJob(0)), scheduler.ErrStopped)
		close(gate)
		check.Is(t, "Stop", <-stopped, nil)
		check.Equal(t, "dropped", r.pool.Snapshot().Dropped, 999)
		close(r.abort)
	})
}

// TestCloseRunsWhatIsQueued checks that Close returns at once, that the queued items run, and
// that the pool ends with the last of them.
func TestCloseRunsWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 2, Max: 2, Limit: 1})
		defer close(r.abort)
		r.pool.Pause()
		js := newJobs(3)
		mustSubmit(t, r.pool, js[0])
		waits := background(func() error { return r.pool.Submit(context.Background(), js[1]) })
		synctest.Wait()
		r.pool.Close() // also ends the pause
		check.Is(t, "a Submit that waited for room", <-waits, scheduler.ErrStopped)
		check.Is(t, "TrySubmit", r.pool.TrySubmit(js[2]), scheduler.ErrStopped)
		synctest.Wait()
		check.Equal(t, "running", r.running(), []int{1})
		if isClosed(r.pool.Done()) {
			t.Error("the pool has ended, with an item running")
		}
		r.pool.Close()
		drained := background(func() error { return r.pool.Drain(context.Background()) })
		js[0].end <- returns
		synctest.Wait()
		if !isClosed(r.pool.Done()) || r.pool.Goroutines() > 0 {
			t.Errorf("the pool has not ended, with %d goroutines", r.pool.Goroutines())
		}
		check.Is(t, "Drain", <-drained, nil)
		mustStop(t, r.pool)
		r.pool.Close()
	})
}

// TestCloseByAnItem checks that an item may close its pool, and that items which it has
// queued before run.
func TestCloseByAnItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool *scheduler.Pool[int]
		var mu sync.Mutex
		ran := 0
		pool, err := scheduler.NewPool(scheduler.Config[int]{Max: 1}, func(_ int32, i int) {
			mu.Lock()
			ran++
			mu.Unlock()
			if i == 1 {
				mustSubmit(t, pool, 2, 3)
				pool.Close()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		mustSubmit(t, pool, 1)
		<-pool.Done()
		check.Equal(t, "items that ran", ran, 3)
	})
}

// TestCloseOfAnIdlePool checks that a pool without items ends at once.
func TestCloseOfAnIdlePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 3, Max: 3})
		r.pool.Close()
		synctest.Wait()
		check.Equal(t, "ended", isClosed(r.pool.Done()), true)
		check.Equal(t, "workers", r.pool.Snapshot().Workers, 0)
	})
}

// TestErrorsCountOneItem checks that errors do not speak of "1 items".
func TestErrorsCountOneItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1})
		mustSubmit(t, r.pool, newJobs(1)...)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		check.Equal(t, "the error of Stop", r.pool.Stop(ctx).Error(),
			"scheduler: the pool has not stopped yet, with 1 item running and 0 queued: context canceled")
		check.Equal(t, "the error of SubmitAll", (&scheduler.BatchError{Admitted: 1, Err: scheduler.ErrStopped}).Error(),
			"scheduler: batch cut short after 1 item: scheduler: the pool is stopped")
		r.close(t)
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestStopDismissesWorkersThatHaveNotStarted checks that workers without a goroutine are gone
// at once, and not only when the last item has ended.
func TestStopDismissesWorkersThatHaveNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 5, Scaler: scale.Fixed(5)})
		mustSubmit(t, r.pool, newJob(1))
		synctest.Wait()
		check.Equal(t, "workers", r.pool.Snapshot().Workers, 5)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		check.Is(t, "Stop", r.pool.Stop(ctx), context.Canceled)
		check.Equal(t, "workers", r.pool.Snapshot().Workers, 1)
		r.close(t)
	})
}
