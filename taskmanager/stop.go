package taskmanager

import (
	"context"
	"slices"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// Stop ends the manager: it refuses new tasks, ends those that are queued or wait
// for their time with ErrStopped, cancels the context of those that run, with
// ErrStopped as its cause, and waits until they have returned and the workers
// are gone. Nothing restarts any more.
//
// If ctx ends first, the error is a *StopError that wraps the reason and names
// the tasks that are still running; Stop may be called again to wait on. It is
// idempotent, and may be called from several goroutines at once. Called by a
// task of the same manager it waits for that task too, so ctx must end. A nil
// ctx is refused, and stops nothing.
func (m *TaskManager) Stop(ctx context.Context) error {
	if ctx == nil {
		return ErrNilContext
	}
	m.pool.Pause() // start nothing that would only be cancelled
	m.close()
	m.cancelAll()
	if err := m.pool.Stop(ctx); err != nil {
		return &StopError{Running: m.running(), Err: cause.Of(ctx)}
	}
	// What is left was about to be queued by the timer or by a submit, and is
	// being refused at this moment.
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

// cancelAll cancels what is outstanding, and notes it for a drain: first, as with the last of
// them the drain goes on.
func (m *TaskManager) cancelAll() {
	all := slices.Collect(m.names.All())
	if len(all) > 0 {
		names := make([]string, len(all))
		for i, h := range all {
			names[i] = h.name
		}
		slices.Sort(names)
		m.cancelled.CompareAndSwap(nil, &names) // a later Stop finds what is not over yet
	}
	for _, h := range all {
		m.cancel(h, ErrStopped)
	}
}

// close has no task begin any more: from here on the outstanding ones are all that there
// will be. Schedules that are not seen here were stored later, and find the names closed.
func (m *TaskManager) close() {
	m.names.Close()
	m.schedules.Range(func(s, _ any) bool {
		s.(*Schedule).Stop()
		return true
	})
}

// running names the tasks that are being executed, by workers or by those who
// submitted them.
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
