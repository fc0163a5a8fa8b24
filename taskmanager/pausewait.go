package taskmanager

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/internal/text"
	"github.com/seed56799101/taskmanager/scheduler"
)

// PauseWait makes the workers take no more tasks, as [TaskManager.Pause] does, and waits until no
// task runs. When it has returned nil, no task runs until [TaskManager.Resume]. If the manager is
// paused already, PauseWait only waits.
//
// A task runs from the moment at which a worker takes it, or its submit under [CallerRuns], until
// its execution has ended and the observers have been told. A task that waits for another one, and
// has lent its slot, is running. If the other one is queued, neither ends during the pause. A task
// that waits for its restart is not running.
//
// If ctx ends first, PauseWait returns an error that wraps its cause and names tasks that still
// run, and the manager stays paused. A Resume ends the wait with an error. Close, Drain and Stop
// end the pause, and the wait with [ErrStopped], which is also the error of a manager that
// drains or has stopped. For a task of this manager, PauseWait returns [ErrWouldDeadlock] and does
// nothing else.
func (m *TaskManager) PauseWait(ctx context.Context) error {
	if ctx == nil {
		return ErrNilContext
	}
	if m.inside(ctx) {
		return fmt.Errorf("taskmanager: PauseWait: %w", ErrWouldDeadlock)
	}
	back, err := m.stepAside(ctx, nil) // a task of another manager lends its slot
	if err != nil {
		return err
	}
	defer back()
	until, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(m.shutdown.open, func() { cancel(ErrStopped) })()
	err = m.pool.PauseWait(until)
	if m.draining.Load() { // as in Pause: the pause may have begun after finishDrain had ended the one before
		m.pool.Resume()
	}
	switch {
	case m.shutdown.open.Err() != nil:
		return fmt.Errorf("taskmanager: PauseWait: %w", ErrStopped)
	case err == nil:
		return nil
	case errors.Is(err, scheduler.ErrWouldDeadlock): // the goroutine acts for a task of this manager
		return fmt.Errorf("taskmanager: PauseWait: %w", ErrWouldDeadlock)
	case ctx.Err() == nil || !errors.Is(err, context.Cause(ctx)):
		return errResumed
	}
	names := m.running()
	return fmt.Errorf("taskmanager: paused, with %s still running%s: %w", text.Count(len(names), "task"), listed(names, 0), cause.Of(ctx))
}

// errResumed is the error of a PauseWait whose pause ended before it.
var errResumed = errors.New("taskmanager: the manager was resumed before the running tasks had ended; call PauseWait again to wait for them")
