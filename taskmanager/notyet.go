package taskmanager

import (
	"errors"
	"fmt"
	"time"
)

// NotYet returns an error by which a task says that it cannot do its work yet, for example
// because a file has not arrived: the task runs again after the given time. A task that
// returns the error, or an error that wraps it and no other error, has not failed, and has not
// ended. It keeps its name, and needs neither a Restart method nor a restart policy; neither is
// asked. A middleware may return the error too, and recognises it by [ErrNotYet].
//
// While the task waits, its status is [NotAssigned], and DueAt of its [TaskStatus] is the time
// at which it is queued again, even beyond the limit. With 0 that is at once, at the back of the
// queue, so a task that is not ready for long keeps a worker busy. A negative time makes an ordinary
// failure instead, which says so.
//
// For the restart policy the execution does not exist: it does not count for
// [restart.MaxAttempts], [restart.Intensity] and [restart.Budget], and it neither extends nor ends
// a row of failures, however long it took. It is not in Restarts of the status, and LastError is
// not set. It does have a number: Attempt counts it. In telemetry the outcome of the execution is
// postponed, which is no error, and it is not logged.
//
// The wait ends early, as that for a restart does, if the task is cancelled or replaced, or its
// [WithDeadline] passes. A drain waits for the task. An execution that exceeded its [WithTimeout],
// that panicked, or whose task was cancelled meanwhile, is not postponed, whatever it returned.
func NotYet(after time.Duration) error {
	if after < 0 {
		return fmt.Errorf("taskmanager: NotYet: the time is %v; it must not be negative", after)
	}
	return notYet(after)
}

// ErrNotYet is NotYet(0), and every error of [NotYet] for a longer time wraps it. With
// errors.Is(err, ErrNotYet) a middleware that retries or counts failures leaves out executions that
// are postponed.
//
// [errors.Is] looks into joined errors and panics too. So it also holds for the error of an execution
// that has failed all the same, because it joined a NotYet to a failure or panicked with it. Of an
// error that postpones, ErrNotYet is the innermost one: [errors.Unwrap], called again and again,
// comes to it, and meets no [*PanicError] before.
var ErrNotYet = NotYet(0)

// notYet is the error of an execution that wants to run again after that time.
type notYet time.Duration

// Error returns the text of the error.
func (e notYet) Error() string {
	return fmt.Sprintf("taskmanager: not yet; the task runs again after %v", time.Duration(e))
}

// Unwrap returns ErrNotYet, or nil for ErrNotYet itself.
func (e notYet) Unwrap() error {
	if e == 0 {
		return nil
	}
	return ErrNotYet
}

// askedAgain returns the time after which an execution that returned err wants to run again. It
// reports false if err is not a NotYet.
func askedAgain(err error) (after time.Duration, ok bool) {
	for err != nil && !crashed(err) { // nor the crash of another task, whose error this one returns
		if e, ok := err.(notYet); ok { //nolint:errorlint // an error that is joined to a failure must not hide it
			return time.Duration(e), true
		}
		err = errors.Unwrap(err)
	}
	return 0, false
}

// postpone queues a task again whose execution returned NotYet.
func (m *TaskManager) postpone(h *Handle, last taskContext, wait time.Duration) {
	last.Release()
	if h.handsOver() {
		m.handOver(h, last, wait, 0, nil)
		return
	}
	h.word.Lock()
	if h.endsLocked() {
		h.word.Unlock()
		m.end(h, h.cancelledErr(nil))
		return
	}
	r := h.againLocked(last, wait)
	r.postponed++
	r.restarting = false
	h.queuedAt = m.now() // the wait begins now, for an observer of an end before it is over
	m.notYets.Add(1)
	m.waitAgainAndUnlock(h, wait)
}

// endsLocked reports whether a task that is to run again ends instead: it was cancelled meanwhile,
// or another task waits to take its place. The lock of h is held.
func (h *Handle) endsLocked() bool {
	if h.isReplacedLocked() {
		h.noteCancelLocked(ErrReplaced)
	}
	return h.cancelledLocked() != nil
}

// againLocked prepares the next execution of a task, which is due after wait. The context of that
// execution is made only now, after the last execution: goroutines that the last execution left
// behind have the old context, which has ended. The lock of h is held.
func (h *Handle) againLocked(last taskContext, wait time.Duration) *retry {
	if h.retryLocked() == nil {
		h.inTroubleLocked().retry = new(retry)
	}
	r := h.retryLocked()
	h.word.SetBegun(false)
	h.trouble.how = outcomeUnknown
	r.due = after(h.m.now(), wait)
	if h.word.Observers() != 0 {
		r.last = last.Lazy().Values()
	}
	r.ctx = new(laterContext)
	r.ctx.Own((*owner)(h))
	r.ctx.Again(h.firstContext().Lazy())
	return r
}

// waitAgainAndUnlock makes a task wait for its next execution, or queues it. It releases the lock
// of h.
func (m *TaskManager) waitAgainAndUnlock(h *Handle, wait time.Duration) {
	if wait > 0 {
		h.delayLocked()
		h.retryLocked().entry = m.delayed.Add(func() { m.due(h) }, wait)
		h.word.Unlock()
		return
	}
	worker, first := h.worker, h.retryLocked().restarting && h.restartsAtFront()
	m.queuedLocked(h)
	h.word.Unlock()
	m.restartOver(h, nil)
	m.requeue(h, worker, first)
}
