package scheduler_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// counting is a scaler that keeps a number of workers until a time, and counts how often it is asked.
type counting struct {
	target int
	until  time.Time
	asked  atomic.Int64
}

func (c *counting) Scale(s scale.Snapshot) scale.Decision {
	c.asked.Add(1)
	if !c.until.IsZero() && !s.Now.Before(c.until) {
		return scale.Decision{}
	}
	return scale.Decision{Target: c.target}
}

func (c *counting) NeedsTime() bool { return true }

// TestIdlePoolUsesNoProcessor checks how often the alarm rings in a pool whose scaler keeps idle
// workers for ever: hardly ever, however short the idle timeout is.
func TestIdlePoolUsesNoProcessor(t *testing.T) {
	for _, timeout := range []time.Duration{1, time.Millisecond, time.Second, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			s := &counting{target: 4}
			r := newRig(t, scheduler.Config[*job]{Max: 4, IdleTimeout: timeout, Scaler: s})
			r.touch(t, 1)
			asked := func(during time.Duration, most int64) {
				t.Helper()
				before := s.asked.Load()
				time.Sleep(during)
				synctest.Wait()
				if n := s.asked.Load() - before; n > most {
					t.Errorf("timeout %v: the scaler was asked %d times in %v, want at most %d", timeout, n, during, most)
				}
			}
			asked(10*time.Microsecond, 20)
			asked(time.Second, 20)
			asked(time.Hour, 75)
			asked(time.Hour, 60)
			wantWorkers(t, r, 4)
			r.touch(t, 2)
			asked(time.Hour, 100)
			mustStop(t, r.pool)
		})
	}
}

// TestScalerThatKeepsWorkersIsAskedAgain checks that idle workers leave when the scaler lets them go,
// although it did not say when that would be: after twice the time, or after a minute.
func TestScalerThatKeepsWorkersIsAskedAgain(t *testing.T) {
	for keeps, latest := range map[time.Duration]time.Duration{
		time.Nanosecond: 3, time.Millisecond: 3 * time.Millisecond, time.Hour: time.Hour + time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &counting{target: 4, until: time.Now().Add(keeps)}
			r := newRig(t, scheduler.Config[*job]{Max: 4, IdleTimeout: 1, Scaler: s})
			time.Sleep(keeps - 1)
			wantWorkers(t, r, 4)
			time.Sleep(latest - keeps + 1)
			wantWorkers(t, r, 0)
			mustStop(t, r.pool)
		})
	}
}

// TestActivityEndsThePatienceWithTheScaler lets an item run after a long idle time. The scaler is then
// asked often again, so the workers leave soon.
func TestActivityEndsThePatienceWithTheScaler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{target: 4}
		r := newRig(t, scheduler.Config[*job]{Max: 4, IdleTimeout: 1, Scaler: s})
		time.Sleep(time.Hour)
		wantWorkers(t, r, 4)
		s.until = time.Now().Add(10 * time.Millisecond)
		r.touch(t, 1)
		time.Sleep(30 * time.Millisecond)
		wantWorkers(t, r, 0)
		mustStop(t, r.pool)
	})
}

// TestParkingDoesNotAskTheScaler lets an item run every 10 ms on one of four workers, which the scaler
// keeps. The others have been idle for the timeout, but that is no reason to ask the scaler each time
// that the worker parks.
func TestParkingDoesNotAskTheScaler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{target: 4}
		r := grown(t, scheduler.Config[*job]{Max: 4, Scaler: s}, 4)
		time.Sleep(time.Minute)
		before := s.asked.Load()
		for i := range 1000 {
			r.touch(t, 5+i)
			time.Sleep(10 * time.Millisecond)
		}
		if n := s.asked.Load() - before; n > 3 {
			t.Errorf("the scaler was asked %d times in %v, want about once", n, idleTimeout)
		}
		wantWorkers(t, r, 4)
		mustStop(t, r.pool)
	})
}

// TestNoIdleTimeoutKeepsWorkers lets a pool be idle for a long time.
func TestNoIdleTimeoutKeepsWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 4, IdleTimeout: scheduler.NoIdleTimeout})
		js := newJobs(4)
		mustSubmit(t, r.pool, js...)
		synctest.Wait()
		for _, j := range js {
			j.end <- returns
		}
		time.Sleep(100 * 365 * 24 * time.Hour)
		wantWorkers(t, r, 4)
		r.touch(t, 5)
		time.Sleep(100 * 365 * 24 * time.Hour)
		wantWorkers(t, r, 4)
		if err := r.pool.Resize(0, 1); err != nil {
			t.Fatal(err)
		}
		wantWorkers(t, r, 1)
		mustStop(t, r.pool)
	})
}

// TestNoMaximumGrowsWithTheLoad submits more items than a pool of the default size has workers for.
func TestNoMaximumGrowsWithTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: scheduler.NoMaximum, IdleTimeout: time.Second})
		js := newJobs(1000)
		mustSubmit(t, r.pool, js...)
		wantWorkers(t, r, 1000)
		for _, j := range js {
			j.end <- returns
		}
		time.Sleep(2 * time.Second)
		wantWorkers(t, r, 0)
		if err := r.pool.Resize(1, scheduler.NoMaximum); err != nil {
			t.Fatal(err)
		}
		wantWorkers(t, r, 1)
		mustStop(t, r.pool)
	})
}
