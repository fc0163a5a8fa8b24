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
func (h *Handle) claim() bool { return h.word.Claim() }

// claimOfKey is claim in a manager with key queues, which h leaves at the same moment.
func (h *Handle) claimOfKey() bool {
	h.word.Lock()
	defer h.word.Unlock()
	if s := h.word.State(); s != queued && s != admitting {
		return false
	}
	h.word.Set(claimed)
	h.m.keyQueue.leave(h)
	return true
}

// withdrawn tells the pool whether h was cancelled while it was queued.
func (h *Handle) withdrawn() bool {
	s := h.word.State()
	return s == ending || s == ended
}

// run executes a claimed task. The pool calls it on a worker, or with worker 0 for a task
// that runs inside its submit.
func (m *TaskManager) run(worker int32, h *Handle) {
	if m.profiles {
		defer m.profile(h)()
	}
	observed := h.word.Observers() != 0 && m.observeRun(worker, h)
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
	if err == nil {
		m.succeed(h, ctx)
	} else {
		m.settle(worker, h, ctx, err)
	}
}

// begin marks a claimed task as running and returns it with the context of the execution.
// If the task was cancelled meanwhile, begin ends it and returns nil. In that case
// it reports the end to observers if observed is true, because the begin of the execution
// was reported.
func (m *TaskManager) begin(worker int32, h *Handle, observed bool) (Task, taskContext) {
	h.heed()
	now := m.now()
	if h.word.Plain() && h.firstCtx.Plain() {
		h.worker, h.startedAt = worker, now // see ranLocked
		task := h.task
		if h.word.Begin() {
			return task, (*firstContext)(h)
		}
	}
	h.word.Lock()
	if reason := h.cancelledLocked(); reason != nil {
		h.word.Set(ending)
		h.worker = worker
		if h.retryLocked() == nil {
			h.startedAt = 0 // it was set above if the cancellation came just after the look at the word
		}
		h.word.SetBegun(observed)
		ctx := h.ctxLocked()
		h.word.Unlock()
		if observed {
			m.observeEnd(h, ctx, now, reason)
		}
		m.end(h, h.cancelledErr(nil))
		return nil, nil
	}
	h.worker, h.startedAt = worker, now
	if h.cfg != nil && h.cfg.limits != nil {
		m.limitRunLocked(h)
	}
	var ctx taskContext
	if r := h.retryLocked(); r != nil && r.ctx != nil {
		r.beganLocked(now)
		ctx = r.ctx
	} else {
		ctx = h.detachLocked()
	}
	task, started := h.task, h.started
	h.started = nil
	h.word.BeginAndUnlock(h.done != nil || h.trouble != nil)
	if started != nil {
		close(started)
	}
	return task, ctx
}

// crashed is called by the pool when an execution ended in a panic or a Goexit. If
// Execute had returned before, the crash was in Restart or the policy, which askRestart
// has handled, or in the logger, which is called only when nothing else is left to do.
func (m *TaskManager) crashed(worker int32, h *Handle, err error) {
	h.word.Lock()
	executing := h.word.State() == running && h.worker == worker
	ctx := h.ctxLocked()
	h.word.Unlock()
	if executing {
		m.settle(worker, h, ctx, err)
	}
}

// dropped is called by the pool for a task that it gives up, on a worker or on the
// goroutine of a call such as Submit or Stop.
func (m *TaskManager) dropped(h *Handle, reason error) {
	err := submitError(h.name, reason)
	h.word.Lock()
	h.word.Set(ending) // the pool has claimed it, so no cancellation interferes
	h.noteOutcomeLocked(err)
	ctx := h.ctxLocked()
	h.word.Unlock()
	log := m.logFor(h, ctx)
	m.end(h, h.withLastFailure(err, nil))
	if !exactly(err, ErrStopped) {
		m.logDropped(log, err)
	}
}

// settle ends a task whose execution has ended with the error err, or makes it run again.
func (m *TaskManager) settle(worker int32, h *Handle, ctx taskContext, err error) {
	h.heed() // an execution that failed after the end of its linked context was cancelled
	late, err := h.overdue(ctx, err)
	wait, again := askedAgain(err)
	if !again {
		m.pool.MarkFailed(worker)
	}
	kind := ""
	if h.word.Observers() != 0 {
		kind = m.observeEnd(h, ctx, h.startedAt, err) // only the next execution changes startedAt
	}
	if again {
		m.postpone(h, ctx, wait)
		return
	}
	h.word.Lock()
	h.noteFailureLocked(err, late)
	h.word.Set(asking)
	task, cancelled := h.task, h.cancelledLocked() != nil
	h.word.Unlock()

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
func (m *TaskManager) succeed(h *Handle, ctx taskContext) {
	if h.word.Observers() != 0 {
		m.observeEnd(h, ctx, h.startedAt, nil)
	}
	ctx.Release()
	m.end(h, nil)
}

// askRestart asks the task whether it wants to restart, unless r is nil, and then asks
// the policy whether and when it may. Both are user code. If one of them panics or calls
// runtime.Goexit, the task ends with that error joined to err.
func (m *TaskManager) askRestart(h *Handle, ctx taskContext, r RestartableTask, err error, kind string) {
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
		m.end(h, fmt.Errorf("%w after %s in a row: %w", ErrRestartsExhausted, text.Count(row, "failure"), bare(err)))
		m.logFor(h, ctx).write(event{
			level: slog.LevelError, message: "task is given up", attrs: append(errorAttrs(err), slog.Int("failures", row)),
			format: "task %v failed %s in a row and is given up: %v", args: []any{quoted(h.name), text.Count(row, "time"), details{err}},
		})
	case h.handsOver():
		m.handOver(h, ctx, max(wait, 0), row, err)
	default:
		m.runAgain(h, ctx, max(wait, 0), row, err, kind)
	}
}

// runAgain restarts a task after wait.
func (m *TaskManager) runAgain(h *Handle, last taskContext, wait time.Duration, row int, failure error, kind string) {
	var over func(error)
	if h.word.Observers() != 0 {
		over = m.observeRestart(h, last, wait, failure, kind)
	}
	log := m.logFor(h, last)
	h.word.Lock()
	if h.endsLocked() {
		reason := h.cancelledLocked()
		h.word.Unlock()
		if over != nil {
			over(reason)
		}
		m.end(h, h.cancelledErr(failure))
		return
	}
	r := h.againLocked(last, wait)
	r.restarts++
	r.restarting = true
	r.streak, r.previous, r.lastErr = row, wait, failure
	if h.rule().window > 0 {
		r.recent = append(r.recent, r.due)
	}
	r.over = over
	m.revived.Add(1)
	m.waitAgainAndUnlock(h, wait)
	log.write(event{
		level: slog.LevelInfo, message: "task restarts",
		attrs:  append(errorAttrs(failure), slog.Duration("delay", wait), slog.Int("failures", row)),
		format: "task %v restarts in %v after failure %d in a row: %v", args: []any{quoted(h.name), wait, row, details{failure}},
	})
}

// due queues a task that has become due.
func (m *TaskManager) due(h *Handle) {
	h.word.Lock()
	h.endDelayLocked()
	cancelled := h.cancelledLocked() != nil
	r := h.retryLocked()
	first := r != nil && r.restarting && h.restartsAtFront()
	if cancelled {
		h.word.Set(ending)
	} else {
		m.queuedLocked(h)
	}
	h.word.Unlock()
	if cancelled {
		m.end(h, h.cancelledErr(nil))
		return
	}
	m.restartOver(h, nil)
	m.requeue(h, 0, first)
}

// queuedLocked notes that a task waits for a worker from now on. The lock of h is held.
func (m *TaskManager) queuedLocked(h *Handle) {
	h.word.Set(queued)
	m.keyQueue.add(h, true)
	h.queuedAt = m.now()
	m.limitWaitLocked(h)
}

// requeue passes a task to the pool again, from the worker that ran it, or 0. It goes to the back
// of the queue, or to the front.
func (m *TaskManager) requeue(h *Handle, worker int32, first bool) {
	requeue := m.pool.Requeue
	if first {
		requeue = m.pool.RequeueFirst
	}
	if err := requeue(h, worker); err != nil {
		m.refuse(h, submitError(h.name, err), accepted)
	}
}

// cancelledErr returns the error of a task that was cancelled. failure is the error of
// its last execution, or nil. Only the owner of the state calls it.
func (h *Handle) cancelledErr(failure error) error {
	err := h.cancellation()
	if failure != nil && !exactly(failure, err) {
		err = fmt.Errorf("%w: %w", err, bare(failure))
	}
	return h.withLastFailure(err, failure)
}

// withLastFailure adds the failure before the last restart to err, if there was one.
// failure is the error of the last execution; it is not added twice.
func (h *Handle) withLastFailure(err, failure error) error {
	h.word.Lock()
	r := h.retryLocked()
	h.word.Unlock()
	if r != nil && r.lastErr != nil && !errors.Is(failure, r.lastErr) {
		err = fmt.Errorf("%w; before that: %w", err, bare(r.lastErr))
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
	if a == accepted && (m.history != nil || h.word.ObservedOrSpecial()) {
		m.report(h, err) // first: a program that knows of the end may shut telemetry down
	}
	if h.word.Special() {
		m.strikeSpecial(h, err, a)
		return
	}
	m.conclude(h, err, a)
}

// strikeSpecial is the rest of strike for a task with a configuration. Stop waits for the functions
// of WithOnEnd: it learns of them before the task has ended.
func (m *TaskManager) strikeSpecial(h *Handle, err error, a acceptance) {
	calls := a == accepted && h.cfg.onEnd != nil
	if calls {
		m.shutdown.onEnd.Add(1)
		defer m.shutdown.onEnd.Done()
	}
	m.conclude(h, err, a)
	if onEnd := m.disarm(h, err, a); calls {
		onEnd.call(h)
	}
}

// forgetLocked drops what a task that ends with err no longer needs. The handle then keeps
// only what its methods return. The lock of h is held.
func (h *Handle) forgetLocked(err error) {
	if f, ok := h.task.(forgetful); ok {
		f.forget(err)
	}
	h.task = remainsOf(h.task)
	h.firstCtx.Forget()
	if !h.word.Extras() {
		return
	}
	if err == nil && h.trouble != nil {
		h.trouble.cancelled = nil // it came too late
	}
	if r := h.retryLocked(); r != nil {
		*r = retry{elsewhere: r.elsewhere, restarts: r.restarts, postponed: r.postponed}
	}
}

// conclude counts the end of h, makes err final, frees the name and closes the channels.
func (m *TaskManager) conclude(h *Handle, err error, a acceptance) {
	h.word.Lock()
	how := outcomeSuccess
	if err != nil || h.word.Extras() {
		if err != nil || h.retryLocked() != nil {
			h.inTroubleLocked().err = err
		}
		how = h.outcomeLocked(err)
	}
	if a == accepted {
		m.ends.add(h.worker, how)
	} else {
		m.refused.Add(1)
	}
	h.forgetLocked(err)
	worker, was := h.worker, h.place
	if !h.word.Extras() {
		h.word.SetAndUnlock(ended)
		m.names.Remove(was, worker)
		return
	}
	if h.lineLocked() != nil {
		m.leaveLineAndUnlock(h)
		return
	}
	h.overLocked()
	h.word.Unlock()
	m.names.Remove(was, worker)
}

// overLocked changes the state to ended, and closes the channels. A goroutine that knows of the
// end from a channel finds the name free. Closing a channel does not block, so it is done with the
// lock of h held.
func (h *Handle) overLocked() {
	h.word.Set(ended)
	for _, c := range []*chan struct{}{&h.started, &h.done} {
		if *c != nil {
			close(*c)
			*c = nil
		}
	}
}
