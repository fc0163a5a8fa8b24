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
		return fmt.Errorf("taskmanager: WaitIdle: %w", bare(ErrWouldDeadlock))
	}
	back, err := m.stepAside(ctx, nil) // a task of another manager lends its slot
	if err != nil {
		return err
	}
	defer back()
	if err := m.awaitIdle(ctx); err != nil {
		return fmt.Errorf("taskmanager: wait until there are no tasks: %w", bare(err))
	}
	return nil
}

// awaitIdle waits until no task is outstanding, or returns the cause of ctx.
func (m *TaskManager) awaitIdle(ctx context.Context) error {
	for {
		h := m.names.Some()
		if h == nil {
			var joined uint64
			if h, joined = m.successors.some(); h == nil {
				if m.names.Empty() && m.successors.none(joined) {
					return nil
				}
				continue // a task was added since
			}
		}
		select {
		case <-h.Done():
		case <-ctx.Done():
			return cause.Of(ctx)
		}
	}
}

// Close makes the manager end when its tasks have run, and returns at once. It refuses new
// tasks. All outstanding tasks run, including those that wait for their time or for a
// restart. Submits that already wait for room still get it. Schedules end. Close ends a
// pause, and [TaskManager.Pause] has no effect any more. The discipline gives up no task any
// more: [CoDel] sheds nothing. The workers exit when the last task has ended.
//
// [TaskManager.Done] tells when the manager has ended, [TaskManager.Drain] waits for that,
// and [TaskManager.Stop] cuts it short. Close has no effect on a manager that drains or has
// stopped. A task may close its own manager.
//
// Close returns no error, as it cannot fail: what is accepted by then runs. A manager is not
// an [io.Closer], because a caller of one expects that everything is over when Close has
// returned.
func (m *TaskManager) Close() {
	s := &m.shutdown
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.stopping {
		return
	}
	s.closing = true
	m.names.Close()
	m.draining.Store(true) // before the pause ends; see Pause
	s.close()
	m.pool.KeepItems()
	s.background.Go(m.finishDrain)
}

// finishDrain ends the manager when its tasks have run, or when Stop has cancelled them.
func (m *TaskManager) finishDrain() {
	m.pool.Resume()
	m.endSchedules()
	_ = m.awaitIdle(context.Background())
	m.beginStop()
}

// Drain ends the manager after its tasks have run, as [TaskManager.Close] does, and waits
// until it has ended.
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
		return fmt.Errorf("taskmanager: Drain: %w", bare(ErrWouldDeadlock))
	}
	// A Stop that had ended all tasks before does not concern this call.
	concerned := !m.stopping() || !m.names.Empty()
	if ctx.Err() == nil { // otherwise Close would only start tasks that are cancelled at once
		m.Close()
	}
	back, _ := m.stepAside(ctx, nil) // a task of another manager lends its slot; without a dependency there is no error
	defer back()
	if !isDone(m.shutdown.done) {
		select {
		case <-m.shutdown.done:
		case <-ctx.Done():
			m.beginStop()
		}
	}
	if short := m.cutShort(); concerned && short.any() || !isDone(m.shutdown.done) {
		short.Err = ErrStopped
		if ctx.Err() != nil {
			short.Err = cause.Of(ctx)
		}
		return short
	}
	return nil
}

// stopping reports whether the manager runs no more tasks.
func (m *TaskManager) stopping() bool {
	m.shutdown.mu.Lock()
	defer m.shutdown.mu.Unlock()
	return m.shutdown.stopping
}

// cutShort returns an error without a reason about the tasks that a Stop found outstanding.
func (m *TaskManager) cutShort() *DrainError {
	m.shutdown.mu.Lock()
	c := m.shutdown.cut
	m.shutdown.mu.Unlock()
	e := &DrainError{Running: m.running()}
	running := e.Running
	e.Cancelled = slices.DeleteFunc(slices.Clone(c.names), func(name string) bool { // only the first of two tasks of a name runs
		for len(running) > 0 && running[0] < name {
			running = running[1:]
		}
		runs := len(running) > 0 && running[0] == name
		if runs {
			running = running[1:]
		}
		return runs
	})
	e.More = max(c.total-len(e.Running)-len(e.Cancelled), 0)
	return e
}

// Pause makes the workers take no more tasks. Running tasks continue. Submits still queue
// tasks, up to the limit; beyond it the overflow policy applies, except that [CallerRuns]
// acts as [Reject]. A pause does not count as a wait: not for [CoDel], not for
// [WithQueueTimeout], and not for scalers. [TaskManager.Resume], [TaskManager.Close],
// [TaskManager.Drain] and [TaskManager.Stop] end a pause. [TaskManager.PauseWait] waits until no
// task runs.
func (m *TaskManager) Pause() {
	m.pool.Pause()
	if m.draining.Load() { // set before finishDrain resumes: one of the two Resumes follows this Pause
		m.pool.Resume()
	}
}

// pauseChanged is called by the pool, under its lock, when a pause begins or ends.
func (m *TaskManager) pauseChanged(paused bool) {
	m.paused.Store(paused)
	if paused {
		m.patience.Pause()
	} else {
		m.patience.Resume()
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
