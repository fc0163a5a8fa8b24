package taskmanager

import (
	"context"
	"slices"

	"github.com/seed56799101/taskmanager/scheduler"
)

// Blocking calls wait, a function that blocks, on behalf of a task. Until wait returns, the
// task lends its slot: the manager may run another task meanwhile. Then the task gets a
// slot back, for which it may have to wait. ctx must be the context of the task or derived
// from it; with another context, Blocking only calls wait.
//
// [Handle.Wait], [Future.Result] and [Group.Wait] lend the slot in the same way. So tasks
// that wait for each other in a tree can run on a single worker. At most as many tasks as
// the maximum of workers run at a time, not counting tasks that wait. There is one
// exception: when the context of a wait ends, the task continues without a slot, because
// the tasks that hold the slots may wait for this task to cancel them. The pool then
// exceeds its maximum until that many workers finish.
//
// A task that waits for tasks of its own manager is recognised by its goroutine, with any
// context. In all other cases it is recognised by its context, also on goroutines that it
// has started. While such a goroutine waits, it lends the slot of the task, even if the
// task itself continues to work. The detection of deadlocks treats that wait as a wait of
// the task.
func Blocking(ctx context.Context, wait func()) {
	if h := ownerOf(ctx); h != nil {
		back, _ := h.m.stepAside(ctx, nil) // without a dependency there is no error
		defer back()
	}
	wait()
}

// dependency is what a task waits for: one task or several.
type dependency interface {
	// outstanding returns the tasks that have not ended.
	outstanding() []*Handle
	// one reports whether the wait is over when one of the tasks has ended, rather than
	// all.
	one() bool
}

// waiter is a task on whose behalf a goroutine waits, and the worker whose slot it holds; 0
// if it holds none.
type waiter = scheduler.Caller[*Handle]

// waiters returns the tasks on whose behalf the caller waits: its own task, and, if that
// task runs inside the submit of another task (CallerRuns), the submitting task, and so on.
// It returns none if the caller is not a task.
func (m *TaskManager) waiters(ctx context.Context) []waiter {
	list := m.pool.Callers()
	if list == nil {
		h := ownerOf(ctx)
		if h == nil {
			return nil
		}
		h.mu.Lock()
		list = []waiter{{Worker: h.worker, Item: h}}
		h.mu.Unlock()
	}
	// The pool knows the submitter of an inline task only by its goroutine, and the submit
	// by its context too. A task that restarts runs on a worker, and not for its submitter.
	if last := list[len(list)-1]; last.Worker == 0 {
		if t := last.Item.m.inlineTask(last.Item); t != nil {
			list = append(list, t.submit.submitters...)
		}
	}
	return list
}

// inside reports whether the caller is a task of this manager.
func (m *TaskManager) inside(ctx context.Context) bool {
	return slices.ContainsFunc(m.waiters(ctx), func(w waiter) bool { return w.Item.m == m })
}

// stepAside lends the slots of the tasks on whose behalf the caller is about to wait, which
// may be tasks of another manager. The caller must call back when the wait is over. on is
// what the caller waits for; nil means something other than tasks. The only error is
// ErrWouldDeadlock.
//
// When ctx ends, back does not wait for free slots: the caller may be the task that cancels
// the tasks that hold them.
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
