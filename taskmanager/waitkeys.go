package taskmanager

import "iter"

// limitsKeys reports whether there may be a limit for a key.
func (m *TaskManager) limitsKeys() bool { return m.queue.limit != nil }

// limitedKey is what a task needs that the limit of its key holds back: the end of one of the
// tasks that use up the limit. Only tasks that wait count. While fewer wait than the limit
// allows, the others end or there is a place.
type limitedKey struct {
	m     *TaskManager
	key   string
	limit int // 0: none
}

func keyOf(h *Handle) limitedKey { return limitedKey{h.m, h.Key(), h.keyLimit()} }

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

// keyIndex has the tasks of limited keys that take part in waits.
type keyIndex struct {
	of     map[limitedKey]*keyTasks
	groups int // dependencies of managers with limited keys that are not a single task
}

// keyTasks are tasks of one key.
type keyTasks struct {
	waiting, awaited map[*Handle]struct{}
}

// setWaits notes that a task begins or ceases to wait.
func (x *keyIndex) setWaits(h *Handle, waits bool) {
	if h.m.limitsKeys() {
		x.set(h, waits, func(t *keyTasks) map[*Handle]struct{} { return t.waiting })
	}
}

// setAwaited notes that tasks begin or cease to wait for a dependency.
func (x *keyIndex) setAwaited(on dependency, awaited bool) {
	if !on.manager().limitsKeys() {
		return
	}
	if h, single := on.(*Handle); single {
		x.set(h, awaited, func(t *keyTasks) map[*Handle]struct{} { return t.awaited })
	} else if awaited {
		x.groups++
	} else {
		x.groups--
	}
}

func (x *keyIndex) set(h *Handle, in bool, set func(*keyTasks) map[*Handle]struct{}) {
	k := keyOf(h)
	t := x.of[k]
	if t == nil {
		t = &keyTasks{make(map[*Handle]struct{}), make(map[*Handle]struct{})}
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
	return k.limit > 0 && t != nil && len(t.waiting) >= k.limit
}

// heldBack returns the tasks of a key that are awaited and have not started.
func (x *keyIndex) heldBack(k limitedKey) iter.Seq[*Handle] {
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
