package taskmanager

import (
	"context"
	"slices"
	"sync"

	"github.com/seed56799101/taskmanager/scheduler"
)

// Blocking calls wait, which blocks, for a task: meanwhile the task's worker lends
// its slot, so that the manager runs another task in its place. Before Blocking
// returns, the task gets a slot back, for which it may have to wait. ctx is the
// context that the task was given, or one derived from it; with another one Blocking
// just calls wait.
//
// Handle.Wait, Future.Result and Group.Wait do this by themselves. So a tree of tasks
// that wait for each other runs on a single worker, and no more than the maximum
// are under way, those that wait not counted. There is one exception: a task does not
// wait for a slot any more when the context of its wait has ended, since it may be the
// one to cancel those that have the slots. Then as many workers as that are too many
// leave when they have finished.
//
// A task is known by its goroutine where it waits for tasks of its own manager, and by
// its context everywhere, also on goroutines that it has started: while one of them
// waits, the slot is lent, whatever the others do, and what that one waits for counts as
// what the task needs to go on.
func Blocking(ctx context.Context, wait func()) {
	if h := ownerOf(ctx); h != nil {
		back, _ := h.m.stepAside(ctx, nil) // nothing to wait for: no cycle
		defer back()
	}
	wait()
}

// dependency is what a task may wait for: one task, or several.
type dependency interface {
	// outstanding are those that have not ended.
	outstanding() []*Handle
	// one reports whether the end of one of them is enough.
	one() bool
}

// waiter is a task that waits, or in whose place one does, and the worker whose slot it
// holds, or 0.
type waiter = scheduler.Caller[*Handle]

// waiters are the tasks on whose behalf the caller runs; none if it is no task. Where
// it is known by its context alone, and the task runs in the place of its submitter,
// the waits of that run go by in.
func (m *TaskManager) waiters(ctx context.Context) (list []waiter, in *inlineRun) {
	if list = m.pool.Callers(); list != nil {
		return list, nil
	}
	h := ownerOf(ctx)
	if h == nil {
		return nil, nil
	}
	h.mu.Lock()
	list = append(list, waiter{Worker: h.worker, Item: h})
	h.mu.Unlock()
	if r, ok := h.m.inline.Load(h); ok {
		in = r.(*inlineRun)
		list = append(list, in.callers...)
	}
	return list, in
}

// inlineRun is the execution of a task by its submitter. Goroutines of the task lend the
// slot of the submitter, if that is a task, and it must have that back when it goes on.
type inlineRun struct {
	callers []waiter

	mu    sync.Mutex // guards the rest
	over  bool
	waits map[*func()]bool // what ends each wait under way
}

// begin notes a wait and returns what ends it.
func (r *inlineRun) begin(back func()) (end func()) {
	if r == nil {
		return back
	}
	back = sync.OnceFunc(back)
	r.mu.Lock()
	if r.over { // the task has ended just now
		r.mu.Unlock()
		back()
		return func() {}
	}
	defer r.mu.Unlock()
	if r.waits == nil {
		r.waits = make(map[*func()]bool)
	}
	r.waits[&back] = true
	return func() {
		r.mu.Lock()
		delete(r.waits, &back)
		r.mu.Unlock()
		back()
	}
}

// end ends what goroutines of the task have left behind.
func (r *inlineRun) end() {
	r.mu.Lock()
	r.over = true
	waits := r.waits
	r.waits = nil
	r.mu.Unlock()
	for back := range waits {
		(*back)()
	}
}

// inside reports whether the caller is a task of this manager.
func (m *TaskManager) inside(ctx context.Context) bool {
	list, _ := m.waiters(ctx)
	return slices.ContainsFunc(list, func(w waiter) bool { return w.Item.m == m })
}

// stepAside is called by whoever is about to wait for tasks of this manager, or, if
// on is nil, for something else; it may be a task of another one. If it is a task itself, its slot is lent until back
// is called. The error is ErrWouldDeadlock.
func (m *TaskManager) stepAside(ctx context.Context, on dependency) (back func(), err error) {
	list, in := m.waiters(ctx)
	if len(list) == 0 {
		return func() {}, nil
	}
	done := ctx.Done() // before anything is noted: a context may panic
	if on != nil && !waits.add(list, on) {
		return nil, ErrWouldDeadlock
	}
	var resumes []func(hurry <-chan struct{})
	for _, w := range list {
		resumes = append(resumes, w.Item.m.pool.Lend(w.Worker, func(h *Handle) bool { return h == w.Item }))
	}
	return in.begin(func() {
		if on != nil {
			waits.remove(list, on)
		}
		for _, resume := range resumes {
			resume(done)
		}
	}), nil
}

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
// of tasks each of which needs, to go on, that some in the set do. It takes all that
// h depends on for stuck, and then frees those that nothing holds up, one after another,
// in time that is linear in the number of dependencies. mu is held.
func (g *waitGraph) stuck(h *Handle) bool {
	nodes := map[*Handle]*node{h: {}}
	var free []*node
	for queue := []*Handle{h}; len(queue) > 0; queue = queue[1:] {
		n := nodes[queue[0]]
		for _, need := range g.needsOf(queue[0]) {
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
	return nodes[h].needs > 0
}

// node is a task of which it is being found out whether it is stuck.
type node struct {
	needs   int      // that are unmet
	holdsUp []*unmet // needs of others, which want its end
}

// unmet is a need of a task, and how many ends are missing for it.
type unmet struct {
	of      *node
	missing int
}

// needsOf is what a task needs. mu is held.
func (g *waitGraph) needsOf(h *Handle) []need {
	needs := h.needs()
	for _, on := range g.edges[h] {
		tasks := on.outstanding()
		if !on.one() { // then those do not count that surely need nothing
			tasks = slices.DeleteFunc(tasks, func(h *Handle) bool { return len(g.edges[h]) == 0 && !h.m.holdsBack() })
		}
		needs = append(needs, need{tasks: tasks, one: on.one()})
	}
	return needs
}

// holdsBack reports whether tasks may have to wait for the end of others.
func (m *TaskManager) holdsBack() bool { return m.queue.perKey > 0 || m.callerRuns }

// needs is what a task needs to begin, beside a worker.
func (h *Handle) needs() (needs []need) {
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
	same := []*Handle{} // the end of one of those that use up the limit of its key
	for _, w := range m.pool.Workers() {
		if w.Busy && w.Item.Key() == h.Key() {
			same = append(same, w.Item)
		}
	}
	if len(same) >= m.queue.perKey {
		needs = append(needs, need{tasks: same, one: true})
	}
	if state == admitting && m.pool.Blocked(func(x *Handle) bool { return x == h }) {
		needs = append(needs, need{tasks: m.entered(), one: true}) // room
	}
	return needs
}

// entered lists the tasks that are in the queue or on a worker. If all of them hold
// each other up, there will be no room for others.
func (m *TaskManager) entered() []*Handle {
	blocked := map[*Handle]bool{}
	m.pool.Blocked(func(h *Handle) bool { blocked[h] = true; return false })
	return slices.DeleteFunc(m.names.all(), func(h *Handle) bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.state == delayed || h.state == admitting && blocked[h]
	})
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
