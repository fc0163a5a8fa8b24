package scheduler

import (
	"container/list"
	"context"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/scheduler/internal/multiset"
)

// A submitter that waits for room puts its items into the queue at once, all items of a
// SubmitTogether and otherwise the next one. The discipline thus orders the items of all
// submitters, and the limit bounds the items whose submits have returned. A submitter is
// admitted when there is room, the one that has waited longest first, or when one of its
// items leaves the queue, because a worker takes it or the queue gives it up.
//
// If a submitter gives up, its items stay in the queue like withdrawn ones: they are counted
// in withdrawn, and skipped or swept.
//
// When an item leaves the queue, early says whether its submitter waits or has given up.
// Equal items are interchangeable. Items that a set cannot hold, such as functions, wait in
// line outside the queue until there is room.
//
// Invariants, under mu:
//
//   - early has an entry for each item in the queue whose submitter waits, which is the value
//     of the entry, and for each whose submitter has given up, with the value nil. The latter
//     come first among equal items. pending is the number of the former.
//   - If a submitter waits, and is not in entering, its next items are in the queue, or the
//     set cannot hold them.
//   - If no submitter waits, pending is 0.

// waiter is a submitter that waits for room in a pool with a limit. The pool's mu guards it.
type waiter[T any] struct {
	items    []T                          // not admitted yet
	together bool                         // all items are admitted at once
	entries  []multiset.Entry[*waiter[T]] // in early, of the items that are in the queue; empty if none is
	since    time.Duration                // start of the wait, by waitClockLocked; only in a pool with a meter
	refused  error                        // error for the submitter, set before admitted is closed
	admitted chan struct{}                // closed when all items are admitted or refused is set
	place    *list.Element                // in Pool.waiters; nil when the wait is over
}

// next returns the items that are admitted next.
func (w *waiter[T]) next() []T {
	if w.together {
		return w.items
	}
	return w.items[:1]
}

// awaitAndUnlock makes the caller a waiter and returns when all items are admitted, the pool
// stops, or ctx ends. It returns the number of admitted items.
func (p *Pool[T]) awaitAndUnlock(ctx context.Context, items []T, together bool) (int, error) {
	if p.phase != open {
		p.mu.Unlock()
		return 0, ErrStopped
	}
	w := &waiter[T]{items: items, together: together, admitted: make(chan struct{})}
	w.since = p.waitClockLocked()
	w.place = p.waiters.PushBack(w)
	p.blocked += len(items)
	p.entering = append(p.entering, w)
	p.admitWaitersLocked()
	p.dispatchAndUnlock(p.shortLocked())
	select {
	case <-w.admitted:
		return len(items) - len(w.items), w.refused
	case <-ctx.Done():
	}
	p.mu.Lock()
	left := len(w.items)
	if w.place == nil { // settled just before ctx ended
		p.mu.Unlock()
		return len(items) - left, w.refused
	}
	p.endWaitLocked(w)
	p.sweepIfDueLocked()
	p.admitWaitersLocked() // waiters behind it may need less room
	p.noteQuietLocked()
	p.dispatchAndUnlock(p.shortLocked())
	return len(items) - left, cause.Of(ctx)
}

// firstWaiterLocked returns the submitter that has waited longest, or nil.
func (p *Pool[T]) firstWaiterLocked() *waiter[T] {
	if p.waiters.Len() == 0 {
		return nil
	}
	return p.waiters.Front().Value.(*waiter[T])
}

// admitWaitersLocked admits waiters while there is room, and puts their next items into the
// queue. No other submitter can take the room while a waiter wakes up. Each caller is a
// worker about to pop, or calls rouseLocked afterwards, so a worker comes for the items.
func (p *Pool[T]) admitWaitersLocked() {
	for p.enterLocked(); p.waiters.Len() > 0; p.enterLocked() {
		w := p.firstWaiterLocked()
		if !p.hasRoomForLocked(w) {
			return
		}
		p.admitLocked(w)
	}
}

// hasRoomForLocked reports whether there is room for the next items of the first waiter.
//
// If they are in the queue, free workers do not count: a worker may take the item of
// another waiter instead. A worker that takes an item of w admits w.
func (p *Pool[T]) hasRoomForLocked(w *waiter[T]) bool {
	n := len(w.next())
	if len(w.entries) > 0 {
		return p.queuedLocked()+n <= p.cfg.Limit
	}
	return p.hasRoomLocked(n) || w.together && p.desertedLocked()
}

// admitLocked accepts the next items of a waiter.
func (p *Pool[T]) admitLocked(w *waiter[T]) {
	next := w.next()
	if len(w.entries) == 0 {
		for _, item := range next {
			p.pushLocked(item)
		}
	} else {
		p.pending -= len(next)
		p.counts.submitted += uint64(len(next))
		p.forgetLocked(w)
	}
	p.blocked -= len(next)
	w.items = w.items[len(next):]
	if len(w.items) > 0 {
		p.entering = append(p.entering, w)
		return
	}
	p.waiters.Remove(w.place)
	w.place = nil
	close(w.admitted)
}

// forgetLocked removes the entries of a waiter, of which one may have been removed.
func (p *Pool[T]) forgetLocked(w *waiter[T]) {
	for i := range w.entries {
		p.early.Remove(&w.entries[i])
	}
	w.entries = w.entries[:0]
}

// enterLocked puts the next items of the waiters in entering into the queue. An item that the
// queue cannot take may add its waiter to entering again.
func (p *Pool[T]) enterLocked() {
	for i := 0; i < len(p.entering); i++ {
		w := p.entering[i]
		p.entering[i] = nil
		if w.place != nil && w.identifiable() {
			p.enterNextLocked(w)
		}
	}
	p.entering = p.entering[:0]
}

// identifiable reports whether the pool can find out in early to whom the next items belong.
func (w *waiter[T]) identifiable() bool {
	for _, item := range w.next() {
		if !multiset.CanHold(item) {
			return false
		}
	}
	return true
}

// enterNextLocked puts the next items of a waiter into the queue.
func (p *Pool[T]) enterNextLocked(w *waiter[T]) {
	next := w.next()
	if cap(w.entries) < len(next) {
		w.entries = make([]multiset.Entry[*waiter[T]], len(next))
	}
	w.entries = w.entries[:len(next)]
	for i, item := range next {
		p.early.Add(&w.entries[i], item, w)
	}
	p.pending += len(next)
	for _, item := range next {
		p.insertLocked(item) // admits w if the queue cannot take the item
	}
}

// leftLocked notes that an item has left the queue, for whatever reason. It admits the
// submitter of the item if that waits, and returns false if it has given up. The caller must
// call enterLocked or admitWaitersLocked when the queue can take items again.
func (p *Pool[T]) leftLocked(item T) bool {
	if p.early.Empty() {
		return true
	}
	e := p.early.First(item)
	if e == nil {
		return true
	}
	w := e.Value
	p.early.Remove(e)
	if w != nil {
		p.admitLocked(w)
	}
	return w != nil
}

// endWaitLocked removes a waiter whose items are not admitted.
func (p *Pool[T]) endWaitLocked(w *waiter[T]) {
	p.advanceLocked()
	p.waiters.Remove(w.place)
	w.place = nil
	p.blocked -= len(w.items)
	for i := range w.entries {
		e := &w.entries[i]
		e.Value = nil
		p.early.ToFront(e)
	}
	p.pending -= len(w.entries)
	p.withdrawn += len(w.entries)
	p.tellRoomLocked()
}

// desertedLocked reports whether the pool has nothing to do. There will never be more room than
// then. A batch outside the queue that has become too large, for example by a Resize, is
// admitted at that moment, because it would block the waiters behind it forever.
func (p *Pool[T]) desertedLocked() bool {
	return p.queuedLocked() <= 0 && p.busyLocked() == 0 && !p.haltedLocked()
}

// refuseWaitersLocked makes each waiting submitter return reason.
func (p *Pool[T]) refuseWaitersLocked(reason error) {
	for w := p.firstWaiterLocked(); w != nil; w = p.firstWaiterLocked() {
		p.endWaitLocked(w)
		w.refused = reason
		close(w.admitted)
	}
}
