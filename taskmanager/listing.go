package taskmanager

import (
	"iter"
)

// Lookup returns the handle of the outstanding task of a name: false if there is
// none.
func (m *TaskManager) Lookup(name string) (h *Handle, ok bool) {
	h = m.names.Lookup(name)
	return h, h != nil
}

// Tasks ranges over the outstanding tasks, in no particular order. Tasks that come or
// go meanwhile may be among them or not. No lock is held while the loop runs, so it
// may do anything.
func (m *TaskManager) Tasks() iter.Seq[*Handle] { return m.names.All() }

// Workers ranges over the live workers, in the order of their numbers, and what they
// do: what Status returns, at the moment of the call.
func (m *TaskManager) Workers() iter.Seq2[int32, WorkerInfo] {
	return func(yield func(int32, WorkerInfo) bool) {
		workers, info := m.workers()
		for _, id := range workers {
			if !yield(id, info[id]) {
				return
			}
		}
	}
}
