package taskmanager

import (
	"cmp"
	"iter"
)

// entrant is a submit that waits for room in a group.
type entrant struct {
	h     *Handle       // of the task that is to become a member
	woken chan struct{} // closed when it is a member, or the group has failed
}

// enter makes the task a member. In a full group it first waits until a place is handed to it.
func (g *Group) enter(h *Handle) error {
	g.mu.Lock()
	if g.failed != nil || g.cfg.limit == 0 || len(g.members) < g.cfg.limit {
		defer g.mu.Unlock()
		if g.failed == nil {
			g.addLocked(h)
		}
		return g.failed
	}
	e := &entrant{h, make(chan struct{})}
	position := g.line.PushBack(e)
	g.mu.Unlock()
	err := g.await(g.ctx, groupRoom{g}, e.woken, "wait for room in the group")
	g.mu.Lock()
	defer g.mu.Unlock()
	if err = cmp.Or(err, g.failed); err == nil {
		return nil
	}
	g.line.Remove(position) // does nothing if it was woken
	if _, member := g.members[h]; member {
		delete(g.members, h)
		g.placeIsFreeLocked() // the submit gave up when it had got the place
	}
	return err
}

// addLocked makes the task a member. g.mu must be held.
func (g *Group) addLocked(h *Handle) {
	if g.members == nil {
		g.members = make(map[*Handle]int)
	}
	g.members[h] = g.round.count
	g.round.count++
}

// placeIsFreeLocked hands the place of a member that was removed to the submit that has waited
// longest. g.mu must be held.
func (g *Group) placeIsFreeLocked() {
	if e := g.nextEntrantLocked(); e != nil {
		g.addLocked(e.h)
	}
	if len(g.members) > 0 {
		return
	}
	g.members = nil
	if g.quiet != nil {
		close(g.quiet)
		g.quiet = nil
	}
}

// nextEntrantLocked removes the first submit from the line, wakes it and returns it, or nil if
// none waits. The submit goes on when g.mu, which must be held, is released.
func (g *Group) nextEntrantLocked() *entrant {
	first := g.line.Front()
	if first == nil {
		return nil
	}
	e := g.line.Remove(first).(*entrant)
	close(e.woken)
	return e
}

// groupRoom is the dependency of the submits to a full group. A submit that was woken has it until
// it has removed its wait. Its task is a member then, or the group has failed. Such a member needs
// nothing (see [Handle.entersLocked]), and a group that has failed has no line, so tasks returns
// none in both cases.
type groupRoom struct{ *Group }

// one returns true: the end of any member makes room.
func (groupRoom) one() bool { return true }

// tasks returns the members, or none if one of them needs nothing or no submit waits for room.
func (r groupRoom) tasks(w *waitGraph) iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.line.Len() == 0 {
			return
		}
		for h := range r.members {
			if w.free(h) {
				return
			}
		}
		for h := range r.members {
			if !yield(h) {
				return
			}
		}
	}
}
