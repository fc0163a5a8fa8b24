package taskmanager

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/taskmanager/internal/deadlock"
)

// entrant is a submit that waits for room in a group.
type entrant struct {
	h      *Handle       // of the task that is to become a member
	caller *Handle       // the task that submits; nil: none
	woken  chan struct{} // closed when it is a member or was refused, or the group has failed
	err    error         // for which it was refused
}

// errGroupFull is the error of TryGo in a group that is full.
var errGroupFull = newError("queue_full", "taskmanager: the group is full; try again later, or raise its limit", ErrQueueFull)

// enter makes the task a member. In a full group it first waits until a place is handed to it.
func (g *taskGroup) enter(h *Handle, s groupSubmit) error {
	ctx, release := g.ctx, func() {}
	if s.until != nil {
		if s.until.Err() != nil {
			return &givenUpError{taskError(h.name, cause.Of(s.until))}
		}
		ctx, release = either(s.until, g.ctx)
	}
	defer release()
	g.mu.Lock()
	if g.failed != nil || g.hasRoomLocked() {
		defer g.mu.Unlock()
		if g.failed == nil {
			g.addLocked(h)
		}
		return g.failed
	}
	if s.how == noWait {
		g.mu.Unlock()
		return errGroupFull
	}
	e := &entrant{h: h, woken: make(chan struct{})}
	position := g.line.PushBack(e)
	g.mu.Unlock()
	err := g.awaitRoom(ctx, s.until, e)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err = cmp.Or(err, e.err, g.failed); err == nil {
		return nil
	}
	g.line.Remove(position) // does nothing if it was woken
	if _, member := g.members[h]; member {
		delete(g.members, h)
		g.admitLocked() // the submit gave up when it had got the place
	}
	return err
}

// awaitRoom waits until the entrant is woken, or until ctx ends: that is the group's context or, for
// GoContext, either that or until.
func (g *taskGroup) awaitRoom(ctx, until context.Context, e *entrant) error {
	caller := g.m.caller(ctx).task
	g.mu.Lock()
	e.caller = caller // before its wait is known
	g.mu.Unlock()
	err := g.await(ctx, groupRoom{g}, e.woken, "wait for room in the group")
	return g.interrupted(until, e.h, err)
}

// waitForRoom submits a task to the pool and waits for room there until ctx ends, the task is
// cancelled or, for GoContext, the context of the wait ends.
func (m *TaskManager) waitForRoom(ctx context.Context, h *Handle) error {
	g, until := h.untilOf()
	if until != nil {
		var release func()
		ctx, release = either(until, ctx)
		defer release()
	}
	err := m.untilCancelled(ctx, []*Handle{h}, func(ctx context.Context) error { return m.pool.Submit(ctx, h) })
	return g.interrupted(until, h, err)
}

// givenUpError is the error of a GoContext whose context ended while it waited for room.
type givenUpError struct{ err error }

// Error returns the text of the error.
func (e *givenUpError) Error() string { return e.err.Error() }

// Unwrap returns the error.
func (e *givenUpError) Unwrap() error { return e.err }

// interrupted returns the error of a wait of h for room that ended with err. It is a givenUpError if
// the context of GoContext ended the wait, and not that of the group, a cancellation or the pool.
// until is nil for other submits.
func (g *taskGroup) interrupted(until context.Context, h *Handle, err error) error {
	switch {
	case err == nil, until == nil, until.Err() == nil:
	case g.ctx.Err() != nil, h.cancellation() != nil, translated(err) != nil:
	default:
		return &givenUpError{err}
	}
	return err
}

// either returns a context that ends when one of two contexts does, until release is called. It has
// the values of both.
func either(first, second context.Context) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(first)
	stop := context.AfterFunc(second, func() { cancel(cause.Of(second)) })
	return &valuesOfBoth{ctx, second}, func() { stop(); cancel(nil) }
}

// valuesOfBoth is a context that also has the values of another one.
type valuesOfBoth struct {
	context.Context
	other context.Context
}

// Value returns a value of one of the contexts.
func (c *valuesOfBoth) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.other.Value(key)
}

// setUntil notes the context of GoContext that ends the wait of a member for room in the manager.
func (g *taskGroup) setUntil(until context.Context, h *Handle) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.until == nil {
		g.until = make(map[*Handle]context.Context)
	}
	g.until[h] = until
}

// forgetUntil notes that the wait is over.
func (g *taskGroup) forgetUntil(h *Handle) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.until, h)
}

// untilOf returns the group of a task that is being submitted, and the context of GoContext, or nil.
func (h *Handle) untilOf() (g *taskGroup, until context.Context) {
	if h.cfg == nil {
		return nil, nil
	}
	h.word.Lock()
	g, _ = h.cfg.watcher.(*taskGroup)
	h.word.Unlock()
	if g == nil {
		return nil, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g, g.until[h]
}

// addLocked makes the task a member. g.mu must be held.
func (g *taskGroup) addLocked(h *Handle) {
	if g.members == nil {
		g.members = make(map[*Handle]int)
	}
	g.members[h] = g.round.count
	g.round.count++
}

// hasRoomLocked reports whether there may be one more member. g.mu must be held.
func (g *taskGroup) hasRoomLocked() bool {
	return g.cfg.limit == 0 || len(g.members) < g.cfg.limit
}

// admitLocked hands the free places to the submits that have waited longest. It is called when a
// member was removed, and when the limit has changed. g.mu must be held.
func (g *taskGroup) admitLocked() {
	for g.line.Len() > 0 && g.hasRoomLocked() {
		g.addLocked(g.nextEntrantLocked().h)
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
func (g *taskGroup) nextEntrantLocked() *entrant {
	first := g.line.Front()
	if first == nil {
		return nil
	}
	e := g.line.Remove(first).(*entrant)
	close(e.woken)
	return e
}

// groupRoom is the dependency of the submits to a full group. A submit that was woken has it until
// it has removed its wait. Its task is a member then, or the submit is about to return. Such a member
// needs nothing (see [Handle.entersLocked]), and a group that has failed has no line, so tasks
// returns none in both cases.
type groupRoom struct{ *taskGroup }

// one returns true: the end of any member makes room, unless the limit was lowered.
func (groupRoom) one() bool { return true }

// enough returns how many members must end before there is room: one, or more after the limit was
// lowered.
func (r groupRoom) enough() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.enoughLocked())
}

func (r groupRoom) enoughLocked() int { return max(1, len(r.members)-r.cfg.limit+1) }

// tasks returns the members, or none if enough of them need nothing or no submit waits for room. The
// search asks for enough while it goes through them, so they are yielded without the lock.
func (r groupRoom) tasks(w *waitGraph) iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		for _, h := range r.blocking(w) {
			if !yield(h) {
				return
			}
		}
	}
}

// blocking returns the result of tasks.
func (r groupRoom) blocking(w *waitGraph) []*Handle {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.line.Len() == 0 {
		return nil
	}
	free, enough := 0, r.enoughLocked()
	for h := range r.members {
		if !w.free(h) {
			continue
		}
		if free++; free == enough {
			return nil
		}
	}
	return slices.Collect(maps.Keys(r.members))
}

// refuseStuck ends the waits for room that a lower limit has made a deadlock. Those are waits of
// tasks that keep members from ending, while too few others can.
func (g *taskGroup) refuseStuck() {
	stuck := make(map[*Handle]bool)
	w := g.m.lockWaits(g.m)
	for h := range w.waiters[groupRoom{g}] {
		if deadlock.Closes(w, h, dependency(groupRoom{g})) {
			stuck[h] = true
		}
	}
	w.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	for position := g.line.Front(); position != nil; {
		e, next := position.Value.(*entrant), position.Next()
		if e.caller != nil && stuck[e.caller] {
			e.err = fmt.Errorf("taskmanager: wait for room in the group: %w", bare(ErrWouldDeadlock))
			g.line.Remove(position)
			close(e.woken)
		}
		position = next
	}
}
