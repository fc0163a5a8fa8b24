package scheduler_test

import (
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

type scalerFunc func(scale.Snapshot) scale.Decision

func (f scalerFunc) Scale(s scale.Snapshot) scale.Decision { return f(s) }

// TestStepInAPool checks that the first jump comes after half a second, and then one every
// half second, each half-way to the maximum.
func TestStepInAPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 10, Scaler: scale.Step(500 * time.Millisecond)})
		defer r.close(t)
		mustSubmit(t, r.pool, newJobs(30)...)
		for _, want := range []int{1, 6, 8, 9, 10, 10} {
			wantWorkers(t, r, want)
			time.Sleep(500*time.Millisecond - 1)
			wantWorkers(t, r, want)
			time.Sleep(time.Nanosecond)
		}
	})
}

// TestStepForOneItem checks that an item that is served in time causes no jump.
func TestStepForOneItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1000, Scaler: scale.Step(500 * time.Millisecond)})
		defer r.close(t)
		js := newJobs(2)
		mustSubmit(t, r.pool, js...)
		time.Sleep(499 * time.Millisecond)
		js[0].end <- returns
		time.Sleep(time.Minute)
		wantWorkers(t, r, 1)
	})
}

// TestScalerThatCrashes checks that Demand takes the place of the scaler.
func TestScalerThatCrashes(t *testing.T) {
	for name, crash := range map[string]func(){"panic": func() { panic("broken") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, scheduler.Config[*job]{Max: 10, Scaler: scalerFunc(func(scale.Snapshot) scale.Decision {
					crash()
					return scale.Decision{}
				})})
				defer r.close(t)
				mustSubmit(t, r.pool, newJobs(4)...)
				wantWorkers(t, r, 4)
			})
		})
	}
}

// TestAgain checks that a scaler is asked again after Again, for as long as it is positive.
func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Duration
		begin := time.Now()
		scaler := scalerFunc(func(s scale.Snapshot) scale.Decision {
			asked = append(asked, s.Now.Sub(begin))
			d := scale.Decision{Target: 1 + len(asked), Reason: "test"}
			if len(asked) < 4 {
				d.Again = time.Duration(len(asked)) * time.Second
			}
			return d
		})
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 4, IdleTimeout: time.Hour, Scaler: scaler})
		time.Sleep(30 * time.Minute)
		wantWorkers(t, r, 4)
		check.Equal(t, "times at which the scaler was asked", asked,
			[]time.Duration{0, time.Second, 3 * time.Second, 6 * time.Second})
		if at := r.pool.AlarmAt(); at.Before(time.Now()) {
			t.Errorf("the timer is set for %v, want it in the future, for the idle workers", at)
		}
		mustStop(t, r.pool)
	})
}

// TestTargetsAreClamped checks that the bounds hold for any target.
func TestTargetsAreClamped(t *testing.T) {
	for _, tc := range []struct{ target, want int }{{math.MinInt, 2}, {-1, 2}, {0, 2}, {3, 3}, {math.MaxInt, 4}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{Min: 2, Max: 4, Scaler: scalerFunc(
				func(scale.Snapshot) scale.Decision { return scale.Decision{Target: tc.target} })})
			defer r.close(t)
			mustSubmit(t, r.pool, newJobs(9)...)
			wantWorkers(t, r, tc.want)
		})
	}
}

// never is a scaler that reads the time and keeps the size of the pool.
func never() scale.Scaler[scale.Snapshot] {
	return scalerFunc(func(s scale.Snapshot) scale.Decision { return scale.Decision{Target: s.Workers} })
}

// times returns a snapshot without the counts.
func times(s scale.Snapshot) scale.Snapshot {
	return scale.Snapshot{
		OldestWait: s.OldestWait, BusyTime: s.BusyTime, QueuedTime: s.QueuedTime,
		WorkerTime: s.WorkerTime, ServiceTime: s.ServiceTime, WaitTime: s.WaitTime,
	}
}

func wantTimes(t *testing.T, when string, r *rig, want scale.Snapshot) {
	t.Helper()
	s := r.pool.Snapshot()
	if diff := cmp.Diff(want, times(s), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("times %s (-want +got):\n%s", when, diff)
	}
	if !s.Now.Equal(time.Now()) {
		t.Errorf("%s: Now is %v, want %v", when, s.Now, time.Now())
	}
}

func TestIntegrals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 2, Scaler: never()})
		js := newJobs(3)
		time.Sleep(10 * time.Second)
		wantTimes(t, "of an idle pool", r, scale.Snapshot{WorkerTime: 10})
		mustSubmit(t, r.pool, js...)
		time.Sleep(2 * time.Second) // 1 runs, 2 wait
		wantTimes(t, "with one running", r, scale.Snapshot{
			OldestWait: 2 * time.Second, WorkerTime: 12, BusyTime: 2, QueuedTime: 4})
		js[0].end <- returns
		time.Sleep(3 * time.Second) // 1 runs, 1 waits
		wantTimes(t, "after the first", r, scale.Snapshot{
			OldestWait: 5 * time.Second, WorkerTime: 15, BusyTime: 5, QueuedTime: 7, ServiceTime: 2, WaitTime: 2})
		js[1].end <- panics
		time.Sleep(time.Second)
		js[2].end <- exits
		time.Sleep(time.Second)
		wantTimes(t, "at the end", r, scale.Snapshot{
			WorkerTime: 17, BusyTime: 6, QueuedTime: 7, ServiceTime: 6, WaitTime: 2 + 5})
		mustStop(t, r.pool)
	})
}

// TestIntegralsOfAPausedPool checks that items do not wait for a worker during a pause.
func TestIntegralsOfAPausedPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 2, Scaler: never()})
		r.pool.Pause()
		j := newJob(1)
		mustSubmit(t, r.pool, j)
		time.Sleep(10 * time.Second)
		r.pool.Resume()
		synctest.Wait()
		wantTimes(t, "after a pause", r, scale.Snapshot{WorkerTime: 10})
		j.end <- returns
		mustStop(t, r.pool)
	})
}

// TestOldestWaitAfterAWithdrawal checks that OldestWait is the wait of the first item that
// is not withdrawn, and WaitTime that of the items that started.
func TestOldestWaitAfterAWithdrawal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 2, Scaler: never()})
		defer r.close(t)
		js := newJobs(3)
		mustSubmit(t, r.pool, js[:2]...)
		time.Sleep(10 * time.Second)
		mustSubmit(t, r.pool, js[2])
		js[2].gone.Store(true)
		r.pool.Withdraw()
		time.Sleep(time.Second)
		check.Equal(t, "OldestWait of an item queued for 11 s", r.pool.Snapshot().OldestWait, 11*time.Second)
		js[0].end <- returns
		synctest.Wait()
		check.Equal(t, "WaitTime", r.pool.Snapshot().WaitTime, 11)
	})
}

// TestTimesOfStop checks that items that Stop drops no longer wait.
func TestTimesOfStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 2, Scaler: never()})
		js := newJobs(3)
		mustSubmit(t, r.pool, js...)
		time.Sleep(time.Second)
		stop := background(func() error { return r.pool.Stop(t.Context()) })
		time.Sleep(time.Second)
		js[0].end <- returns
		check.Is(t, "Stop", <-stop, nil)
		time.Sleep(time.Second)
		wantTimes(t, "after Stop", r, scale.Snapshot{WorkerTime: 2, BusyTime: 2, ServiceTime: 2, QueuedTime: 2})
	})
}
