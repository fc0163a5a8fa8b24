package taskmanager

import (
	"context"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/observe"
)

// limitError is the error of a task that exceeded a time limit. It matches
// context.DeadlineExceeded.
type limitError string

// Error returns the text of the error.
func (e limitError) Error() string { return "taskmanager: " + string(e) }

// Is makes the error match context.DeadlineExceeded.
func (limitError) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout returns true. It is the method of net.Error.
func (limitError) Timeout() bool { return true }

// ErrorType returns the value that telemetry reports for the error.
func (limitError) ErrorType() string { return observe.TypeTimeout }

// The errors of time limits. All match [context.DeadlineExceeded].
const (
	// ErrTimeout is the error of an execution that ran longer than [WithTimeout] allows. It
	// counts as an ordinary failure: the task may restart.
	ErrTimeout limitError = "the task ran for longer than its time limit"

	// ErrQueueTimeout is the error of a task that waited for a worker longer than
	// [WithQueueTimeout] allows.
	ErrQueueTimeout limitError = "the task waited for longer than its time limit"

	// ErrDeadlineExceeded is the error of a task that had not ended at its [WithDeadline].
	ErrDeadlineExceeded limitError = "the deadline of the task has passed"
)

// limits holds the time limits of a task.
type limits struct {
	timeout, queueTimeout time.Duration // 0: none
	deadline              time.Time     // a moment (see package clock); zero: none

	// Guarded by the handle's lock.
	queueAlarm, deadlineAlarm *alarm
	waits                     int // waits for a worker so far; identifies the present one
}

// limit returns c.limits, which it makes if necessary.
func (c *taskConfig) limit() *limits {
	if c.limits == nil {
		c.limits = new(limits)
	}
	return c.limits
}

// WithTimeout limits the duration of each execution of the task; d must be positive. When d
// has passed, the context of the execution ends with [ErrTimeout] as its cause; the
// deadline of the context tells that time in advance.
//
// If Execute then returns an error, the execution fails with an error that wraps
// ErrTimeout. The task may restart, with the same limit. If Execute returns nil, the task
// has succeeded. The manager cannot end an Execute that ignores its context.
func WithTimeout(d time.Duration) TaskOption {
	return taskOption(func(c *taskConfig) error { return setLimit("WithTimeout", &c.limit().timeout, d) })
}

// WithQueueTimeout limits how long the task waits for a worker; d must be positive. The
// wait includes the time in the queue and the time for which its submit waits for room in
// the queue. It does not include the time before a delayed task or a restart is due, nor
// the time for which the manager is paused: a pause does not use up the patience of the
// tasks. It does include the time of a drain. Each restart begins a new wait. A task that
// exceeds the limit ends with [ErrQueueTimeout] and does not restart.
func WithQueueTimeout(d time.Duration) TaskOption {
	return taskOption(func(c *taskConfig) error { return setLimit("WithQueueTimeout", &c.limit().queueTimeout, d) })
}

func setLimit(name string, limit *time.Duration, d time.Duration) error {
	*limit = d
	return fault(d <= 0, "taskmanager: %s: the limit is %v; it must be positive", name, d)
}

// WithDeadline sets the time by which the task must have ended; t must not be zero. A task
// that is not running at that time ends with [ErrDeadlineExceeded]. If the task is running,
// its context ends with ErrDeadlineExceeded as the cause; if Execute then returns an error,
// the task ends with ErrDeadlineExceeded and does not restart, and if Execute returns nil,
// the task has succeeded. The submit of a task whose deadline has passed returns
// ErrDeadlineExceeded.
//
// The submit converts t to the monotonic clock: the deadline is reached when the time has
// passed that the wall clock then had to run until it showed t. A later change of the wall
// clock neither moves a deadline nor changes the order of deadlines. This also holds for
// [TaskWithDeadline]. On systems whose monotonic clock stops while the machine is suspended,
// that time does not count.
//
// The discipline [Deadline] orders tasks by their deadlines. A [TaskWithDeadline] sets a
// deadline only for the order: the task runs even if it is late.
func WithDeadline(t time.Time) TaskOption {
	attribute := attributeOption("WithDeadline", deadlineAttribute, (*attributes).setDeadline, t)
	return taskOption(func(c *taskConfig) error {
		err := attribute.applyTask(c)
		c.limit().deadline = c.deadline
		return err
	})
}

// past returns ErrDeadlineExceeded if the deadline has passed.
func (c *taskConfig) past() error {
	if c == nil || c.limits == nil || c.limits.deadline.IsZero() || time.Until(c.limits.deadline) > 0 {
		return nil
	}
	return ErrDeadlineExceeded
}

// arm sets the alarms of the time limits of a task, links the task to the context of its submit
// if it has a link, and gives it the history of its origin if it has one. The state of the task is
// admitting, so no other goroutine ends it before its submit returns.
func (m *TaskManager) arm(ctx context.Context, h *Handle, postponed bool) {
	if h.cfg.origin != nil {
		h.word.Lock()
		h.resumeLocked()
		h.word.Unlock()
	}
	if l := h.cfg.limits; l != nil {
		h.word.Lock()
		if !l.deadline.IsZero() {
			l.deadlineAlarm = m.delayed.Add(func() { m.deadlinePassed(h) }, time.Until(l.deadline))
		}
		if !postponed {
			m.limitWaitLocked(h)
		}
		h.word.Unlock()
	}
	if h.cfg.linked {
		m.link(ctx, h)
	}
}

// disarm undoes arm for a task that has ended with err, and calls its watcher. It drops the
// rest of the configuration that an ended task does not need. It returns the functions that are
// to be called, if the task was accepted.
func (m *TaskManager) disarm(h *Handle, err error, a acceptance) *onEnd {
	h.word.Lock()
	call := h.cfg.onEnd
	l, link, w := h.cfg.limits, h.cfg.link, h.cfg.watcher
	h.cfg.link, h.cfg.linkedTo, h.cfg.watcher = nil, nil, nil
	h.cfg.restart, h.cfg.delayed, h.cfg.onEnd, h.cfg.origin = nil, nil, nil, nil
	if l != nil {
		m.patience.Remove(l.queueAlarm)
		m.delayed.Remove(l.deadlineAlarm)
		l.queueAlarm, l.deadlineAlarm = nil, nil
	}
	h.word.Unlock()
	m.links.leave(h, link)
	if w != nil {
		w.ended(h, err, a)
	}
	return call
}

// limitWaitLocked sets the alarm for a wait for a worker that begins now. The lock of h must be
// held.
func (m *TaskManager) limitWaitLocked(h *Handle) {
	if h.cfg == nil || h.cfg.limits == nil || h.cfg.limits.queueTimeout == 0 {
		return
	}
	l := h.cfg.limits
	if l.queueAlarm != nil {
		return // the wait began when the task came to wait behind another one
	}
	l.waits++
	wait := l.waits
	l.queueAlarm = m.patience.Add(func() { m.queueTimedOut(h, wait) }, l.queueTimeout)
}

// queueTimedOut ends the task if it is still in the wait with the given number.
func (m *TaskManager) queueTimedOut(h *Handle, wait int) {
	h.word.Lock()
	if s := h.word.State(); s != queued && s != admitting && !h.isBehindLocked() || h.cfg.limits.waits != wait {
		h.word.Unlock()
		return
	}
	m.cancelAndUnlock(h, ErrQueueTimeout)
}

// deadlinePassed ends a task that is not running. The context of a running task has the
// deadline and ends without help; the cancellation is only noted, so that the task does not
// restart.
func (m *TaskManager) deadlinePassed(h *Handle) {
	h.word.Lock()
	if h.word.State() != running && h.word.State() != asking {
		m.cancelAndUnlock(h, ErrDeadlineExceeded)
		return
	}
	h.noteCancelLocked(ErrDeadlineExceeded)
	h.word.Unlock()
}

// limitRunLocked ends the wait for a worker and sets the deadline of the execution that
// begins now. The lock of h must be held.
func (m *TaskManager) limitRunLocked(h *Handle) {
	l := h.cfg.limits
	m.patience.Remove(l.queueAlarm)
	l.queueAlarm = nil
	at, reason := l.deadline, error(ErrDeadlineExceeded)
	if l.timeout > 0 {
		if end := time.Now().Add(l.timeout); at.IsZero() || end.Before(at) {
			at, reason = end, ErrTimeout
		}
	}
	if !at.IsZero() {
		h.ctxLocked().Lazy().SetDeadline(at, reason)
	}
}

// exceeded returns ErrTimeout or ErrDeadlineExceeded if the execution with the context ctx has
// exceeded that limit of the task, and nil otherwise. A linked context may end with the same
// cause, if it is that of another task.
func (h *Handle) exceeded(ctx taskContext) error {
	if h.cfg == nil || h.cfg.limits == nil {
		return nil
	}
	reason := context.Cause(ctx)
	switch {
	case exactly(reason, ErrTimeout) && h.cfg.limits.timeout > 0:
	case exactly(reason, ErrDeadlineExceeded) && !h.cfg.limits.deadline.IsZero():
	default:
		return nil
	}
	h.word.Lock()
	linked := h.cfg.linkedTo
	h.word.Unlock()
	if linked != nil && linked.Err() != nil && exactly(context.Cause(linked), reason) {
		return nil
	}
	return reason
}

// overdue returns the error of an execution that returned err: an error that matches the
// time limit if the execution exceeded one, and err otherwise. late says that this was the
// limit of the execution, not the deadline of the task.
func (h *Handle) overdue(ctx taskContext, err error) (late bool, _ error) {
	reason := h.exceeded(ctx)
	if reason == nil {
		return false, err
	}
	if _, again := askedAgain(err); again || exactly(err, context.DeadlineExceeded) || exactly(err, reason) {
		err = reason
	}
	switch {
	case exactly(reason, ErrDeadlineExceeded): // a cancellation; cancelledErr adds the reason
		h.word.Lock()
		h.noteCancelLocked(reason)
		h.word.Unlock()
	case !exactly(err, reason):
		err = fmt.Errorf("%w: %w", reason, bare(err))
	}
	return exactly(reason, ErrTimeout), err
}
