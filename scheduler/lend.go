package scheduler

import (
	"container/list"
	"time"

	"github.com/seed56799101/taskmanager/internal/goroutine"
)

// A slot is the right of a worker to run an item: there are as many as the maximum
// of workers. An item that waits for another one would keep its slot from that
// one; so it can lend it. Its worker then no longer counts as one, another takes
// its place, and before the item goes on it gets a slot back: a free one, that of
// an idle worker, or that of the next worker which has finished its item.
//
// Invariant: while an item waits for a slot (returning), there are as many workers
// as the ceiling allows, and none is idle: giveSlots is called by whatever could
// change that, and a worker that comes back from its item leaves.

// lease is a slot that was lent. The pool's mu guards it.
type lease[T any] struct {
	w     *worker[T]
	waits int           // goroutines of the item that wait still
	since time.Duration // when it was lent; only in a pool with a meter
	back  chan struct{} // closed when whoever waits for a slot may go on; nil: nobody does
	place *list.Element // in Pool.returning, while back is open
	ended bool          // the item has got its slot back, or is over
}

// Lend gives up the slot of a worker while its item waits, so that others can run
// meanwhile, for instance the one that it waits for. It is called by the item,
// or on its behalf, with the number of its worker. The item calls resume when the
// wait is over; that waits in turn until there is a slot again, so there are no
// more items under way than the maximum of workers, those that wait not counted.
// But when hurry is closed, the item goes on without a slot: it may be the only one to
// end those that keep it from getting one. The next worker that has finished leaves
// in return.
//
// Several goroutines of one item may lend: the slot is lent from the first Lend on
// until the last resume. If holds is not nil and does not hold for what the worker
// runs (it is called with the pool locked), Lend does nothing, nor does it for
// worker 0, which is nobody's. If the item ends first, resume does nothing.
func (p *Pool[T]) Lend(worker int32, holds func(item T) bool) (resume func(hurry <-chan struct{})) {
	p.mu.Lock()
	w := p.workerOf(worker)
	if w == nil || !w.busy || holds != nil && !holds(w.item) {
		p.mu.Unlock()
		return func(<-chan struct{}) {}
	}
	l := w.lease
	switch {
	case l == nil:
		l = &lease[T]{w: w}
		w.lease = l
		p.giveUpSlot(l)
	case l.back != nil: // another goroutine of the item wants to go on, and need not wait
		p.returning.Remove(l.place)
		close(l.back)
		l.back = nil
	}
	l.waits++
	p.dispatch() // unlocks
	return func(hurry <-chan struct{}) { p.resume(l, hurry) }
}

// HasLent reports whether the item of a worker has lent its slot, or waits for one. If
// holds does not hold for the item, the answer is no.
func (p *Pool[T]) HasLent(worker int32, holds func(item T) bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.workerOf(worker)
	return w != nil && w.lease != nil && holds(w.item)
}

// workerOf is the live worker of a number, or nil. mu is held.
func (p *Pool[T]) workerOf(id int32) *worker[T] {
	if id < 1 || int(id) > len(p.live) {
		return nil
	}
	return p.live[id-1]
}

// giveUpSlot makes the slot free, and has another worker use it if there is work
// for one: how many there should be is not a new question for the scaler. mu is held.
func (p *Pool[T]) giveUpSlot(l *lease[T]) {
	if p.meter != nil {
		l.since = p.meter.advance(p)
	}
	p.closeInbox() // it is for a pool that cannot grow
	p.workers--
	p.lent++
	p.giveSlots()
	p.admitWaiters()
	p.growTo(min(p.min, p.ceiling))
	if !p.halted() && p.queued()-p.held()+p.blocked > p.free() {
		p.growTo(min(p.workers+1, p.ceiling))
	}
}

// resume gets a slot back for an item, or, in a hurry, has it go on without.
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
	p.giveSlots()
	var leaving []*worker[T]
	if l.back != nil {
		leaving = p.dismissSpare(min(1, p.spare())) // gives the slot
	}
	p.watchIdle() // there may be a worker too many now
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
			p.restore(l)
		}
		p.mu.Unlock()
	}
}

// endLease is for an item that has ended while a goroutine of it still waits. Its
// worker counts again; if it is one too many, it leaves. mu is held.
func (p *Pool[T]) endLease(w *worker[T]) {
	l := w.lease
	if l.back != nil {
		p.returning.Remove(l.place)
	}
	p.restore(l)
}

// restore counts a worker in again, with its item. mu is held.
func (p *Pool[T]) restore(l *lease[T]) {
	if p.meter != nil {
		l.w.startedAt += p.meter.advance(p) - l.since // it did not run meanwhile
	}
	p.workers++
	p.lent--
	l.w.lease, l.ended = nil, true
	if l.back != nil {
		close(l.back)
		l.back = nil
	}
}

// giveSlots gives free slots to the items that want one back, in the order in
// which they came. mu is held.
func (p *Pool[T]) giveSlots() {
	for p.workers < p.ceiling && p.returning.Len() > 0 {
		l := p.returning.Remove(p.returning.Front()).(*lease[T])
		p.restore(l)
	}
}

// Caller is an item on whose behalf a goroutine runs, and the number of its worker.
type Caller[T any] struct {
	Worker int32 // 0: whoever has submitted the item runs it, under CallerRuns
	Item   T     // that it runs
}

// Callers lists the items on whose behalf the calling goroutine runs: the item that
// it executes, if it is the goroutine of a worker; and, where that is executed by
// whoever has submitted it, the item that did so, and so on. It lists nothing for
// other goroutines, and unless Config.TrackCallers is set. It takes some microseconds.
func (p *Pool[T]) Callers() (list []Caller[T]) {
	for id, ok := goroutine.ID(), true; ok; id, ok = goroutine.Principal(id) {
		if w, found := p.callers.Of(id); found {
			// The item is set by the goroutine itself, or before it starts or is woken.
			list = append(list, Caller[T]{w.id, w.item})
		}
	}
	return list
}
