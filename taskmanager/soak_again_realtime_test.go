package taskmanager_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// shelf keeps the histories of tasks that were handed over.
type shelf struct {
	mu     sync.Mutex
	states []restart.State
}

func (s *shelf) put(state restart.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states = append(s.states, state)
}

// take returns the history of a task that was handed over or, if there is none, of a new one.
func (s *shelf) take() (state restart.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.states); n > 0 {
		state, s.states = s.states[n-1], s.states[:n-1]
	}
	return state
}

// fetch waits for room, and submits tasks that are kept elsewhere.
func (d *driver) fetch() {
	ctx, cancel := d.brief()
	defer cancel()
	n, err := d.m.WaitRoom(ctx, d.random.IntN(5))
	switch {
	case err == nil && n > 0:
		d.s.count("WaitRoom: room")
	case !errors.Is(err, context.DeadlineExceeded) && !d.stopped(err):
		d.fail("WaitRoom returned %d, %v", n, err)
	}
	for range min(n, 3) {
		d.fetchOne()
	}
}

func (d *driver) fetchOne() {
	t, s := d.newTask(d.random, -1, nil), d.shelf.take()
	t.elsewhere = s.Attempts
	h, err := d.m.TrySubmit(context.Background(), t, taskmanager.WithOrigin(s), taskmanager.WithRestart(brisk{}),
		taskmanager.WithOnEnd(func(h *taskmanager.Handle) { d.settle(h, s) }))
	t.accept("WithOrigin", h, err)
	if err == nil && d.random.IntN(4) == 0 {
		h.CancelCause(errFailed)
	}
}

// settle checks how a task with the history s has ended, and keeps its new history.
func (x *life) settle(h *taskmanager.Handle, s restart.State) {
	over, ok := errors.AsType[*taskmanager.HandedOver](h.Err())
	if !ok {
		return
	}
	next := over.State
	x.s.count("handed over")
	postponed := errors.Unwrap(over) == nil
	if next.Attempts != s.Attempts+1 || postponed && next.Row != s.Row || !postponed && next.Row != s.Row+1 || next.Validate() != nil {
		x.fail("%q, with the history %+v, was handed over with %+v", h.Name(), s, next)
	}
	if next.Attempts < 6 {
		x.shelf.put(next)
	}
}

// postpones returns NotYet a few times.
func (e *execution) postpones() error {
	if !e.failed {
		return nil
	}
	if e.random.IntN(4) == 0 {
		return taskmanager.NotYet(0)
	}
	return taskmanager.NotYet(time.Duration(e.random.IntN(1000)) * time.Microsecond)
}

// inherit may return an option that takes over the attributes of the task that submits t.
func (t *soakTask) inherit(random *rand.Rand) []taskmanager.TaskOption {
	if random.IntN(4) > 0 {
		return nil
	}
	t.deadline, t.keyed = t.deadline || t.by != nil, t.keyed || t.by != nil
	return []taskmanager.TaskOption{taskmanager.WithInherit()}
}
