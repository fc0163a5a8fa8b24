package taskmanager

import (
	"context"
)

// Cancel gives up the outstanding task of a name, as Handle.Cancel does, and
// reports whether there was one. One whose submit waits for room ends too: its submit
// returns ErrCancelled, and if that is of a batch, the whole batch is refused.
func (m *TaskManager) Cancel(name string) bool {
	h, ok := m.Lookup(name)
	if ok {
		h.Cancel()
	}
	return ok
}

// WithLinkedContext ends the task when the context of its submit ends, with an error
// that matches ErrCancelled and wraps why that was.
//
// Without it the end of that context means nothing to a task, once it is submitted:
// background work goes on when the request that started it is over, and it would be
// hard to notice that it does not. With it the task is part of the request. A group
// has its tasks linked in any case. The deadline of that context does not show in the
// task's own, which ends when it does.
func WithLinkedContext() TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.linked = true
		return nil
	})
}

// cancel gives a task up for the given reason.
func (m *TaskManager) cancel(h *Handle, cause error) {
	h.mu.Lock()
	m.cancelAndUnlock(h, cause)
}

// cancelAndUnlock is cancel for callers that hold h.mu. It lets go of it.
func (m *TaskManager) cancelAndUnlock(h *Handle, cause error) {
	if h.state != ended {
		h.noteCancelLocked(cause)
	}
	switch h.state {
	case queued:
		h.state = ending
		h.mu.Unlock()
		m.pool.Withdraw()
		m.end(h, h.cancelledErr(nil))
	case delayed:
		// If it has left the timer's heap, due is about to be called for it and
		// will see that it is cancelled.
		mine := m.delayed.Remove(h.entryLocked())
		if mine {
			h.state = ending
		}
		h.mu.Unlock()
		if mine {
			m.end(h, h.cancelledErr(nil))
		}
	case claimed: // begin will see
		h.mu.Unlock()
	case running, asking:
		ctx := h.ctxLocked()
		h.mu.Unlock()
		ctx.Cancel(cause)
	case admitting: // who admits it will see, or wait no longer
		h.mu.Unlock()
		if stop, ok := m.waiting.Load(h); ok {
			stop.(context.CancelCauseFunc)(cause)
		}
	default: // ending, ended: too late
		h.mu.Unlock()
	}
}

// cancellation is why the task is cancelled, or nil.
func (h *Handle) cancellation() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cancelledLocked()
}
