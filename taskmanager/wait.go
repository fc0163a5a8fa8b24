package taskmanager

import (
	"context"
	"slices"

	"github.com/seed56799101/taskmanager/scheduler"
)

// Blocking calls wait, which blocks, for a task: meanwhile the task's worker lends
// its slot, so that the manager runs another task in its place. Before Blocking
// returns, the task gets a slot back, for which it may have to wait. ctx is the
// context that the task was given, or one derived from it; with another one Blocking
// just calls wait.
//
// Handle.Wait, Future.Result and Group.Wait do this by themselves. So a tree of tasks
// that wait for each other runs on a single worker, and no more than the maximum
// are under way, those that wait not counted. There is one exception: a task does not
// wait for a slot any more when the context of its wait has ended, since it may be the
// one to cancel those that have the slots. Then as many workers as that are too many
// leave when they have finished.
//
// A task is known by its goroutine where it waits for tasks of its own manager, and by
// its context everywhere, also on goroutines that it has started: while one of them
// waits, the slot is lent, whatever the others do, and what that one waits for counts as
// what the task needs to go on.
func Blocking(ctx context.Context, wait func()) {
	if h := ownerOf(ctx); h != nil {
		back, _ := h.m.stepAside(ctx, nil) // nothing to wait for: no cycle
		defer back()
	}
	wait()
}

// dependency is what a task may wait for: one task, or several.
type dependency interface {
	// outstanding are those that have not ended.
	outstanding() []*Handle
	// one reports whether the end of one of them is enough.
	one() bool
}

// waiter is a task that waits, or in whose place one does, and the worker whose slot it
// holds, or 0.
type waiter = scheduler.Caller[*Handle]

// waiters lists the tasks for which the caller waits: the task that it runs and, if that
// task runs inside the submit of another one (CallerRuns), the submitting task, and so on.
// It is empty if the caller is no task.
func (m *TaskManager) waiters(ctx context.Context) []waiter {
	if list := m.pool.Callers(); list != nil {
		return list
	}
	h := ownerOf(ctx)
	if h == nil {
		return nil
	}
	h.mu.Lock()
	list := []waiter{{Worker: h.worker, Item: h}}
	h.mu.Unlock()
	if submitters, ok := h.m.inline.Load(h); ok {
		list = append(list, submitters.([]waiter)...)
	}
	return list
}

// inside reports whether the caller is a task of this manager.
func (m *TaskManager) inside(ctx context.Context) bool {
	return slices.ContainsFunc(m.waiters(ctx), func(w waiter) bool { return w.Item.m == m })
}

// stepAside lends the slots of the tasks for which the caller is about to wait, until back
// is called. The caller waits for tasks of this manager, or, if on is nil, for something
// else; it may be a task of another manager. The error is ErrWouldDeadlock.
//
// When ctx ends, back does not wait for free slots: the caller may be the one that cancels
// the tasks which hold them.
func (m *TaskManager) stepAside(ctx context.Context, on dependency) (back func(), err error) {
	list := m.waiters(ctx)
	if len(list) == 0 {
		return func() {}, nil
	}
	if on != nil && !waits.add(list, on) {
		return nil, ErrWouldDeadlock
	}
	resumes := make([]func(hurry <-chan struct{}), len(list))
	for i, w := range list {
		resumes[i] = w.Item.m.pool.Lend(w.Worker, func(h *Handle) bool { return h == w.Item })
	}
	return func() {
		if on != nil {
			waits.remove(list, on)
		}
		for _, resume := range resumes {
			resume(ctx.Done())
		}
	}, nil
}
