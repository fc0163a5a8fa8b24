package taskmanager

import "iter"

// limitedKey is what a task needs that the limit of its key holds back: the end of one of the
// tasks that use up the limit. Only tasks that wait count. While fewer wait than the limit
// allows, the others end or there is a place.
type limitedKey struct {
	m     *TaskManager
	by    int // 0: LimitByKey; otherwise the number of a LimitBy, whose attribute is the key
	key   string
	limit int
}

// keysOf returns the keys of a task that are limited.
func keysOf(h *Handle) iter.Seq[limitedKey] {
	return func(yield func(limitedKey) bool) {
		if n := h.keyLimit(); n > 0 && !yield(limitedKey{h.m, 0, h.Key(), n}) {
			return
		}
		for i, l := range h.m.queue.limitBy {
			if v := h.valueOf(i); v != "" && !yield(limitedKey{h.m, i + 1, v, l.most}) {
				return
			}
		}
	}
}

func (k limitedKey) manager() *TaskManager { return k.m }
func (k limitedKey) one() bool             { return true }

// tasks returns the tasks of the key that run and wait if there are as many as its limit, and
// otherwise none.
func (k limitedKey) tasks(g *waitGraph) iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		if !g.keys.mayBeUsedUp(k) {
			return
		}
		var running []*Handle
		for h := range g.keys.of[k].waiting {
			if h.standing().executing {
				running = append(running, h)
			}
		}
		if len(running) < k.limit {
			return
		}
		for _, h := range running {
			if !yield(h) {
				return
			}
		}
	}
}

// usedResource is what a task needs that lacks an amount of a resource: the end of tasks that use
// so much of it that there is enough. Only tasks that wait count: the others end, and so do the tasks
// that get their amounts first. The queue does not let those that cannot fit beside the waiting ones
// get in the way; see [queue.Lender].
type usedResource struct {
	m        *TaskManager
	resource string
	amount   int64 // that the task needs
}

func (r usedResource) manager() *TaskManager { return r.m }
func (r usedResource) one() bool             { return false } // see waitGraph.Enough

// needsOf returns the resources of which a task needs an amount.
func needsOf(h *Handle) iter.Seq[usedResource] {
	return func(yield func(usedResource) bool) {
		for _, n := range h.placing().needs {
			if !yield(usedResource{h.m, n.resource, n.amount}) {
				return
			}
		}
	}
}

// index identifies the tasks that use the resource.
func (r usedResource) index() usedResource { r.amount = 0; return r }

// lacks returns how much waiting tasks must give back until there is enough.
func (r usedResource) lacks(g *waitGraph) int64 {
	n := r.amount - r.m.queue.resources[r.resource]
	if t := g.keys.of[r.index()]; t == nil || n+t.uses <= 0 {
		return 0 // the usual case
	}
	for h := range r.users(g) {
		n += h.amountOf(r.resource)
	}
	return max(n, 0)
}

// users returns the tasks that use the resource, run, and wait.
func (r usedResource) users(g *waitGraph) iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		if t := g.keys.of[r.index()]; t != nil {
			for h := range t.waiting {
				if h.standing().executing && !yield(h) {
					return
				}
			}
		}
	}
}

// tasks returns the tasks that use the resource if they must give some of it back, and otherwise
// none.
func (r usedResource) tasks(g *waitGraph) iter.Seq[*Handle] {
	if r.lacks(g) > 0 {
		return r.users(g)
	}
	return func(func(*Handle) bool) {}
}

// keyIndex has the tasks of limited keys, and those that need resources, that take part in waits.
type keyIndex struct {
	of     map[any]*keyTasks    // by limitedKey, or by the index of a usedResource
	groups int                  // dependencies of managers that hold tasks back that are not a single task
	behind map[*Handle]struct{} // awaited tasks that had to wait behind another one of their name
}

// complete reports whether all tasks are known that are awaited. The members of a group are not, nor is
// the task behind which an awaited one waits for its name.
func (x *keyIndex) complete() bool { return x.groups+len(x.behind) == 0 }

// keyTasks are tasks of one key, or that need the same resource.
type keyTasks struct {
	waiting, awaited map[*Handle]struct{}
	uses             int64 // what those that wait use of the resource, if they run
}

// setWaits notes that a task begins or ceases to wait.
func (x *keyIndex) setWaits(h *Handle, waits bool) {
	if !h.m.queue.holdsBack() {
		return
	}
	waiting := func(t *keyTasks) map[*Handle]struct{} { return t.waiting }
	if waits {
		x.set(h, true, waiting)
	}
	for r := range needsOf(h) {
		if t := x.of[r.index()]; waits {
			t.uses += r.amount
		} else {
			t.uses -= r.amount
		}
	}
	if !waits {
		x.set(h, false, waiting)
	}
}

// setAwaited notes that tasks begin or cease to wait for a dependency.
func (x *keyIndex) setAwaited(on dependency, awaited bool) {
	if !on.manager().queue.holdsBack() {
		return
	}
	if h, single := on.(*Handle); single {
		x.set(h, awaited, func(t *keyTasks) map[*Handle]struct{} { return t.awaited })
		if !awaited {
			delete(x.behind, h)
		} else if h.standing().behind != nil {
			x.behind[h] = struct{}{}
		}
	} else if awaited {
		x.groups++
	} else {
		x.groups--
	}
}

func (x *keyIndex) set(h *Handle, in bool, set func(*keyTasks) map[*Handle]struct{}) {
	for k := range keysOf(h) {
		x.setOne(k, h, in, set)
	}
	for r := range needsOf(h) {
		x.setOne(r.index(), h, in, set)
	}
}

func (x *keyIndex) setOne(k any, h *Handle, in bool, set func(*keyTasks) map[*Handle]struct{}) {
	t := x.of[k]
	if t == nil {
		t = &keyTasks{waiting: make(map[*Handle]struct{}), awaited: make(map[*Handle]struct{})}
		x.of[k] = t
	}
	if in {
		set(t)[h] = struct{}{}
		return
	}
	if delete(set(t), h); len(t.waiting)+len(t.awaited) == 0 {
		delete(x.of, k)
	}
}

// mayBeUsedUp reports whether as many tasks of a key wait as its limit allows to run. Some of
// them may not run any more.
func (x *keyIndex) mayBeUsedUp(k limitedKey) bool {
	t := x.of[k]
	return t != nil && len(t.waiting) >= k.limit
}

// heldBack returns the tasks of a key, or that need a resource, that are awaited and have not
// started.
func (x *keyIndex) heldBack(k any) iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		if t := x.of[k]; t != nil {
			for h := range t.awaited {
				if h.standing().heldBack && !yield(h) {
					return
				}
			}
		}
	}
}

// lacking returns the tasks that are awaited, have not started, and need an amount of a resource.
func (x *keyIndex) lacking(r usedResource) iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		for h := range x.heldBack(r.index()) {
			if h.amountOf(r.resource) == r.amount && !yield(h) {
				return
			}
		}
	}
}

// lacked returns what the tasks lack that are awaited and have not started, of the resources that a
// task uses. It may return something several times. If it does not know all awaited tasks, it returns
// more.
func (x *keyIndex) lacked(h *Handle) iter.Seq[usedResource] {
	return func(yield func(usedResource) bool) {
		for r := range needsOf(h) {
			if !x.complete() && !yield(usedResource{r.m, r.resource, r.m.queue.resources[r.resource]}) {
				return
			}
			for y := range x.heldBack(r.index()) {
				if !yield(usedResource{r.m, r.resource, y.amountOf(r.resource)}) {
					return
				}
			}
		}
	}
}
