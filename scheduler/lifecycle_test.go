package scheduler_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// background makes a call in its own goroutine. The channel returns the result.
func background(call func() error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- call() }()
	return result
}

func returned(result <-chan error) bool { return len(result) > 0 }

func stopDrops(js ...*job) []drop {
	out := []drop{}
	for _, j := range js {
		out = append(out, drop{j.id, scheduler.ErrStopped})
	}
	return out
}

func TestStopDropsWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1})
		js := newJobs(4)
		mustSubmit(t, r.pool, js...)
		synctest.Wait()
		js[2].gone.Store(true)
		r.pool.Withdraw()

		stop := background(func() error { return r.pool.Stop(t.Context()) })
		synctest.Wait()
		check.Equal(t, "dropped", r.dropsByID(), stopDrops(js[1], js[3]))
		if returned(stop) {
			t.Errorf("Stop returned while an item ran")
		}
		js[0].end <- returns
		check.Is(t, "Stop", <-stop, nil)
		check.Equal(t, "started", r.ran(), []int{1})
		s := r.pool.Snapshot()
		check.Equal(t, "snapshot", counts(s), scale.Snapshot{
			Min: 1, Max: 1, Submitted: 4, Started: 1, Completed: 1, Withdrawn: 1, Dropped: 2,
		})
	})
}

func TestStopIsIdempotentAndConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 2, Max: 2})
		js := newJobs(5)
		mustSubmit(t, r.pool, js...)
		synctest.Wait()
		var wg sync.WaitGroup
		for i := range 20 {
			call := r.pool.Stop
			if i%4 == 3 {
				call = r.pool.Drain
			}
			wg.Go(func() { check.Is(t, "one of many Stops", call(t.Context()), nil) })
		}
		time.Sleep(time.Second)
		for _, j := range js {
			j.end <- returns // Drain may have started others before Stop
		}
		wg.Wait()
		check.Is(t, "a Stop afterwards", r.pool.Stop(t.Context()), nil)
		s := r.pool.Snapshot()
		if s.Completed+s.Dropped != 5 || s.Workers != 0 {
			t.Errorf("%d of 5 items completed and %d dropped, with %d workers left", s.Completed, s.Dropped, s.Workers)
		}
		if got := len(r.dropsByID()); uint64(got) != s.Dropped {
			t.Errorf("Dropped was called %d times for %d items", got, s.Dropped)
		}
	})
}

// TestNoStopReturnsBeforeDropped checks that when any Stop returns, Dropped has been called
// for each item.
func TestNoStopReturnsBeforeDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Bool
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Dropped: func(*job, error) {
			time.Sleep(time.Second)
			told.Store(true)
		}})
		r.pool.Pause()
		mustSubmit(t, r.pool, newJob(1))
		first := background(func() error { return r.pool.Stop(t.Context()) })
		synctest.Wait()
		check.Is(t, "the second Stop", r.pool.Stop(t.Context()), nil)
		synctest.Wait()
		if !told.Load() {
			t.Error("the second Stop returned while Dropped was under way")
		}
		check.Is(t, "the first Stop", <-first, nil)
	})
}

func TestStopWhoseContextEnds(t *testing.T) {
	cause := errors.New("enough")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1})
		js := newJobs(2)
		mustSubmit(t, r.pool, js...)
		synctest.Wait()
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		begin := time.Now()
		err := r.pool.Stop(ctx)
		check.Is(t, "Stop", err, context.DeadlineExceeded)
		check.Is(t, "Stop", err, cause)
		check.Equal(t, "time until Stop gave up", time.Since(begin), time.Second)
		check.Equal(t, "dropped", r.dropsByID(), stopDrops(js[1]))

		cancelled, cancel2 := context.WithCancel(t.Context())
		cancel2()
		check.Is(t, "Stop with a cancelled context", r.pool.Stop(cancelled), context.Canceled)
		js[0].end <- returns
		synctest.Wait()
		check.Is(t, "Stop with a cancelled context of a stopped pool", r.pool.Stop(cancelled), nil)
	})
}

func TestStopRefusesSubmittersThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 1})
		js := newJobs(6)
		mustSubmit(t, r.pool, js[:2]...)
		one := background(func() error { return r.pool.Submit(t.Context(), js[2]) })
		synctest.Wait()
		batch := background(func() error { return r.pool.SubmitAll(t.Context(), js[3:]) })
		synctest.Wait()
		js[0].end <- returns // admits js[2]
		synctest.Wait()
		if !returned(one) {
			t.Fatal("the first submitter still waits after room was made")
		}
		js[1].end <- returns // admits js[3]
		synctest.Wait()
		stop := background(func() error { return r.pool.Stop(t.Context()) })
		synctest.Wait()
		err := <-batch
		check.Is(t, "SubmitAll", err, scheduler.ErrStopped)
		if be, ok := errors.AsType[*scheduler.BatchError](err); !ok || be.Admitted != 1 {
			t.Errorf("SubmitAll returned %v; want a *BatchError with 1 admitted", err)
		}
		check.Equal(t, "dropped", r.dropsByID(), stopDrops(js[3]))
		js[2].end <- returns
		check.Is(t, "Stop", <-stop, nil)
	})
}

func TestStopOfAPoolWithNothingToDo(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg     scheduler.Config[*job]
		prepare func(*rig)
		dropped int
	}{
		"no worker was ever started": {cfg: scheduler.Config[*job]{Max: 4}},
		"all workers are idle":       {cfg: scheduler.Config[*job]{Min: 3, Max: 4}},
		"paused, with items queued": {
			cfg:     scheduler.Config[*job]{Min: 1, Max: 4},
			prepare: func(r *rig) { r.pool.Pause(); _ = r.pool.SubmitAll(context.Background(), newJobs(3)) },
			dropped: 3,
		},
		"paused, with no worker": {
			cfg:     scheduler.Config[*job]{Max: 4},
			prepare: func(r *rig) { r.pool.Pause(); _ = r.pool.SubmitAll(context.Background(), newJobs(3)) },
			dropped: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, tc.cfg)
				if tc.prepare != nil {
					tc.prepare(r)
				}
				begin := time.Now()
				mustStop(t, r.pool)
				check.Equal(t, "time that Stop took", time.Since(begin), 0)
				check.Equal(t, "started", r.ran(), []int{})
				check.Equal(t, "number dropped", len(r.dropsByID()), tc.dropped)
			})
		})
	}
}

func TestDrainRunsEverything(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg    scheduler.Config[*job]
		paused bool
	}{
		"fixed":              {cfg: scheduler.Config[*job]{Min: 2, Max: 2}},
		"growing":            {cfg: scheduler.Config[*job]{Max: 3}},
		"paused":             {cfg: scheduler.Config[*job]{Min: 2, Max: 2}, paused: true},
		"paused, no workers": {cfg: scheduler.Config[*job]{Max: 3}, paused: true},
		"bounded":            {cfg: scheduler.Config[*job]{Min: 1, Max: 2, Limit: 20}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, tc.cfg)
				if tc.paused {
					r.pool.Pause()
				}
				js := newJobs(10)
				for _, j := range js {
					j.end <- returns
				}
				mustSubmit(t, r.pool, js...)
				mustDrain(t, r.pool)
				s := r.pool.Snapshot()
				if s.Completed != 10 || s.Workers != 0 || s.Queued != 0 {
					t.Errorf("%d of 10 items ran, with %d workers and %d queued left", s.Completed, s.Workers, s.Queued)
				}
				check.Is(t, "Stop after Drain", r.pool.Stop(t.Context()), nil)
				check.Equal(t, "dropped", r.dropsByID(), []drop{})
			})
		})
	}
}

func TestDrainOfWithdrawnItemsOnly(t *testing.T) {
	for _, minimum := range []int{0, 2} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{Min: minimum, Max: 2, Queue: newLIFO[*job]})
			r.pool.Pause()
			for _, j := range newJobs(5) {
				mustSubmit(t, r.pool, j)
				j.gone.Store(true)
				r.pool.Withdraw()
			}
			mustDrain(t, r.pool)
			check.Equal(t, "started", r.ran(), []int{})
			s := r.pool.Snapshot()
			check.Equal(t, "snapshot", counts(s), scale.Snapshot{Min: minimum, Max: 2, Submitted: 5, Withdrawn: 5})
		})
	}
}

func TestDrainThenStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 2})
		js := newJobs(4)
		mustSubmit(t, r.pool, js[:3]...)
		waits := background(func() error { return r.pool.Submit(t.Context(), js[3]) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		check.Is(t, "Drain", r.pool.Drain(ctx), context.DeadlineExceeded)
		check.Is(t, "Submit that waited", <-waits, scheduler.ErrStopped)
		js[0].end <- returns // it continues to drain
		synctest.Wait()
		check.Equal(t, "running", r.running(), []int{2})
		stop := background(func() error { return r.pool.Stop(t.Context()) })
		synctest.Wait()
		check.Equal(t, "dropped", r.dropsByID(), stopDrops(js[2]))
		js[1].end <- returns
		check.Is(t, "Stop", <-stop, nil)
		check.Is(t, "Drain after Stop", r.pool.Drain(t.Context()), nil)
	})
}

// TestDrainUsesTheWorkersThereMayBe checks that Drain uses as many workers as the maximum
// allows, not one.
func TestDrainUsesTheWorkersThereMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 4})
		defer r.close(t)
		r.pool.Pause()
		mustSubmit(t, r.pool, newJobs(8)...)
		drain := background(func() error { return r.pool.Drain(t.Context()) })
		synctest.Wait()
		check.Equal(t, "items that run at once while the pool drains", len(r.running()), 4)
		if returned(drain) {
			t.Error("Drain returned while items were queued")
		}
	})
}

func TestRequeueIntoADrainingPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1})
		j := newJob(1)
		mustSubmit(t, r.pool, j)
		synctest.Wait()
		drain := background(func() error { return r.pool.Drain(t.Context()) })
		synctest.Wait()
		j.end <- requeues
		synctest.Wait()
		check.Equal(t, "running", r.running(), []int{1})
		j.end <- returns
		check.Is(t, "Drain", <-drain, nil)
		check.Equal(t, "starts", r.ran(), []int{1, 1})
		check.Equal(t, "results of Requeue", r.requeue, []error{nil})
	})
}

func TestEveryCallAfterStop(t *testing.T) {
	for name, end := range map[string]func(*rig) error{
		"Stop":  func(r *rig) error { return r.pool.Stop(context.Background()) },
		"Drain": func(r *rig) error { return r.pool.Drain(context.Background()) },
	} {
		for _, limit := range []int{0, scheduler.HandOver, 2} {
			t.Run(name, func(t *testing.T) {
				r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 2, Limit: limit})
				check.Is(t, name, end(r), nil)
				ctx := t.Context()
				check.Is(t, "Submit", r.pool.Submit(ctx, newJob(1)), scheduler.ErrStopped)
				check.Is(t, "TrySubmit", r.pool.TrySubmit(newJob(2)), scheduler.ErrStopped)
				check.Is(t, "SubmitAll", r.pool.SubmitAll(ctx, newJobs(3)), scheduler.ErrStopped)
				check.Is(t, "Requeue", r.pool.Requeue(newJob(4), 0), scheduler.ErrStopped)
				check.Is(t, "Requeue by a worker", r.pool.Requeue(newJob(5), 1), scheduler.ErrStopped)
				check.Is(t, "Resize", r.pool.Resize(1, 5), scheduler.ErrStopped)
				r.pool.Pause()
				r.pool.Resume()
				check.Equal(t, "snapshot", counts(r.pool.Snapshot()), scale.Snapshot{Min: 1, Max: 2})
				check.Equal(t, "dropped", r.dropsByID(), []drop{})
			})
		}
	}
}

func TestContextsThatAreOfNoUse(t *testing.T) {
	cause := errors.New("why")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1})
	for _, tc := range []struct {
		call string
		do   func(context.Context) error
	}{
		{"Submit", func(ctx context.Context) error { return r.pool.Submit(ctx, newJob(1)) }},
		{"SubmitAll", func(ctx context.Context) error { return r.pool.SubmitAll(ctx, newJobs(2)) }},
		{"Drain", r.pool.Drain}, // last, since they end the pool
		{"Stop", r.pool.Stop},
	} {
		check.Is(t, tc.call+" without a context", tc.do(nil), scheduler.ErrNilContext)
		if tc.call == "Drain" {
			break
		}
		err := tc.do(ended)
		check.Is(t, tc.call+" with an ended context", err, context.Canceled)
		check.Is(t, tc.call+" with an ended context", err, cause)
	}
	check.Is(t, "Stop without a context", r.pool.Stop(nil), scheduler.ErrNilContext) //nolint:staticcheck // the subject of the test
	check.Equal(t, "what was taken", r.pool.Snapshot().Submitted, 0)
	mustStop(t, r.pool)
}
