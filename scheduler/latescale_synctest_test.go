package scheduler_test

import (
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// slowScaler is Demand, but a call waits at the gate while there is one. It
// stands for a scaler that takes its time, which may be any: no lock is held.
type slowScaler struct {
	gate   chan struct{}
	closed atomic.Bool
}

func (s *slowScaler) NeedsTime() bool { return false }

func (s *slowScaler) Scale(now scale.Snapshot) scale.Decision {
	if s.closed.Load() {
		<-s.gate
	}
	return scale.Demand(1).Scale(now)
}

// TestNoWorkerStartsAfterDrain: an answer of the scaler that comes when the
// pool has drained must not bring workers back.
func TestNoWorkerStartsAfterDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowScaler{gate: make(chan struct{})}
		r := newRig(t, scheduler.Config[*job]{Min: 2, Max: 8, Scaler: s})
		js := newJobs(3)
		for _, j := range js {
			j.end <- returns
		}
		r.pool.Pause()
		mustSubmit(t, r.pool, js...)
		s.closed.Store(true)
		resume := background(func() error { r.pool.Resume(); return nil })
		time.Sleep(time.Second) // the three items run, and the scaler still thinks
		mustDrain(t, r.pool)
		close(s.gate)
		check.Is(t, "Resume", <-resume, nil)
		s2 := r.pool.Snapshot()
		if s2.Workers != 0 {
			t.Errorf("%d workers were started after Drain had returned", s2.Workers)
		}
		synctest.Wait()
	})
}

// TestLimitNearTheLargestInt: a limit that no queue can reach is no limit.
func TestLimitNearTheLargestInt(t *testing.T) {
	r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: math.MaxInt})
	defer r.close(t)
	check.Is(t, "TrySubmit", r.pool.TrySubmit(newJob(1)), nil)
}
