package taskmanager

import (
	"context"
)

// Cancel cancels the outstanding task with the given name, as [Handle.Cancel] does, and
// reports whether there was one. If the submit of the task still waits for room, it
// returns [ErrCancelled]; if it is a [TaskManager.SubmitAll], none of its tasks will run.
func (m *TaskManager) Cancel(name string) bool {
	h, ok := m.Lookup(name)
	if ok {
		h.Cancel()
	}
	return ok
}

// WithLinkedContext makes the task end when the context of its submit ends. The error of
// the task then matches [ErrCancelled] and wraps the reason why the context ended.
//
// Without this option, the end of that context has no effect on a task once it is
// submitted: background work continues after the request that started it, and a task that
// was silently cancelled with its request would be hard to notice. Use the option for
// tasks that are part of the request. The tasks of a [Group] are always linked to the
// context of the group.
//
// The context of the task does not show the deadline of the linked context, but ends with
// it.
func WithLinkedContext() TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.linked = true
		return nil
	})
}

// cancel cancels a task for the given reason.
func (m *TaskManager) cancel(h *Handle, cause error) {
	h.mu.Lock()
	m.cancelAndUnlock(h, cause)
}

// cancelAndUnlock is cancel for callers that hold h.mu. It releases h.mu.
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
		// If Remove reports false, due is about to be called and will see the
		// cancellation.
		mine := m.delayed.Remove(h.entryLocked())
		if mine {
			h.state = ending
		}
		h.mu.Unlock()
		if mine {
			m.end(h, h.cancelledErr(nil))
		}
	case claimed: // begin will see the cancellation
		h.mu.Unlock()
	case running, asking:
		ctx := h.ctxLocked()
		h.mu.Unlock()
		ctx.Cancel(cause)
	case admitting: // admitted or untilCancelled will see it
		h.mu.Unlock()
		if stop, ok := m.waiting.Load(h); ok {
			stop.(context.CancelCauseFunc)(cause)
		}
	default: // ending or ended: too late
		h.mu.Unlock()
	}
}

// cancellation returns the reason for the cancellation of the task, or nil.
func (h *Handle) cancellation() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cancelledLocked()
}
