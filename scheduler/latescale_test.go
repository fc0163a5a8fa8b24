package scheduler_test

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// slowScaler is Demand, except that a call waits at the gate if there is one. It stands for
// a scaler that takes long; the pool holds no lock meanwhile.
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

// TestNoWorkerStartsAfterDrain checks that a decision of the scaler that arrives after all
// items have ended starts no workers, and that Drain waits for it.
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
		r.pool.Resume()
		time.Sleep(time.Second) // the three items run before the scaler returns
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		check.Is(t, "Drain", r.pool.Drain(ctx), context.DeadlineExceeded)
		close(s.gate)
		mustDrain(t, r.pool)
		s2 := r.pool.Snapshot()
		if s2.Workers != 0 {
			t.Errorf("%d workers were started after Drain had returned", s2.Workers)
		}
		synctest.Wait()
	})
}

// TestLimitNearTheLargestInt checks that the room for items does not overflow.
func TestLimitNearTheLargestInt(t *testing.T) {
	r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: math.MaxInt})
	defer r.close(t)
	check.Is(t, "TrySubmit", r.pool.TrySubmit(newJob(1)), nil)
}
