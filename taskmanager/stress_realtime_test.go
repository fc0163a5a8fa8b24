package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// brisk is a policy that restarts after 0 to 50 µs, and sometimes gives up.
type brisk struct{}

func (brisk) Next(f restart.Failure) (time.Duration, bool) {
	return time.Duration(f.Rand.Int64N(int64(50 * time.Microsecond))), f.Attempt < 5
}

// TestStressLosesNothing runs tasks of all kinds on several managers, in real time, and
// stops the managers meanwhile. Every accepted task must end exactly once, and no two
// executions of one name may overlap.
func TestStressLosesNothing(t *testing.T) {
	for round := range 30 {
		opts := []taskmanager.Option{
			taskmanager.WithWorkers(round%3, 3+round%5),
			taskmanager.WithIdleTimeout(20 * time.Microsecond),
			taskmanager.WithRestart(brisk{}),
		}
		if round%4 == 0 {
			opts = append(opts, taskmanager.WithLimit(round%8, taskmanager.Block))
		}
		if round%5 == 4 { // start with all workers
			opts[0] = taskmanager.WithWorkers(4, 4)
		}
		s := &stress{m: start(t, opts...), running: make([]atomic.Int32, 50)}
		var submitters sync.WaitGroup
		for i := range 4 {
			submitters.Go(func() { s.submit(t, rand.New(rand.NewPCG(uint64(round), uint64(i)))) })
		}
		for s.taken.Load() < 400 {
			s.m.TaskStatus()
			runtime.Gosched()
		}
		stop(t, s.m)
		submitters.Wait()
		s.check(t)
	}
}

type stress struct {
	m       *taskmanager.TaskManager
	taken   atomic.Int64
	running []atomic.Int32 // executions by number of the name

	mu      sync.Mutex
	handles []*taskmanager.Handle
}

// submit submits tasks, and cancels some, until the manager is stopped.
func (s *stress) submit(t *testing.T, random *rand.Rand) {
	for {
		h, err := s.m.Submit(context.Background(), s.task(t, random.IntN(len(s.running)), random.IntN(8)))
		switch {
		case errors.Is(err, taskmanager.ErrStopped):
			return
		case errors.Is(err, taskmanager.ErrAlreadyExists):
			runtime.Gosched()
			continue
		case err != nil:
			t.Errorf("submit: %v", err)
			return
		}
		s.taken.Add(1)
		s.mu.Lock()
		s.handles = append(s.handles, h)
		if victim := s.handles[random.IntN(len(s.handles))]; random.IntN(3) == 0 {
			victim.Cancel()
		}
		s.mu.Unlock()
	}
}

// task returns a task with the given name that ends in the given way.
func (s *stress) task(t *testing.T, name, way int) *task {
	return &task{
		name: fmt.Sprint(name),
		execute: func(ctx context.Context) error {
			if n := s.running[name].Add(1); n != 1 {
				t.Errorf("%d tasks named %d run together", n, name)
			}
			defer s.running[name].Add(-1)
			switch way {
			case 0, 1:
				return errFailed
			case 2:
				panic(errFailed)
			case 3:
				runtime.Goexit()
			case 4:
				select {
				case <-ctx.Done():
					return context.Cause(ctx)
				case <-time.After(20 * time.Microsecond):
				}
			}
			return nil
		},
		restart: func(context.Context, error) bool { return way != 1 },
	}
}

// check checks all tasks after the stop.
func (s *stress) check(t *testing.T) {
	t.Helper()
	for _, h := range s.handles {
		if !isClosed(h.Done()) || !isClosed(h.Started()) || h.Status().Status != taskmanager.Finished {
			t.Errorf("task %s has not ended: %+v", h.Name(), h.Status())
		}
		known := false
		err := h.Err()
		for _, e := range []error{
			nil, errFailed, taskmanager.ErrGoexit, taskmanager.ErrCancelled, taskmanager.ErrStopped,
		} {
			known = known || errors.Is(err, e)
		}
		if !known {
			t.Errorf("task %s ended with %v", h.Name(), err)
		}
	}
	if got := s.m.TaskStatus(); len(got) > 0 {
		t.Errorf("tasks left on the books: %v", got)
	}
	p := s.m.Snapshot()
	if p.Workers+p.Busy+p.Queued != 0 || p.Submitted != p.Completed+p.Failed+p.Withdrawn+p.Dropped {
		t.Errorf("the pool's counts do not balance: %+v", p)
	}
}
