package taskmanager

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// WaitIdle waits until no task is outstanding: none is queued, running, or waiting for its
// time. Tasks may be submitted meanwhile; WaitIdle waits for those too. If ctx ends first,
// WaitIdle returns an error that wraps its cause. For a task of this manager it returns
// [ErrWouldDeadlock].
func (m *TaskManager) WaitIdle(ctx context.Context) error {
	if ctx == nil {
		return ErrNilContext
	}
	if m.inside(ctx) {
		return fmt.Errorf("taskmanager: WaitIdle: %w", ErrWouldDeadlock)
	}
	back, err := m.stepAside(ctx, nil) // a task of another manager lends its slot
	if err != nil {
		return err
	}
	defer back()
	for {
		h := m.names.Some()
		if h == nil {
			if m.names.Empty() {
				return nil
			}
			continue // a task was added since
		}
		select {
		case <-h.Done():
		case <-ctx.Done():
			return fmt.Errorf("taskmanager: wait until there are no tasks: %w", cause.Of(ctx))
		}
	}
}

// Drain ends the manager after its tasks have run. It refuses new tasks, waits until all
// outstanding tasks have ended, including those that wait for their time or for a restart,
// and stops the manager. Submits that already wait for room still get it. Schedules end.
// Drain ends a pause, and [TaskManager.Pause] has no effect any more.
//
// If ctx ends first, Drain cancels the remaining tasks as [TaskManager.Stop] does, and
// returns a [*DrainError], which names those tasks and wraps the cause of ctx. Drain does
// not wait for the end of the running tasks then; Stop does. If Stop is called during the
// drain and cancels tasks, the DrainError wraps [ErrStopped].
//
// For a task of this manager, Drain returns [ErrWouldDeadlock] and does nothing else.
func (m *TaskManager) Drain(ctx context.Context) error {
	if ctx == nil {
		return ErrNilContext
	}
	if m.inside(ctx) {
		return fmt.Errorf("taskmanager: Drain: %w", ErrWouldDeadlock)
	}
	idle, before := m.names.Empty(), m.cancelled.Load()
	m.close()
	m.draining.Store(true) // before the pause ends; see Pause
	m.pool.Resume()
	_ = m.WaitIdle(ctx) // if ctx has ended, Stop cancels what is left
	err := m.Stop(ctx)
	short := &DrainError{Err: ErrStopped}
	if ctx.Err() != nil {
		short.Err = cause.Of(ctx)
	}
	if left := m.cancelled.Load(); left != nil && (left != before || !idle) {
		short.Cancelled = slices.Clone(*left)
	} else if err == nil {
		return nil // even if ctx ended at the last moment
	}
	return short
}

// Pause makes the workers take no more tasks. Running tasks continue. Submits still queue
// tasks, up to the limit; beyond it the overflow policy applies, except that [CallerRuns]
// acts as [Reject]. [TaskManager.Resume], [TaskManager.Drain] and [TaskManager.Stop] end a
// pause.
func (m *TaskManager) Pause() {
	m.pool.Pause()
	if m.draining.Load() { // set before Drain resumes: one of the two Resumes follows this Pause
		m.pool.Resume()
	}
}

// Resume ends a pause. Without a pause it does nothing.
func (m *TaskManager) Resume() { m.pool.Resume() }

// Resize sets the minimum and the maximum number of workers. It starts workers up to the
// new minimum at once. Idle workers above the new maximum exit at once, busy ones when
// their task has ended. Resize returns [ErrStopped], or an error that says which bound is
// invalid.
func (m *TaskManager) Resize(minimum, maximum int) error {
	if err := workersFault(minimum, maximum); err != nil {
		return fmt.Errorf("taskmanager: Resize: %w", err)
	}
	if m.pool.Resize(minimum, maximum) != nil {
		return ErrStopped
	}
	return nil
}
