package scheduler

import (
	"sync"
	"sync/atomic"

	"github.com/seed56799101/taskmanager/queue"
)

// inbox is where submitters leave items while there is nothing else for them to
// do: every worker that there may be is there, and each is busy or one that was
// woken is on its way to look.
//
// It exists for speed. Two cores that take turns at one lock exchange the cache
// lines behind it for every item, which costs several times the work done under
// it. With the inbox, submitters share a lock with each other, workers share one
// with each other, and the two sides meet only when a worker has emptied the
// queue and takes over all that has come in meanwhile.
//
// Invariants. open changes only under both locks (the pool's mu is taken
// first). While it is false the inbox is empty. While it is true, the pool takes
// work, all workers that the maximum allows are there, and no worker parks or
// leaves, nor does an idle one stay unwoken, without closing it first. So an
// item left in an open inbox is always seen by some worker.
type inbox[T any] struct {
	_     [cacheLine]byte
	mu    sync.Mutex
	open  atomic.Bool
	limit int // the most items that it takes; 0: any number
	items queue.FIFO[T]
	_     [cacheLine]byte
}

// inboxLimit is how many items an inbox takes before a queue that is no FIFO, so that
// the worker that moves them there one by one does not keep everybody waiting.
const inboxLimit = 1024

// takes reports whether n more items may be left. in.mu is held.
func (in *inbox[T]) takes(n int) bool {
	return in.open.Load() && (in.limit == 0 || in.items.Len()+n <= in.limit)
}

// offer leaves an item if the inbox is open. A look without the lock may miss that it was
// opened just now; the other way to the workers is always right.
func (in *inbox[T]) offer(item T) bool {
	if !in.open.Load() {
		return false
	}
	in.mu.Lock()
	if !in.takes(1) {
		in.mu.Unlock()
		return false
	}
	in.items.Push(item)
	in.mu.Unlock()
	return true
}

// offerAll leaves several items if the inbox is open.
func (in *inbox[T]) offerAll(items []T) bool {
	if !in.open.Load() {
		return false
	}
	in.mu.Lock()
	if !in.takes(len(items)) {
		in.mu.Unlock()
		return false
	}
	in.items.PushAll(items)
	in.mu.Unlock()
	return true
}

// openInbox lets submitters leave items without taking mu, if nothing depends
// on the moment of their arrival, and a worker is sure to look. (A discipline that
// holds items back would see an end before items that came earlier.) mu is held.
func (p *Pool[T]) openInbox() {
	if p.inboxOpen || p.cfg.Limit != 0 || p.meter != nil || p.clocked != nil || p.holder != nil {
		return
	}
	if p.phase != open || p.paused || p.workers < p.ceiling || p.ready() {
		return
	}
	p.inboxOpen = true
	p.inbox.mu.Lock()
	p.inbox.open.Store(true)
	p.inbox.mu.Unlock()
}

// closeInbox makes submitters take mu again, and takes over what they left. It
// reports whether there was anything. mu is held.
func (p *Pool[T]) closeInbox() bool {
	if !p.inboxOpen {
		return false
	}
	p.inboxOpen = false
	return p.takeInbox(false)
}

// absorb takes over what submitters have left. mu is held.
func (p *Pool[T]) absorb() {
	if p.inboxOpen {
		p.takeInbox(true)
	}
}

// inboxLen is the number of items that submitters have left. mu is held.
func (p *Pool[T]) inboxLen() int {
	if !p.inboxOpen {
		return 0
	}
	p.inbox.mu.Lock()
	defer p.inbox.mu.Unlock()
	return p.inbox.items.Len()
}

// takeInbox moves the items into the queue and leaves the inbox open or not. mu is held.
func (p *Pool[T]) takeInbox(open bool) bool {
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
		p.enqueue(item)
	}
}
