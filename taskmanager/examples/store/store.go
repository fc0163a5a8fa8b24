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

// store keeps tasks between their executions, by name and with their histories as JSON. A database
// would take its place. A task that was taken is not in the store until it is settled, so tasks
// would be lost with their process; a database marks them as taken until some time instead.
type store struct {
	mu      sync.Mutex
	waiting map[string][]byte
	over    map[string]error // how tasks have ended
}

// put stores a task that is due at s.QueuedAt.
func (st *store) put(name string, s restart.State) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.waiting[name], _ = json.Marshal(s) // a State can always be marshalled
}

// take removes up to n tasks that are due, and returns their histories.
func (st *store) take(n int) map[string]restart.State {
	st.mu.Lock()
	defer st.mu.Unlock()
	due := make(map[string]restart.State)
	for name, stored := range st.waiting {
		var s restart.State
		if err := json.Unmarshal(stored, &s); err != nil || len(due) == n || s.QueuedAt.After(time.Now()) {
			continue
		}
		delete(st.waiting, name)
		due[name] = s
	}
	return due
}

// pull runs tasks of the store on a manager until ctx ends or the manager is drained. It takes only
// tasks for which a worker is free.
func (st *store) pull(ctx context.Context, m *taskmanager.TaskManager, run func(ctx context.Context, name string) error) error {
	for {
		n, err := m.WaitRoom(ctx, 0)
		if err != nil {
			return err
		}
		due := st.take(n)
		for name, s := range due {
			_, err := m.SubmitFunc(ctx, name, func(ctx context.Context) error { return run(ctx, name) },
				taskmanager.WithOrigin(s),
				taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(time.Second))),
				taskmanager.WithOnEnd(func(h *taskmanager.Handle) { st.settle(name, s, h.Err()) }))
			if err != nil {
				st.put(name, s) // for another manager
			}
		}
		if len(due) == 0 { // ask the store again later
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
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
