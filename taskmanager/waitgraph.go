package taskmanager

import (
	"iter"
	"maps"
	"sync"

	"github.com/seed56799101/taskmanager/taskmanager/internal/deadlock"
)

// dependency is what a task waits for: one task or several. Two are the same if they are equal.
type dependency interface {
	// manager returns the manager of the tasks.
	manager() *TaskManager
	// tasks returns the tasks that have not ended. It may omit tasks that need nothing, if the
	// wait is for all.
	tasks(g *waitGraph) iter.Seq[*Handle]
	// one reports whether the wait is over when one of the tasks has ended, rather than
	// all.
	one() bool
}

// waitGraph refuses waits that could never end. It has the waits of the tasks of a manager, or
// of several managers whose tasks wait for each other; see [TaskManager.lockWaits]. Its lock is
// taken before those of groups, batches, handles, pools and names.
//
// A task needs the ends of the tasks that it waits for, and of the items of its batches. A task that has not started may also
// need the end of a task that holds it back: see [waitGraph.needsToStart]. It is stuck if it can
// never continue, as package deadlock defines it. A wait is refused if it makes the waiting task
// stuck; as a wait changes the needs of no other task, none can become stuck without it.
type waitGraph struct {
	mu     sync.Mutex // guards the rest
	place  uint64     // of several graphs, the one with the lower place is locked first
	joined bool       // several managers have this graph
	gone   bool       // the managers have the graph next, or a new one each if it is nil
	next   *waitGraph

	// waits has the number of goroutines that wait on behalf of a task, by what they wait for.
	// waiters has the same tasks by what they wait for.
	waits   map[*Handle]map[dependency]int
	waiters map[dependency]map[*Handle]struct{}
	keys    keyIndex
}

// add adds a wait of a task, or returns false if the task would be stuck. Another wait of the
// task for the same thing changes nothing.
func (g *waitGraph) add(h *Handle, on dependency) bool {
	if !g.note(h, on) || !deadlock.Closes(g, h, on) {
		return true
	}
	g.remove(h, on)
	return false
}

// note adds a wait without a search, and reports whether it is the first of the task for this
// dependency.
func (g *waitGraph) note(h *Handle, on dependency) (first bool) {
	if g.waits[h] == nil {
		g.waits[h] = make(map[dependency]int)
		g.keys.setWaits(h, true)
	}
	g.waits[h][on]++
	if g.waits[h][on] > 1 {
		return false
	}
	if g.waiters[on] == nil {
		g.waiters[on] = make(map[*Handle]struct{})
		g.keys.setAwaited(on, true)
	}
	g.waiters[on][h] = struct{}{}
	return true
}

// noteWait is note for the graph of the task.
func (h *Handle) noteWait(on dependency) {
	g := h.m.lockWaits(on.manager())
	g.note(h, on)
	g.mu.Unlock()
}

// removeWait is remove for the graph of the task.
func (h *Handle) removeWait(on dependency) {
	g := h.m.lockWaits(on.manager())
	g.remove(h, on)
	g.mu.Unlock()
}

// remove removes a wait.
func (g *waitGraph) remove(h *Handle, on dependency) {
	if g.waits[h][on]--; g.waits[h][on] > 0 {
		return
	}
	if delete(g.waits[h], on); len(g.waits[h]) == 0 {
		delete(g.waits, h)
		g.keys.setWaits(h, false)
	}
	if delete(g.waiters[on], h); len(g.waiters[on]) == 0 {
		delete(g.waiters, on)
		g.keys.setAwaited(on, false)
	}
	g.gone = g.joined && len(g.waits) == 0 // the managers have nothing in common any more
}

// closesCycle reports whether a task that is being submitted could never run, because all
// tasks that its key allows at once wait for it, or tasks that use what it needs. They can do that
// already if it is a member of a group or an item of a batch. From then on the graph knows what the task needs, unless the answer is true: then
// the submit is about to fail.
func (m *TaskManager) closesCycle(h *Handle) bool {
	if !m.queue.holdsBack() || h.cfg == nil || h.cfg.watcher == nil {
		return false
	}
	g := m.lockWaits(m)
	defer g.mu.Unlock()
	h.setEnters(false)
	for on := range g.needsToStart(h) {
		if deadlock.Closes(g, h, on) {
			h.setEnters(true)
			return true
		}
	}
	return false
}

// entersLocked reports whether the task has a place in a group or a batch but its submit has not come to
// closesCycle. Nothing holds the task back then: the submit goes on, and either closesCycle adds
// the needs of the task, or the submit fails and gives the place back. mu is held.
func (h *Handle) entersLocked() bool { return h.cfg != nil && h.cfg.enters }

func (h *Handle) setEnters(enters bool) {
	h.word.Lock()
	defer h.word.Unlock()
	h.cfg.enters = enters
}

// The methods of deadlock.Graph.

// Needs returns what a task needs to continue, apart from a worker.
func (g *waitGraph) Needs(h *Handle) iter.Seq[dependency] {
	return func(yield func(dependency) bool) {
		for on := range g.waits[h] {
			if !yield(on) {
				return
			}
		}
		g.needsToStart(h)(yield)
	}
}

// needsToStart returns what a task that is held back needs before a worker can start it:
//
//   - the end of the task behind which it waits for its name;
//   - in a batch under CallerRuns, the end of the task that runs inside the submit before it;
//   - under a limit per key that is used up, the end of a task that runs with the same key;
//   - under resources, the ends of tasks that use what the task needs.
//
// A task whose submit waits for room under Block needs nothing else: it is in the queue already.
func (g *waitGraph) needsToStart(h *Handle) iter.Seq[dependency] {
	return func(yield func(dependency) bool) {
		s := h.standing()
		if s.behind != nil && !yield(s.behind) {
			return
		}
		switch {
		case !s.heldBack:
		case h.m.callerRuns:
			if t := h.m.inlineTask(h); t != nil && t.isBlocked() {
				yield(t.submit)
			}
		default:
			g.limitsOf(h, needsOf(h))(yield)
		}
	}
}

// limitsOf returns the limited keys of a task that are used up, and those of some needs for
// resources that are not met.
func (g *waitGraph) limitsOf(h *Handle, needs iter.Seq[usedResource]) iter.Seq[dependency] {
	return func(yield func(dependency) bool) {
		for k := range keysOf(h) {
			if g.keys.mayBeUsedUp(k) && !yield(k) {
				return
			}
		}
		for r := range needs {
			if r.lacks(g) > 0 && !yield(r) {
				return
			}
		}
	}
}

// Nodes returns the tasks of a dependency.
func (g *waitGraph) Nodes(on dependency) iter.Seq[*Handle] { return on.tasks(g) }

// Enough returns the number of tasks, or the amount of a resource, whose end is enough, or 0 for all.
func (g *waitGraph) Enough(on dependency) int64 {
	switch on := on.(type) {
	case usedResource:
		return on.lacks(g)
	case groupRoom:
		return on.enough()
	}
	if on.one() {
		return 1
	}
	return 0
}

// Weight returns what the end of a task counts.
func (g *waitGraph) Weight(on dependency, h *Handle) int64 {
	if r, ok := on.(usedResource); ok {
		return h.amountOf(r.resource)
	}
	return 1
}

// For returns what is met by the end of a task, and some task needs.
func (g *waitGraph) For(h *Handle) iter.Seq[dependency] {
	return func(yield func(dependency) bool) {
		s := h.standing()
		if s.over || (g.waiters[h] != nil || s.next != nil) && !yield(h) {
			return
		}
		if s.group != nil {
			if g.waiters[s.group] != nil && !yield(s.group) {
				return
			}
			if room := (groupRoom{s.group}); g.waiters[room] != nil && !yield(room) {
				return
			}
		}
		if s.items != nil && g.waiters[s.items] != nil && !yield(s.items) {
			return
		}
		switch {
		case !s.executing:
		case h.m.callerRuns:
			if t := h.m.inlineTask(h); t != nil && t.runs() {
				yield(t.submit)
			}
		case h.m.queue.holdsBack():
			g.limitsOf(h, g.keys.lacked(h))(yield)
		}
	}
}

// Having returns the tasks that need something. Those that a limit holds back cannot be listed while
// not all awaited tasks are known.
func (g *waitGraph) Having(on dependency) (tasks iter.Seq[*Handle], ok bool) {
	switch on := on.(type) {
	case limitedKey:
		return g.keys.heldBack(on), g.keys.complete()
	case usedResource:
		return g.keys.lacking(on), g.keys.complete()
	case *inlineSubmit:
		return on.having(), true
	case *Handle:
		if next := on.next(); next != nil {
			return func(yield func(*Handle) bool) {
				if yield(next) {
					maps.Keys(g.waiters[on])(yield)
				}
			}, true
		}
	}
	return maps.Keys(g.waiters[on]), true
}

// free reports whether a task needs nothing but a worker.
func (g *waitGraph) free(h *Handle) bool {
	return len(g.waits[h]) == 0 && !h.standing().heldBack
}

// standing is what the graph needs to know of a task.
type standing struct {
	over      bool // has ended
	executing bool
	heldBack  bool        // has not started, and other tasks may have to end before it does
	group     *taskGroup  // of which the task is a member, or nil
	items     *batchItems // of which the task is one, or nil
	behind    *Handle     // for whose end the task waits, to get its name, or nil
	next      *Handle     // that waits in that way for the end of this one, or nil
}

func (h *Handle) standing() (s standing) {
	h.word.Lock()
	defer h.word.Unlock()
	switch h.word.State() {
	case queued, delayed, admitting:
		s.heldBack = h.m.queue.holdsBack() && !h.entersLocked() || h.m.callerRuns && h.word.State() == admitting
	case running, asking:
		s.executing = true
	case ended:
		s.over = true
	case claimed, ending:
	}
	if l := h.lineLocked(); l != nil {
		s.behind, s.next = l.behind, l.next
		s.heldBack = s.heldBack || l.behind != nil
	}
	if h.cfg != nil {
		s.group, _ = h.cfg.watcher.(*taskGroup)
		s.items = h.itemsLocked()
	}
	return s
}

// A handle is the dependency of a wait for one task.

func (h *Handle) manager() *TaskManager { return h.m }
func (h *Handle) one() bool             { return false }

func (h *Handle) tasks(g *waitGraph) iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		if s := h.standing(); !s.over && (s.heldBack || len(g.waits[h]) > 0) {
			yield(h)
		}
	}
}
