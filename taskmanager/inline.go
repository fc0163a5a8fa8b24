package taskmanager

import (
	"context"
	"sync/atomic"
)

// inlineSubmit is a submit under CallerRuns. The tasks without room run inside it, one
// after another.
type inlineSubmit struct {
	// submitters are the tasks on whose behalf the submit was called. The waits of the
	// tasks that run inside it lend their slots.
	submitters []waiter
	running    atomic.Pointer[inlineTask] // that runs, or ran last
}

// inlineTask is a task of an inlineSubmit, with its position. The tasks before the one
// that is running are queued or have run inside the submit; those after it need its end.
type inlineTask struct {
	submit *inlineSubmit
	place  int
	h      *Handle
}

// runsFor notes on whose behalf tasks run that are submitted under CallerRuns, until done is
// called.
func (m *TaskManager) runsFor(ctx context.Context, handles []*Handle) (done func()) {
	s := &inlineSubmit{submitters: m.waiters(ctx)}
	for i, h := range handles {
		m.inline.Store(h, &inlineTask{s, i, h})
	}
	return func() {
		for _, h := range handles {
			m.inline.Delete(h)
		}
	}
}

// noteInline notes that a task runs inside its submit.
func (m *TaskManager) noteInline(h *Handle) {
	if t := m.inlineTask(h); t != nil {
		t.submit.running.Store(t)
	}
}

// inlineTask returns nil for a task that is not being submitted under CallerRuns.
func (m *TaskManager) inlineTask(h *Handle) *inlineTask {
	t, ok := m.inline.Load(h)
	if !ok {
		return nil
	}
	return t.(*inlineTask)
}

// blockedBy returns the task that must end before t can start, or nil.
func (t *inlineTask) blockedBy() *Handle {
	if r := t.submit.running.Load(); r != nil && r.place < t.place {
		return r.h
	}
	return nil
}
