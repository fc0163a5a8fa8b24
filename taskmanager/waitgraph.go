package taskmanager

import (
	"slices"
	"sync"

	"github.com/seed56799101/taskmanager/taskmanager/internal/deadlock"
)

// waits holds the waits of all managers, as tasks of one may wait for those of another.
var waits = waitGraph{edges: make(map[*Handle][]dependency)}

// waitGraph refuses waits that could never end. Its lock is taken before those of groups,
// handles, pools and names.
//
// A task needs the ends of the tasks that it waits for. A task that has not started may also
// need the end of one of the tasks that hold it back: see [examination.needsToStart]. It is stuck
// if it can never continue, as package deadlock defines it. A wait is refused if it makes the
// waiting task stuck; as a wait changes the needs of no other task, none can become stuck
// without it.
type waitGraph struct {
	mu    sync.Mutex
	edges map[*Handle][]dependency // what each waiting task waits for
}

// add adds a wait of several tasks for the same thing, or returns false if one of them would
// be stuck.
func (g *waitGraph) add(list []waiter, on dependency) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	tasks := make([]*Handle, len(list))
	for i, w := range list {
		tasks[i] = w.Item
		g.edges[w.Item] = append(g.edges[w.Item], on)
	}
	x := examination{edges: g.edges}
	// Most waits are for tasks that need nothing, and are not searched.
	if len(x.newNeed(on).Nodes) > 0 && deadlock.Stuck(x.needsOf, tasks...) {
		g.removeLocked(list, on)
		return false
	}
	return true
}

// remove removes a wait that add has added.
func (g *waitGraph) remove(list []waiter, on dependency) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.removeLocked(list, on)
}

func (g *waitGraph) removeLocked(list []waiter, on dependency) {
	for _, w := range list {
		rest := g.edges[w.Item]
		i := slices.Index(rest, on)
		rest = slices.Delete(rest, i, i+1)
		if len(rest) == 0 {
			delete(g.edges, w.Item)
		} else {
			g.edges[w.Item] = rest
		}
	}
}

// stuck reports whether a task is stuck.
func (g *waitGraph) stuck(h *Handle) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	x := examination{edges: g.edges}
	return len(g.edges) > 0 && deadlock.Stuck(x.needsOf, h)
}

// closesCycle reports whether a task that is being submitted could never run, because all
// tasks that its key allows at once wait for it. They can do that already if it is a member
// of a group.
func (m *TaskManager) closesCycle(h *Handle) bool {
	return m.queue.limit != nil && h.cfg != nil && h.cfg.watcher != nil && waits.stuck(h)
}

type need = deadlock.Need[*Handle]

// examination is one search. It looks once at each manager and at each thing that tasks wait
// for, so its cost is linear in the numbers of tasks and waits. The lock of the graph is held.
type examination struct {
	edges    map[*Handle][]dependency
	managers map[*TaskManager]*holders // made on demand, as the next one
	needs    map[dependency]*need
}

// needsOf returns what a task needs to continue, apart from a worker.
func (x *examination) needsOf(h *Handle) (needs []*need) {
	if h.m.holdsBack() {
		needs = x.needsToStart(h)
	}
	for _, on := range x.edges[h] {
		needs = append(needs, x.needFor(on))
	}
	return needs
}

// needFor returns the need of all tasks that wait for the same thing.
func (x *examination) needFor(on dependency) *need {
	n := x.needs[on]
	if n == nil {
		n = x.newNeed(on)
		if x.needs == nil {
			x.needs = make(map[dependency]*need)
		}
		x.needs[on] = n
	}
	return n
}

// newNeed makes the need of a task that waits.
func (x *examination) newNeed(on dependency) *need {
	n := &need{Nodes: on.outstanding(), Any: on.one()}
	if !n.Any { // a task without needs blocks no other task; omitting it saves time
		n.Nodes = slices.DeleteFunc(n.Nodes, func(h *Handle) bool { return len(x.edges[h]) == 0 && !h.m.holdsBack() })
	}
	return n
}

// holdsBack reports whether tasks may have to wait for the end of others before they start.
func (m *TaskManager) holdsBack() bool { return m.queue.limit != nil || m.callerRuns }

// needsToStart returns what a task of a manager that holds tasks back needs before a worker
// can start it:
//
//   - in a batch under CallerRuns, the end of the task that runs inside the submit before it;
//   - under a limit per key that is used up, the end of a task that runs with the same key;
//   - while its submit waits for room, the end of a task that makes room in the queue.
func (x *examination) needsToStart(h *Handle) (needs []*need) {
	m := h.m
	h.mu.Lock()
	state := h.state
	h.mu.Unlock()
	if state == admitting && m.callerRuns {
		if t := m.inlineTask(h); t != nil {
			if running := t.blockedBy(); running != nil {
				needs = append(needs, x.needFor(running))
			}
		}
	}
	if state != queued && state != delayed && state != admitting || m.queue.limit == nil {
		return needs
	}
	holders := x.holders(m)
	if same := holders.running[h.Key()]; usesUp(same, h) {
		needs = append(needs, same)
	}
	if state == admitting && holders.blocked[h] {
		needs = append(needs, holders.takers())
	}
	return needs
}

// holders are the tasks of a manager that hold others back, at the time of an examination.
type holders struct {
	m       *TaskManager
	running map[string]*need // the end of one of the tasks on workers, by key
	blocked map[*Handle]bool // tasks whose submits wait for room in the queue
	room    *need            // the end of one of the tasks that make room; nil: not known yet
}

func (x *examination) holders(m *TaskManager) *holders {
	h := x.managers[m]
	if h != nil {
		return h
	}
	h = &holders{m: m, running: make(map[string]*need), blocked: make(map[*Handle]bool)}
	if x.managers == nil {
		x.managers = make(map[*TaskManager]*holders)
	}
	x.managers[m] = h
	for _, w := range m.pool.Workers() {
		if !w.Busy {
			continue
		}
		n := h.running[w.Item.Key()]
		if n == nil {
			n = &need{Any: true}
			h.running[w.Item.Key()] = n
		}
		n.Nodes = append(n.Nodes, w.Item)
	}
	m.pool.Blocked(func(task *Handle) bool { h.blocked[task] = true; return false })
	return h
}

// usesUp reports whether the tasks of a need, which run and have the key of h, use up the limit of
// that key. The need may be nil.
func usesUp(same *need, h *Handle) bool {
	limit := h.keyLimit()
	return same != nil && limit > 0 && len(same.Nodes) >= limit
}

// takers returns the need for room in the queue: the end of one of the tasks that use up the
// limit of a key of which a task is queued. It has no tasks, and so is met, while the queue
// holds a task that may start, or that waits for a limited time.
func (h *holders) takers() *need {
	if h.room != nil {
		return h.room
	}
	h.room = &need{Any: true}
	held := map[string]bool{}
	for task := range h.m.names.All() {
		task.mu.Lock()
		queued, patient := task.state == queued || task.state == admitting && !h.blocked[task], task.cfg.patient()
		task.mu.Unlock()
		if !queued {
			continue
		}
		same := h.running[task.Key()]
		if !patient || !usesUp(same, task) {
			return h.room
		}
		held[task.Key()] = true
	}
	for key, n := range h.running {
		if held[key] || h.m.handsOver { // without a queue, room is a worker that is idle
			h.room.Nodes = append(h.room.Nodes, n.Nodes...)
		}
	}
	return h.room
}

// patient reports whether the time that a task may wait is unlimited.
func (c *taskConfig) patient() bool {
	return c == nil || c.limits == nil || c.limits.queueTimeout == 0 && c.limits.deadline.IsZero()
}

// outstanding makes a handle a dependency.
func (h *Handle) outstanding() []*Handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state == ended {
		return nil
	}
	return []*Handle{h}
}

func (h *Handle) one() bool { return false }
