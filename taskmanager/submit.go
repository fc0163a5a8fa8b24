package taskmanager

import (
	"cmp"
	"context"
	"errors"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/scheduler"
)

// Go submits a task. The channel is closed when the task starts, or when it is certain
// that it will not start because it was cancelled or dropped, or because the manager
// stopped. If the manager has a limit, the overflow policy applies; under [Block], Go
// waits for room.
//
// The errors are [ErrAlreadyExists] and [ErrStopped], which can be compared with ==, and
// otherwise those of [TaskManager.Submit].
func (m *TaskManager) Go(newTask Task) (<-chan struct{}, error) {
	return m.started(m.Submit(context.Background(), newTask))
}

// GoFunc is [TaskManager.Go] for a function with a name.
func (m *TaskManager) GoFunc(key string, fn func(ctx context.Context) error) (<-chan struct{}, error) {
	return m.started(m.SubmitFunc(context.Background(), key, fn))
}

// started converts the results of Submit to those of Go.
func (m *TaskManager) started(h *Handle, err error) (<-chan struct{}, error) {
	if errors.Is(err, ErrAlreadyExists) {
		return nil, ErrAlreadyExists // without the name: programs compare it with ==
	}
	if err != nil {
		return nil, err
	}
	return h.Started(), nil
}

// Submit submits a task and returns its handle. It reads the name of the task, its kind and its
// attributes: what the methods of its optional interfaces return, such as [TaskWithKey].
//
// The context of the task carries the values of ctx. The cancellation of ctx ends only a
// Submit that waits for room. It does not end the task, because background work continues
// after the request that started it; [WithLinkedContext] changes that.
//
// If the manager has a limit and there is no room, the overflow policy applies; see
// [WithLimit].
//
// After an error the task will not run. The error is [ErrAlreadyExists] in a [*TaskError],
// [ErrStopped], [ErrQueueFull], [ErrWouldDeadlock], [ErrDeadlineExceeded], [ErrNilTask],
// [ErrEmptyName], [ErrNilContext], the reason why ctx ended, or a fault of the options or
// the attributes. A Submit that waits for room returns [ErrCancelled], [ErrReplaced] or
// [ErrQueueTimeout] if its task ends during the wait.
func (m *TaskManager) Submit(ctx context.Context, task Task, opts ...TaskOption) (*Handle, error) {
	return m.submitTask(ctx, task, opts, mayWait)
}

// TrySubmit is [TaskManager.Submit] without waiting. Under [Block] and [CallerRuns] it
// returns [ErrQueueFull] if there is no room.
func (m *TaskManager) TrySubmit(ctx context.Context, task Task, opts ...TaskOption) (*Handle, error) {
	return m.submitTask(ctx, task, opts, noWait)
}

// SubmitFunc is [TaskManager.Submit] for a function with a name.
func (m *TaskManager) SubmitFunc(ctx context.Context, name string, fn func(ctx context.Context) error, opts ...TaskOption) (*Handle, error) {
	if fn == nil {
		return nil, ErrNilTask
	}
	h := m.newHandle(name, closure(fn))
	if err := m.submit(ctx, h, opts, mayWait); err != nil {
		return served(err)
	}
	return h, nil
}

// TrySubmitFunc is [TaskManager.TrySubmit] for a function with a name.
func (m *TaskManager) TrySubmitFunc(ctx context.Context, name string, fn func(ctx context.Context) error, opts ...TaskOption) (*Handle, error) {
	if fn == nil {
		return nil, ErrNilTask
	}
	return m.submitNamed(ctx, name, closure(fn), opts, noWait)
}

// newHandle returns the handle of a task that is not prepared yet.
func (m *TaskManager) newHandle(name string, task Task) *Handle {
	h := new(Handle)
	h.init(m, name, task)
	return h
}

// init sets what identifies the task.
func (h *Handle) init(m *TaskManager, name string, task Task) { h.m, h.name, h.task = m, name, task }

// submitTask reads the name of a task and submits it.
func (m *TaskManager) submitTask(ctx context.Context, task Task, opts []TaskOption, how admission) (*Handle, error) {
	name, err := nameOf(task)
	if err != nil {
		return nil, err
	}
	return m.submitNamed(ctx, name, task, opts, how)
}

// submitNamed submits a task whose name is known. SubmitFunc does without it, since each call on its
// path takes time.
func (m *TaskManager) submitNamed(ctx context.Context, name string, task Task, opts []TaskOption, how admission) (*Handle, error) {
	h := m.newHandle(name, task)
	if err := m.submit(ctx, h, opts, how); err != nil {
		return served(err)
	}
	return h, nil
}

// admission is how a task enters the queue of a manager with a limit.
type admission uint8

const (
	mayWait admission = iota // as the overflow policy says
	noWait                   // fails instead of waiting for room or running in the submit
	beyond                   // ignores the limit
)

// submit prepares a task and passes it to the pool.
func (m *TaskManager) submit(ctx context.Context, h *Handle, opts []TaskOption, how admission) error {
	if err := m.prepare(ctx, h, opts, nil); err != nil {
		return err
	}
	return m.launch(ctx, h, how)
}

// watcher learns of the end of a task, also of one that was refused, after its name has become free.
type watcher interface {
	ended(h *Handle, err error, a acceptance)
}

// prepare completes the handle of a task. No other goroutine knows h yet. The task gets a
// configuration only if it has options, a watcher, methods for its kind or attributes, or a key by
// which the discipline asks for a weight or a limit.
func (m *TaskManager) prepare(ctx context.Context, h *Handle, opts []TaskOption, w watcher) error {
	if ctx == nil {
		return ErrNilContext
	}
	if h.name == "" && len(opts) == 0 {
		return ErrEmptyName
	}
	if len(opts) > 0 || w != nil || m.queue.asks() || hasMethods(h.task) {
		cfg, err := m.configure(ctx, h.task, opts, w)
		if err != nil {
			return err
		}
		h.cfg = cfg
		switch {
		case cfg != nil && cfg.unique && h.name == "":
			m.nameUniquely(h, h.kindLocked())
		case cfg != nil && cfg.unique:
			m.nameUniquely(h, h.name)
		case h.name == "":
			return ErrEmptyName
		}
		if err := m.place(h); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return submitError(h.name, cause.Of(ctx))
	}
	if h.cfg != nil {
		if err := h.cfg.past(); err != nil {
			return submitError(h.name, err)
		}
	}
	s := queued
	if m.bounded || h.cfg != nil {
		s = admitting
	}
	h.word.Init(s, h.cfg != nil)
	h.firstCtx.Init(originOf(ctx))
	return nil
}

// launch reserves the name of a prepared task and queues the task, at once or when it is
// due. After an error the name is free again.
func (m *TaskManager) launch(ctx context.Context, h *Handle, how admission) error {
	set := m.presentObservers()
	h.word.Observe(set.id)
	if set.submit != nil {
		return m.launchObserved(ctx, h, how, set)
	}
	return m.launchUnobserved(ctx, h, how)
}

// launchObserved is launch with observers of submits. They may have the handle, and cancel the task
// before it is in the queue; so it begins as admitting, like one with options.
func (m *TaskManager) launchObserved(ctx context.Context, h *Handle, how admission, set *observers) (err error) {
	m.uniqueIfFree(h)
	plain := h.word.State() == queued
	if plain {
		h.word.Set(admitting)
	}
	s, onto := m.beginSubmit(ctx, h, set)
	defer func() { m.endSubmit(onto, h, set, s, err) }()
	err = m.launchUnobserved(ctx, h, how)
	if err == nil && plain {
		m.admitted(h)
	}
	return err
}

// launchUnobserved is launch without observers of submits.
func (m *TaskManager) launchUnobserved(ctx context.Context, h *Handle, how admission) error {
	h.queuedAt = m.now()
	if err := m.names.Add(h.name, h, &h.place); err != nil {
		if added, err := m.contend(ctx, h, err); !added {
			return err
		}
	}
	if h.cfg != nil {
		postponed := h.cfg.delays() // read once, because the task may become due meanwhile
		m.arm(ctx, h, postponed)
		switch {
		case m.closesCycle(h):
			m.refuse(h, ErrWouldDeadlock, refused)
			return ErrWouldDeadlock
		case postponed:
			m.delay(h)
			return nil
		}
	}
	if err := m.offer(ctx, h, how); err != nil {
		err = submitError(h.name, err)
		if m.refuse(h, err, refused) {
			return err
		}
		return nil // a cancellation was first: the task was accepted, and has ended
	}
	if m.bounded || h.cfg != nil {
		m.admitted(h)
	}
	return nil
}

// offer passes a task to the pool. If there is no room, the overflow policy applies:
// offer waits, for example, or the pool runs the task.
func (m *TaskManager) offer(ctx context.Context, h *Handle, how admission) error {
	if m.keyQueue != nil && how != beyond {
		_, surplus, err := m.lineUp([]*Handle{h})
		if err != nil {
			return err
		}
		if len(surplus) > 0 {
			m.drop(h)
			return nil
		}
	}
	switch {
	case how == beyond:
		m.keyQueue.add(h, false)
		return m.pool.Requeue(h, 0)
	case how == noWait || !m.bounded:
		return m.pool.TrySubmit(h)
	case !m.blocks && !m.callerRuns:
		return m.pool.Submit(ctx, h)
	}
	if err := m.pool.TrySubmit(h); !errors.Is(err, scheduler.ErrQueueFull) {
		return err
	}
	if m.callerRuns {
		defer m.submitInline(ctx, []*Handle{h})()
		return m.pool.Submit(ctx, h)
	}
	return m.waitForRoom(ctx, h)
}

// untilCancelled calls submit with a context that also ends when one of the tasks is
// cancelled. It misses no cancellation: cancel notes the reason before it looks for stop
// in m.waiting, and untilCancelled stores stop there before it looks for a reason.
func (m *TaskManager) untilCancelled(ctx context.Context, handles []*Handle, submit func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for _, h := range handles {
		m.waiting.Store(h, stop)
		defer m.waiting.Delete(h)
	}
	if err := cancellationOf(handles); err != nil {
		return err
	}
	err := submit(ctx)
	if err == nil {
		return nil
	}
	return cmp.Or(cancellationOf(handles), err)
}

// cancellationOf returns the reason why one of the tasks was cancelled, with its name if
// there are several tasks, or nil.
func cancellationOf(handles []*Handle) error {
	for _, h := range handles {
		err := h.cancellation()
		switch {
		case err == nil:
		case len(handles) == 1 || exactly(err, ErrStopped):
			return err
		default:
			return taskError(h.name, err)
		}
	}
	return nil
}

// refuse ends a task that the pool did not take: at its submit, or later, when the manager
// has accepted it. If a cancellation has already ended the task, which only accepted tasks
// can be, refuse returns false. The cancellation has told the pool to skip an item that is
// not in the queue; refuse takes that back.
func (m *TaskManager) refuse(h *Handle, err error, a acceptance) bool {
	h.word.Lock()
	mine := h.word.State() == queued || h.word.State() == admitting
	if mine {
		h.word.Set(ending)
		h.noteOutcomeLocked(err)
		m.keyQueue.leave(h)
	}
	h.word.Unlock()
	if mine {
		m.strike(h, err, a)
	} else {
		m.pool.UndoWithdraw()
	}
	return mine
}

// delay keeps a task until it is due.
func (m *TaskManager) delay(h *Handle) {
	h.word.Lock()
	p := h.cfg.delayed
	p.due = after(m.now(), p.wait())
	m.startAndUnlock(h, 0)
}

// startAndUnlock queues a task whose state is admitting, even beyond the limit, or keeps it until
// it is due. It ends a task that was cancelled meanwhile, and one that the manager, which stops,
// can no longer keep. worker is the worker on which it is called, or 0. The lock of h is held; it
// is released.
func (m *TaskManager) startAndUnlock(h *Handle, worker int32) {
	wait := h.dueLocked() - m.now()
	switch {
	case h.cancelledLocked() != nil:
	case wait > 0:
		h.delayLocked()
		p := h.cfg.delayed
		if p.entry = m.delayed.Add(func() { m.due(h) }, wait); p.entry != nil {
			h.word.Unlock()
			return
		}
		h.endDelayLocked()
		h.noteCancelLocked(ErrStopped)
	default:
		m.queuedLocked(h)
		h.word.Unlock()
		m.requeue(h, worker, false)
		return
	}
	h.word.Set(ending)
	h.word.Unlock()
	m.end(h, h.cancelledErr(nil))
}

// admitted notes that a task is in the queue, so that a cancellation may withdraw it from
// there. A cancellation that came during the wait for room takes effect now.
func (m *TaskManager) admitted(h *Handle) {
	h.word.Lock()
	if h.word.State() == admitting {
		h.word.Set(queued)
	}
	m.keyQueue.admit(h)
	cause := h.cancelledLocked()
	h.word.Unlock()
	if cause != nil {
		m.cancel(h, cause)
	}
}
