package scheduler_test

import (
	"math"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

const idleTimeout = 10 * time.Second

// grown returns a pool that has grown to n workers, all of which have just become idle.
func grown(t *testing.T, cfg scheduler.Config[*job], n int) *rig {
	t.Helper()
	cfg.IdleTimeout = idleTimeout
	r := newRig(t, cfg)
	js := newJobs(n)
	mustSubmit(t, r.pool, js...)
	synctest.Wait()
	wantWorkers(t, r, n)
	for _, j := range js {
		j.end <- returns
	}
	synctest.Wait()
	return r
}

func wantWorkers(t *testing.T, r *rig, want int) {
	t.Helper()
	synctest.Wait()
	if s := r.pool.Snapshot(); s.Workers != want || len(r.pool.Workers()) != want {
		t.Errorf("%d workers, %d listed; want %d", s.Workers, len(r.pool.Workers()), want)
	}
}

// touch runs one item and returns the number of its worker.
func (r *rig) touch(t *testing.T, id int) int32 {
	t.Helper()
	j := newJob(id)
	mustSubmit(t, r.pool, j)
	synctest.Wait()
	on := r.workerOf(id)
	j.end <- returns
	synctest.Wait()
	return on
}

func TestIdleWorkersLeaveAfterExactlyTheTimeout(t *testing.T) {
	for _, minimum := range []int{0, 1, 3, 5} {
		synctest.Test(t, func(t *testing.T) {
			r := grown(t, scheduler.Config[*job]{Min: minimum, Max: 5}, 5)
			time.Sleep(idleTimeout - 1)
			wantWorkers(t, r, 5)
			time.Sleep(time.Nanosecond)
			wantWorkers(t, r, minimum)
			time.Sleep(10 * idleTimeout)
			wantWorkers(t, r, minimum)
			mustStop(t, r.pool)
		})
	}
}

func TestWorkersLeaveEachAtItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 5, IdleTimeout: idleTimeout})
		js := newJobs(5)
		mustSubmit(t, r.pool, js...)
		for _, j := range js {
			j.end <- returns
			time.Sleep(time.Second)
		}
		// They have been idle for 5, 4, 3, 2 and 1 seconds.
		time.Sleep(idleTimeout - 5*time.Second - 1)
		for _, want := range []int{5, 4, 3, 2, 1, 1} {
			wantWorkers(t, r, want)
			time.Sleep(time.Second)
		}
		mustStop(t, r.pool)
	})
}

// TestTrickleShrinksThePool checks that an occasional item keeps only one worker. It must go
// to the worker that has been idle for the shortest time.
func TestTrickleShrinksThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := grown(t, scheduler.Config[*job]{Max: 8}, 8)
		first := r.touch(t, 100)
		for i := range 12 {
			time.Sleep(time.Second)
			if on := r.touch(t, i); on != first {
				t.Fatalf("item %d ran on worker %d; want %d, which ran the last one", i, on, first)
			}
		}
		wantWorkers(t, r, 1)
		mustStop(t, r.pool)
	})
}

// TestItemAtTheMomentOfExpiryKeepsASecondWorker: an item arrives at the moment at which all idle
// workers expire. One of them, or a new one, runs it, and the others leave.
func TestItemAtTheMomentOfExpiryKeepsASecondWorker(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			r := grown(t, scheduler.Config[*job]{Max: 8}, 8)
			time.Sleep(idleTimeout)
			r.touch(t, 100)
			wantWorkers(t, r, 1)
			mustStop(t, r.pool)
		})
	}
}

func TestResizeTakesEffectAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := grown(t, scheduler.Config[*job]{Min: 1, Max: 4}, 4)
		resize := func(minimum, maximum, want int) {
			t.Helper()
			if err := r.pool.Resize(minimum, maximum); err != nil {
				t.Fatalf("Resize(%d, %d): %v", minimum, maximum, err)
			}
			wantWorkers(t, r, want)
		}
		resize(6, 6, 6)
		resize(2, 3, 3)
		resize(1, 1, 1)
		js := newJobs(5)
		mustSubmit(t, r.pool, js...)
		resize(0, 4, 4) // four items waited for workers
		resize(1, 2, 4) // busy workers stay until their item has ended
		js[0].end <- returns
		wantWorkers(t, r, 3)
		js[1].end <- panics
		wantWorkers(t, r, 2)
		check.Equal(t, "running", r.running(), []int{3, 4})
		js[2].end <- exits
		wantWorkers(t, r, 2)
		check.Equal(t, "running", r.running(), []int{4, 5})
		r.close(t)
	})
}

func TestResizeRefusesImpossibleBounds(t *testing.T) {
	r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 2})
	defer r.close(t)
	bounds := [][2]int{{-1, 2}, {0, 0}, {3, 2}}
	if strconv.IntSize > 32 { // an int of 32 bits cannot be too large
		bounds = append(bounds, [2]int{1, math.MaxInt})
	}
	for _, b := range bounds {
		if err := r.pool.Resize(b[0], b[1]); err == nil {
			t.Errorf("Resize(%d, %d) returned nil, want an error", b[0], b[1])
		}
	}
	check.Equal(t, "snapshot", counts(r.pool.Snapshot()), scale.Snapshot{Min: 1, Max: 2, Workers: 1, Idle: 1})
}

// TestResizeStartsTheIdleTimeAnew checks that for workers that became idle while the pool
// had a fixed size, the idle timeout starts when they may leave.
func TestResizeStartsTheIdleTimeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := grown(t, scheduler.Config[*job]{Min: 4, Max: 4}, 4)
		time.Sleep(5 * idleTimeout)
		if err := r.pool.Resize(1, 4); err != nil {
			t.Fatal(err)
		}
		time.Sleep(idleTimeout - 1)
		wantWorkers(t, r, 4)
		time.Sleep(time.Nanosecond)
		wantWorkers(t, r, 1)
		mustStop(t, r.pool)
	})
}

func TestFixedKeepsItsWorkers(t *testing.T) {
	for _, tc := range []struct{ n, want int }{{0, 4}, {3, 3}, {9, 4}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{Max: 4, IdleTimeout: idleTimeout, Scaler: scale.Fixed(tc.n)})
			wantWorkers(t, r, tc.want)
			time.Sleep(10 * idleTimeout)
			wantWorkers(t, r, tc.want)
			mustStop(t, r.pool)
		})
	}
}

// TestFixedFollowsResize checks that Fixed keeps n workers within the current bounds.
func TestFixedFollowsResize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 2, IdleTimeout: idleTimeout, Scaler: scale.Fixed(6)})
		if err := r.pool.Resize(0, 8); err != nil {
			t.Fatal(err)
		}
		wantWorkers(t, r, 6)
		mustStop(t, r.pool)
	})
}

// TestPausedPoolDoesNotGrow checks that items in a paused pool start no workers, neither at a
// submit nor when an idle worker reaches its timeout.
func TestPausedPoolDoesNotGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := grown(t, scheduler.Config[*job]{Max: 8}, 1)
		r.pool.Pause()
		mustSubmit(t, r.pool, newJobs(5)...)
		wantWorkers(t, r, 1)
		time.Sleep(2 * idleTimeout)
		wantWorkers(t, r, 1)
		r.pool.Resume()
		wantWorkers(t, r, 5)
		r.close(t)
	})
}

func TestNoTimerWhileNothingCanExpire(t *testing.T) {
	wantAlarm := func(t *testing.T, r *rig, want time.Time) {
		t.Helper()
		if got := r.pool.AlarmAt(); !got.Equal(want) {
			t.Errorf("the timer is set for %v, want %v (zero: not set)", got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r := grown(t, scheduler.Config[*job]{Min: 3, Max: 3}, 3)
		wantAlarm(t, r, time.Time{})
		mustStop(t, r.pool)

		r = grown(t, scheduler.Config[*job]{Min: 2, Max: 4}, 2)
		wantAlarm(t, r, time.Time{})
		mustStop(t, r.pool)

		r = grown(t, scheduler.Config[*job]{Min: 2, Max: 4}, 4)
		wantAlarm(t, r, time.Now().Add(idleTimeout))
		time.Sleep(idleTimeout)
		wantWorkers(t, r, 2)
		wantAlarm(t, r, time.Time{})
		mustStop(t, r.pool)

		r = grown(t, scheduler.Config[*job]{Max: 4}, 4)
		mustStop(t, r.pool)
		wantAlarm(t, r, time.Time{})
	})
}

// TestBusyWorkersDoNotExpire runs an item for longer than the idle timeout.
func TestBusyWorkersDoNotExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := grown(t, scheduler.Config[*job]{Max: 4}, 2)
		j := newJob(1)
		mustSubmit(t, r.pool, j)
		time.Sleep(5 * idleTimeout)
		wantWorkers(t, r, 1)
		check.Equal(t, "running", r.running(), []int{1})
		j.end <- returns
		time.Sleep(idleTimeout)
		wantWorkers(t, r, 0)
		if got := r.touch(t, 2); got < 1 || got > 2 {
			t.Errorf("the next worker has number %d, want 1 or 2 again", got)
		}
		mustStop(t, r.pool)
	})
}

// The first worker has reached its idle timeout. There is a second worker only because the
// scaler was asked for a submitter without room. The first worker must not leave before
// that submitter continues.
func TestWorkersThatASubmitterNeedsDoNotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{
			Min: 1, Max: 2, IdleTimeout: idleTimeout, Limit: 1, Overflow: scheduler.Reject,
			Decided: func(scheduler.Decided) { time.Sleep(time.Second) }, // meanwhile all other goroutines run
		})
		time.Sleep(2 * idleTimeout)
		js := newJobs(3)
		if err := r.pool.SubmitTogether(t.Context(), js); err != nil {
			t.Errorf("two workers and a queue of one item: %v", err)
		}
		for _, j := range js {
			j.end <- returns
		}
		synctest.Wait()
		check.Equal(t, "items that ran", len(r.ran()), 3)
		mustStop(t, r.pool)
	})
}
