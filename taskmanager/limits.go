package taskmanager

import (
	"context"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/observe"
)

// limitError is how a task ends that has exceeded a limit in time. It matches
// context.DeadlineExceeded.
type limitError string

// Error is the text.
func (e limitError) Error() string { return "taskmanager: " + string(e) }

// Is makes it match context.DeadlineExceeded.
func (limitError) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout makes it a time-out for those who ask in the style of package net.
func (limitError) Timeout() bool { return true }

// ErrorType is what telemetry calls it.
func (limitError) ErrorType() string { return observe.TypeTimeout }

// The errors of limits in time. All match context.DeadlineExceeded.
const (
	// ErrTimeout is how an execution ends that took longer than its WithTimeout. It
	// is a failure like others: the task may restart.
	ErrTimeout limitError = "the task ran for longer than its time limit"

	// ErrQueueTimeout is how a task ends that has waited for a worker longer than its
	// WithQueueTimeout.
	ErrQueueTimeout limitError = "the task waited for longer than its time limit"

	// ErrDeadlineExceeded is how a task ends whose WithDeadline has passed.
	ErrDeadlineExceeded limitError = "the deadline of the task has passed"
)

// limits are the limits in time of a task.
type limits struct {
	timeout, queueTimeout time.Duration // 0: none
	deadline              time.Time     // zero: none

	// Guarded by the handle's mu.
	queueAlarm, deadlineAlarm *alarm
	waits                     int // for a worker, so far
}

// limit returns what to note a limit in.
func (c *taskConfig) limit() *limits {
	if c.limits == nil {
		c.limits = new(limits)
	}
	return c.limits
}

// WithTimeout limits how long an execution of the task may take. Then its context
// ends, with ErrTimeout as its cause; its deadline tells in advance. If Execute then
// returns an error, that counts as an ErrTimeout, after which the task may restart
// with the same limit; if it returns nil, it has succeeded. The manager cannot end an Execute that ignores its context.
func WithTimeout(d time.Duration) TaskOption {
	return taskOption(func(c *taskConfig) error { return setLimit("WithTimeout", &c.limit().timeout, d) })
}

// WithQueueTimeout limits how long the task may wait for a worker, in the queue and
// for room in it, each time anew if it restarts; the time until it is due does not
// count. Then it ends with ErrQueueTimeout, without a restart.
func WithQueueTimeout(d time.Duration) TaskOption {
	return taskOption(func(c *taskConfig) error { return setLimit("WithQueueTimeout", &c.limit().queueTimeout, d) })
}

// setLimit sets a limit.
func setLimit(name string, limit *time.Duration, d time.Duration) error {
	*limit = d
	return fault(d <= 0, "taskmanager: %s: the limit is %v; it must be positive", name, d)
}

// WithDeadline sets when the task must have ended. If it has not by then, it ends
// with ErrDeadlineExceeded, whether it waits or has failed and waits to restart; if
// it runs, its context ends with that as its cause, and it does not restart; if Execute
// returns nil all the same, it has succeeded. The submit of a task whose deadline has
// passed returns ErrDeadlineExceeded.
//
// The discipline Deadline, which runs the most urgent task first, orders by it. For
// a deadline that only orders, after which the task runs all the same, see
// TaskWithDeadline.
func WithDeadline(t time.Time) TaskOption {
	attribute := attributeOption("WithDeadline", deadlineAttribute, (*attributes).setDeadline, t)
	return taskOption(func(c *taskConfig) error {
		c.limit().deadline = t
		return attribute.applyTask(c)
	})
}

// past is an error if the deadline has passed.
func (c *taskConfig) past() error {
	if c == nil || c.limits == nil || c.limits.deadline.IsZero() || time.Until(c.limits.deadline) > 0 {
		return nil
	}
	return ErrDeadlineExceeded
}

// arm sets the alarms of the time limits of a task and links it to the context of its
// submit, as far as its options ask for that. The task has state admitting, so nobody
// ends it before its submit is over.
func (m *TaskManager) arm(ctx context.Context, h *Handle, postponed bool) {
	if l := h.cfg.limits; l != nil {
		h.mu.Lock()
		if !l.deadline.IsZero() {
			l.deadlineAlarm = m.delayed.Add(func() { m.deadlinePassed(h) }, time.Until(l.deadline))
		}
		if !postponed {
			m.limitWaitLocked(h)
		}
		h.mu.Unlock()
	}
	if h.cfg.linked {
		unlink := context.AfterFunc(ctx, func() { m.cancel(h, fmt.Errorf("%w: %w", ErrCancelled, cause.Of(ctx))) })
		h.mu.Lock()
		h.cfg.unlink = unlink
		h.mu.Unlock()
	}
}

// disarm undoes what arm did, for a task that ends with err.
func (m *TaskManager) disarm(h *Handle, err error) {
	h.mu.Lock()
	l, unlink, w := h.cfg.limits, h.cfg.unlink, h.cfg.watcher
	h.cfg.unlink, h.cfg.watcher = nil, nil
	if l != nil {
		m.delayed.Remove(l.queueAlarm)
		m.delayed.Remove(l.deadlineAlarm)
		l.queueAlarm, l.deadlineAlarm = nil, nil
	}
	h.mu.Unlock()
	if unlink != nil {
		unlink()
	}
	if w != nil {
		w.ended(h, err)
	}
}

// limitWaitLocked limits the wait for a worker that begins now. h.mu is held.
func (m *TaskManager) limitWaitLocked(h *Handle) {
	if h.cfg == nil || h.cfg.limits == nil || h.cfg.limits.queueTimeout == 0 {
		return
	}
	l := h.cfg.limits
	l.waits++
	wait := l.waits
	l.queueAlarm = m.delayed.Add(func() { m.queueTimedOut(h, wait) }, l.queueTimeout)
}

// queueTimedOut ends a task that still waits for a worker, and has not run since.
func (m *TaskManager) queueTimedOut(h *Handle, wait int) {
	h.mu.Lock()
	if h.state != queued && h.state != admitting || h.cfg.limits.waits != wait {
		h.mu.Unlock()
		return
	}
	m.cancelAndUnlock(h, ErrQueueTimeout)
}

// deadlinePassed ends a task whose deadline has passed. The context of one that
// runs ends by itself.
func (m *TaskManager) deadlinePassed(h *Handle) {
	h.mu.Lock()
	if h.state != running && h.state != asking {
		m.cancelAndUnlock(h, ErrDeadlineExceeded)
		return
	}
	h.noteCancelLocked(ErrDeadlineExceeded)
	h.mu.Unlock()
}

// limitRunLocked limits the execution that begins now. h.mu is held.
func (m *TaskManager) limitRunLocked(h *Handle) {
	l := h.cfg.limits
	m.delayed.Remove(l.queueAlarm)
	l.queueAlarm = nil
	at, reason := l.deadline, error(ErrDeadlineExceeded)
	if l.timeout > 0 {
		if end := time.Now().Add(l.timeout); at.IsZero() || end.Before(at) {
			at, reason = end, ErrTimeout
		}
	}
	if !at.IsZero() {
		h.ctxLocked().SetDeadline(at, reason)
	}
}

// overdue is how an execution failed that ended with err: that it exceeded a limit,
// if it did.
func (h *Handle) overdue(ctx *taskContext, err error) error {
	if h.cfg == nil || h.cfg.limits == nil {
		return err
	}
	reason := context.Cause(ctx)
	if !exactly(reason, ErrTimeout) && !exactly(reason, ErrDeadlineExceeded) {
		return err
	}
	if exactly(err, context.DeadlineExceeded) || exactly(err, reason) {
		err = reason
	}
	switch {
	case exactly(reason, ErrDeadlineExceeded): // like a cancellation, and told of as such
		h.mu.Lock()
		h.noteCancelLocked(reason)
		h.mu.Unlock()
	case !exactly(err, reason):
		err = fmt.Errorf("%w: %w", reason, err)
	}
	return err
}
