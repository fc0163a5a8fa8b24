package scheduler

import (
	"sync"
	"sync/atomic"

	"github.com/seed56799101/taskmanager/queue"
)

// inbox is a second queue, with a lock of its own, in which submitters leave items while
// they need do nothing else: the pool cannot grow, and each worker is busy or one that was
// woken is on its way to the queue.
//
// The inbox exists for speed. Two processors that take turns at one lock exchange its cache
// lines for each item, which costs several times the work under the lock. With the inbox,
// submitters share one lock and workers share another. The two sides meet only when a worker
// that has emptied the queue takes all items from the inbox.
//
// Invariants:
//
//   - open changes only under both locks. The pool's mu is taken first.
//   - While open is false, the inbox is empty.
//   - While open is true, the pool accepts items and has as many workers as the ceiling
//     allows. Before a worker parks or leaves, and before an idle worker stays unwoken, the
//     inbox is closed. So a worker always comes for an item in the inbox.
type inbox[T any] struct {
	_     [cacheLine]byte
	mu    sync.Mutex
	open  atomic.Bool
	limit int // largest number of items; 0 means no limit
	items queue.FIFO[T]
	_     [cacheLine]byte
}

// inboxLimit is the limit of an inbox whose queue is not a FIFO. A worker moves the items to
// such a queue one by one, with both locks held.
const inboxLimit = 1024

// takesLocked reports whether n more items may be left. It requires the lock of the inbox.
func (in *inbox[T]) takesLocked(n int) bool {
	return in.open.Load() && (in.limit == 0 || in.items.Len()+n <= in.limit)
}

// offer leaves an item if the inbox is open, and reports whether it did. The first check,
// without the lock, may miss that the inbox was just opened. The path through the pool's
// mu, which the caller takes then, is always correct.
//
// It is inlined: while the inbox is closed, a submit pays for no call.
func (in *inbox[T]) offer(item T) bool { return in.open.Load() && in.leave(item) }

// leave is offer for an inbox that seems to be open.
func (in *inbox[T]) leave(item T) bool {
	in.mu.Lock()
	if !in.takesLocked(1) {
		in.mu.Unlock()
		return false
	}
	in.items.Push(item)
	in.mu.Unlock()
	return true
}

// offerAll leaves all items, or none, if the inbox is open.
func (in *inbox[T]) offerAll(items []T) bool {
	if !in.open.Load() {
		return false
	}
	in.mu.Lock()
	if !in.takesLocked(len(items)) {
		in.mu.Unlock()
		return false
	}
	in.items.PushAll(items)
	in.mu.Unlock()
	return true
}

// openInboxLocked lets submitters leave items without mu, if a worker is sure to come and
// nothing depends on the moment of arrival. A discipline that holds items back would see the
// end of an item before items that arrived earlier.
func (p *Pool[T]) openInboxLocked() {
	if p.inboxOpen || p.cfg.Limit != 0 || p.meter != nil || p.clocked != nil || p.holder != nil {
		return
	}
	if p.phase != open || p.paused || p.workers < p.ceiling || p.readyLocked() {
		return
	}
	p.inboxOpen = true
	p.inbox.mu.Lock()
	p.inbox.open.Store(true)
	p.inbox.mu.Unlock()
}

// closeInboxLocked makes submitters take mu again, and moves their items to the queue. It
// reports whether there were any.
func (p *Pool[T]) closeInboxLocked() bool {
	if !p.inboxOpen {
		return false
	}
	p.inboxOpen = false
	return p.takeInboxLocked(false)
}

// shutInboxLocked makes submitters take mu again, for a pool that stops, and returns their
// items.
func (p *Pool[T]) shutInboxLocked() (items queue.FIFO[T]) {
	p.inboxOpen = false
	in := &p.inbox
	in.mu.Lock()
	defer in.mu.Unlock()
	in.open.Store(false)
	items, in.items = in.items, items
	p.counts.submitted += uint64(items.Len()) //nolint:gosec // a length is not negative
	return items
}

// absorbInboxLocked moves the items of the inbox to the queue.
func (p *Pool[T]) absorbInboxLocked() {
	if p.inboxOpen {
		p.takeInboxLocked(true)
	}
}

// inboxLenLocked returns the number of items in the inbox.
func (p *Pool[T]) inboxLenLocked() int {
	if !p.inboxOpen {
		return 0
	}
	p.inbox.mu.Lock()
	defer p.inbox.mu.Unlock()
	return p.inbox.items.Len()
}

// takeInboxLocked moves the items of the inbox to the queue and sets whether the inbox is
// open. It reports whether there were any.
func (p *Pool[T]) takeInboxLocked(open bool) bool {
	in := &p.inbox
	in.mu.Lock()
	defer in.mu.Unlock()
	in.open.Store(open)
	n := in.items.Len()
	p.counts.submitted += uint64(n) //nolint:gosec // a length is not negative
	if p.fifo != nil && p.fifo.Len() == 0 {
		*p.fifo, in.items = in.items, *p.fifo
		return n > 0
	}
	for {
		item, ok := in.items.Pop()
		if !ok {
			return n > 0
		}
		p.enqueueLocked(item)
	}
}
