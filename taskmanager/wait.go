package taskmanager

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

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

// waiters are the tasks on whose behalf the caller runs; none if it is no task. Where
// it is known by its context alone, and the task runs in the place of its submitter,
// the waits of that run go by in.
func (m *TaskManager) waiters(ctx context.Context) (list []waiter, in *inlineRun) {
	if list = m.pool.Callers(); list != nil {
		return list, nil
	}
	h := ownerOf(ctx)
	if h == nil {
		return nil, nil
	}
	h.mu.Lock()
	list = append(list, waiter{Worker: h.worker, Item: h})
	h.mu.Unlock()
	if r, ok := h.m.inline.Load(h); ok {
		in = r.(*inlineRun)
		list = append(list, in.callers...)
	}
	return list, in
}

// inlineRun is the execution of a task by its submitter. Goroutines of the task lend the
// slot of the submitter, if that is a task, and it must have that back when it goes on.
type inlineRun struct {
	callers []waiter
	// The context of the execution that has submitted the task; nil: no task has. The next
	// execution has another one, so this is the one to ask, however late.
	submitter *taskContext

	mu    sync.Mutex // guards the rest
	over  bool
	waits map[*inlineWait]bool // those under way
}

// inlineWait is a wait of a goroutine of such a task.
type inlineWait struct {
	lent    chan struct{}               // closed when the slots are lent, and back is set
	back    func(hurry <-chan struct{}) // gets them back
	claimed atomic.Bool                 // by the first who wants it to end
	ended   chan struct{}               // for the others
}

// end ends the wait once, and returns when it has ended.
func (w *inlineWait) end(hurry <-chan struct{}) {
	if w.claimed.Swap(true) {
		<-w.ended
		return
	}
	<-w.lent
	w.back(hurry)
	close(w.ended)
}

// lend lends slots for a wait by ctx of a goroutine of the task, and returns what ends it. The
// wait is noted first: in between, the submitter could go on without the slot that it has lent.
func (r *inlineRun) lend(ctx context.Context, slots func() (back func(hurry <-chan struct{}), err error)) (end func(), err error) {
	w := &inlineWait{lent: make(chan struct{}), back: func(<-chan struct{}) {}, ended: make(chan struct{})}
	if !r.note(w) { // the task has ended just now, and so the context of the wait
		return func() {}, nil
	}
	defer close(w.lent) // whatever ends slots
	back, err := slots()
	if err != nil {
		r.forget(w)
		return nil, err
	}
	w.back = back
	return func() {
		if ownerOf(ctx) == nil {
			return // ctx has ended with the task, as will all waits in a moment
		}
		hurry, settled := r.hurryOf(ctx)
		w.end(hurry)
		settled()
		r.forget(w) // not before: until then end must wait for it
	}, nil
}

// note adds a wait, unless the task is over.
func (r *inlineRun) note(w *inlineWait) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return false
	}
	if r.waits == nil {
		r.waits = make(map[*inlineWait]bool)
	}
	r.waits[w] = true
	return true
}

func (r *inlineRun) forget(w *inlineWait) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waits, w)
}

// hurryOf is closed when ctx ends, or, if that is because the task is over, when the
// submitter cannot wait for its slot. It is of no use any more once settled is called.
func (r *inlineRun) hurryOf(ctx context.Context) (hurry <-chan struct{}, settled func()) {
	ended, over := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		if ownerOf(ctx) == nil {
			select {
			case <-r.hurry():
			case <-over:
			}
		}
		close(ended)
	})
	return ended, func() {
		close(over)
		stop()
	}
}

// end ends what goroutines of the task have left behind.
func (r *inlineRun) end() {
	r.mu.Lock()
	r.over = true
	waits := r.waits
	r.waits = nil
	r.mu.Unlock()
	for w := range waits {
		w.end(r.hurry())
	}
}

// hurry is closed when the submitter cannot wait for its slot, now that the task is over:
// the end of the task's own context is not its concern.
func (r *inlineRun) hurry() <-chan struct{} {
	if r.submitter == nil {
		return nil
	}
	return r.submitter.Done()
}

// inside reports whether the caller is a task of this manager.
func (m *TaskManager) inside(ctx context.Context) bool {
	list, _ := m.waiters(ctx)
	return slices.ContainsFunc(list, func(w waiter) bool { return w.Item.m == m })
}

// stepAside is called by whoever is about to wait for tasks of this manager, or, if
// on is nil, for something else; it may be a task of another one. If it is a task itself, its slot is lent until back
// is called. The error is ErrWouldDeadlock.
func (m *TaskManager) stepAside(ctx context.Context, on dependency) (back func(), err error) {
	list, in := m.waiters(ctx)
	if len(list) == 0 {
		return func() {}, nil
	}
	done := ctx.Done() // before anything is noted: a context may panic
	lend := func() (back func(hurry <-chan struct{}), err error) {
		if on != nil && !waits.add(list, on) {
			return nil, ErrWouldDeadlock
		}
		var resumes []func(hurry <-chan struct{})
		for _, w := range list {
			resumes = append(resumes, w.Item.m.pool.Lend(w.Worker, func(h *Handle) bool { return h == w.Item }))
		}
		return func(hurry <-chan struct{}) {
			if on != nil {
				waits.remove(list, on)
			}
			for _, resume := range resumes {
				resume(hurry)
			}
		}, nil
	}
	if in != nil {
		return in.lend(ctx, lend)
	}
	resume, err := lend()
	return func() { resume(done) }, err
}
