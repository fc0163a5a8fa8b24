package taskmanager

import (
	"slices"
	"sync"
)

// waits knows which tasks wait for which, in all managers: those of one may wait for
// those of another.
var waits = waitGraph{edges: make(map[*Handle][]dependency)}

// waitGraph finds out whether a task that is about to wait would wait for itself. Its
// lock is taken before those of groups, handles and pools.
type waitGraph struct {
	mu    sync.Mutex
	edges map[*Handle][]dependency // what each task that waits waits for
}

// add notes that tasks are about to wait, unless that could never end.
func (g *waitGraph) add(list []waiter, on dependency) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range list {
		g.edges[w.Item] = append(g.edges[w.Item], on)
	}
	for _, w := range list {
		if g.stuck(w.Item) {
			g.drop(list, on)
			return false
		}
	}
	return true
}

// closesCycle reports whether a task that is being submitted could never run, for the
// limit of its key is taken up by those that wait for it. They may do that already, if it
// is a member of a group.
func (m *TaskManager) closesCycle(h *Handle) bool {
	if m.queue.perKey == 0 || h.cfg == nil || h.cfg.watcher == nil {
		return false
	}
	waits.mu.Lock()
	defer waits.mu.Unlock()
	return len(waits.edges) > 0 && waits.stuck(h)
}

// remove notes that tasks wait no longer.
func (g *waitGraph) remove(list []waiter, on dependency) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drop(list, on)
}

// drop is remove with mu held.
func (g *waitGraph) drop(list []waiter, on dependency) {
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

// need is the end of tasks, without which another one cannot go on: of all of them, or
// of any one.
type need struct {
	tasks []*Handle
	one   bool
}

// stuck reports whether a task could never go on: whether it is in the largest set
// of tasks each of which needs, to go on, that some in the set do. mu is held.
func (g *waitGraph) stuck(h *Handle) bool { return g.examine(h).needs > 0 }

// examine finds out what keeps a task from going on. It takes all that h depends on for
// stuck, and then frees those that nothing holds up, one after another, in time that is
// linear in the number of dependencies. mu is held.
func (g *waitGraph) examine(h *Handle) *node {
	x := examination{graph: g, keys: make(map[*TaskManager]map[string][]*Handle)}
	nodes := map[*Handle]*node{h: {}}
	var free []*node
	for queue := []*Handle{h}; len(queue) > 0; queue = queue[1:] {
		n := nodes[queue[0]]
		for _, need := range x.needsOf(queue[0]) {
			if len(need.tasks) == 0 {
				continue
			}
			u := &unmet{of: n, missing: len(need.tasks)}
			if need.one {
				u.missing = 1
			}
			n.needs++
			for _, t := range need.tasks {
				if nodes[t] == nil {
					nodes[t] = new(node)
					queue = append(queue, t)
				}
				nodes[t].holdsUp = append(nodes[t].holdsUp, u)
			}
		}
		if n.needs == 0 {
			free = append(free, n)
		}
	}
	for ; len(free) > 0; free = free[1:] {
		for _, u := range free[0].holdsUp {
			if u.missing--; u.missing == 0 {
				if u.of.needs--; u.of.needs == 0 {
					free = append(free, u.of)
				}
			}
		}
	}
	return nodes[h]
}

// node is a task of which it is being found out whether it is stuck.
type node struct {
	needs   int      // that are unmet; in the end none, or it is stuck
	holdsUp []*unmet // needs of others, which want its end
}

// unmet is a need of a task, and how many ends are missing for it.
type unmet struct {
	of      *node
	missing int
}

// examination looks at each pool once.
type examination struct {
	graph *waitGraph
	keys  map[*TaskManager]map[string][]*Handle // the tasks on workers, by key
}

// needsOf is what a task needs. The graph's mu is held.
func (x examination) needsOf(h *Handle) []need {
	needs := x.needsToBegin(h)
	for _, on := range x.graph.edges[h] {
		tasks := on.outstanding()
		if !on.one() { // then those do not count that surely need nothing
			tasks = slices.DeleteFunc(tasks, func(h *Handle) bool { return len(x.graph.edges[h]) == 0 && !h.m.holdsBack() })
		}
		needs = append(needs, need{tasks: tasks, one: on.one()})
	}
	return needs
}

// holdsBack reports whether tasks may have to wait for the end of others.
func (m *TaskManager) holdsBack() bool { return m.queue.perKey > 0 || m.callerRuns }

// needsToBegin is what a task needs to begin, beside a worker.
func (x examination) needsToBegin(h *Handle) (needs []need) {
	m := h.m
	if !m.holdsBack() {
		return nil
	}
	h.mu.Lock()
	state := h.state
	h.mu.Unlock()
	if state == admitting && m.callerRuns { // the end of what its submitter runs first
		if b, ok := m.batches.Load(h); ok {
			if running := b.(*batch).running.Load(); running != nil {
				needs = append(needs, need{tasks: running.outstanding(), one: true})
			}
		}
	}
	if state != queued && state != delayed && state != admitting || m.queue.perKey == 0 {
		return needs
	}
	running := x.running(m)
	if same := running[h.Key()]; len(same) >= m.queue.perKey {
		needs = append(needs, need{tasks: same, one: true})
	}
	if state == admitting && m.pool.Blocked(func(x *Handle) bool { return x == h }) {
		needs = append(needs, need{tasks: m.roomTakers(running), one: true})
	}
	return needs
}

// patient reports whether a task that waits does so however long it takes.
func (c *taskConfig) patient() bool {
	return c == nil || c.limits == nil || c.limits.queueTimeout == 0 && c.limits.deadline.IsZero()
}

// running lists the tasks on the workers of a manager, by their keys.
func (x examination) running(m *TaskManager) map[string][]*Handle {
	byKey := x.keys[m]
	if byKey == nil {
		byKey = make(map[string][]*Handle)
		for _, w := range m.pool.Workers() {
			if w.Busy {
				byKey[w.Item.Key()] = append(byKey[w.Item.Key()], w.Item)
			}
		}
		x.keys[m] = byKey
	}
	return byKey
}

// roomTakers lists the tasks of which one must end before there is room in the queue: those
// that use up the limit of the key of one which is there. There are none as long as one is
// there that may begin, or waits no longer than for some time.
func (m *TaskManager) roomTakers(running map[string][]*Handle) (takers []*Handle) {
	blocked := map[*Handle]bool{}
	m.pool.Blocked(func(h *Handle) bool { blocked[h] = true; return false })
	held := map[string]bool{}
	for h := range m.names.All() {
		h.mu.Lock()
		there, patient := h.state == queued || h.state == admitting && !blocked[h], h.cfg.patient()
		h.mu.Unlock()
		switch {
		case !there:
		case !patient || len(running[h.Key()]) < m.queue.perKey:
			return nil
		default:
			held[h.Key()] = true
		}
	}
	for key, tasks := range running {
		if held[key] || m.handsOver { // then room is a worker that has nothing to do
			takers = append(takers, tasks...)
		}
	}
	return takers
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
