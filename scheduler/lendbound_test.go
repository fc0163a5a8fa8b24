package scheduler_test

import (
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
)

// TestInterruptedWaitsExceedTheMaximumByTheirNumber interrupts fifty waits at once, while two
// other items have the slots. The fifty items continue, and no item starts until fewer items
// run than the maximum.
func TestInterruptedWaitsExceedTheMaximumByTheirNumber(t *testing.T) {
	const most, waits, queued = 2, 50, 5
	synctest.Test(t, func(t *testing.T) {
		interrupt, release := make(chan struct{}), make(chan struct{})
		var pool *scheduler.Pool[bool]
		pool, err := scheduler.NewPool(scheduler.Config[bool]{Max: most}, func(worker int32, lends bool) {
			if lends {
				resume := pool.Lend(worker, nil)
				<-interrupt
				resume(interrupt)
			}
			<-release
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range waits + most + queued {
			mustSubmit(t, pool, i < waits)
		}
		synctest.Wait()
		s := pool.Snapshot()
		check.Equal(t, "busy, lent, queued", [3]int{s.Busy, s.Lent, s.Queued}, [3]int{most, waits, queued})
		close(interrupt)
		for ended := range waits + most + queued {
			synctest.Wait()
			s := pool.Snapshot()
			starts := max(ended-waits, 0)
			if ended == 0 {
				check.Equal(t, "busy", s.Busy, most+waits)
			}
			check.Equal(t, "queued", s.Queued, max(queued-starts, 0))
			if s.Busy > most+max(waits-ended, 0) {
				t.Errorf("%d items run after %d have ended, want at most the maximum and the interrupted ones", s.Busy, ended)
			}
			release <- struct{}{}
		}
		mustStop(t, pool)
	})
}

// TestInterruptedWaitsMayNeedEachOther shows why the pool lets all interrupted items continue
// at once: the first of them waits for the item that has the slot, which only the second one
// ends. If they continued one at a time, none of them could.
func TestInterruptedWaitsMayNeedEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		interrupt, cancel, holderEnded := make(chan struct{}), make(chan struct{}), make(chan struct{})
		first := make(chan struct{})
		var pool *scheduler.Pool[string]
		pool, err := scheduler.NewPool(scheduler.Config[string]{Max: 1}, func(worker int32, name string) {
			switch name {
			case "holder":
				<-cancel
				close(holderEnded)
			case "first":
				resume := pool.Lend(worker, nil)
				<-interrupt
				resume(interrupt)
				close(first)
				<-holderEnded
			case "second":
				resume := pool.Lend(worker, nil)
				<-first
				resume(interrupt)
				close(cancel)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"first", "second", "holder"} {
			mustSubmit(t, pool, name)
			synctest.Wait()
		}
		close(interrupt)
		mustDrain(t, pool)
		check.Equal(t, "completed", pool.Snapshot().Completed, 3)
	})
}
