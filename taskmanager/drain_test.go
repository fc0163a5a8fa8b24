package taskmanager_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// draining returns a manager that drains. It has a task on its only worker and another one
// in the queue.
func draining(t *testing.T) (m *taskmanager.TaskManager, queued *taskmanager.Handle, drained chan error) {
	t.Helper()
	m = start(t, taskmanager.WithWorkers(1, 1))
	submitFunc(t, m, "runs", func(ctx context.Context) error {
		select {
		case <-time.After(time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	queued = submitFunc(t, m, "waits", fn0)
	drained = make(chan error, 1)
	go func() { drained <- m.Drain(context.Background()) }()
	synctest.Wait()
	return m, queued, drained
}

// TestPauseDoesNotBlockADrain checks that Pause has no effect during a drain.
func TestPauseDoesNotBlockADrain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, queued, drained := draining(t)
		m.Pause()
		time.Sleep(time.Second)
		synctest.Wait()
		select {
		case err := <-drained:
			if err != nil || queued.Err() != nil {
				t.Errorf("Drain returned %v, and the task that waited %v", err, queued.Err())
			}
		default:
			t.Error("Drain has not returned")
		}
	})
}

// TestDrainNamesTasksThatStopCancelled checks the error of Drain if Stop is called during
// the drain. A Drain after Stop returns nil.
func TestDrainNamesTasksThatStopCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, queued, drained := draining(t)
		stop(t, m)
		err := <-drained
		short, ok := errors.AsType[*taskmanager.DrainError](err)
		if !ok || !errors.Is(err, taskmanager.ErrStopped) {
			t.Fatalf("Drain returned %v, want a DrainError that matches ErrStopped", err)
		}
		check.Equal(t, "cancelled", short.Cancelled, []string{"runs", "waits"})
		if !errors.Is(queued.Err(), taskmanager.ErrStopped) {
			t.Errorf("the task that waited ended with %v, want ErrStopped", queued.Err())
		}
		if err := m.Drain(t.Context()); err != nil {
			t.Errorf("Drain of a stopped manager returned %v", err)
		}
	})
}

// TestWaitIdleOfAnotherManagerLendsTheSlot waits in a task for another manager, one of
// whose tasks needs the slot of the waiting task.
func TestWaitIdleOfAnotherManagerLendsTheSlot(t *testing.T) {
	waits := map[string]func(context.Context, *taskmanager.TaskManager) error{
		"WaitIdle": func(ctx context.Context, m *taskmanager.TaskManager) error { return m.WaitIdle(ctx) },
		"Drain":    func(ctx context.Context, m *taskmanager.TaskManager) error { return m.Drain(ctx) },
	}
	for name, waitFor := range waits {
		bubble(t, func(t *testing.T) {
			a, b := start(t, taskmanager.WithWorkers(1, 1)), start(t, taskmanager.WithWorkers(1, 1))
			begin := make(chan struct{})
			first := submitFunc(t, a, "first", func(ctx context.Context) error { <-begin; return waitFor(ctx, b) })
			second := submitFunc(t, a, "second", fn0)
			submitFunc(t, b, "waits", func(ctx context.Context) error { close(begin); return second.Wait(ctx) })
			if err := wait(t, first); err != nil {
				t.Errorf("%s returned %v", name, err)
			}
		})
	}
}
