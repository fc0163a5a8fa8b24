package scheduler

import (
	"container/list"
	"time"
)

// A slot is the right of a worker to run an item. There are as many slots as the maximum of
// workers. An item that waits for another item occupies a slot that the other one may
// need, so it can lend its slot: its worker no longer counts, and another worker takes its
// place. Before the item continues, it gets back a free slot, that of an idle worker, or
// that of the next worker that finishes its item.
//
// Invariant: while an item waits to get a slot back (returning), there are as many workers
// as the ceiling allows and none of them is idle. Each change that could violate this calls
// giveSlotsLocked, and a worker that finishes its item leaves.

// lease is a slot that was lent. The pool's mu guards it.
type lease[T any] struct {
	w     *worker[T]
	waits int           // goroutines of the item that still wait
	since time.Duration // time of the lending; only in a pool with a meter
	back  chan struct{} // closed when the item has a slot again; nil while it does not ask for one
	place *list.Element // in Pool.returning, while back is open
	ended bool          // the item has its slot back or has ended
}

// workerOfLocked returns the worker with the given number, or nil.
func (p *Pool[T]) workerOfLocked(id int32) *worker[T] {
	if id < 1 || int(id) > len(p.live) {
		return nil
	}
	return p.live[id-1]
}

// giveUpSlotLocked frees the slot and adds a worker to use it if items wait. It does not ask the
// scaler, since the number of workers that should run does not change.
func (p *Pool[T]) giveUpSlotLocked(l *lease[T]) {
	l.since = p.advanceLocked()
	p.closeInboxLocked() // it may be open only while the pool cannot grow
	p.workers--
	p.lent++
	p.noteLentLocked(l.w.item, true)
	p.giveSlotsLocked()
	p.admitWaitersLocked()
	p.growToLocked(min(p.min, p.ceiling))
	if !p.haltedLocked() && p.demandLocked() > p.freeLocked() {
		p.growToLocked(min(p.workers+1, p.ceiling))
	}
	p.tellRoomLocked()
}

// resume waits until the item has a slot again. If hurry is closed first, the item
// continues without a slot, as if the maximum had just been lowered.
func (p *Pool[T]) resume(l *lease[T], hurry <-chan struct{}) {
	p.mu.Lock()
	l.waits--
	if l.ended || l.waits > 0 {
		p.mu.Unlock()
		return
	}
	back := make(chan struct{})
	l.back = back
	l.place = p.returning.PushBack(l)
	p.giveSlotsLocked()
	var leaving []*worker[T]
	if l.back != nil {
		leaving = p.dismissSpareLocked(min(1, p.spareLocked())) // which gives its slot to the item
	}
	p.watchIdleLocked() // an idle worker may now be above the minimum
	p.mu.Unlock()
	for _, w := range leaving {
		p.signal(w)
	}
	select {
	case <-back:
	case <-hurry:
		p.mu.Lock()
		if l.back == back {
			p.returning.Remove(l.place)
			p.restoreLocked(l)
		}
		p.mu.Unlock()
	}
}

// endLeaseLocked ends the lease of an item that has ended while one of its goroutines still
// waits. Its worker counts again, and leaves if there are too many.
func (p *Pool[T]) endLeaseLocked(w *worker[T]) {
	l := w.lease
	if l.back != nil {
		p.returning.Remove(l.place)
	}
	p.restoreLocked(l)
}

// restoreLocked makes the worker of a lease, which runs an item, count again.
func (p *Pool[T]) restoreLocked(l *lease[T]) {
	if p.meter != nil {
		l.w.startedAt += p.advanceLocked() - l.since // lent time is not service time
	}
	p.workers++
	p.lent--
	p.noteLentLocked(l.w.item, false)
	l.w.lease, l.ended = nil, true
	if l.back != nil {
		close(l.back)
		l.back = nil
	}
}

// giveSlotsLocked gives free slots to the items that wait for one, in the order in which they
// asked.
func (p *Pool[T]) giveSlotsLocked() {
	for p.workers < p.ceiling && p.returning.Len() > 0 {
		l := p.returning.Remove(p.returning.Front()).(*lease[T])
		p.restoreLocked(l)
	}
}

// noteLentLocked tells the queue that an item has lent its slot, or has it back. The caller must
// call rouseLocked afterwards if it has lent it, which may let items run that the queue has held
// back. What the queue discards is collected after the next call of it.
func (p *Pool[T]) noteLentLocked(item T, lends bool) {
	if p.lender != nil {
		p.tickLocked()
		p.lender.Lent(item, lends)
	}
}
