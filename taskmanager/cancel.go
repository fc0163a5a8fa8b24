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
	h.word.Lock()
	m.cancelAndUnlock(h, cause)
}

// cancelAndUnlock is cancel for callers that hold the lock of h. It releases the lock.
func (m *TaskManager) cancelAndUnlock(h *Handle, cause error) {
	if h.word.State() != ended {
		h.noteCancelLocked(cause)
	}
	switch h.word.State() {
	case queued:
		if exactly(cause, ErrStopped) { // the pool drops it or, if it has yet to come there, refuses it
			h.word.Unlock()
			return
		}
		h.word.Set(ending)
		m.keyQueue.leave(h)
		h.word.Unlock()
		m.pool.Withdraw()
		m.end(h, h.cancelledErr(nil))
	case delayed:
		// If Remove reports false, due is about to be called and will see the
		// cancellation.
		mine := m.delayed.Remove(h.entryLocked())
		if mine {
			h.word.Set(ending)
		}
		h.word.Unlock()
		if mine {
			m.end(h, h.cancelledErr(nil))
		}
	case claimed: // begin will see the cancellation
		h.word.Unlock()
	case running, asking:
		ctx := h.ctxLocked()
		h.word.Unlock()
		ctx.Lazy().Cancel(cause)
	case admitting: // admitted or untilCancelled will see it
		h.word.Unlock()
		if stop, ok := m.waiting.Load(h); ok {
			stop.(context.CancelCauseFunc)(cause)
		}
	default: // ending or ended: too late
		h.word.Unlock()
	}
}

// cancellation returns the reason for the cancellation of the task, or nil.
func (h *Handle) cancellation() error {
	h.word.Lock()
	defer h.word.Unlock()
	return h.cancelledLocked()
}
