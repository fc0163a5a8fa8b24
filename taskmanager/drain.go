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
	for {
		h := m.names.some()
		if h == nil {
			if m.names.empty() {
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
// stops the manager. It ends a pause. Tasks whose submit waits for room are let in.
//
// If ctx ends first, what remains is cancelled, as by Stop, and the error is a
// *DrainError that names it and wraps the reason. The manager is stopping then; Stop
// waits for the end. Called by a task of this manager Drain returns ErrWouldDeadlock
// and does nothing.
func (m *TaskManager) Drain(ctx context.Context) error {
	if ctx == nil {
		return ErrNilContext
	}
	if m.inside(ctx) {
		return fmt.Errorf("taskmanager: Drain: %w", ErrWouldDeadlock)
	}
	m.close()
	m.pool.Resume()
	if m.WaitIdle(ctx) == nil && m.Stop(ctx) == nil {
		return nil
	}
	var left []string
	for _, h := range m.names.all() {
		left = append(left, h.name)
	}
	slices.Sort(left)
	if err := m.Stop(ctx); err == nil && len(left) == 0 {
		return nil // they have ended at the last moment
	}
	return &DrainError{Cancelled: left, Err: cause.Of(ctx)}
}

// Pause keeps workers from taking tasks. What runs goes on, and submits still queue
// tasks, up to the limit. Resume, Drain and Stop end a pause.
func (m *TaskManager) Pause() { m.pool.Pause() }

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
