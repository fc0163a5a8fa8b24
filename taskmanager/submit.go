package taskmanager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/scheduler"
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
	name, err := nameOf(task)
	if err != nil {
		return nil, err
	}
	h := new(Handle)
	return h.or(m.submit(ctx, h, name, task, opts, nil))
}

// SubmitFunc is Submit for a function with a name.
func (m *TaskManager) SubmitFunc(ctx context.Context, name string, fn func(ctx context.Context) error, opts ...TaskOption) (*Handle, error) {
	if fn == nil {
		return nil, ErrNilTask
	}
	h := new(Handle)
	return h.or(m.submit(ctx, h, name, closure(fn), opts, nil))
}

// TrySubmit is Submit without waiting: under the overflow policies Block and
// CallerRuns it returns ErrQueueFull if there is no room now.
func (m *TaskManager) TrySubmit(ctx context.Context, task Task, opts ...TaskOption) (*Handle, error) {
	name, err := nameOf(task)
	if err != nil {
		return nil, err
	}
	h := new(Handle)
	return h.or(m.enter(ctx, h, name, task, opts, nil, (*TaskManager).tryOffer))
}

// or is the handle, unless its submit has failed.
func (h *Handle) or(err error) (*Handle, error) {
	if err != nil {
		return nil, err
	}
	return h, nil
}

// watcher is told that a task has ended, when its name is free.
type watcher interface{ ended(h *Handle, err error) }

// submit makes h the handle of a task and hands it to the pool, which may wait.
func (m *TaskManager) submit(ctx context.Context, h *Handle, name string, task Task, opts []TaskOption, w watcher) error {
	return m.enter(ctx, h, name, task, opts, w, (*TaskManager).offer)
}

// giver hands a task to the pool.
type giver = func(m *TaskManager, ctx context.Context, h *Handle) error

// enter makes h the handle of a task and has it given to the pool.
func (m *TaskManager) enter(ctx context.Context, h *Handle, name string, task Task, opts []TaskOption, w watcher, give giver) error {
	if err := m.prepare(ctx, h, name, task, opts, w); err != nil {
		return err
	}
	return m.launch(ctx, h, give)
}

// launch reserves the name of a prepared task and has it given to the pool.
func (m *TaskManager) launch(ctx context.Context, h *Handle, give giver) (err error) {
	if m.observers.submit == nil {
		return m.launchUnobserved(ctx, h, give)
	}
	s := m.submission(h)
	onto := m.beginSubmit(ctx, h, s)
	err = ErrGoexit // unless what follows returns
	defer func() { m.endSubmit(onto, s, err) }()
	err = m.launchUnobserved(ctx, h, give)
	return err
}

func (m *TaskManager) launchUnobserved(ctx context.Context, h *Handle, give giver) error {
	h.queuedAt = m.now()
	if h.cfg == nil && !m.bounded {
		return m.launchPlain(ctx, h, give)
	}
	postponed := h.cfg.delays() // once: its time may come meanwhile
	if err := m.reserve(h); err != nil {
		return err
	}
	if err := m.armAll(ctx, []*Handle{h}, postponed); err != nil {
		m.refuse(h, err, nil)
		return err
	}
	if m.closesCycle(h) {
		m.refuse(h, ErrWouldDeadlock, nil)
		return ErrWouldDeadlock
	}
	if postponed {
		return m.delay(h)
	}
	if err := m.give([]*Handle{h}, func() error { return give(m, ctx, h) }); err != nil {
		m.refuse(h, err, nil)
		return err
	}
	m.admitted(h)
	return nil
}

// launchPlain is launchUnobserved for a task without options in a manager without a limit:
// there is nothing to look after, and the pool takes it without a call of foreign code.
func (m *TaskManager) launchPlain(ctx context.Context, h *Handle, give giver) error {
	if err := m.reserve(h); err != nil {
		return err
	}
	if err := give(m, ctx, h); err != nil {
		err = submitError(h.name, err)
		m.refuse(h, err, nil)
		return err
	}
	return nil
}

// prepare makes h the handle of a task that nobody knows of yet.
func (m *TaskManager) prepare(ctx context.Context, h *Handle, name string, task Task, opts []TaskOption, w watcher) error {
	if ctx == nil {
		return ErrNilContext
	}
	if name == "" {
		return ErrEmptyName
	}
	cfg, err := newTaskConfig(opts)
	if err != nil {
		return err
	}
	if cfg != nil && cfg.overlap != nil {
		return errors.New("taskmanager: WithOverlap is for Every and Repeat")
	}
	if cfg, err = m.queue.attributesOf(task, cfg); err != nil {
		return err
	}
	if cfg, err = m.askKind(task, cfg); err != nil {
		return err
	}
	if w != nil {
		if cfg == nil {
			cfg = &taskConfig{attributes: defaultAttributes}
		}
		cfg.watcher = w
	}
	if ctx.Err() != nil { // before the name is taken, for a broken context may panic
		return submitError(name, cause.Of(ctx))
	}
	if err := cfg.past(); err != nil {
		return submitError(name, err)
	}
	h.m, h.name, h.task, h.cfg = m, name, task, cfg
	if m.bounded || cfg != nil {
		h.state = admitting
	}
	h.firstCtx.Init(ctx, (*owner)(h))
	return nil
}

// reserve takes the name for h.
func (m *TaskManager) reserve(h *Handle) error {
	err := m.names.add(h)
	if err != nil && errors.Is(err, ErrAlreadyExists) {
		err = fmt.Errorf("%w: %q", err, h.name)
	}
	return err
}

// give calls a function that hands tasks to the pool. What panics there is a method of
// the context, before anything has happened: no name must stay taken.
func (m *TaskManager) give(handles []*Handle, to func() error) error {
	defer func() {
		if v := recover(); v != nil {
			for _, h := range handles {
				m.refuse(h, submitError(h.name, recovered(v)), nil)
			}
			panic(v)
		}
	}()
	err := to()
	switch {
	case err == nil:
		return nil
	case len(handles) == 1:
		return submitError(handles[0].name, err)
	default:
		return batchError(len(handles), err)
	}
}

// tryOffer offers a task to the pool, and does not wait.
func (m *TaskManager) tryOffer(_ context.Context, h *Handle) error { return m.pool.TrySubmit(h) }

// readmit offers a task that needs no room to the pool.
func (m *TaskManager) readmit(_ context.Context, h *Handle) error { return m.pool.Requeue(h, 0) }

// offer offers a task to the pool, and waits for room where that is the policy.
func (m *TaskManager) offer(ctx context.Context, h *Handle) error {
	switch {
	case !m.bounded:
		return m.pool.TrySubmit(h)
	case !m.blocks:
		return m.pool.Submit(ctx, h)
	}
	if err := m.pool.TrySubmit(h); !same(err, scheduler.ErrQueueFull) {
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
		case len(handles) == 1 || same(err, ErrStopped):
			return err
		default:
			return wrap("task %q: %v", h.name, err)
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
	if h.cancelled() == nil {
		h.state = delayed
		p.due = after(m.now(), wait)
		p.entry = m.delayed.Add(func() { m.due(h) }, wait)
		if p.entry != nil {
			h.mu.Unlock()
			return nil
		}
		h.noteCancel(ErrStopped)
	}
	reason := h.cancelled()
	h.state = ending
	h.mu.Unlock()
	if same(reason, ErrStopped) {
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
	cause := h.cancelled()
	h.mu.Unlock()
	if cause != nil {
		m.cancel(h, cause)
	}
}
