package scheduler_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// full starts a pool with one busy worker and a limit of one, which is reached. Item 1 calls
// the given function; the others wait for the test.
func full(t *testing.T, cfg scheduler.Config[*job], first func(r *rig)) (r *rig, js []*job) {
	t.Helper()
	js = newJobs(5)
	cfg.Min, cfg.Max, cfg.Limit = 1, 1, 1
	r = &rig{abort: make(chan struct{}), now: map[int]int32{}}
	cfg.Dropped = r.dropped
	var err error
	r.pool, err = scheduler.NewPool(cfg, func(worker int32, j *job) {
		if j.id == 1 {
			<-j.end
			first(r)
			return
		}
		r.run(worker, j)
	})
	if err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, r.pool, js[:2]...)
	synctest.Wait()
	return r, js
}

// TestAnItemDoesNotWaitForRoomInItsOwnPool checks that each way to submit returns
// ErrWouldDeadlock at once to an item of the pool, while other submitters wait.
func TestAnItemDoesNotWaitForRoomInItsOwnPool(t *testing.T) {
	ctx := context.Background()
	type key struct{}
	inside := context.WithValue(ctx, key{}, true)
	ways := map[string]func(p *scheduler.Pool[*job], j *job) error{
		"Submit":    func(p *scheduler.Pool[*job], j *job) error { return p.Submit(ctx, j) },
		"SubmitAll": func(p *scheduler.Pool[*job], j *job) error { return p.SubmitAll(ctx, []*job{j}) },
		"on a goroutine of its own": func(p *scheduler.Pool[*job], j *job) error {
			result := make(chan error)
			go func() { result <- p.Submit(inside, j) }()
			return <-result
		},
	}
	for way, submit := range ways {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got error
				r, js := full(t, scheduler.Config[*job]{
					Hooks: scheduler.Hooks[*job]{Inside: func(ctx context.Context) bool { return ctx.Value(key{}) != nil }},
				}, func(r *rig) { got = submit(r.pool, newJob(9)) })
				outsider := make(chan error, 1)
				go func() { outsider <- r.pool.Submit(ctx, js[2]) }()
				synctest.Wait()
				js[0].end <- returns
				synctest.Wait()
				check.Is(t, "the item's submit", got, scheduler.ErrWouldDeadlock)
				check.Is(t, "a submit from outside", <-outsider, nil)
				r.close(t)
			})
		})
	}
}

// TestCallbacksDoNotWaitForRoom checks Crashed and Dropped, which run on workers and would
// wait for themselves.
func TestCallbacksDoNotWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *scheduler.Pool[int]
		release := make(chan struct{})
		var crashed, ran atomic.Int32
		p, err := scheduler.NewPool(scheduler.Config[int]{
			Min: 1, Max: 1, Limit: 1,
			Crashed: func(int32, int, error) {
				crashed.Add(1)
				check.Is(t, "Submit in Crashed", p.Submit(t.Context(), 3), scheduler.ErrWouldDeadlock)
			},
		}, func(_ int32, item int) {
			ran.Add(1)
			if item == 1 {
				<-release
				panic("crash")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		mustSubmit(t, p, 1, 2)
		close(release)
		synctest.Wait()
		check.Equal(t, "crashes and runs", []int32{crashed.Load(), ran.Load()}, []int32{1, 2})
		mustStop(t, p)
	})
}

// TestCallerRuns checks that the submitter waits while its item runs as worker 0, however it
// ends, and that Stop waits for it.
func TestCallerRuns(t *testing.T) {
	for _, how := range []ending{returns, panics, exits, requeues} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 1, Overflow: scheduler.CallerRuns})
			js := newJobs(3)
			mustSubmit(t, r.pool, js[:2]...)
			synctest.Wait()
			check.Is(t, "TrySubmit, which must not wait", r.pool.TrySubmit(newJob(4)), scheduler.ErrQueueFull)
			done := make(chan error, 1)
			go func() { done <- r.pool.Submit(context.Background(), js[2]) }()
			synctest.Wait()
			check.Equal(t, "running", r.running(), []int{1, 3})
			check.Equal(t, "worker of the item that the caller runs", r.workerOf(3), 0)
			stopping, cancel := context.WithTimeout(context.Background(), time.Second)
			check.Is(t, "Stop", r.pool.Stop(stopping), context.DeadlineExceeded)
			cancel()
			js[0].end <- returns
			synctest.Wait()
			stopped := make(chan error, 1)
			go func() { stopped <- r.pool.Stop(context.Background()) }()
			synctest.Wait()
			select {
			case err := <-stopped:
				t.Errorf("Stop returned %v while an item runs", err)
			default:
			}
			js[2].end <- how
			check.Is(t, "Submit", <-done, nil)
			check.Is(t, "Stop", <-stopped, nil)
			check.Equal(t, "crashes", len(r.crashed()), map[bool]int{true: 1}[how == panics || how == exits])
		})
	}
}

// TestDrainRunsWhatTheCallerPutsBack checks an item that runs for its submitter and requeues
// itself when all workers have left.
func TestDrainRunsWhatTheCallerPutsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 1, Overflow: scheduler.CallerRuns})
		js := newJobs(3)
		mustSubmit(t, r.pool, js[:2]...)
		synctest.Wait()
		submitted := make(chan error, 1)
		go func() { submitted <- r.pool.Submit(context.Background(), js[2]) }()
		synctest.Wait()
		drained := make(chan error, 1)
		go func() { drained <- r.pool.Drain(context.Background()) }()
		js[0].end <- returns
		js[1].end <- returns
		synctest.Wait()
		check.Equal(t, "workers that are left", r.pool.Snapshot().Workers, 0)
		js[2].end <- requeues
		check.Is(t, "Submit", <-submitted, nil)
		js[2].end <- returns
		check.Is(t, "Drain", <-drained, nil)
		check.Equal(t, "runs", r.ran(), []int{1, 3, 2, 3})
		check.Equal(t, "dropped", r.dropsByID(), []drop{})
	})
}

// TestAPanicInPushIsContained checks that an item whose Push panics is dropped with a
// *PanicError and that the pool continues, whichever goroutine pushes the item.
func TestAPanicInPushIsContained(t *testing.T) {
	wary := queue.Priority(func(j *job) int {
		if j.id == 3 {
			panic("unlucky")
		}
		return 0
	}, 0)
	ctx := context.Background()
	for name, submit := range map[string]func(r *rig, js []*job) error{
		"Submit":    func(r *rig, js []*job) error { return r.pool.Submit(ctx, js[2]) },
		"TrySubmit": func(r *rig, js []*job) error { return r.pool.TrySubmit(js[2]) },
		"SubmitAll": func(r *rig, js []*job) error { return r.pool.SubmitAll(ctx, js[2:4]) },
		"Requeue":   func(r *rig, js []*job) error { return r.pool.Requeue(js[2], 0) },
	} {
		for _, scaler := range []scale.Scaler[scale.Snapshot]{nil, scale.Step(0)} { // without and with a meter
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Queue: wary, Scaler: scaler})
					js := newJobs(4)
					mustSubmit(t, r.pool, js[0]) // the worker is busy, so the inbox is open unless it must be closed
					synctest.Wait()
					check.Is(t, name, submit(r, js), nil)
					mustSubmit(t, r.pool, js[1])
					js[0].end <- returns
					js[3].end <- returns
					synctest.Wait()
					js[1].end <- returns
					synctest.Wait()
					drops := r.dropsByID()
					if len(drops) != 1 || drops[0].ID != 3 {
						t.Fatalf("dropped %v, want item 3", drops)
					}
					if p, ok := errors.AsType[*scheduler.PanicError](drops[0].Reason); !ok || p.Value != "unlucky" {
						t.Errorf("the reason is %v, want a *PanicError", drops[0].Reason)
					}
					s := r.pool.Snapshot()
					if s.Submitted != s.Completed+s.Dropped || s.Dropped != 1 {
						t.Errorf("not everything is accounted for: %+v", s)
					}
					mustStop(t, r.pool)
				})
			})
		}
	}
}

// TestDroppedRunsWithoutALock checks that Dropped may call the pool.
func TestDroppedRunsWithoutALock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *scheduler.Pool[int]
		release := make(chan struct{})
		p, err := scheduler.NewPool(scheduler.Config[int]{
			Min: 1, Max: 1, Limit: 1, Overflow: scheduler.DropOldest,
			Dropped: func(item int, reason error) {
				check.Is(t, "the reason", reason, scheduler.ErrDropped)
				if s := p.Snapshot(); s.Dropped == 0 {
					t.Errorf("in Dropped of %d: %+v; want it counted", item, s)
				}
				if item < 4 {
					mustSubmit(t, p, item+2)
				}
			},
		}, func(int32, int) { <-release })
		if err != nil {
			t.Fatal(err)
		}
		mustSubmit(t, p, 1)
		synctest.Wait()
		for item := 2; item <= 3; item++ {
			go mustSubmit(t, p, item)
			synctest.Wait()
		}
		close(release)
		synctest.Wait()
		check.Equal(t, "dropped", p.Snapshot().Dropped, 3)
		mustStop(t, p)
	})
}
