package taskmanager

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed56799101/taskmanager/internal/text"
)

// claim is called by the pool, under its lock, when it takes h from the queue. Exactly
// one of claim and a cancellation succeeds.
func (h *Handle) claim() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state != queued && h.state != admitting {
		return false
	}
	h.state = claimed
	h.m.keyQueue.leave(h)
	return true
}

// withdrawn tells the pool whether h was cancelled while it was queued.
func (h *Handle) withdrawn() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state == ending || h.state == ended
}

// run executes a claimed task. The pool calls it on a worker, or with worker 0 for a task
// that runs inside its submit.
func (m *TaskManager) run(worker int32, h *Handle) {
	if m.profiles {
		defer m.profile(h)()
	}
	observed := h.observed != 0 && m.observeRun(worker, h)
	task, ctx := m.begin(worker, h, observed)
	if task == nil {
		m.pool.MarkFailed(worker)
		return
	}
	if worker == 0 {
		m.noteInline(h)
	}
	var err error
	if m.runner != nil {
		err = m.runner(ctx, h)
	} else {
		err = task.Execute(ctx)
	}
	if err != nil {
		m.pool.MarkFailed(worker)
	}
	m.settle(h, ctx, err)
}

// begin marks a claimed task as running and returns it with the context of the execution.
// If the task was cancelled meanwhile, begin ends it and returns nil. In that case
// it reports the end to observers if observed is true, because the begin of the execution
// was reported.
func (m *TaskManager) begin(worker int32, h *Handle, observed bool) (Task, *taskContext) {
	h.heed()
	now := m.now()
	h.mu.Lock()
	if reason := h.cancelledLocked(); reason != nil {
		h.state = ending
		h.worker, h.begun = worker, observed
		ctx := h.ctxLocked()
		h.mu.Unlock()
		if observed {
			m.observeEnd(h, ctx, now, reason)
		}
		m.end(h, h.cancelledErr(nil))
		return nil, nil
	}
	h.state = running
	h.worker, h.startedAt, h.begun = worker, now, true
	if r := h.retryLocked(); r != nil {
		r.beganLocked(now)
	}
	if h.cfg != nil && h.cfg.limits != nil {
		m.limitRunLocked(h)
	}
	started := h.started
	if started != nil {
		h.started = nil
	}
	task, ctx := h.task, h.ctxLocked()
	if ctx == &h.firstCtx {
		ctx = ctx.Detach() // the task may leave goroutines behind that use it for longer than h should keep it
	}
	h.mu.Unlock()
	if started != nil {
		close(started)
	}
	return task, ctx
}

// crashed is called by the pool when an execution ended in a panic or a Goexit. If
// Execute had returned before, the crash was in Restart or the policy, which askRestart
// has handled, or in the logger, which is called only when nothing else is left to do.
func (m *TaskManager) crashed(worker int32, h *Handle, err error) {
	h.mu.Lock()
	executing := h.state == running && h.worker == worker
	ctx := h.ctxLocked()
	h.mu.Unlock()
	if executing {
		m.settle(h, ctx, err)
	}
}

// dropped is called by the pool for a task that it gives up, on a worker or on the
// goroutine of a call such as Submit or Stop.
func (m *TaskManager) dropped(h *Handle, reason error) {
	err := submitError(h.name, reason)
	h.mu.Lock()
	h.state = ending // the pool has claimed it, so no cancellation interferes
	h.noteOutcomeLocked(err)
	ctx := h.ctxLocked()
	h.mu.Unlock()
	log := m.logFor(h, ctx)
	m.end(h, h.withLastFailure(err, nil))
	if !exactly(err, ErrStopped) {
		m.logDropped(log, err)
	}
}

// settle ends a task whose execution has ended with err, or restarts it.
func (m *TaskManager) settle(h *Handle, ctx *taskContext, err error) {
	if err == nil {
		m.succeed(h, ctx)
		return
	}
	h.heed() // an execution that failed after the end of its linked context was cancelled
	late, err := h.overdue(ctx, err)
	kind := ""
	if h.observed != 0 {
		kind = m.observeEnd(h, ctx, h.startedAt, err) // only the next execution changes startedAt
	}
	h.mu.Lock()
	h.noteFailureLocked(err, late)
	h.state = asking
	task, cancelled := h.task, h.cancelledLocked() != nil
	h.mu.Unlock()

	r, ok := task.(RestartableTask)
	switch {
	case cancelled:
		ctx.Release()
		m.end(h, h.cancelledErr(err))
	case !ok && !h.restartsPlain():
		ctx.Release()
		m.end(h, err)
		m.logFailure(h, ctx, err)
	default:
		m.askRestart(h, ctx, r, err, kind)
	}
}

// succeed ends a task whose execution has succeeded.
func (m *TaskManager) succeed(h *Handle, ctx *taskContext) {
	if h.observed != 0 {
		m.observeEnd(h, ctx, h.startedAt, nil)
	}
	ctx.Release()
	m.end(h, nil)
}

// askRestart asks the task whether it wants to restart, unless r is nil, and then asks
// the policy whether and when it may. Both are user code. If one of them panics or calls
// runtime.Goexit, the task ends with that error joined to err.
func (m *TaskManager) askRestart(h *Handle, ctx *taskContext, r RestartableTask, err error, kind string) {
	answered := false
	defer func() {
		if answered {
			return
		}
		crash := ErrGoexit
		if v := recover(); v != nil {
			crash = recovered(v)
		}
		ctx.Release()
		m.end(h, errors.Join(err, crash))
		m.logFor(h, ctx).write(event{
			level: slog.LevelError, message: "Restart or the policy crashed", attrs: errorAttrs(errors.Join(err, crash)),
			format: "task %v failed: %v; Restart or the policy crashed: %v", args: []any{quoted(h.name), details{err}, details{crash}},
		})
	}()
	again := r == nil || r.Restart(ctx, err)
	var wait time.Duration
	var row int
	permitted := false
	if again {
		rule := h.rule()
		f := m.failure(h, rule, err)
		row = f.Attempt
		wait, permitted = rule.policy.Next(f)
	}
	answered = true

	ctx.Release()
	switch {
	case !again:
		m.end(h, err)
		m.logFailure(h, ctx, err)
	case !permitted:
		m.end(h, fmt.Errorf("%w after %s in a row: %w", ErrRestartsExhausted, text.Count(row, "failure"), err))
		m.logFor(h, ctx).write(event{
			level: slog.LevelError, message: "task is given up", attrs: append(errorAttrs(err), slog.Int("failures", row)),
			format: "task %v failed %s in a row and is given up: %v", args: []any{quoted(h.name), text.Count(row, "time"), details{err}},
		})
	default:
		m.runAgain(h, ctx, max(wait, 0), row, err, kind)
	}
}

// runAgain queues a task again after wait. The context of the next execution is made only
// now, after the last execution: goroutines that the last execution left behind have the
// old context, which has ended.
func (m *TaskManager) runAgain(h *Handle, last *taskContext, wait time.Duration, row int, failure error, kind string) {
	var over func(error)
	if h.observed != 0 {
		over = m.observeRestart(h, last, wait, failure, kind)
	}
	log := m.logFor(h, last)
	h.mu.Lock()
	if reason := h.cancelledLocked(); reason != nil { // cancelled during askRestart
		h.mu.Unlock()
		if over != nil {
			over(reason)
		}
		m.end(h, h.cancelledErr(failure))
		return
	}
	if h.retryLocked() == nil {
		h.inTroubleLocked().retry = new(retry)
	}
	r := h.retryLocked()
	r.restarts++
	h.begun, h.trouble.how = false, outcomeUnknown
	r.streak, r.previous, r.lastErr = row, wait, failure
	r.due = after(m.now(), wait)
	if h.rule().window > 0 {
		r.recent = append(r.recent, r.due)
	}
	m.revived.Add(1)
	r.over = over
	if h.observed != 0 {
		r.failed = last.Values()
	}
	r.ctx = new(taskContext)
	r.ctx.Again(h.firstCtx.Current(), (*owner)(h))
	worker := h.worker
	if wait > 0 {
		h.state = delayed
		r.entry = m.delayed.Add(func() { m.due(h) }, wait)
	} else {
		m.queuedLocked(h)
	}
	h.mu.Unlock()
	if wait == 0 {
		m.restartOver(h, nil)
		m.requeue(h, worker)
	}
	log.write(event{
		level: slog.LevelInfo, message: "task restarts",
		attrs:  append(errorAttrs(failure), slog.Duration("delay", wait), slog.Int("failures", row)),
		format: "task %v restarts in %v after failure %d in a row: %v", args: []any{quoted(h.name), wait, row, details{failure}},
	})
}

// due queues a task that has become due.
func (m *TaskManager) due(h *Handle) {
	h.mu.Lock()
	cancelled := h.cancelledLocked() != nil
	if cancelled {
		h.state = ending
	} else {
		m.queuedLocked(h)
	}
	h.mu.Unlock()
	if cancelled {
		m.end(h, h.cancelledErr(nil))
		return
	}
	m.restartOver(h, nil)
	m.requeue(h, 0)
}

// queuedLocked notes that a task waits for a worker from now on. h.mu is held.
func (m *TaskManager) queuedLocked(h *Handle) {
	h.state = queued
	m.keyQueue.add(h, true)
	h.queuedAt = m.now()
	m.limitWaitLocked(h)
}

// requeue passes a task to the pool again, from the worker that ran it, or 0.
func (m *TaskManager) requeue(h *Handle, worker int32) {
	if err := m.pool.Requeue(h, worker); err != nil {
		m.refuse(h, submitError(h.name, err), accepted)
	}
}

// cancelledErr returns the error of a task that was cancelled. failure is the error of
// its last execution, or nil. Only the owner of the state calls it.
func (h *Handle) cancelledErr(failure error) error {
	err := h.cancellation()
	if failure != nil && !exactly(failure, err) {
		err = fmt.Errorf("%w: %w", err, failure)
	}
	return h.withLastFailure(err, failure)
}

// withLastFailure adds the failure before the last restart to err, if there was one.
// failure is the error of the last execution; it is not added twice.
func (h *Handle) withLastFailure(err, failure error) error {
	h.mu.Lock()
	r := h.retryLocked()
	h.mu.Unlock()
	if r != nil && !errors.Is(failure, r.lastErr) {
		err = fmt.Errorf("%w; before that: %w", err, r.lastErr)
	}
	return err
}

// end ends an accepted task. The caller owns the state of the task.
func (m *TaskManager) end(h *Handle, err error) { m.strike(h, err, accepted) }

// acceptance says whether the submit of a task that ends succeeds.
type acceptance bool

const (
	accepted acceptance = true
	refused  acceptance = false
)

// strike ends a task. It is the one place through which each task passes exactly once. If
// the task was accepted, strike counts its end, tells observers of it, and records it in the
// history.
func (m *TaskManager) strike(h *Handle, err error, a acceptance) {
	if a == accepted {
		if m.history != nil {
			m.record(h, err)
		}
		// First: a program that knows of the end may shut telemetry down.
		waited := m.restartOver(h, err)
		if h.observed != 0 {
			m.observeTaskEnd(h, err, waited)
		}
	}
	worker, was := h.conclude(err, a)
	m.names.Remove(was, worker)
	if h.cfg != nil {
		m.disarm(h, err)
	}
}

// forgetLocked drops what a task that ends with err no longer needs. The handle then keeps
// only what its methods return. h.mu is held.
func (h *Handle) forgetLocked(err error) {
	if f, ok := h.task.(forgetful); ok {
		f.forget(err)
	}
	h.task = remainsOf(h.task)
	h.firstCtx.Forget()
	if err == nil && h.trouble != nil {
		h.trouble.cancelled = nil // it came too late
	}
	if r := h.retryLocked(); r != nil {
		*r = retry{restarts: r.restarts}
	}
}

// conclude counts the end of h, makes err final, frees the name and closes the channels. It
// returns the worker that ran the task last and the place of the task in the table of
// names, to be removed there. Closing a channel does not block, so it is done with the lock
// held.
func (h *Handle) conclude(err error, a acceptance) (worker int32, was place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a == accepted {
		h.m.ends.add(h.worker, h.outcomeLocked(err))
	} else {
		h.m.refused.Add(1)
	}
	h.state = ended
	if err != nil || h.retryLocked() != nil {
		h.inTroubleLocked().err = err
	}
	h.forgetLocked(err)
	if h.started != nil {
		close(h.started)
		h.started = nil
	}
	if h.done != nil {
		close(h.done)
		h.done = nil
	}
	was, h.place = h.place, place{}
	return h.worker, was
}
