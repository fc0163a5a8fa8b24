package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// store keeps tasks between their executions. A database would take its place: it would store the
// histories as JSON, and mark a task as taken until some time. Here a task that was taken is lost with
// its process.
type store struct {
	mu      sync.Mutex
	waiting map[string]restart.State // the histories of tasks by name
	over    map[string]error         // how tasks have ended
}

// pull runs tasks of the store on a manager until ctx ends or the manager is drained. It takes a task
// only when a worker is free.
func (st *store) pull(ctx context.Context, m *taskmanager.TaskManager, run func(ctx context.Context, name string) error) error {
	for {
		if _, err := m.WaitRoom(ctx, 0); err != nil {
			return err
		}
		name, s, ok := st.take()
		if !ok {
			time.Sleep(100 * time.Millisecond) // and ask the store again
			continue
		}
		_, err := m.SubmitFunc(ctx, name, func(ctx context.Context) error { return run(ctx, name) },
			taskmanager.WithOrigin(s),
			taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(time.Second))),
			taskmanager.WithOnEnd(func(h *taskmanager.Handle) { st.settle(name, s, h.Err()) }))
		if err != nil {
			st.settle(name, s, taskmanager.ErrStopped) // it has not run: another manager will take it
		}
	}
}

// take removes a task that is due.
func (st *store) take() (name string, s restart.State, ok bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for name, s := range st.waiting {
		if !s.QueuedAt.After(time.Now()) {
			delete(st.waiting, name)
			return name, s, true
		}
	}
	return "", restart.State{}, false
}

// settle stores what became of a task with the history s, which ended with err.
func (st *store) settle(name string, s restart.State, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	again, handedOver := errors.AsType[*taskmanager.HandedOver](err)
	switch {
	case handedOver: // it failed, or returned NotYet
		st.waiting[name] = again.State
	case errors.Is(err, taskmanager.ErrStopped):
		st.waiting[name] = s
	default:
		st.over[name] = err
	}
}
