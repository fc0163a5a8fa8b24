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
		if exactly(cause, ErrStopped) { // the pool drops it or, if it has yet to come there, refuses it
			h.mu.Unlock()
			return
		}
		h.state = ending
		m.keyQueue.leave(h)
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
