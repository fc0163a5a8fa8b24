package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
)

// ranked is an item with everything that a discipline may ask for.
type ranked struct {
	id, level int
	key       string
	due       time.Duration
}

// rankedQueues are the disciplines, with items of which some come late and rank first.
var rankedQueues = map[string]queue.Factory[*ranked]{
	"FIFO":       nil,
	"LIFO":       queue.NewLIFO[*ranked],
	"own LIFO":   newLIFO[*ranked],
	"Priority":   queue.Priority((*ranked).rank, 0),
	"Deadline":   queue.Deadline(queue.DeadlineConfig[*ranked]{Deadline: (*ranked).deadline}),
	"Fair":       queue.Fair(queue.FairConfig[*ranked, string]{Key: (*ranked).group}),
	"LimitByKey": queue.LimitByKey(1, (*ranked).group, queue.Priority((*ranked).rank, 0)),
	"CoDel":      queue.CoDel[*ranked](queue.CoDelConfig{}),
}

func (x *ranked) rank() int     { return x.level }
func (x *ranked) group() string { return x.key }

func (x *ranked) deadline() (time.Time, bool) { return time.Unix(0, 0).Add(x.due), true }

// rankedItems returns items of which most belong to one key and have the level 0.
func rankedItems(n int) []*ranked {
	items := make([]*ranked, n)
	for i := range items {
		items[i] = &ranked{id: i + 1, level: i * 7 % 5, key: "flood", due: time.Duration(i * 11 % n)}
		if i%10 == 9 {
			items[i].key = fmt.Sprint("key ", i%3)
		}
	}
	return items
}

// rankedPool starts a pool whose items take 10 ms each, and records their order.
func rankedPool(t *testing.T, limit int, q queue.Factory[*ranked]) (pool *scheduler.Pool[*ranked], order func() []int) {
	t.Helper()
	var mu sync.Mutex
	var ran []int
	pool, err := scheduler.NewPool(scheduler.Config[*ranked]{Min: 1, Max: 1, Limit: limit, Queue: q}, func(_ int32, x *ranked) {
		mu.Lock()
		ran = append(ran, x.id)
		mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	})
	if err != nil {
		t.Fatal(err)
	}
	return pool, func() []int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(ran)
	}
}

// submitRanked submits each item from a goroutine of its own, in order.
func submitRanked(t *testing.T, pool *scheduler.Pool[*ranked], items []*ranked) {
	t.Helper()
	for _, x := range items {
		go func() {
			if err := pool.Submit(t.Context(), x); err != nil {
				t.Errorf("Submit of item %d: %v", x.id, err)
			}
		}()
		synctest.Wait()
	}
}

// TestBlockedSubmittersRunInTheOrderOfTheDiscipline checks that the items of submitters that
// wait for room run in the same order as in a pool without a limit, in which nothing waits
// for room.
func TestBlockedSubmittersRunInTheOrderOfTheDiscipline(t *testing.T) {
	submits := map[string]func(*testing.T, *scheduler.Pool[*ranked], []*ranked){
		"Submit": submitRanked,
		"Submit to a paused pool": func(t *testing.T, pool *scheduler.Pool[*ranked], items []*ranked) {
			pool.Pause()
			submitRanked(t, pool, items)
			pool.Resume()
		},
		"SubmitTogether": func(t *testing.T, pool *scheduler.Pool[*ranked], items []*ranked) {
			for ; len(items) > 0; items = items[min(8, len(items)):] {
				batch := items[:min(8, len(items))]
				go func() { check.Is(t, "SubmitTogether", pool.SubmitTogether(t.Context(), batch), nil) }()
				synctest.Wait()
			}
		},
	}
	for name, q := range rankedQueues {
		for how, submit := range submits {
			for _, limit := range []int{scheduler.HandOver, 1, 10} {
				if how == "SubmitTogether" && limit < 8 {
					continue // the batches would be refused
				}
				t.Run(fmt.Sprintf("%s/%s/limit=%d", name, how, limit), func(t *testing.T) {
					var want, got []int
					for _, order := range []struct {
						limit int
						into  *[]int
					}{{0, &want}, {limit, &got}} {
						synctest.Test(t, func(t *testing.T) {
							pool, ran := rankedPool(t, order.limit, q)
							submit(t, pool, rankedItems(100))
							time.Sleep(time.Minute)
							s := pool.Snapshot()
							check.Equal(t, "items that are left", s.Queued+s.Blocked+s.Busy, 0)
							check.Equal(t, "submitted", s.Submitted, 100)
							mustStop(t, pool)
							*order.into = ran()
						})
					}
					check.Equal(t, "order", got, want)
				})
			}
		}
	}
}

// TestAHighPriorityDoesNotWaitBehindBlockedSubmitters has 200 submitters that wait for room
// under Priority. An item of a higher level that comes last runs next, and its submit
// returns when the item starts.
func TestAHighPriorityDoesNotWaitBehindBlockedSubmitters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, order := rankedPool(t, 10, rankedQueues["Priority"])
		crowd := make([]*ranked, 200)
		for i := range crowd {
			crowd[i] = &ranked{id: i + 1}
		}
		submitRanked(t, pool, crowd)
		begin := time.Now()
		check.Is(t, "Submit", pool.Submit(t.Context(), &ranked{id: 1000, level: 100}), nil)
		check.Equal(t, "wait for room", time.Since(begin), 10*time.Millisecond)
		s := pool.Snapshot()
		check.Equal(t, "queued, blocked", []int{s.Queued, s.Blocked}, []int{10, 189})
		synctest.Wait()
		check.Equal(t, "order", order(), []int{1, 1000})
		time.Sleep(time.Minute)
		mustStop(t, pool)
	})
}

// TestAFloodOfBlockedSubmittersDoesNotDelayOtherKeys floods a pool under Fair with the items
// of one key. The items of another key get every second turn.
func TestAFloodOfBlockedSubmittersDoesNotDelayOtherKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, order := rankedPool(t, 10, rankedQueues["Fair"])
		flood := make([]*ranked, 200)
		for i := range flood {
			flood[i] = &ranked{id: i + 1, key: "flood"}
		}
		submitRanked(t, pool, flood)
		submitRanked(t, pool, []*ranked{{id: 1001, key: "other"}, {id: 1002, key: "other"}, {id: 1003, key: "other"}})
		time.Sleep(50*time.Millisecond + 1)
		check.Equal(t, "order", order()[:6], []int{1, 2, 1001, 3, 1002, 4})
		time.Sleep(time.Minute)
		mustStop(t, pool)
	})
}

// TestHeldItemsDoNotBlockOtherKeys fills a pool under LimitByKey with items of a busy key. An
// item of a free key runs at once, on a worker that is idle or on a new one.
func TestHeldItemsDoNotBlockOtherKeys(t *testing.T) {
	for _, minimum := range []int{0, 4} {
		for _, limit := range []int{scheduler.HandOver, 3} {
			synctest.Test(t, func(t *testing.T) {
				parity := func(j *job) int { return j.id % 2 }
				r := newRig(t, scheduler.Config[*job]{Min: minimum, Max: 4, Limit: limit, Queue: queue.LimitByKey(1, parity, nil)})
				defer r.close(t)
				busy := []*job{newJob(1), newJob(3), newJob(5), newJob(7), newJob(9), newJob(11), newJob(13)}
				submitEach(t, r, busy)
				check.Equal(t, "running", r.running(), []int{1})
				free := background(func() error { return r.pool.Submit(t.Context(), newJob(2)) })
				synctest.Wait()
				check.Equal(t, "running with a free key", r.running(), []int{1, 2})
				if !returned(free) {
					t.Fatal("the submit of an item with a free key waits for room")
				}
				check.Is(t, "Submit", <-free, nil)
				if s := r.pool.Snapshot(); s.Workers > max(minimum, 2) {
					t.Errorf("there are %d workers for two items that may run: %+v", s.Workers, s)
				}
			})
		}
	}
}

// TestSubmitAllHasItsNextItemInTheQueue checks that SubmitAll waits with one item at a time,
// which the discipline orders among all others.
func TestSubmitAllHasItsNextItemInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, order := rankedPool(t, 2, rankedQueues["Priority"])
		submitRanked(t, pool, []*ranked{{id: 1}, {id: 2}, {id: 3}, {id: 4}, {id: 5}})
		all := background(func() error {
			return pool.SubmitAll(t.Context(), []*ranked{{id: 11, level: 1}, {id: 12, level: 1}, {id: 13}, {id: 14, level: 1}})
		})
		time.Sleep(time.Second)
		check.Is(t, "SubmitAll", <-all, nil)
		check.Equal(t, "order", order(), []int{1, 11, 12, 2, 3, 4, 14, 5, 13})
		mustStop(t, pool)
	})
}

// TestTogetherIsAdmittedWithItsFirstItem checks that a batch that waits for room is admitted
// as a whole when the discipline hands out one of its items, even beyond the limit.
func TestTogetherIsAdmittedWithItsFirstItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, order := rankedPool(t, 3, rankedQueues["Priority"])
		submitRanked(t, pool, []*ranked{{id: 1}, {id: 2}, {id: 3}, {id: 4}, {id: 5}, {id: 6}})
		begin := time.Now()
		err := pool.SubmitTogether(t.Context(), []*ranked{{id: 11, level: -1}, {id: 12, level: 1}, {id: 13, level: -1}})
		check.Is(t, "SubmitTogether", err, nil)
		check.Equal(t, "wait for room", time.Since(begin), 10*time.Millisecond)
		s := pool.Snapshot()
		check.Equal(t, "queued, blocked", []int{s.Queued, s.Blocked}, []int{5, 2})
		time.Sleep(time.Second)
		check.Equal(t, "order", order(), []int{1, 12, 2, 3, 4, 5, 6, 11, 13})
		mustStop(t, pool)
	})
}

// TestRequeuedItemsDoNotStarveBlockedSubmitters checks that submitters wait no longer than
// their place in a FIFO says, although requeued items, which ignore the limit, keep the queue
// full.
func TestRequeuedItemsDoNotStarveBlockedSubmitters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 1})
		defer r.close(t)
		js := newJobs(4)
		mustSubmit(t, r.pool, js[:2]...)
		synctest.Wait()
		check.Is(t, "Requeue", r.pool.Requeue(js[2], 0), nil)
		submitEach(t, r, js[3:])
		for _, j := range js[:3] {
			j.end <- requeues
			synctest.Wait()
		}
		check.Equal(t, "runs", r.ran(), []int{1, 2, 3, 4})
	})
}

// TestABlockedItemThatGivesUpDoesNotRun checks that the item of a submitter whose context
// ends leaves the queue: it neither runs, nor is it dropped, nor does it count as accepted.
// Its submitter gets the cause.
func TestABlockedItemThatGivesUpDoesNotRun(t *testing.T) {
	for name, q := range rankedQueues {
		synctest.Test(t, func(t *testing.T) {
			pool, order := rankedPool(t, 2, q)
			submitRanked(t, pool, []*ranked{{id: 1, key: "a"}, {id: 2, key: "b"}, {id: 3, key: "c"}})
			ctx, cancel := context.WithCancelCause(t.Context())
			single := background(func() error { return pool.Submit(ctx, &ranked{id: 4, level: 9, key: "d"}) })
			batch := background(func() error {
				return pool.SubmitTogether(ctx, []*ranked{{id: 5, level: 9, key: "e"}, {id: 6, level: 9, key: "f"}})
			})
			synctest.Wait()
			check.Equal(t, name+": blocked", pool.Snapshot().Blocked, 3)
			cancel(errors.ErrUnsupported)
			check.Is(t, name+": Submit", <-single, errors.ErrUnsupported)
			check.Is(t, name+": SubmitTogether", <-batch, errors.ErrUnsupported)
			s := pool.Snapshot()
			check.Equal(t, name+": queued, blocked, submitted", []int{s.Queued, s.Blocked, int(s.Submitted)}, []int{2, 0, 3})
			time.Sleep(time.Second)
			check.Equal(t, name+": items that ran", len(order()), 3)
			s = pool.Snapshot()
			check.Equal(t, name+": completed, dropped, withdrawn", []uint64{s.Completed, s.Dropped, s.Withdrawn}, []uint64{3, 0, 0})
			mustStop(t, pool)
		})
	}
}

// TestEqualItemsAreInterchangeable submits equal items: each submit and each cancellation
// counts for one of them.
func TestEqualItemsAreInterchangeable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran, release := 0, make(chan struct{})
		pool, err := scheduler.NewPool(scheduler.Config[string]{Min: 1, Max: 1, Limit: 2, Queue: queue.NewLIFO[string]},
			func(int32, string) { ran++; <-release })
		if err != nil {
			t.Fatal(err)
		}
		mustSubmit(t, pool, "x", "x", "x")
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		var kept, cancelled []<-chan error
		for i := range 6 {
			submitter := t.Context()
			if i%2 == 0 {
				submitter = ctx
			}
			result := background(func() error { return pool.Submit(submitter, "x") })
			synctest.Wait()
			if i%2 == 0 {
				cancelled = append(cancelled, result)
			} else {
				kept = append(kept, result)
			}
		}
		cancel()
		synctest.Wait()
		for _, result := range cancelled {
			check.Is(t, "a submit whose context has ended", <-result, context.Canceled)
		}
		for _, result := range kept {
			if returned(result) {
				t.Fatal("a submit returned without room")
			}
			release <- struct{}{}
			synctest.Wait()
			if !returned(result) {
				t.Fatal("the submitter that has waited longest waits still")
			}
			check.Is(t, "a submit", <-result, nil)
		}
		close(release)
		synctest.Wait()
		check.Equal(t, "runs", ran, 6)
		mustStop(t, pool)
	})
}

// TestItemsWithoutIdentityWaitInLine submits items that the pool could not find again in its
// queue: functions, and values that are not equal to themselves. They enter the queue when
// there is room, in the order of their submits.
func TestItemsWithoutIdentityWaitInLine(t *testing.T) {
	for _, limit := range []int{scheduler.HandOver, 1} {
		synctest.Test(t, func(t *testing.T) {
			var ran []int
			pool, err := scheduler.NewPool(scheduler.Config[any]{Min: 1, Max: 1, Limit: limit, Queue: queue.NewLIFO[any]}, func(_ int32, item any) {
				switch x := item.(type) {
				case func() int:
					ran = append(ran, x())
				case []int:
					ran = append(ran, x[0])
				case int:
					ran = append(ran, x)
				}
				time.Sleep(time.Second)
			})
			if err != nil {
				t.Fatal(err)
			}
			var results []<-chan error
			for _, item := range []any{0, 1, func() int { return 2 }, 3, []int{4}, 5, func() int { return 6 }} {
				results = append(results, background(func() error { return pool.Submit(t.Context(), item) }))
				synctest.Wait()
			}
			time.Sleep(time.Minute)
			for _, result := range results {
				check.Is(t, "Submit", <-result, nil)
			}
			mustStop(t, pool) // before the test reads what the worker has written
			check.Equal(t, "runs", len(ran), 7)
			for i, first := range []int{2, 4} { // among themselves in the order of their submits
				for _, later := range []int{4, 6}[i:] {
					if before(ran, later, first) {
						t.Errorf("item %d ran before item %d: %v", later, first, ran)
					}
				}
			}
		})
	}
}

// before reports whether a comes before b.
func before(list []int, a, b int) bool {
	for _, x := range list {
		if x == a || x == b {
			return x == a
		}
	}
	return false
}
