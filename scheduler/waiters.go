package scheduler

import (
	"container/list"
	"context"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// waiter is a submitter that waits for room in a bounded pool.
type waiter[T any] struct {
	items    []T           // what it has left to submit; guarded by the pool's mu
	together bool          // they are let in all at once
	since    time.Duration // when it began to wait; only in a pool with a meter
	refused  error         // why it waits no more, set before admitted is closed
	admitted chan struct{} // closed when all its items are in, or refused is set
	place    *list.Element // in Pool.waiters
}

// await queues the caller for room and waits until all items were pushed, the
// pool stops, or ctx ends. It returns how many were pushed. It is called with
// mu held and lets go of it; done is ctx's.
//
// Whoever makes room pushes the items of the waiter at the front, under the
// lock, and only then tells it. So submitters are served in the order in which
// they came, and room cannot be snatched from one that is still waking up.
func (p *Pool[T]) await(ctx context.Context, done <-chan struct{}, items []T, together bool) (int, error) {
	if p.phase != open {
		p.mu.Unlock()
		return 0, ErrStopped
	}
	w := &waiter[T]{items: items, together: together, admitted: make(chan struct{})}
	if p.meter != nil {
		w.since = p.meter.advance(p)
	}
	w.place = p.waiters.PushBack(w)
	p.blocked += len(items)
	p.admitWaiters()
	p.dispatch() // unlocks; a batch may have found room for its first items
	select {
	case <-w.admitted:
		return len(items) - len(w.items), w.refused
	case <-done:
	}
	p.mu.Lock()
	left := len(w.items)
	if left == 0 || w.refused != nil { // settled just before ctx ended
		p.mu.Unlock()
		return len(items) - left, w.refused
	}
	p.waiters.Remove(w.place)
	p.blocked -= left
	p.admitWaiters() // those behind it may need less room
	p.dispatch()
	return len(items) - left, cause.Of(ctx)
}

// firstWaiter is the submitter that has waited longest, or nil. mu is held.
func (p *Pool[T]) firstWaiter() *waiter[T] {
	if p.waiters.Len() == 0 {
		return nil
	}
	return p.waiters.Front().Value.(*waiter[T])
}

// admitWaiters pushes what waits for room while there is room. mu is held. Its
// callers see to it that a worker comes for what was pushed: they are workers
// about to pop, or end in rouse.
func (p *Pool[T]) admitWaiters() {
	for {
		w := p.firstWaiter()
		if w == nil {
			return
		}
		if w.together && !p.hasRoom(len(w.items)) && !p.deserted() {
			return
		}
		for len(w.items) > 0 && (w.together || p.hasRoom(1)) {
			p.push(w.items[0])
			w.items = w.items[1:]
			p.blocked--
		}
		if len(w.items) > 0 {
			return
		}
		p.waiters.Remove(w.place)
		close(w.admitted)
	}
}

// deserted reports whether the pool has nothing to do. There will never be more room
// then, for instance after a Resize, so a batch that is too large for it is let in all
// the same. mu is held.
func (p *Pool[T]) deserted() bool { return p.queued() <= 0 && p.busy() == 0 && !p.halted() }

// Blocked reports whether an item for which is holds waits for room, with its
// submitter. is is called with the pool locked.
func (p *Pool[T]) Blocked(is func(item T) bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for e := p.waiters.Front(); e != nil; e = e.Next() {
		if slices.ContainsFunc(e.Value.(*waiter[T]).items, is) {
			return true
		}
	}
	return false
}

// refuseWaiters sends every waiter away. mu is held.
func (p *Pool[T]) refuseWaiters(reason error) {
	for {
		w := p.firstWaiter()
		if w == nil {
			return
		}
		p.waiters.Remove(w.place)
		w.refused = reason
		p.blocked -= len(w.items)
		close(w.admitted)
	}
}
