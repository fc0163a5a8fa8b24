package scheduler_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

func sameKey(*job) int { return 0 }

// TestHeldItemsDoNotAskTheScaler checks that the scaler is not asked for workers on behalf of
// items that no worker could take.
func TestHeldItemsDoNotAskTheScaler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		r := newRig(t, scheduler.Config[*job]{
			Min: 1, Max: 4, Queue: queue.LimitByKey(1, sameKey, nil),
			Scaler: scalerFunc(func(scale.Snapshot) scale.Decision { asked.Add(1); return scale.Decision{Target: 1} }),
		})
		defer r.close(t)
		js := newJobs(9)
		mustSubmit(t, r.pool, js[0])
		synctest.Wait()
		before := asked.Load()
		mustSubmit(t, r.pool, js[1:]...)
		synctest.Wait()
		check.Equal(t, "questions for held items", asked.Load()-before, 0)
	})
}

// TestHeldItemsTakeUpRoomBesideFreeWorkers checks that the limit bounds held items although
// workers are free, which could not take them.
func TestHeldItemsTakeUpRoomBesideFreeWorkers(t *testing.T) {
	for limit, fits := range map[int]int{scheduler.HandOver: 1, 2: 2} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{
				Min: 4, Max: 4, Limit: limit, Overflow: scheduler.Reject, Queue: queue.LimitByKey(1, sameKey, nil),
			})
			defer r.close(t)
			js := newJobs(4)
			mustSubmit(t, r.pool, js[0])
			synctest.Wait()
			mustSubmit(t, r.pool, js[1:1+fits]...)
			synctest.Wait()
			check.Is(t, "one more held item", r.pool.TrySubmit(js[3]), scheduler.ErrQueueFull)
		})
	}
}

// TestADisciplineThatHoldsBackSeesItemsWhenTheyArrive checks that items that arrive before the
// end of another item enter the queue before that end, also while all workers are busy.
func TestADisciplineThatHoldsBackSeesItemsWhenTheyArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parity := func(j *job) int { return j.id % 2 }
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Queue: queue.LimitByKey(1, parity, nil)})
		defer r.close(t)
		js := newJobs(4)
		mustSubmit(t, r.pool, js[0])
		synctest.Wait()
		mustSubmit(t, r.pool, js[2], js[1]) // item 3 is held back until item 1 ends
		js[0].end <- returns
		synctest.Wait()
		js[1].end <- returns
		synctest.Wait()
		check.Equal(t, "order", r.ran(), []int{1, 2, 3})
	})
}

// TestDrainRunsWhatIsRequeuedWhateverTheScalerSays checks that an item that ran for its
// submitter and is requeued, when all workers have left, gets a worker.
func TestDrainRunsWhatIsRequeuedWhateverTheScalerSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var target atomic.Int32
		target.Store(1)
		r := newRig(t, scheduler.Config[*job]{
			Max: 1, Limit: 1, Overflow: scheduler.CallerRuns,
			Scaler: scalerFunc(func(scale.Snapshot) scale.Decision { return scale.Decision{Target: int(target.Load())} }),
		})
		js := newJobs(3)
		mustSubmit(t, r.pool, js[:2]...)
		synctest.Wait()
		submitted := background(func() error { return r.pool.Submit(context.Background(), js[2]) })
		synctest.Wait()
		target.Store(0)
		drained := background(func() error { return r.pool.Drain(context.Background()) })
		js[0].end <- returns
		js[1].end <- returns
		synctest.Wait()
		check.Equal(t, "workers that are left", r.pool.Snapshot().Workers, 0)
		js[2].end <- requeues
		check.Is(t, "Submit", <-submitted, nil)
		synctest.Wait()
		check.Equal(t, "running", r.running(), []int{3})
		js[2].end <- returns
		synctest.Wait()
		if !returned(drained) {
			t.Fatal("Drain has not returned")
		}
		check.Is(t, "Drain", <-drained, nil)
	})
}

// lendPool starts a pool whose items work for a second, lend their slot for an hour, work for
// another second, and then wait for release.
func lendPool(t *testing.T, cfg scheduler.Config[int]) (pool *scheduler.Pool[int], release chan struct{}) {
	t.Helper()
	release = make(chan struct{})
	pool, err := scheduler.NewPool(cfg, func(worker int32, _ int) {
		time.Sleep(time.Second)
		resume := pool.Lend(worker, nil)
		time.Sleep(time.Hour)
		resume(nil)
		time.Sleep(time.Second)
		<-release
	})
	if err != nil {
		t.Fatal(err)
	}
	return pool, release
}

// TestAWorkerThatIsSpareAfterAResumeExpires checks that the worker that took the place of one
// that had lent its slot leaves after the idle timeout, while the other is still busy.
func TestAWorkerThatIsSpareAfterAResumeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, release := lendPool(t, scheduler.Config[int]{Min: 1, Max: 2, IdleTimeout: time.Minute})
		mustSubmit(t, pool, 1)
		time.Sleep(time.Hour + 2*time.Minute)
		s := pool.Snapshot()
		check.Equal(t, "workers and busy ones after the idle timeout", []int{s.Workers, s.Busy, s.Lent}, []int{1, 1, 0})
		close(release)
		mustStop(t, pool)
	})
}

// TestLentTimeIsNotServiceTime checks the time that the meter counts for an item that lends its
// slot.
func TestLentTimeIsNotServiceTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, release := lendPool(t, scheduler.Config[int]{Max: 1, Scaler: scalerFunc(scale.Demand(1).Scale)})
		close(release)
		mustSubmit(t, pool, 1)
		time.Sleep(2 * time.Hour)
		check.Equal(t, "service time", pool.Snapshot().ServiceTime, 2)
		mustStop(t, pool)
	})
}

// TestALineBatchThatHasBecomeTooLarge checks a batch that waits outside the queue, because the
// pool could not find its items there, and for which the pool becomes too small: it is
// admitted when the pool has nothing else to do, and not before.
func TestALineBatchThatHasBecomeTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		release := make(chan struct{})
		work := func() { <-release; ran.Add(1) }
		pool, err := scheduler.NewPool(scheduler.Config[func()]{Max: 4, Limit: 1}, func(_ int32, f func()) { f() })
		if err != nil {
			t.Fatal(err)
		}
		mustSubmit(t, pool, work)
		synctest.Wait()
		pool.Pause()
		batch := background(func() error { return pool.SubmitTogether(context.Background(), []func(){work, work, work, work, work}) })
		synctest.Wait()
		check.Is(t, "Resize", pool.Resize(0, 2), nil)
		pool.Resume()
		synctest.Wait()
		if returned(batch) {
			t.Fatal("the batch is admitted while an item runs")
		}
		release <- struct{}{}
		synctest.Wait()
		if !returned(batch) {
			t.Fatal("the batch waits for room that it can never get")
		}
		check.Is(t, "the batch", <-batch, nil)
		close(release)
		synctest.Wait()
		check.Equal(t, "items that ran", ran.Load(), 6)
		mustStop(t, pool)
	})
}

// TestWithdrawnWhileItsSubmitterWaits checks that the submit of an item that is withdrawn
// while it waits for room returns when the item leaves the queue.
func TestWithdrawnWhileItsSubmitterWaits(t *testing.T) {
	for name, factory := range map[string]queue.Factory[*job]{"FIFO": nil, "LIFO": queue.NewLIFO[*job], "own LIFO": newLIFO[*job]} {
		for _, sweep := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 1, Queue: factory})
				defer r.close(t)
				js := newJobs(3)
				mustSubmit(t, r.pool, js[:2]...)
				synctest.Wait()
				result := background(func() error { return r.pool.Submit(t.Context(), js[2]) })
				synctest.Wait()
				js[2].gone.Store(true)
				r.pool.Withdraw()
				if sweep {
					js[1].gone.Store(true)
					r.pool.Withdraw() // all items in the queue are withdrawn
				} else {
					js[1].end <- returns
				}
				js[0].end <- returns
				synctest.Wait()
				if !returned(result) {
					t.Fatalf("%s: the submit waits for room still", name)
				}
				check.Is(t, name+": Submit", <-result, nil)
				s := r.pool.Snapshot()
				check.Equal(t, name+": queued, blocked, submitted", []int{s.Queued, s.Blocked, int(s.Submitted)}, []int{0, 0, 3})
				check.Equal(t, name+": started and withdrawn", s.Started+s.Withdrawn, 3)
			})
		}
	}
}

// TestFreeWorkersDoNotCountAsRoomBehindBlockedSubmitters checks that Resume does not admit
// submitters on behalf of workers that take the items of other submitters: the limit holds.
func TestFreeWorkersDoNotCountAsRoomBehindBlockedSubmitters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 3, Max: 3, Limit: 2, Queue: queue.NewLIFO[*job]})
		defer r.close(t)
		r.pool.Pause()
		js := newJobs(9)
		submitEach(t, r, js)
		r.pool.Resume()
		synctest.Wait()
		check.Equal(t, "running", r.running(), []int{7, 8, 9})
		s := r.pool.Snapshot()
		check.Equal(t, "queued, blocked", []int{s.Queued, s.Blocked}, []int{2, 4})
	})
}

// evictions counts the calls of Evict.
type evictions struct {
	counted
	n *int
}

func (q evictions) CanEvict(queue.Victim) bool { return true }

func (q evictions) Evict(v queue.Victim) (*job, bool) {
	*q.n++
	return q.Queue.(queue.Evictor[*job]).Evict(v)
}

// TestWithdrawnItemsAreNotEvictedOneByOne checks that a submit that must drop an item sweeps
// the withdrawn items when it finds one.
func TestWithdrawnItemsAreNotEvictedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evicted, looks := 0, 0
		r := newRig(t, scheduler.Config[*job]{
			Max: 1, Limit: 100, Overflow: scheduler.DropOldest,
			Queue: func() queue.Queue[*job] { return evictions{counted{queue.NewLIFO[*job](), &looks}, &evicted} },
		})
		defer r.close(t)
		r.pool.Pause()
		js := newJobs(200)
		mustSubmit(t, r.pool, js[:100]...)
		for _, j := range js[:40] {
			j.gone.Store(true)
			r.pool.Withdraw()
		}
		mustSubmit(t, r.pool, js[100:141]...)
		check.Equal(t, "dropped", r.dropsByID(), []drop{{41, scheduler.ErrDropped}})
		if evicted > 2 {
			t.Errorf("%d items were evicted to drop one", evicted)
		}
	})
}

// TestWithdrawnWhileNoRoomIsKept is TestWithdrawnWhileItsSubmitterWaits for HandOver, under
// which a submitter gets no room in the queue.
func TestWithdrawnWhileNoRoomIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: scheduler.HandOver})
		defer r.close(t)
		js := newJobs(2)
		mustSubmit(t, r.pool, js[0])
		synctest.Wait()
		result := background(func() error { return r.pool.Submit(t.Context(), js[1]) })
		synctest.Wait()
		js[1].gone.Store(true)
		r.pool.Withdraw()
		synctest.Wait()
		if !returned(result) {
			t.Fatal("the submit of the withdrawn item waits for room still")
		}
		check.Is(t, "Submit", <-result, nil)
		s := r.pool.Snapshot()
		check.Equal(t, "queued, blocked, submitted", []int{s.Queued, s.Blocked, int(s.Submitted)}, []int{0, 0, 2})
	})
}

// TestResizeGrowsForSubmittersOutsideTheQueue checks that items that wait in line, since the
// pool could not find them in its queue, get the room that new workers make.
func TestResizeGrowsForSubmittersOutsideTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, err := scheduler.NewPool(scheduler.Config[func()]{Max: 1, Limit: scheduler.HandOver}, func(_ int32, f func()) { f() })
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		work := func() { <-release }
		for range 4 {
			go func() { _ = pool.Submit(context.Background(), work) }()
			synctest.Wait()
		}
		check.Equal(t, "blocked", pool.Snapshot().Blocked, 3)
		check.Is(t, "Resize", pool.Resize(0, 4), nil)
		synctest.Wait()
		s := pool.Snapshot()
		check.Equal(t, "busy, blocked", []int{s.Busy, s.Blocked}, []int{4, 0})
		close(release)
		mustStop(t, pool)
	})
}
