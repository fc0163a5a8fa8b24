package scheduler_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
)

// togetherElsewhere calls SubmitTogether in a goroutine.
func togetherElsewhere(r *rig, js []*job) <-chan error {
	result := background(func() error { return r.pool.SubmitTogether(context.Background(), js) })
	synctest.Wait()
	return result
}

// TestTogetherUnderCallerRuns checks that items are queued while there is room, and that the
// others run for the submitter, one after another in their order, however each ends.
func TestTogetherUnderCallerRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 2, Limit: 1, Overflow: scheduler.CallerRuns})
		defer r.close(t)
		js := newJobs(7)
		mustSubmit(t, r.pool, js[0])
		result := togetherElsewhere(r, js[1:])
		for i, how := range []ending{returns, panics, exits, returns} {
			j := js[3+i]
			check.Equal(t, "running, the last one inline", r.running(), []int{1, 2, j.id})
			check.Equal(t, "the worker of an item that its submitter runs", r.workerOf(j.id), 0)
			s := r.pool.Snapshot()
			check.Equal(t, "inline, queued, submitted", []uint64{uint64(s.Inline), uint64(s.Queued), s.Submitted}, []uint64{1, 1, uint64(4 + i)})
			if returned(result) {
				t.Fatalf("the submit returned while item %d was to run", j.id)
			}
			j.end <- how
			synctest.Wait()
		}
		if !returned(result) {
			t.Fatal("the submit has not returned")
		}
		check.Is(t, "the submit", <-result, nil)
		js[0].end <- returns
		synctest.Wait()
		inOrder := slices.DeleteFunc(r.ran(), func(id int) bool { return id < 3 }) // item 2 has a worker, which may be slow
		check.Equal(t, "order", inOrder, []int{4, 5, 6, 7, 3})
		s := r.pool.Snapshot()
		check.Equal(t, "completed and failed", []uint64{s.Completed, s.Failed}, []uint64{3, 2})
	})
}

// TestTogetherUnderCallerRunsWhilePaused checks that a paused pool rejects the batch.
func TestTogetherUnderCallerRunsWhilePaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 2, Limit: 2, Overflow: scheduler.CallerRuns})
		defer r.close(t)
		r.pool.Pause()
		check.Is(t, "a batch of 3 for a limit of 2", <-togetherElsewhere(r, newJobs(3)), scheduler.ErrQueueFull)
		check.Equal(t, "submitted", r.pool.Snapshot().Submitted, 0)
		check.Is(t, "a batch of 2", <-togetherElsewhere(r, newJobs(2)), nil)
	})
}

// TestStopWhileABatchRunsInline checks that items of the batch that have not started are
// dropped like queued ones, and that Dropped is called before the submit returns.
func TestStopWhileABatchRunsInline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 1, Limit: 1, Overflow: scheduler.CallerRuns})
		js := newJobs(5)
		mustSubmit(t, r.pool, js[0])
		synctest.Wait()
		result := togetherElsewhere(r, js[1:])
		check.Equal(t, "running", r.running(), []int{1, 3})
		stopped := background(func() error { return r.pool.Stop(context.Background()) })
		synctest.Wait()
		check.Equal(t, "dropped at once", r.dropsByID(), stopDrops(js[1]))
		js[2].end <- returns
		check.Is(t, "the submit", <-result, nil)
		check.Equal(t, "dropped", r.dropsByID(), stopDrops(js[1], js[3], js[4]))
		js[0].end <- returns
		check.Is(t, "Stop", <-stopped, nil)
		s := r.pool.Snapshot()
		check.Equal(t, "submitted, completed, dropped", []uint64{s.Submitted, s.Completed, s.Dropped}, []uint64{5, 2, 3})
	})
}

// TestDrainWhileABatchRunsInline checks that Drain drops nothing: the rest of the batch runs
// for the submitter, although nothing runs for a moment between two items.
func TestDrainWhileABatchRunsInline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 1, Limit: 1, Overflow: scheduler.CallerRuns})
		js := newJobs(5)
		mustSubmit(t, r.pool, js[0])
		synctest.Wait()
		result := togetherElsewhere(r, js[1:])
		drained := background(func() error { return r.pool.Drain(context.Background()) })
		for i, j := range js {
			select {
			case err := <-drained:
				t.Fatalf("Drain returned %v after %d of %d items", err, i, len(js))
			default:
			}
			j.end <- returns
			synctest.Wait()
		}
		check.Is(t, "the submit", <-result, nil)
		check.Is(t, "Drain", <-drained, nil)
		check.Equal(t, "ran", len(r.ran()), 5)
		check.Equal(t, "dropped", len(r.dropsByID()), 0)
	})
}

// TestStopWhileABatchWaits checks that no item of a waiting batch runs after Stop or Drain.
func TestStopWhileABatchWaits(t *testing.T) {
	ends := map[string]struct {
		end   func(*scheduler.Pool[*job]) error
		ran   []int
		drops []drop
	}{
		"Stop": {
			func(p *scheduler.Pool[*job]) error { return p.Stop(context.Background()) },
			[]int{1}, []drop{{2, scheduler.ErrStopped}},
		},
		"Drain": {func(p *scheduler.Pool[*job]) error { return p.Drain(context.Background()) }, []int{1, 2}, []drop{}},
	}
	for name, test := range ends {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{Max: 1, Limit: 2})
			js := newJobs(4)
			mustSubmit(t, r.pool, js[:2]...)
			synctest.Wait()
			result := togetherElsewhere(r, js[2:]) // there is room for one of them
			check.Equal(t, "items that wait for room", r.pool.Snapshot().Blocked, 2)
			ended := background(func() error { return test.end(r.pool) })
			synctest.Wait()
			check.Equal(t, "items that wait for room after "+name, r.pool.Snapshot().Blocked, 0)
			check.Is(t, "a batch that waited at "+name, <-result, scheduler.ErrStopped)
			js[0].end <- returns
			js[1].end <- returns
			check.Is(t, name, <-ended, nil)
			check.Equal(t, name+": items that ran", r.ran(), test.ran)
			check.Equal(t, name+": dropped items", r.dropsByID(), test.drops)
			check.Equal(t, name+": submitted", r.pool.Snapshot().Submitted, 2)
		})
	}
}

// TestBatchThatHasBecomeTooLarge checks a batch for which the pool becomes too small by a
// Resize: it is admitted when a worker takes its first item.
func TestBatchThatHasBecomeTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 4, Limit: 1})
		defer r.close(t)
		js := newJobs(7)
		mustSubmit(t, r.pool, js[0])
		synctest.Wait()
		r.pool.Pause()
		batch := togetherElsewhere(r, js[1:6])
		late := togetherElsewhere(r, js[6:])
		if err := r.pool.Resize(0, 1); err != nil {
			t.Fatal(err)
		}
		r.pool.Resume()
		synctest.Wait()
		if returned(batch) || returned(late) {
			t.Fatal("a submit returned while item 1 runs")
		}
		js[0].end <- returns
		synctest.Wait()
		check.Is(t, "the batch", <-batch, nil)
		check.Equal(t, "running", r.running(), []int{2})
		check.Equal(t, "queued", r.pool.Snapshot().Queued, 4)
		if returned(late) {
			t.Error("the submit behind the batch returned, and there is no room yet")
		}
		for _, j := range js[1:] {
			j.end <- returns
		}
		check.Is(t, "the submit behind the batch", <-late, nil)
		synctest.Wait()
		check.Equal(t, "items that ran", len(r.ran()), 7)
	})
}

// TestTogetherDoesNotWaitInItsOwnPool checks that an item gets ErrWouldDeadlock.
func TestTogetherDoesNotWaitInItsOwnPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got error
		r, js := full(t, scheduler.Config[*job]{}, func(r *rig) {
			got = r.pool.SubmitTogether(context.Background(), []*job{newJob(8), newJob(9)})
		})
		js[0].end <- returns
		synctest.Wait()
		check.Is(t, "the item's batch", got, scheduler.ErrWouldDeadlock)
		r.close(t)
	})
}

// TestTogetherKeepsItsOrderBesideOthers submits batches concurrently to a pool without a
// limit. All workers are busy, so that the batches go through the inbox.
func TestTogetherKeepsItsOrderBesideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1})
		js := newJobs(3000)
		mustSubmit(t, r.pool, js[0])
		synctest.Wait()
		for rest := js[1:]; len(rest) > 0; {
			n := min(len(rest), 700)
			check.Is(t, "a batch", r.pool.SubmitTogether(t.Context(), rest[:n]), nil)
			rest = rest[n:]
			if len(rest) > 0 {
				mustSubmit(t, r.pool, rest[0])
				rest = rest[1:]
			}
		}
		close(r.abort) // ends every job
		mustDrain(t, r.pool)
		check.Equal(t, "order", r.ran(), ids(js))
	})
}

// TestHasLentKnowsWhoWaits checks that HasLent is false for a worker that is idle, busy or
// does not exist, and for one that runs a different item by now.
func TestHasLentKnowsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait, resumed := make(chan struct{}), make(chan struct{})
		var pool *scheduler.Pool[int]
		pool, err := scheduler.NewPool(scheduler.Config[int]{Min: 2, Max: 2}, func(worker int32, item int) {
			if item == 1 {
				resume := pool.Lend(worker, nil)
				<-wait
				resume(nil)
				<-resumed
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		lent := func(item int) (workers []int32) {
			for id := int32(-1); id < 5; id++ {
				if pool.HasLent(id, func(x int) bool { return x == item }) {
					workers = append(workers, id)
				}
			}
			return workers
		}
		mustSubmit(t, pool, 1)
		synctest.Wait()
		var on []int32
		for _, w := range pool.Workers() {
			if w.Lent {
				on = append(on, w.ID)
			}
		}
		check.Equal(t, "workers that have lent", lent(1), on)
		check.Equal(t, "how many", len(on), 1)
		check.Equal(t, "of another item", lent(2), nil)
		close(wait)
		synctest.Wait()
		check.Equal(t, "after the wait", lent(1), nil)
		close(resumed)
		synctest.Wait()
		check.Equal(t, "after the end", lent(0), nil)
		mustStop(t, pool)
		check.Equal(t, "after Stop", lent(1), nil)
	})
}

// called is a result of Caller.
type called struct {
	scheduler.Caller[int]
	OK bool
}

func callerIn(p *scheduler.Pool[int]) called {
	c, ok := p.Caller()
	return called{c, ok}
}

// TestCallerKnowsForWhomAGoroutineRuns checks that Caller returns the item that the goroutine
// executes, on a worker or inline.
func TestCallerKnowsForWhomAGoroutineRuns(t *testing.T) {
	for _, track := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			seen := map[int]called{}
			var elsewhere called
			var pool *scheduler.Pool[int]
			release := make(chan struct{})
			pool, err := scheduler.NewPool(scheduler.Config[int]{
				Min: 1, Max: 1, Limit: 1, Overflow: scheduler.CallerRuns, Hooks: scheduler.Hooks[int]{TrackCallers: track},
			}, func(_ int32, item int) {
				seen[item] = callerIn(pool) // only one of them runs at a time
				switch item {
				case 1:
					<-release
					check.Is(t, "a batch", pool.SubmitTogether(context.Background(), []int{2, 3, 4}), nil)
					check.Equal(t, "caller after the batch", callerIn(pool), seen[1])
				case 3:
					check.Is(t, "an item", pool.Submit(context.Background(), 5), nil)
				case 4:
					done := make(chan struct{})
					go func() { defer close(done); elsewhere = callerIn(pool) }()
					<-done
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			mustSubmit(t, pool, 1)
			check.Equal(t, "caller on a goroutine of no item", callerIn(pool), called{})
			close(release)
			synctest.Wait()
			mustStop(t, pool)
			item := func(worker int32, item int) called {
				return called{scheduler.Caller[int]{Worker: worker, Item: item}, true}
			}
			want := map[int]called{1: item(1, 1), 2: item(1, 2), 3: item(0, 3), 4: item(0, 4), 5: item(0, 5)} // 2 was queued
			if !track {
				want = map[int]called{1: {}, 2: {}, 3: {}, 4: {}, 5: {}}
			}
			check.Equal(t, "callers", seen, want)
			check.Equal(t, "caller on a goroutine that an item has started", elsewhere, called{})
		})
	}
}

// TestCallerThroughInlineItemsOfAnotherPool checks that Caller finds the nearest item of its
// pool for a goroutine that runs an inline item of another pool.
func TestCallerThroughInlineItemsOfAnotherPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pools := make(map[string]*scheduler.Pool[int])
		seen := make(map[string][]called)
		order := []string{"a", "b", "b", "a", "b"} // item i runs inside item i-1, in this pool
		release := make(chan struct{})
		run := func(_ int32, item int) {
			if item < 0 {
				<-release
				return
			}
			for name, p := range pools {
				seen[name] = append(seen[name], callerIn(p))
			}
			if item++; item < len(order) {
				check.Is(t, "Submit", pools[order[item]].Submit(context.Background(), item), nil)
			}
		}
		for _, name := range []string{"a", "b"} {
			p, err := scheduler.NewPool(scheduler.Config[int]{
				Min: 1, Max: 1, Limit: scheduler.HandOver, Overflow: scheduler.CallerRuns,
				Hooks: scheduler.Hooks[int]{TrackCallers: true},
			}, run)
			if err != nil {
				t.Fatal(err)
			}
			pools[name] = p
		}
		mustSubmit(t, pools["b"], -1)
		synctest.Wait()
		mustSubmit(t, pools["a"], 0)
		synctest.Wait()
		close(release)
		mustStop(t, pools["a"])
		mustStop(t, pools["b"])
		item := func(worker int32, item int, indirect bool) called {
			return called{scheduler.Caller[int]{Worker: worker, Item: item, Indirect: indirect}, true}
		}
		check.Equal(t, "callers", seen, map[string][]called{
			"a": {item(1, 0, false), item(1, 0, true), item(1, 0, true), item(0, 3, false), item(0, 3, true)},
			"b": {{}, item(0, 1, false), item(0, 2, false), item(0, 2, true), item(0, 4, false)},
		})
	})
}
