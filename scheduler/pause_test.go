package scheduler_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// shedding are the disciplines that give up items because of their waits.
var shedding = map[string]queue.Factory[int]{
	"CoDel":                 queue.CoDel[int](queue.CoDelConfig{}),
	"CoDel, adaptive":       queue.CoDel[int](queue.CoDelConfig{AdaptiveLIFO: true}),
	"LimitByKey over CoDel": queue.LimitByKey(1, func(int) int { return 0 }, queue.CoDel[int](queue.CoDelConfig{})),
}

// busyPool returns a pool whose only worker runs each item for 10 ms, with 100 items.
func busyPool(t *testing.T, discipline queue.Factory[int], hooks scheduler.Hooks[int]) *scheduler.Pool[int] {
	t.Helper()
	pool, err := scheduler.NewPool(scheduler.Config[int]{Min: 1, Max: 1, Queue: discipline, Hooks: hooks},
		func(int32, int) { time.Sleep(10 * time.Millisecond) })
	if err != nil {
		t.Fatal(err)
	}
	pool.Pause()
	for i := range 100 {
		if err := pool.TrySubmit(i); err != nil {
			t.Fatal(err)
		}
	}
	return pool
}

// TestCoDelDoesNotCountPauses checks that no item is shed because of a pause, not even if the
// queue was overloaded before it: waits go on where the pause has interrupted them.
func TestCoDelDoesNotCountPauses(t *testing.T) {
	run := func(t *testing.T, discipline queue.Factory[int], pause time.Duration) scale.Snapshot {
		pool := busyPool(t, discipline, scheduler.Hooks[int]{})
		time.Sleep(pause)
		pool.Resume()
		time.Sleep(205 * time.Millisecond) // some items have been shed, or soon will be
		pool.Pause()
		time.Sleep(pause)
		pool.Resume()
		time.Sleep(10 * time.Second)
		s := pool.Snapshot()
		mustStop(t, pool)
		s.Now = time.Time{}
		return s
	}
	for name, discipline := range shedding {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				without := run(t, discipline, 0)
				with := run(t, discipline, time.Minute)
				check.Equal(t, "snapshot after two pauses", with, without)
			})
		})
	}
}

// TestCoDelShedsNothingAfterAPause checks items that waited only because the pool was paused.
func TestCoDelShedsNothingAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const items = 130 // the last ones start after an interval of 100 ms
		pool, err := scheduler.NewPool(scheduler.Config[int]{Min: 1, Max: 1, Queue: queue.CoDel[int](queue.CoDelConfig{})},
			func(int32, int) { time.Sleep(time.Millisecond) })
		if err != nil {
			t.Fatal(err)
		}
		pool.Pause()
		for i := range items {
			if err := pool.TrySubmit(i); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		pool.Resume()
		time.Sleep(time.Second)
		s := pool.Snapshot()
		check.Equal(t, "completed and shed", []uint64{s.Completed, s.Shed}, []uint64{items, 0})
		mustStop(t, pool)
	})
}

// TestDrainShedsNothing checks that all accepted items run, also if they wait for long.
func TestDrainShedsNothing(t *testing.T) {
	for name, discipline := range shedding {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, drain := range []func(*scheduler.Pool[int]) error{
					func(p *scheduler.Pool[int]) error { return p.Drain(context.Background()) },
					func(p *scheduler.Pool[int]) error { p.Close(); <-p.Done(); return nil },
					func(p *scheduler.Pool[int]) error { p.KeepItems(); return p.Drain(context.Background()) },
				} {
					pool := busyPool(t, discipline, scheduler.Hooks[int]{})
					if err := drain(pool); err != nil {
						t.Fatal(err)
					}
					s := pool.Snapshot()
					check.Equal(t, "completed and shed", []uint64{s.Completed, s.Shed}, []uint64{100, 0})
				}
			})
		})
	}
}

// TestWaitsDoNotCountPauses checks the waiting times of a Snapshot, and that a pause is no reason
// for Step to start workers.
func TestWaitsDoNotCountPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, err := scheduler.NewPool(scheduler.Config[int]{Min: 1, Max: 9, Limit: 1, Scaler: scale.Step(time.Second)},
			func(int32, int) { time.Sleep(300 * time.Millisecond) })
		if err != nil {
			t.Fatal(err)
		}
		type waits struct {
			Oldest           time.Duration
			Wait, Queued     float64
			Workers, Blocked int
		}
		look := func() waits {
			s := pool.Snapshot()
			rounded := func(seconds float64) float64 { return math.Round(seconds*1000) / 1000 }
			return waits{s.OldestWait, rounded(s.WaitTime), rounded(s.QueuedTime), s.Workers, s.Blocked}
		}
		for i := range 2 { // one runs, one waits
			if err := pool.TrySubmit(i); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(100 * time.Millisecond)
		pool.Pause()
		check.Equal(t, "at the pause", look(), waits{100 * time.Millisecond, 0, 0.1, 1, 0})
		blocked := make(chan error)
		go func() { blocked <- pool.Submit(context.Background(), 3) }()
		time.Sleep(time.Minute)
		check.Equal(t, "after a minute", look(), waits{100 * time.Millisecond, 0, 0.1, 1, 1})
		pool.Resume() // the first item has ended, so both items go on
		check.Is(t, "Submit", <-blocked, nil)
		synctest.Wait()
		check.Equal(t, "after the pause", look(), waits{0, 0.1, 0.1, 1, 0})
		time.Sleep(200 * time.Millisecond)
		check.Equal(t, "later", look(), waits{200 * time.Millisecond, 0.1, 0.3, 1, 0})
		mustStop(t, pool)
	})
}

// TestTargetWaitAfterAPause checks that TargetWait asks for as many workers after a pause without
// arrivals as before it.
func TestTargetWaitAfterAPause(t *testing.T) {
	target := func(t *testing.T, pause time.Duration) (target int) {
		synctest.Test(t, func(t *testing.T) {
			pool, err := scheduler.NewPool(scheduler.Config[int]{Min: 1, Max: 100, Scaler: scale.TargetWait(scale.TargetWaitConfig{})},
				func(int32, int) { time.Sleep(50 * time.Millisecond) })
			if err != nil {
				t.Fatal(err)
			}
			arrive := func(n int) {
				for i := range n {
					time.Sleep(10 * time.Millisecond)
					if err := pool.TrySubmit(i); err != nil {
						t.Fatal(err)
					}
				}
			}
			arrive(2000)
			pool.Pause()
			time.Sleep(pause)
			pool.Resume()
			arrive(2000)
			for _, d := range pool.Decisions() {
				target = max(target, d.Target)
			}
			mustStop(t, pool)
		})
		return target
	}
	if without, with := target(t, 0), target(t, time.Minute); with > without {
		t.Errorf("with a pause of a minute, up to %d workers were wanted; without, up to %d", with, without)
	}
}

// TestPausedHook checks that the hook is called once for each begin and end of a pause.
func TestPausedHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []bool
		pool := busyPool(t, nil, scheduler.Hooks[int]{Paused: func(paused bool) { calls = append(calls, paused) }})
		pool.Pause()
		pool.Resume()
		pool.Resume()
		pool.Pause()
		if err := pool.Drain(context.Background()); err != nil { // ends the pause
			t.Fatal(err)
		}
		pool.Pause()
		check.Equal(t, "calls", calls, []bool{true, false, true, false})
		if err := pool.TrySubmit(1); !errors.Is(err, scheduler.ErrStopped) {
			t.Errorf("TrySubmit returned %v, want ErrStopped", err)
		}
	})
}
