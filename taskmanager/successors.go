package taskmanager

import (
	"sync"

	"github.com/seed56799101/taskmanager/internal/capacity"
	"github.com/seed56799101/taskmanager/taskmanager/internal/names"
)

// succession is the place of a task in the line for its name. The first task of the line is in the
// table of names; at most one waits behind it, its successor. The lock of the task guards the
// fields.
//
// Invariants, for two tasks whose locks are held: a.next is b if and only if b.behind is a. A task
// with outside set is not in the table, and in the set of successors. It is in state admitting,
// delayed or ending. It leaves the line in one of three ways. Each is one step under the locks of
// both tasks, and the last one under that of the shard too:
//
//   - it is cancelled, and unlinks itself at its end;
//   - a later submit replaces it, and ends it;
//   - it is promoted: the task before it ends, and the name passes to it.
type succession struct {
	next     *Handle // that waits for the end of this task; nil: none
	behind   *Handle // for whose end this task waits; nil: none
	outside  bool    // not in the table of names
	accepted bool    // the submit of this task has succeeded
}

// lineLocked returns the place of the task in a line, or nil. The lock of h is held.
func (h *Handle) lineLocked() *succession {
	if h.trouble == nil {
		return nil
	}
	return h.trouble.line
}

// inLineLocked returns the place of the task in a line to write to. The lock of h is held.
func (h *Handle) inLineLocked() *succession {
	t := h.inTroubleLocked()
	if t.line == nil {
		t.line = new(succession)
	}
	return t.line
}

// isBehindLocked reports whether the task waits for the end of another one. The lock of h is
// held.
func (h *Handle) isBehindLocked() bool {
	l := h.lineLocked()
	return l != nil && l.behind != nil
}

// nextLocked returns the task that waits for the end of this one, or nil. The lock of h is held.
func (h *Handle) nextLocked() *Handle {
	if l := h.lineLocked(); l != nil {
		return l.next
	}
	return nil
}

// next returns the task that waits for the end of this one, or nil.
func (h *Handle) next() *Handle {
	h.word.Lock()
	defer h.word.Unlock()
	return h.nextLocked()
}

// isReplacedLocked reports whether a task waits to take the place of this one, which has failed
// and could restart. The lock of h is held.
func (h *Handle) isReplacedLocked() bool {
	next := h.nextLocked()
	return next != nil && next.cfg.taken != rerunDuplicate && next.word.State() != ending
}

// awaitTurn ends the submit of a task that was accepted to wait behind another one. If the
// other one has ended since, it starts the task. If the task was cancelled, it ends it.
func (m *TaskManager) awaitTurn(h *Handle) {
	h.word.Lock()
	if h.isBehindLocked() && h.cancelledLocked() == nil {
		h.word.Set(delayed)
		h.word.Unlock()
		return
	}
	m.startAndUnlock(h, 0)
}

// leaveLineAndUnlock completes the end of a task that is or was in a line. It passes the name to
// the task behind it, if there is one, and starts that task. The lock of h is held; it is released.
func (m *TaskManager) leaveLineAndUnlock(h *Handle) {
	l, worker := *h.lineLocked(), int32(0)
	if s := h.word.State(); s == running || s == asking {
		worker = h.worker // which calls this
	}
	h.word.Set(ending) // other goroutines may join, replace or leave the task behind until the name is passed on
	h.word.Unlock()
	if l.behind != nil {
		h.unlink(l.behind)
	}
	if l.outside {
		h.word.Lock()
		m.successors.remove(h)
		h.trouble.line = nil
		h.overLocked()
		h.word.Unlock()
		return
	}
	var was names.Place
	var next *Handle
	var starts bool
	m.names.Succeed(h.name, func() (*Handle, names.Place) {
		h.word.Lock()
		defer h.word.Unlock()
		was = h.place
		next, starts = m.promoteLocked(h)
		h.trouble.line = nil
		h.overLocked()
		return next, was
	})
	switch {
	case next == nil:
		m.names.Remove(was, h.worker)
	case starts:
		next.word.Lock()
		m.startAndUnlock(next, worker)
	}
}

// unlink takes a task that ends out of the line, unless the task before it has ended.
func (h *Handle) unlink(before *Handle) {
	before.word.Lock()
	defer before.word.Unlock()
	h.word.Lock()
	defer h.word.Unlock()
	if h.isBehindLocked() {
		h.trouble.line.behind, before.trouble.line.next = nil, nil
	}
}

// promoteLocked gives the place of a task that ends to the task behind it, which it returns, or
// nil if there is none or it is ending too. starts says that the caller must start it; otherwise its
// submit does. The locks of the shard and of h are held.
func (m *TaskManager) promoteLocked(h *Handle) (next *Handle, starts bool) {
	if next = h.nextLocked(); next == nil {
		return nil, false
	}
	next.word.Lock()
	defer next.word.Unlock()
	next.trouble.line.behind = nil
	switch next.word.State() {
	case delayed:
		next.word.Set(admitting)
		starts = true
	case ending:
		return nil, false
	default: // admitting
	}
	next.trouble.line.outside = false
	next.place = h.place
	m.successors.remove(next)
	return next, starts
}

// successors is the set of the tasks that wait behind another one, or have done so and are ending:
// the outstanding tasks that are not in the table of names.
type successors struct {
	mu    sync.Mutex // guards the rest
	tasks capacity.Map[*Handle, struct{}]
	added uint64
}

func (s *successors) add(h *Handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks.Set(h, struct{}{})
	s.added++
}

func (s *successors) remove(h *Handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks.Delete(h)
}

// all returns a copy of the set, which is nil if the set is empty.
func (s *successors) all() map[*Handle]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tasks.Len() == 0 {
		return nil
	}
	tasks := make(map[*Handle]struct{}, s.tasks.Len())
	for h := range s.tasks.Keys() {
		tasks[h] = struct{}{}
	}
	return tasks
}

// some returns a task of the set, or nil, and the number of tasks added so far.
func (s *successors) some() (h *Handle, added uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for h = range s.tasks.Keys() {
		break
	}
	return h, s.added
}

// none reports whether the set is empty and was given no task since some returned added. If it was
// empty then, it has been empty ever since.
func (s *successors) none(added uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tasks.Len() == 0 && s.added == added
}
