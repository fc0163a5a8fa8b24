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
// the tasks that hold the slots may wait for this task to cancel them. So if the contexts of
// fifty waits end at once, fifty tasks continue at once. At most as many tasks run as the
// maximum plus the number of tasks whose wait has ended in this way, and that have since
// neither ended nor waited again. Until the excess is gone, no queued task starts.
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

// caller is the task that calls the manager, and its worker, or 0 if it runs inside a submit
// (CallerRuns).
type caller struct {
	task   *Handle // nil: none
	worker int32
}

// slot is the slot of a worker, and the task that runs there; zero: none.
type slot = scheduler.Caller[*Handle]

// caller returns the task on whose behalf the caller acts.
func (m *TaskManager) caller(ctx context.Context) caller {
	c, known := m.pool.Caller()
	if known && !c.Indirect {
		return caller{c.Item, c.Worker}
	}
	// A goroutine that acts for one of this pool belongs to a task of another manager.
	if h := ownerOf(ctx); h != nil {
		h.word.Lock()
		defer h.word.Unlock()
		worker, _ := h.ranLocked()
		return caller{h, worker}
	}
	return caller{c.Item, c.Worker}
}

// submit returns the submit inside which the task runs, or nil. A task that restarts runs on a
// worker, even if the submit has not returned.
func (c caller) submit() *inlineSubmit {
	if c.task == nil || c.worker != 0 {
		return nil
	}
	if t := c.task.m.inlineTask(c.task); t != nil {
		return t.submit
	}
	return nil
}

// slot returns the slot that the task lends while it waits: its own, or that of the task in
// whose submit it runs, directly or through further submits.
func (c caller) slot() slot {
	if s := c.submit(); s != nil {
		return s.slot
	}
	return slot{Worker: c.worker, Item: c.task}
}

// managers returns the managers of the task, and of the tasks in whose submits it runs.
func (c caller) managers() []*TaskManager {
	s := c.submit()
	switch {
	case c.task == nil:
		return nil
	case s == nil:
		return []*TaskManager{c.task.m}
	case slices.Contains(s.inside, c.task.m):
		return s.inside
	}
	return append(slices.Clip(s.inside), c.task.m)
}

// inside reports whether the caller is a task of this manager, or runs in the submit of one.
func (m *TaskManager) inside(ctx context.Context) bool {
	return slices.Contains(m.caller(ctx).managers(), m)
}

// stepAside lends the slot of the task on whose behalf the caller is about to wait, which
// may be a task of another manager. The caller must call back when the wait is over. on is
// what the caller waits for; nil means something other than tasks. The only error is
// ErrWouldDeadlock.
//
// When ctx ends, back does not wait for a free slot: the caller may be the task that cancels
// the tasks that hold them.
func (m *TaskManager) stepAside(ctx context.Context, on dependency) (back func(), err error) {
	c := m.caller(ctx)
	if c.task == nil {
		return func() {}, nil
	}
	if on != nil {
		g := c.task.m.lockWaits(on.manager())
		ok := g.add(c.task, on)
		g.mu.Unlock()
		if !ok {
			return nil, ErrWouldDeadlock
		}
	}
	resume := func(<-chan struct{}) {}
	if s := c.slot(); s.Item != nil {
		resume = s.Item.m.pool.Lend(s.Worker, func(h *Handle) bool { return h == s.Item })
	}
	return func() {
		if on != nil { // first: the task does not wait for it while it waits for a slot
			c.task.removeWait(on)
		}
		resume(ctx.Done())
	}, nil
}
