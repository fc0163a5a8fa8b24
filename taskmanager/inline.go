package taskmanager

import (
	"context"
	"iter"
	"slices"
	"sync/atomic"
)

// inlineSubmit is a submit under CallerRuns. The tasks without room run inside it, one
// after another. It is also what the submitting task waits for, and the tasks of a batch that
// have not had their turn: the end of the task that runs.
type inlineSubmit struct {
	m         *TaskManager
	handles   []*Handle
	submitter *Handle                    // the task that submits; nil: none
	slot      slot                       // the slot that the tasks lend while they wait
	inside    []*TaskManager             // the managers of the submitter, of its own submitter and so on
	running   atomic.Pointer[inlineTask] // that runs, or ran last
}

// inlineTask is a task of an inlineSubmit, with its position. The tasks before the one
// that is running are queued or have run inside the submit; those after it need its end.
type inlineTask struct {
	submit *inlineSubmit
	place  int
}

// submitInline notes on whose behalf tasks run that are submitted under CallerRuns, until done
// is called. It takes the same time at any depth of tasks that run inside submits.
func (m *TaskManager) submitInline(ctx context.Context, handles []*Handle) (done func()) {
	s := &inlineSubmit{m: m, handles: slices.Clone(handles)} // the caller of SubmitAll gets the original
	c := m.caller(ctx)
	if c.task != nil {
		s.submitter, s.slot, s.inside = c.task, c.slot(), c.managers()
		c.task.noteWait(s) // which can make no task stuck, since none runs yet
	}
	for i, h := range handles {
		m.inline.Store(h, &inlineTask{s, i})
	}
	return func() {
		for _, h := range handles {
			m.inline.Delete(h)
		}
		if c.task != nil {
			c.task.removeWait(s)
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

// runs reports whether the submit waits for the task. It does not if the task restarts, since
// it then runs on a worker.
func (t *inlineTask) runs() bool {
	if t.submit.running.Load() != t {
		return false
	}
	h := t.submit.handles[t.place]
	h.word.Lock()
	defer h.word.Unlock()
	return (h.word.State() == running || h.word.State() == asking) && h.worker == 0
}

// isBlocked reports whether an earlier task of the batch runs inside the submit.
func (t *inlineTask) isBlocked() bool {
	r := t.submit.running.Load()
	return r != nil && r.place < t.place && r.runs()
}

func (s *inlineSubmit) manager() *TaskManager { return s.m }
func (s *inlineSubmit) one() bool             { return false }

// tasks returns the task that runs inside the submit.
func (s *inlineSubmit) tasks(*waitGraph) iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		if r := s.running.Load(); r != nil && r.runs() {
			yield(s.handles[r.place])
		}
	}
}

// having returns the tasks that need the end of the task that runs: the submitter, and those
// after it in the batch.
func (s *inlineSubmit) having() iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		if s.submitter != nil && !yield(s.submitter) {
			return
		}
		r := s.running.Load()
		if r == nil {
			return
		}
		for _, h := range s.handles[r.place+1:] {
			if h.standing().heldBack && !yield(h) {
				return
			}
		}
	}
}
