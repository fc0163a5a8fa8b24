package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// store keeps tasks between their executions. A database would take its place, and would mark a task
// as taken until some time. Here a task that was taken is lost with its process.
type store struct {
	mu      sync.Mutex
	waiting map[string][]byte // the histories of tasks by name, as JSON
	over    map[string]error  // how tasks have ended
}

// pull runs tasks of the store on a manager until ctx ends or the manager is drained. It takes a task
// only when a worker is free.
func (st *store) pull(ctx context.Context, m *taskmanager.TaskManager, run func(ctx context.Context, name string) error) error {
	for {
		if _, err := m.WaitRoom(ctx, 0); err != nil {
			return err
		}
		name, s, ok := st.take()
		if !ok { // ask the store again later
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		_, err := m.SubmitFunc(ctx, name, func(ctx context.Context) error { return run(ctx, name) },
			taskmanager.WithOrigin(s),
			taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(time.Second))),
			taskmanager.WithOnEnd(func(h *taskmanager.Handle) { st.settle(name, s, h.Err()) }))
		if err != nil {
			st.put(name, s) // for another manager
		}
	}
}

// take removes a task that is due.
func (st *store) take() (name string, s restart.State, ok bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for name, stored := range st.waiting {
		var s restart.State
		if err := json.Unmarshal(stored, &s); err == nil && !s.QueuedAt.After(time.Now()) {
			delete(st.waiting, name)
			return name, s, true
		}
	}
	return "", restart.State{}, false
}

// settle stores what became of a task with the history s, which ended with err.
func (st *store) settle(name string, s restart.State, err error) {
	again, handedOver := errors.AsType[*taskmanager.HandedOver](err)
	switch {
	case handedOver: // it failed, or returned NotYet
		st.put(name, again.State)
	case errors.Is(err, taskmanager.ErrStopped):
		st.put(name, s)
	default:
		st.mu.Lock()
		defer st.mu.Unlock()
		st.over[name] = err
	}
}

// put stores a task that is due at s.QueuedAt.
func (st *store) put(name string, s restart.State) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.waiting[name], _ = json.Marshal(s) // a State can always be marshalled
}
