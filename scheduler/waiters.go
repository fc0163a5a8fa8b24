package scheduler

import (
	"container/list"
	"context"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// waiter is a submitter that waits for room in a pool with a limit.
type waiter[T any] struct {
	items    []T           // items not admitted yet; guarded by the pool's mu
	together bool          // all items are admitted at once
	since    time.Duration // start of the wait; only in a pool with a meter
	refused  error         // error for the submitter, set before admitted is closed
	admitted chan struct{} // closed when all items are admitted or refused is set
	place    *list.Element // in Pool.waiters
}

// awaitAndUnlock queues the caller as a waiter and returns when all items are admitted, the pool
// stops, or ctx ends. It returns the number of admitted items.
//
// A goroutine that makes room pushes the items of the first waiter itself, under the
// lock, and then closes admitted. Submitters are thus served in the order of their
// arrival, and no other submitter can take the room while the waiter wakes up.
func (p *Pool[T]) awaitAndUnlock(ctx context.Context, items []T, together bool) (int, error) {
	if p.phase != open {
		p.mu.Unlock()
		return 0, ErrStopped
	}
	w := &waiter[T]{items: items, together: together, admitted: make(chan struct{})}
	w.since = p.advanceLocked()
	w.place = p.waiters.PushBack(w)
	p.blocked += len(items)
	p.admitWaitersLocked()
	p.dispatchAndUnlock(p.shortLocked()) // there may have been room for the first items of a batch
	select {
	case <-w.admitted:
		return len(items) - len(w.items), w.refused
	case <-ctx.Done():
	}
	p.mu.Lock()
	left := len(w.items)
	if left == 0 || w.refused != nil { // settled just before ctx ended
		p.mu.Unlock()
		return len(items) - left, w.refused
	}
	p.waiters.Remove(w.place)
	p.blocked -= left
	p.admitWaitersLocked() // waiters behind it may need less room
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

// admitWaitersLocked pushes the items of waiters while there is room. Each caller is a worker
// about to pop, or calls rouseLocked afterwards, so a worker comes for the items.
func (p *Pool[T]) admitWaitersLocked() {
	for {
		w := p.firstWaiterLocked()
		if w == nil {
			return
		}
		if w.together && !p.hasRoomLocked(len(w.items)) && !p.desertedLocked() {
			return
		}
		for len(w.items) > 0 && (w.together || p.hasRoomLocked(1)) {
			p.pushLocked(w.items[0])
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

// desertedLocked reports whether the pool has nothing to do. There will never be more room than
// then. A batch that has become too large, for example after a Resize, is admitted at that
// moment, because it would block the waiters behind it forever.
func (p *Pool[T]) desertedLocked() bool {
	return p.queuedLocked() <= 0 && p.busyLocked() == 0 && !p.haltedLocked()
}

// refuseWaitersLocked makes each waiting submitter return reason.
func (p *Pool[T]) refuseWaitersLocked(reason error) {
	for {
		w := p.firstWaiterLocked()
		if w == nil {
			return
		}
		p.waiters.Remove(w.place)
		w.refused = reason
		p.blocked -= len(w.items)
		close(w.admitted)
	}
}
