package taskmanager

import (
	"context"
	"slices"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// Stop ends the manager. It refuses new tasks, ends the tasks that are queued or wait for
// their time with [ErrStopped], and cancels the contexts of the running tasks with
// ErrStopped as the cause. Then it waits until those tasks have returned and all workers
// have exited. No task restarts any more.
//
// If ctx ends first, Stop returns a [*StopError], which wraps the cause of ctx and names
// the tasks that are still running. The manager continues to stop; call Stop again to wait
// for it.
//
// Stop is idempotent and safe for concurrent use. A task may stop its own manager, but Stop
// also waits for that task, so its ctx must end. For a nil ctx Stop returns [ErrNilContext]
// and does nothing else.
func (m *TaskManager) Stop(ctx context.Context) error {
	if ctx == nil {
		return ErrNilContext
	}
	m.pool.Pause() // a task that starts now would only be cancelled
	m.close()
	m.cancelAll()
	if err := m.pool.Stop(ctx); err != nil {
		return &StopError{Running: m.running(), Err: cause.Of(ctx)}
	}
	// A task may be left that the timer or a submit is passing to the pool at this moment.
	// The pool refuses it, so it ends soon.
	_, quiet := m.delayed.Stop()
	select {
	case <-quiet:
	case <-ctx.Done():
		return &StopError{Err: cause.Of(ctx)}
	}
	asked := make(chan struct{})
	go func() {
		m.asking.Wait()
		close(asked)
	}()
	select {
	case <-asked:
	case <-ctx.Done():
		return &StopError{Err: cause.Of(ctx)}
	}
	for h := range m.names.All() {
		select {
		case <-h.Done():
		case <-ctx.Done():
			return &StopError{Err: cause.Of(ctx)}
		}
	}
	m.unobservePool()
	return nil
}

// cancelAll cancels the outstanding tasks. It records their names for Drain first, since a
// concurrent Drain continues when the last of them has ended.
func (m *TaskManager) cancelAll() {
	all := slices.Collect(m.names.All())
	if len(all) > 0 {
		names := make([]string, len(all))
		for i, h := range all {
			names[i] = h.name
		}
		slices.Sort(names)
		m.cancelled.CompareAndSwap(nil, &names) // only the first Stop finds all of them
	}
	for _, h := range all {
		m.cancel(h, ErrStopped)
	}
}

// close refuses new tasks and stops the schedules. A schedule that Range misses was stored
// after the names were closed; its Repeat checks that.
func (m *TaskManager) close() {
	m.names.Close()
	m.schedules.Range(func(s, _ any) bool {
		s.(*Schedule).Stop()
		return true
	})
}

// running returns the sorted names of the tasks that are running, on workers or, with
// CallerRuns, in their submits.
func (m *TaskManager) running() []string {
	var names []string
	for h := range m.names.All() {
		h.mu.Lock()
		if h.statusLocked() == Running {
			names = append(names, h.name)
		}
		h.mu.Unlock()
	}
	slices.Sort(names)
	return names
}
