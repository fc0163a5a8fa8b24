package scheduler_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// counted counts how often Remove looks at an item.
type counted struct {
	queue.Queue[*job]
	looks *int
}

func (q counted) Remove(gone func(*job) bool) int {
	return q.Queue.(queue.Remover[*job]).Remove(func(j *job) bool {
		*q.looks++
		return gone(j)
	})
}

// TestCancelledSubmittersCostLinearTime cancels 8,000 submitters that wait for room, one after
// another. The pool looks at each of their items a few times at most, and keeps none.
func TestCancelledSubmittersCostLinearTime(t *testing.T) {
	const n = 8000
	for _, equal := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			looks := 0
			var q queue.Queue[*job]
			r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 1, Queue: func() queue.Queue[*job] {
				q = counted{queue.Priority((*job).level, 0)(), &looks}
				return q
			}})
			defer r.close(t)
			js := newJobs(n + 2)
			mustSubmit(t, r.pool, js[:2]...)
			var cancels []context.CancelFunc
			for _, j := range js[2:] {
				if equal {
					j = js[2]
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancels = append(cancels, cancel)
				go func() { check.Is(t, "Submit", r.pool.Submit(ctx, j), context.Canceled) }()
			}
			synctest.Wait()
			check.Equal(t, "blocked", r.pool.Snapshot().Blocked, n)
			for _, cancel := range cancels {
				cancel()
				synctest.Wait()
			}
			check.Equal(t, "blocked in the end", r.pool.Snapshot().Blocked, 0)
			if looks > 4*n {
				t.Errorf("the pool looked %d times at %d items", looks, n)
			}
			if left := q.Len(); left > 40 {
				t.Errorf("the queue keeps %d items", left)
			}
		})
	}
}

// TestEndingRefusesBlockedSubmitters checks that submitters that wait for room get ErrStopped,
// and that their items neither run nor are dropped, under each discipline.
func TestEndingRefusesBlockedSubmitters(t *testing.T) {
	ends := map[string]func(*scheduler.Pool[*ranked]) error{
		"Stop":  func(p *scheduler.Pool[*ranked]) error { return p.Stop(context.Background()) },
		"Drain": func(p *scheduler.Pool[*ranked]) error { return p.Drain(context.Background()) },
		"Close": func(p *scheduler.Pool[*ranked]) error { p.Close(); <-p.Done(); return nil },
	}
	for name, q := range rankedQueues {
		for how, end := range ends {
			t.Run(fmt.Sprint(name, "/", how), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					pool, order := rankedPool(t, 2, q)
					items := rankedItems(30)
					submitRanked(t, pool, items[:3])
					var waiting []<-chan error
					for _, x := range items[3:20] {
						waiting = append(waiting, background(func() error { return pool.Submit(context.Background(), x) }))
						synctest.Wait()
					}
					waiting = append(waiting, background(func() error { return pool.SubmitTogether(context.Background(), items[20:23]) }))
					waiting = append(waiting, background(func() error { return pool.SubmitAll(context.Background(), items[23:]) }))
					synctest.Wait()
					ended := background(func() error { return end(pool) })
					synctest.Wait()
					for _, result := range waiting {
						check.Is(t, "a submit that waited for room", <-result, scheduler.ErrStopped)
					}
					s := pool.Snapshot()
					check.Equal(t, "blocked, submitted", []int{s.Blocked, int(s.Submitted)}, []int{0, 3})
					check.Is(t, how, <-ended, nil)
					s = pool.Snapshot()
					want := map[bool][]int{true: {1, 2}, false: {3, 0}}[how == "Stop"]
					check.Equal(t, "completed, dropped", []int{int(s.Completed), int(s.Dropped)}, want)
					check.Equal(t, "items that ran", len(order()), want[0])
					check.Equal(t, "queued, withdrawn", []int{s.Queued, int(s.Withdrawn)}, []int{0, 0})
				})
			})
		}
	}
}

// TestShedItemsOfBlockedSubmittersAreAccepted checks that the submit of an item that the queue
// gives up while its submitter waits for room returns nil, and that the item is reported.
func TestShedItemsOfBlockedSubmittersAreAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 1, Queue: newShedder})
		defer r.close(t)
		js := newJobs(6)
		mustSubmit(t, r.pool, js[:2]...)
		single := background(func() error { return r.pool.Submit(t.Context(), js[2]) })
		all := background(func() error { return r.pool.SubmitAll(t.Context(), js[3:]) })
		synctest.Wait()
		time.Sleep(2 * time.Second)
		js[0].end <- returns
		synctest.Wait()
		check.Is(t, "Submit", <-single, nil)
		check.Equal(t, "dropped", r.dropsByID(), shedDrops(js[1:4]...))
		check.Equal(t, "running, the next item of the batch", r.running(), []int{5})
		check.Is(t, "SubmitAll", <-all, nil)
		s := r.pool.Snapshot()
		check.Equal(t, "submitted, shed", []uint64{s.Submitted, s.Shed}, []uint64{6, 3})
	})
}

// TestAPanicInPushOfABlockedItem checks that an item that the queue cannot take is dropped, as
// it is when there is room, and that its submitter does not wait.
func TestAPanicInPushOfABlockedItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wary := queue.Priority(func(j *job) int {
			if j.id > 3 {
				panic("unlucky")
			}
			return 0
		}, 0)
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 1, Queue: wary})
		defer r.close(t)
		js := newJobs(6)
		mustSubmit(t, r.pool, js[:2]...)
		synctest.Wait()
		check.Is(t, "Submit", r.pool.Submit(t.Context(), js[3]), nil)
		check.Is(t, "SubmitAll", r.pool.SubmitAll(t.Context(), js[4:]), nil)
		s := r.pool.Snapshot()
		check.Equal(t, "queued, blocked, submitted, dropped",
			[]int{s.Queued, s.Blocked, int(s.Submitted), int(s.Dropped)}, []int{1, 0, 5, 3})
	})
}

// TestBlockedItemsDoNotCountAsWorkIfHeld checks that the scaler sees no work in the items of
// a busy key, whether they are queued or their submitters wait for room.
func TestBlockedItemsDoNotCountAsWorkIfHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := func(*job) int { return 1 }
		r := newRig(t, scheduler.Config[*job]{Max: 50, Limit: 5, Queue: queue.LimitByKey(2, one, nil)})
		defer r.close(t)
		submitEach(t, r, newJobs(40))
		s := r.pool.Snapshot()
		check.Equal(t, "workers, queued, blocked", []int{s.Workers, s.Queued, s.Blocked}, []int{2, 5, 33})
		time.Sleep(time.Hour) // the scaler is asked again
		check.Equal(t, "workers after an hour", r.pool.Snapshot().Workers, 2)
	})
}

// TestMeterCountsTheWaitForRoom checks that the waiting times of items include the time for
// which their submitters waited for room, in the sum and in the integral.
func TestMeterCountsTheWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{
			Min: 1, Max: 1, Limit: 1, Queue: queue.Priority((*job).level, 0),
			Scaler: scalerFunc(func(s scale.Snapshot) scale.Decision { return scale.Decision{Target: 1} }),
		})
		defer r.close(t)
		js := newJobs(4)
		submitEach(t, r, js)
		for _, j := range []*job{js[0], js[1], js[3], js[2]} { // in the order of their levels
			time.Sleep(time.Second)
			j.end <- returns
			synctest.Wait()
		}
		s := r.pool.Snapshot()
		check.Equal(t, "wait", []float64{s.WaitTime, s.QueuedTime}, []float64{6, 6}) // 0 + 1 + 2 + 3 seconds
	})
}

// TestACancelledBatchNoLongerBlocksSubmitters cancels a batch that waits for more room than
// there is. The submitter behind it, for which the room is enough, is admitted at once.
func TestACancelledBatchNoLongerBlocksSubmitters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 3})
		defer r.close(t)
		js := newJobs(7)
		mustSubmit(t, r.pool, js[:3]...)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		batch := background(func() error { return r.pool.SubmitTogether(ctx, js[3:6]) })
		synctest.Wait()
		late := background(func() error { return r.pool.Submit(t.Context(), js[6]) })
		synctest.Wait()
		if returned(batch) || returned(late) {
			t.Fatal("a submit returned without room")
		}
		cancel()
		synctest.Wait()
		check.Is(t, "the batch", <-batch, context.Canceled)
		if !returned(late) {
			t.Fatal("the submit behind the cancelled batch waits still")
		}
		check.Is(t, "the submit behind it", <-late, nil)
	})
}
