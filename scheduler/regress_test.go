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
)

// TestDroppedMayPanic checks that Dropped is called for the remaining items, whichever
// goroutine calls it, and that no worker is lost.
func TestDroppedMayPanic(t *testing.T) {
	quiet(t)
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int32
		p, err := scheduler.NewPool(scheduler.Config[int]{
			Min: 1, Max: 1, Queue: queue.CoDel[int](queue.CoDelConfig{}),
			Dropped: func(int, error) { told.Add(1); panic("callback") },
		}, func(int32, int) { time.Sleep(150 * time.Millisecond) })
		if err != nil {
			t.Fatal(err)
		}
		mustSubmit(t, p, 1, 2, 3, 4, 5, 6, 7) // the worker sheds most of them
		time.Sleep(time.Second)
		s := p.Snapshot()
		if s.Shed < 3 || uint64(told.Load()) != s.Shed || s.Shed+s.Completed != 7 {
			t.Errorf("Dropped was told of %d items: %+v", told.Load(), s)
		}
		p.Pause()
		mustSubmit(t, p, 8, 9, 10)
		mustStop(t, p)
		if s := p.Snapshot(); uint64(told.Load()) != s.Shed+s.Dropped || s.Dropped != 3 {
			t.Errorf("after Stop, Dropped was told of %d items: %+v", told.Load(), s)
		}
	})
}

// TestAWorkerKeepsItsItem checks that an item runs if Dropped panics between its pop and its
// run.
func TestAWorkerKeepsItsItem(t *testing.T) {
	quiet(t)
	synctest.Test(t, func(t *testing.T) {
		var ran []int
		p, err := scheduler.NewPool(scheduler.Config[int]{
			Min: 1, Max: 1, Queue: queue.CoDel[int](queue.CoDelConfig{}),
			Dropped: func(int, error) { panic("callback") },
		}, func(_ int32, i int) { ran = append(ran, i); time.Sleep(150 * time.Millisecond) })
		if err != nil {
			t.Fatal(err)
		}
		mustSubmit(t, p, 1, 2, 3, 4)
		time.Sleep(295 * time.Millisecond)
		mustSubmit(t, p, 5) // popped at 300 ms, in the same take that sheds 3 and 4
		time.Sleep(time.Second)
		mustStop(t, p)
		check.Equal(t, "items that ran", ran, []int{1, 2, 5})
	})
}

// touchy is an item whose attribute may panic.
type touchy struct {
	key  int
	bad  bool
	gone atomic.Bool
}

func (e *touchy) keyOf() int { return e.key }

func (e *touchy) level() int {
	if e.bad {
		panic("unlucky")
	}
	return 0
}

// TestPanicsBelowALimit checks an item that makes the inner discipline of LimitByKey panic
// when it is admitted: it is dropped, and the next item of its key takes its place.
func TestPanicsBelowALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dropped atomic.Int32
		p, err := scheduler.NewPool(scheduler.Config[*touchy]{
			Min: 1, Max: 1, Limit: 100, Overflow: scheduler.DropWorst,
			Queue:   queue.LimitByKey(1, (*touchy).keyOf, queue.Priority((*touchy).level, 0)),
			Hooks:   scheduler.Hooks[*touchy]{Withdrawn: func(e *touchy) bool { return e.gone.Load() }},
			Dropped: func(*touchy, error) { dropped.Add(1) },
		}, func(int32, *touchy) { time.Sleep(time.Second) })
		if err != nil {
			t.Fatal(err)
		}
		var all []*touchy
		for i := range 60 { // three per key: good, bad, good
			e := &touchy{key: i / 3, bad: i%3 == 1}
			all = append(all, e)
			mustSubmit(t, p, e)
		}
		synctest.Wait()
		for i := 3; i < 30; i += 3 { // admits bad ones in Remove
			all[i].gone.Store(true)
			p.Withdraw()
		}
		time.Sleep(time.Hour) // and others in Finish
		s := p.Snapshot()
		if dropped.Load() != 20 || s.Dropped != 20 || s.Completed != 31 || s.Queued != 0 {
			t.Errorf("%d items were dropped; want 20 dropped, 9 withdrawn and 31 run: %+v", dropped.Load(), s)
		}
		mustStop(t, p)
	})
}

// TestCallerRunsDoesNotHideTheCaller checks an item that runs for its submitter, an item of
// another pool: it must not wait for room in that pool.
func TestCallerRunsDoesNotHideTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a, b *scheduler.Pool[int]
		var got error
		start := func(overflow scheduler.Overflow, run func(int)) *scheduler.Pool[int] {
			p, err := scheduler.NewPool(scheduler.Config[int]{Min: 1, Max: 1, Limit: scheduler.HandOver, Overflow: overflow},
				func(_ int32, i int) { run(i) })
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		release := make(chan struct{})
		a = start(scheduler.CallerRuns, func(i int) {
			if i == 0 {
				<-release
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour) // so that a failing test ends
			defer cancel()
			got = b.Submit(ctx, 2)
		})
		b = start(scheduler.Block, func(int) { check.Is(t, "Submit", a.Submit(context.Background(), 1), nil) })
		mustSubmit(t, a, 0)
		mustSubmit(t, b, 0)
		synctest.Wait()
		close(release)
		mustStop(t, a)
		mustStop(t, b)
		check.Is(t, "the submit below two pools", got, scheduler.ErrWouldDeadlock)
	})
}

// TestWithdrawnItemsAreNotServed checks that withdrawn items do not use the share of their
// key.
func TestWithdrawnItemsAreNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := map[int]int{}
		p, err := scheduler.NewPool(scheduler.Config[*touchy]{
			Min: 1, Max: 1, Queue: queue.Fair(queue.FairConfig[*touchy, int]{Key: (*touchy).keyOf}),
			Hooks: scheduler.Hooks[*touchy]{Withdrawn: func(e *touchy) bool { return e.gone.Load() }},
		}, func(_ int32, e *touchy) { ran[e.key]++; time.Sleep(time.Second) })
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2000 {
			e := &touchy{key: i % 2}
			mustSubmit(t, p, e)
			if e.key == 0 && i < 1800 && i > 0 {
				e.gone.Store(true)
				p.Withdraw()
			}
		}
		time.Sleep(100*time.Second - time.Millisecond)
		mustStop(t, p)
		if d := ran[0] - ran[1]; d < -3 || d > 3 {
			t.Errorf("of two keys of which both had something waiting, %v were served; they may differ by Q + 2·Max = 3", ran)
		}
	})
}

// TestCancelledItemsMakeRoomForTheirKey checks that a withdrawn item does not occupy the place
// of its key until the discipline pops it, which may be never.
func TestCancelledItemsMakeRoomForTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := func(e *touchy) int { return e.key % 10 }
		r := 0
		release := make(chan struct{})
		p, err := scheduler.NewPool(scheduler.Config[*touchy]{
			Min: 1, Max: 1, Queue: queue.LimitByKey(1, func(e *touchy) int { return e.key / 10 }, queue.Priority(level, 0)),
			Hooks: scheduler.Hooks[*touchy]{Withdrawn: func(e *touchy) bool { return e.gone.Load() }},
		}, func(_ int32, e *touchy) {
			<-release
			r = 100*r + e.key
		})
		if err != nil {
			t.Fatal(err)
		}
		low, high, other := &touchy{key: 10}, &touchy{key: 19}, &touchy{key: 25}
		mustSubmit(t, p, &touchy{key: 35})
		synctest.Wait()
		mustSubmit(t, p, low, high, other)
		low.gone.Store(true)
		p.Withdraw()
		close(release)
		synctest.Wait()
		mustStop(t, p)
		check.Equal(t, "items in the order in which they ran", r, 351925)
	})
}

// TestAWorkerThatReportsHoldsUpNobody checks that other workers take items while one calls
// Dropped.
func TestAWorkerThatReportsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		p, err := scheduler.NewPool(scheduler.Config[int]{
			Min: 2, Max: 2, Queue: queue.CoDel[int](queue.CoDelConfig{}), Dropped: func(int, error) { <-block },
		}, func(_ int32, i int) {
			if i < 4 {
				time.Sleep(150 * time.Millisecond)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		mustSubmit(t, p, 0, 1, 2, 3, 4, 5)
		time.Sleep(160 * time.Millisecond)
		p.Pause()
		time.Sleep(150 * time.Millisecond)
		mustSubmit(t, p, 6, 7)
		p.Resume()
		synctest.Wait()
		if s := p.Snapshot(); s.Queued > 0 {
			t.Errorf("%d items wait, while one worker reports and %d are idle", s.Queued, s.Idle)
		}
		close(block)
		mustStop(t, p)
	})
}

// TestStopReturnsInTime checks that Stop returns when its context ends, although Dropped has
// not returned.
func TestStopReturnsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := scheduler.NewPool(scheduler.Config[int]{Min: 1, Max: 1, Dropped: func(int, error) { time.Sleep(time.Minute) }},
			func(int32, int) {})
		if err != nil {
			t.Fatal(err)
		}
		p.Pause()
		mustSubmit(t, p, make([]int, 60)...)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		begin := time.Now()
		check.Is(t, "Stop", p.Stop(ctx), context.DeadlineExceeded)
		check.Equal(t, "it took", time.Since(begin), 2*time.Second)
		check.Is(t, "Stop with time enough", p.Stop(context.Background()), nil)
		check.Equal(t, "until all was told", time.Since(begin), time.Hour)
	})
}

// TestManyMayGiveUpAtOnce checks that a submitter whose context ends leaves the line in
// constant time. With 20,000 submitters, a walk of the line for each took seconds.
func TestManyMayGiveUpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 1})
		defer r.close(t)
		mustSubmit(t, r.pool, newJobs(2)...)
		ctx, cancel := context.WithCancel(context.Background())
		const submitters = 2000
		results := make(chan error, submitters)
		for range submitters {
			go func() { results <- r.pool.Submit(ctx, newJob(3)) }()
		}
		synctest.Wait()
		patient := make(chan error, 1)
		go func() { patient <- r.pool.Submit(context.Background(), newJob(4)) }()
		synctest.Wait()
		cancel()
		for range submitters {
			check.Is(t, "Submit", <-results, context.Canceled)
		}
		check.Equal(t, "submitters that wait still", r.pool.Snapshot().Blocked, 1)
	})
}

// TestAFullInbox checks that the inbox before a discipline other than FIFO is limited, and
// that later items are not queued before those in the inbox.
func TestAFullInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran []int
		release := make(chan struct{})
		p, err := scheduler.NewPool(scheduler.Config[int]{Min: 1, Max: 1, Queue: queue.Priority(func(int) int { return 0 }, 0)},
			func(_ int32, i int) {
				if i == 0 {
					<-release
				}
				ran = append(ran, i)
			})
		if err != nil {
			t.Fatal(err)
		}
		mustSubmit(t, p, 0)
		synctest.Wait()
		const items = 5000
		for i := 1; i <= items; i++ {
			mustSubmit(t, p, i)
		}
		close(release)
		mustDrain(t, p)
		for i, item := range ran {
			if i != item {
				t.Fatalf("item %d ran in place %d", item, i)
			}
		}
		check.Equal(t, "items that ran", len(ran), items+1)
	})
}
