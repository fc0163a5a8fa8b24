package taskmanager

import (
	"iter"
)

// Lookup returns the handle of the outstanding task with the given name. ok is false if
// there is none. If another task waits behind it, because of [WithRerun] or a similar option,
// Lookup finds that one only when it has got the name.
func (m *TaskManager) Lookup(name string) (h *Handle, ok bool) {
	h = m.names.Lookup(name)
	return h, h != nil
}

// Tasks returns an iterator over the outstanding tasks, in no particular order. A task that
// is submitted or ends during the iteration may or may not be included. A task that waits behind
// another one of its name is included, so two tasks may have the same name; see [WithRerun]. No lock
// is held while the body of the loop runs, so it may call the manager.
func (m *TaskManager) Tasks() iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		behind := m.successors.all() // first: one that takes its name meanwhile is found below
		for h := range behind {
			if h.word.State() != ended && !yield(h) {
				return
			}
		}
		for h := range m.names.All() {
			if _, yielded := behind[h]; !yielded && !yield(h) {
				return
			}
		}
	}
}

// Workers returns an iterator over the live workers, in ascending order of their numbers.
// It yields the same information as [TaskManager.Status], as of the start of the iteration.
func (m *TaskManager) Workers() iter.Seq2[int32, WorkerInfo] {
	return func(yield func(int32, WorkerInfo) bool) {
		for _, w := range m.workers() {
			if !yield(w.id, w.WorkerInfo) {
				return
			}
		}
	}
}
