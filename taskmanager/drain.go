package taskmanager

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// WaitIdle waits until no task is outstanding: none queued, running or waiting for its
// time. More may be submitted at any time, also meanwhile; then it waits for those
// too. If ctx ends first, the error says why. Called by a task of this manager it
// returns ErrWouldDeadlock.
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
			continue // one has come just now
		}
		select {
		case <-h.Done():
		case <-ctx.Done():
			return fmt.Errorf("taskmanager: wait until there are no tasks: %w", cause.Of(ctx))
		}
	}
}

// Drain ends the manager without giving up work: it refuses new tasks, lets all that
// are outstanding run, those included that wait for their time or restart, and then
// stops the manager. It ends a pause, and Pause does nothing any more. Tasks whose submit
// waits for room are let in.
//
// If ctx ends first, what remains is cancelled, as by Stop, and the error is a
// *DrainError that names it and wraps the reason. The manager is stopping then; Stop
// waits for the end. If somebody else calls Stop meanwhile, the error is likewise, with
// ErrStopped as the reason. Called by a task of this manager Drain returns
// ErrWouldDeadlock and does nothing.
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
	_ = m.WaitIdle(ctx) // Stop tells what is left, if ctx has ended
	err := m.Stop(ctx)
	short := &DrainError{Err: ErrStopped}
	if ctx.Err() != nil {
		short.Err = cause.Of(ctx)
	}
	if left := m.cancelled.Load(); left != nil && (left != before || !idle) {
		short.Cancelled = slices.Clone(*left)
	} else if err == nil {
		return nil // perhaps at the last moment
	}
	return short
}

// Pause keeps workers from taking tasks. What runs goes on, and submits still queue
// tasks, up to the limit; where the overflow policy is CallerRuns, those beyond it are
// refused. Resume, Drain and Stop end a pause.
func (m *TaskManager) Pause() {
	m.pool.Pause()
	if m.draining.Load() { // whichever of the two is first, the drain goes on
		m.pool.Resume()
	}
}

// Resume ends a pause.
func (m *TaskManager) Resume() { m.pool.Resume() }

// Resize sets new bounds on the number of workers, at once: workers are started up to
// the minimum, idle ones above the maximum leave now, and busy ones when their task has
// ended. Errors: ErrStopped, or which bound is impossible.
func (m *TaskManager) Resize(minimum, maximum int) error {
	if err := workersFault(minimum, maximum); err != nil {
		return fmt.Errorf("taskmanager: Resize: %w", err)
	}
	if m.pool.Resize(minimum, maximum) != nil {
		return ErrStopped
	}
	return nil
}
