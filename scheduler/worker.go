package scheduler

import (
	"context"
	"runtime/pprof"
	"time"
)

// worker is a goroutine that runs items, with its state. The pool's mu guards the fields, but
// the goroutine itself may read the fields that only it writes. There may be many thousands of
// workers whose items wait, so the struct is small: 48 bytes with an item of 8.
type worker[T any] struct {
	item      T             // the running item, while busy
	startedAt time.Duration // time at which it took the item; only in a pool with a meter
	lease     *lease[T]     // nil unless its item has lent the slot
	place     *place        // where it parks; nil before it does so for the first time
	id        int32
	patience  patience // backoff at mu
	busy      bool
	dormant   bool // its goroutine has not locked mu yet
	running   bool // in the run function; tells mend a crash of the item from others
	failed    bool // MarkFailed was called for the item
	dismissed bool // no longer counts; it only has to return
	returned  bool // has left its loop, so mend has nothing to do
}

// place is where a worker parks.
type place struct {
	wake  chan struct{} // of capacity 1; each signal follows a removal from the idle stack
	since time.Time     // start of the idle time; only in a pool that can shrink
}

// work is the loop of a worker.
func (p *Pool[T]) work(w *worker[T]) {
	// Without this, profiles would attribute the worker's time to the goroutine that started it.
	pprof.SetGoroutineLabels(context.Background())
	if p.cfg.Hooks.TrackCallers || p.cfg.Limit != 0 && p.cfg.Overflow == Block {
		defer p.callers.Register(w)() // until after mend, which calls Crashed
	}
	defer p.mend(w)
	p.mu.Lock()
	if w.dormant {
		p.giveWayLocked()
		w.dormant = false
		p.starting = false
	}
	if w.running { // this goroutine replaces one that crashed
		w.running, w.failed = false, true
		p.finishLocked(w)
	}
	for {
		item, ok := p.takeLocked(w)
		if !ok {
			if p.leavesLocked(w) {
				p.retireAndUnlock(w)
				return
			}
			if p.parkLocked(w) {
				// The wait is here and not in parkLocked, because a processor mispredicts each
				// return to a function that was called before the switch of goroutines. One
				// function less saved 4 % of the time from submit to start.
				p.mu.Unlock()
				<-w.place.wake
				p.mu.Lock()
				if !w.dismissed { // woken by rouseLocked
					p.waking = false
				}
			}
			continue
		}
		next := p.rouseLocked()
		p.mu.Unlock()
		p.signal(next)

		w.running = true
		p.run(w.id, item)
		w.running = false

		if !p.mu.TryLock() {
			w.patience.lock(&p.mu, &p.held, p.inbox.open.Load()) // while the inbox is open, submitters do not lock mu
		}
		p.finishLocked(w)
	}
}

// takeLocked pops an item for w to run. It returns false if there is none or w must not take
// one. It may release mu and lock it again.
func (p *Pool[T]) takeLocked(w *worker[T]) (item T, ok bool) {
	if w.dismissed || p.workers > p.ceiling || p.returning.Len() > 0 || p.haltedLocked() {
		return item, false
	}
	if !p.plain || p.fifo.Len() == 0 || p.withdrawn != 0 {
		return p.takeSlowLocked(w)
	}
	item, _ = p.fifo.Pop()
	if p.cfg.Hooks.Claim != nil && !p.cfg.Hooks.Claim(item) {
		p.skipLocked(item)
		return p.takeSlowLocked(w)
	}
	w.item, w.busy = item, true
	p.counts.started++
	return item, true
}

// takeSlowLocked is takeLocked for all other cases: the queue is empty, some items are
// withdrawn, or the pool is not plain.
func (p *Pool[T]) takeSlowLocked(w *worker[T]) (item T, ok bool) {
	w.item = item // zero, since the last item has ended
	if p.waiters.Len() > 0 {
		p.admitWaitersLocked()
	}
	p.tickLocked()
	now := p.advanceLocked()
	if p.fifo == nil || p.fifo.Len() == 0 {
		p.absorbInboxLocked() // a FIFO does not need an item before its turn
	}
	for {
		item, ok = p.popLocked()
		if !ok || p.claimLocked(item) {
			break
		}
		p.skipLocked(item)
	}
	if ok {
		w.startedAt = now
		p.meter.start(now - p.pauses.total) // the pool is not paused now
		w.item, w.busy = item, true
		p.counts.started++
	}
	discarded := p.collectDiscardedLocked()
	p.sweepRestLocked()
	if ok && p.waiters.Len() > 0 {
		p.admitWaitersLocked()
	}
	dropped := p.takeDiscardedLocked()
	if dropped != nil {
		next := p.rouseLocked()
		p.mu.Unlock()
		p.signal(next)
		p.report(dropped)
		p.mu.Lock()
	}
	if !ok && (discarded || dropped != nil) {
		return p.takeLocked(w) // waiters or Dropped may have added items meanwhile
	}
	return item, ok
}

// popLocked pops an item from the queue. It calls the default queue directly, without the
// interface.
func (p *Pool[T]) popLocked() (T, bool) {
	if p.fifo != nil {
		return p.fifo.Pop()
	}
	return p.queue.Pop()
}

// lenLocked returns the length of the queue. Most dispatches call it several times, so it calls
// the default queue directly too.
func (p *Pool[T]) lenLocked() int {
	if p.fifo != nil {
		return p.fifo.Len()
	}
	return p.queue.Len()
}

// claimLocked makes an item that has left the queue the caller's. It returns false for an item
// that was withdrawn, or whose submitter has given up; the caller must decrement withdrawn.
func (p *Pool[T]) claimLocked(item T) bool {
	return p.leftLocked(item) && (p.cfg.Hooks.Claim == nil || p.cfg.Hooks.Claim(item))
}

// skipLocked accounts for a withdrawn item that was popped.
func (p *Pool[T]) skipLocked(item T) {
	p.withdrawn--
	p.meter.leave()
	if p.finisher != nil {
		p.finishedLocked(item, false)
	}
}

// finishedLocked tells the queue that a popped item has ended, and whether it ran.
func (p *Pool[T]) finishedLocked(item T, ran bool) {
	p.tickLocked()
	demand := 0
	if p.holder != nil {
		demand = p.demandLocked()
	}
	p.finisher.Finish(item, ran)
	p.collectDiscardedLocked()
	// The worker that ran the item takes one of those that may run now, which is not enough if
	// several may, or if it has also queued one. Nobody else asks for workers on their behalf.
	if p.holder != nil && p.demandLocked() > demand && p.shortLocked() {
		p.askSoonLocked()
	}
}

// finishLocked records that the item of w has ended.
func (p *Pool[T]) finishLocked(w *worker[T]) {
	if p.plain && w.lease == nil && !w.failed {
		p.counts.completed++
	} else {
		p.finishSlowLocked(w)
	}
	w.busy = false
}

// finishSlowLocked is the part of finishLocked for an item that has failed or has a lease, or
// a pool that is not plain.
func (p *Pool[T]) finishSlowLocked(w *worker[T]) {
	if p.meter != nil {
		p.meter.finish(p.advanceLocked() - w.startedAt)
	}
	p.countEndLocked(w.failed)
	w.failed = false
	if w.lease != nil {
		p.endLeaseLocked(w)
	}
	if p.finisher != nil {
		p.finishedLocked(w.item, true)
	}
	p.tellRoomLocked()
}

// countEndLocked counts the end of an item that ran.
func (p *Pool[T]) countEndLocked(failed bool) {
	if failed {
		p.rare.failed++
	} else {
		p.counts.completed++
	}
}

// leavesLocked reports whether w must leave the pool.
func (p *Pool[T]) leavesLocked(w *worker[T]) bool {
	return w.dismissed || p.workers > p.ceiling || p.returning.Len() > 0 || p.phase == stopped ||
		p.phase == draining && p.lenLocked() == 0
}

// parkLocked puts w on the idle stack, unless the inbox has items. If it returns true, the
// caller must release mu and wait for the signal.
func (p *Pool[T]) parkLocked(w *worker[T]) bool {
	if p.closeInboxLocked() {
		return false
	}
	if w.place == nil { // a worker that never parks, such as one of a short burst, needs none
		w.place = &place{wake: make(chan struct{}, 1)}
	}
	if p.min < p.max { // workers of a pool of fixed size never expire
		w.place.since = time.Now()
	}
	var none T
	w.item = none // so that it can be collected
	p.idle = append(p.idle, w)
	p.watchIdleLocked()
	if len(p.quiet) > 0 {
		p.noteQuietLocked()
	}
	return true
}

// retireAndUnlock removes w from the pool. Its goroutine must return.
func (p *Pool[T]) retireAndUnlock(w *worker[T]) {
	if !w.dismissed {
		p.dismissLocked(w)
	}
	w.returned = true
	p.goroutines--
	next := p.rouseLocked() // other workers may have to leave too, or to take an item for which w was woken
	p.finishStopLocked()
	p.mu.Unlock()
	p.signal(next)
}

// dismissLocked makes w no longer count. Its goroutine returns later.
func (p *Pool[T]) dismissLocked(w *worker[T]) {
	p.advanceLocked()
	p.closeInboxLocked() // it may be open only while the pool cannot grow
	w.dismissed = true
	p.workers--
	p.live[w.id-1] = nil
	p.freeIDs = append(p.freeIDs, w.id)
	p.giveSlotsLocked()
}
