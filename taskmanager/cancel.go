package taskmanager

import (
	"context"
	"fmt"
)

// Cancel cancels the outstanding task with the given name, as [Handle.Cancel] does, and the
// one that waits behind it, if any; see [WithRerun]. It reports whether there was a task. If
// the submit of the task still waits for room, it returns [ErrCancelled]; if it is a
// [TaskManager.SubmitAll], none of its tasks will run.
func (m *TaskManager) Cancel(name string) bool {
	h, ok := m.Lookup(name)
	if ok {
		if next := h.next(); next != nil { // first: it would start at the end of h
			next.Cancel()
		}
		h.Cancel()
	}
	return ok
}

// CancelCause is [Handle.Cancel] with a reason. The error of the task, and the cause of the end of
// its context, match both [ErrCancelled] and the reason. A nil reason means none.
func (h *Handle) CancelCause(reason error) {
	if reason == nil {
		h.Cancel()
		return
	}
	h.m.cancel(h, fmt.Errorf("%w: %w", ErrCancelled, bare(reason)))
}

// cancel cancels a task for the given reason.
func (m *TaskManager) cancel(h *Handle, cause error) {
	h.word.Lock()
	m.cancelAndUnlock(h, cause)
}

// cancelAndUnlock is cancel for callers that hold the lock of h. It releases the lock.
func (m *TaskManager) cancelAndUnlock(h *Handle, cause error) {
	rest, ctx := m.cancelLocked(h, cause)
	h.word.Unlock()
	if rest == interrupt {
		ctx.Lazy().Cancel(cause)
		return
	}
	m.finishCancel(h, rest, cause)
}

// rest is what remains to be done for a cancellation without the lock of the task.
type rest uint8

const (
	nothingLeft rest = iota // begin, due or the pool sees the cancellation; or it comes too late
	interrupt               // cancel the context of the execution
	wake                    // end the wait for room; admitted or untilCancelled sees the cancellation
	endTask                 // end the task
	withdraw                // tell the pool, and end the task
)

// cancelLocked notes the reason for a cancellation, and makes the caller the owner of a task that
// waits. It returns what the caller must do when it has released the lock and, for interrupt,
// the context of the execution. The lock of h is held.
func (m *TaskManager) cancelLocked(h *Handle, cause error) (rest, taskContext) {
	if h.word.State() != ended {
		h.noteCancelLocked(cause)
	}
	switch h.word.State() {
	case queued:
		if exactly(cause, ErrStopped) { // the pool drops it or, if it has yet to come there, refuses it
			return nothingLeft, nil
		}
		h.word.Set(ending)
		m.keyQueue.leave(h)
		return withdraw, nil
	case delayed:
		// If Remove reports false, due is about to be called and will see the
		// cancellation.
		behind := h.isBehindLocked()
		if behind || m.delayed.Remove(h.entryLocked()) {
			if !behind {
				h.endDelayLocked()
			}
			h.word.Set(ending)
			return endTask, nil
		}
	case running, asking:
		return interrupt, h.ctxLocked()
	case admitting:
		return wake, nil
	case claimed, ending, ended: // begin will see the cancellation, or it is too late
	}
	return nothingLeft, nil
}

// finishCancel does what cancelLocked has left, except for interrupt.
func (m *TaskManager) finishCancel(h *Handle, left rest, cause error) {
	switch left {
	case wake:
		if stop, ok := m.waiting.Load(h); ok {
			stop.(context.CancelCauseFunc)(cause)
		}
	case withdraw:
		m.pool.Withdraw()
		m.end(h, h.cancelledErr(nil))
	case endTask:
		m.end(h, h.cancelledErr(nil))
	case nothingLeft, interrupt:
	}
}

// cancellation returns the reason for the cancellation of the task, or nil.
func (h *Handle) cancellation() error {
	h.word.Lock()
	defer h.word.Unlock()
	return h.cancelledLocked()
}
