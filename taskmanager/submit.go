package taskmanager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/taskmanager/internal/names"
)

// Go submits a task. The channel is closed when a worker takes it, or when it
// is clear that none ever will because the task was cancelled or the manager
// stopped. In a manager with a limit, Go waits for room, unless the overflow policy
// has it otherwise; a task that was dropped closes the channel too.
//
// Errors: ErrAlreadyExists and ErrStopped, as they are, ErrQueueFull,
// ErrWouldDeadlock, and those for bad input.
func (m *TaskManager) Go(newTask Task) (<-chan struct{}, error) {
	return m.started(m.Submit(context.Background(), newTask))
}

// GoFunc is Go for a function with a name.
func (m *TaskManager) GoFunc(key string, fn func(ctx context.Context) error) (<-chan struct{}, error) {
	return m.started(m.SubmitFunc(context.Background(), key, fn))
}

// started gives Go and GoFunc their results.
func (m *TaskManager) started(h *Handle, err error) (<-chan struct{}, error) {
	if errors.Is(err, ErrAlreadyExists) {
		return nil, ErrAlreadyExists // programs compare it with ==
	}
	if err != nil {
		return nil, err
	}
	return h.Started(), nil
}

// Submit hands a task to the manager and returns its handle. The task's context
// carries the values of ctx. Its cancellation counts only until Submit returns,
// which may have to wait for room in a manager with a limit: background work goes
// on when the request that started it is over. After an error the task will not
// run.
//
// In a manager with a limit that is reached, the overflow policy says what happens
// (see WithLimit). What the discipline wants to know of the task is asked now.
//
// Errors: ErrAlreadyExists with the name, ErrStopped, ErrQueueFull,
// ErrWouldDeadlock, why ctx ended, ErrDeadlineExceeded, ErrNilTask, ErrEmptyName,
// ErrNilContext, and faults of the options and of the task's attributes. A submit that
// waits for room returns ErrCancelled or ErrQueueTimeout if that ends its task.
func (m *TaskManager) Submit(ctx context.Context, task Task, opts ...TaskOption) (*Handle, error) {
	return m.submitTask(ctx, task, opts, mayWait)
}

// TrySubmit is Submit without waiting: under the overflow policies Block and
// CallerRuns it returns ErrQueueFull if there is no room now.
func (m *TaskManager) TrySubmit(ctx context.Context, task Task, opts ...TaskOption) (*Handle, error) {
	return m.submitTask(ctx, task, opts, noWait)
}

// SubmitFunc is Submit for a function with a name.
func (m *TaskManager) SubmitFunc(ctx context.Context, name string, fn func(ctx context.Context) error, opts ...TaskOption) (*Handle, error) {
	if fn == nil {
		return nil, ErrNilTask
	}
	h := new(Handle)
	if err := m.submit(ctx, h, name, closure(fn), opts, mayWait); err != nil {
		return nil, err
	}
	return h, nil
}

// submitTask asks a task for its name and submits it.
func (m *TaskManager) submitTask(ctx context.Context, task Task, opts []TaskOption, how admission) (*Handle, error) {
	name, err := nameOf(task)
	if err != nil {
		return nil, err
	}
	h := new(Handle)
	if err := m.submit(ctx, h, name, task, opts, how); err != nil {
		return nil, err
	}
	return h, nil
}

// admission says how a task enters the queue of a manager with a limit.
type admission uint8

const (
	mayWait admission = iota // as the overflow policy says
	noWait                   // not at all, rather than wait for room or run in the submit
	beyond                   // beyond the limit
)

// submit makes h the handle of a task and gives it to the pool.
func (m *TaskManager) submit(ctx context.Context, h *Handle, name string, task Task, opts []TaskOption, how admission) error {
	if err := m.prepare(ctx, h, name, task, opts, nil); err != nil {
		return err
	}
	return m.launch(ctx, h, how)
}

// watcher is told that a task has ended, when its name is free.
type watcher interface{ ended(h *Handle, err error) }

// prepare makes h the handle of a task that nobody else knows yet. Only a task that
// has options, a watcher, or attributes which somebody wants to know gets a
// configuration.
func (m *TaskManager) prepare(ctx context.Context, h *Handle, name string, task Task, opts []TaskOption, w watcher) error {
	if ctx == nil {
		return ErrNilContext
	}
	if name == "" {
		return ErrEmptyName
	}
	if m.asks || w != nil || len(opts) > 0 {
		cfg, err := m.configure(task, opts, w)
		if err != nil {
			return err
		}
		if err := cfg.past(); err != nil {
			return submitError(name, err)
		}
		h.cfg = cfg
	}
	if ctx.Err() != nil {
		return submitError(name, cause.Of(ctx))
	}
	h.m, h.name, h.task = m, name, task
	if m.bounded || h.cfg != nil {
		h.state = admitting
	}
	h.firstCtx.Init(ctx, (*owner)(h))
	return nil
}

// launch reserves the name of a prepared task and has the task queued, now or when its
// time comes. After an error the name is free again.
func (m *TaskManager) launch(ctx context.Context, h *Handle, how admission) (err error) {
	if m.observers.submit != nil {
		s, onto := m.beginSubmit(ctx, h)
		defer func() { m.endSubmit(onto, s, err) }()
	}
	h.queuedAt = m.now()
	if err := m.reserve(h); err != nil {
		return err
	}
	if h.cfg != nil {
		postponed := h.cfg.delays() // once: the time may come meanwhile
		m.arm(ctx, h, postponed)
		switch {
		case m.closesCycle(h):
			m.refuse(h, ErrWouldDeadlock, nil)
			return ErrWouldDeadlock
		case postponed:
			return m.delay(h)
		}
	}
	if err := m.offer(ctx, h, how); err != nil {
		err = submitError(h.name, err)
		m.refuse(h, err, nil)
		return err
	}
	if m.bounded || h.cfg != nil {
		m.admitted(h)
	}
	return nil
}

// reserve reserves the name of a task for it.
func (m *TaskManager) reserve(h *Handle) error {
	err := m.names.Add(h.name, h, &h.place)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, names.ErrTaken):
		return fmt.Errorf("%w: %q", ErrAlreadyExists, h.name)
	default:
		return ErrStopped
	}
}

// offer gives a task to the pool. It waits for room, or runs the task, where that is the
// overflow policy.
func (m *TaskManager) offer(ctx context.Context, h *Handle, how admission) error {
	switch {
	case how == beyond:
		return m.pool.Requeue(h, 0)
	case how == noWait || !m.bounded:
		return m.pool.TrySubmit(h)
	case !m.blocks:
		return m.pool.Submit(ctx, h)
	}
	if err := m.pool.TrySubmit(h); !errors.Is(err, scheduler.ErrQueueFull) {
		return err
	}
	return m.untilCancelled(ctx, []*Handle{h}, func(ctx context.Context) error { return m.pool.Submit(ctx, h) })
}

// untilCancelled calls what submits tasks, and may wait, with a context that ends also
// when one of them is cancelled. Whoever does that notes it first and then looks for whom
// to stop; this is the other way round.
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

// cancellationOf is why one of several tasks is cancelled, with its name, or nil.
func cancellationOf(handles []*Handle) error {
	for _, h := range handles {
		err := h.cancellation()
		switch {
		case err == nil:
		case len(handles) == 1 || errors.Is(err, ErrStopped):
			return err
		default:
			return fmt.Errorf("task %q: %w", h.name, err)
		}
	}
	return nil
}

// refuse ends a task that the pool did not take. If a cancellation has ended it
// meanwhile, that has withdrawn an item that never was in the queue. It is in the
// history only if its submit had returned.
func (m *TaskManager) refuse(h *Handle, err error, in *history) {
	h.mu.Lock()
	mine := h.state == queued || h.state == admitting
	if mine {
		h.state = ending
	}
	h.mu.Unlock()
	if mine {
		m.strike(h, err, in)
	} else {
		m.pool.UndoWithdraw()
	}
}

// delay holds a task until its time has come. One that was cancelled meanwhile ends.
func (m *TaskManager) delay(h *Handle) error {
	h.mu.Lock()
	p := h.cfg.delayed
	wait := max(p.by, time.Until(p.until), 0)
	if h.cancelledLocked() == nil {
		h.state = delayed
		p.due = after(m.now(), wait)
		p.entry = m.delayed.Add(func() { m.due(h) }, wait)
		if p.entry != nil {
			h.mu.Unlock()
			return nil
		}
		h.noteCancelLocked(ErrStopped)
	}
	reason := h.cancelledLocked()
	h.state = ending
	h.mu.Unlock()
	if errors.Is(reason, ErrStopped) {
		m.strike(h, ErrStopped, nil)
		return ErrStopped
	}
	m.end(h, reason)
	return nil
}

// admitted lets a task be withdrawn from the queue, now that it is there. A
// cancellation that came while it waited for room takes effect now.
func (m *TaskManager) admitted(h *Handle) {
	h.mu.Lock()
	if h.state == admitting {
		h.state = queued
	}
	cause := h.cancelledLocked()
	h.mu.Unlock()
	if cause != nil {
		m.cancel(h, cause)
	}
}
