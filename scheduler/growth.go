package scheduler

import (
	"time"
)

// A worker that the scaler wants counts from that moment, but it is dormant: it has no
// goroutine until rouse finds no idle worker for an item and takes a dormant one. At most
// one of them is on its way; when it has come, it rouses the next. So goroutines are
// started at the pace at which they get to run. Items that wait for something have a worker
// each, one right after the other; while items keep all processors busy, or are over before
// the next worker has come, those who are there do the work, however many wait. (A million
// items that sleep for 10 ms, with up to 50,000 workers on two processors: half the time and
// half the goroutines of 50,000 at once. To have each new one yield first made a fifth fewer,
// but on processors that others keep busy a hundred workers took seconds.)
//
// The workers of the minimum run at once.

// growTo has n workers, if there are fewer. mu is held, and rouse must follow.
func (p *Pool[T]) growTo(n int) {
	if p.meter != nil && p.workers < n {
		p.meter.advance(p)
	}
	for p.workers-p.dormant < min(n, p.min) {
		if p.dormant > 0 {
			p.dormant--
		} else {
			p.workers++
		}
		go p.work(p.newWorker())
	}
	if p.workers < n {
		p.dormant += n - p.workers
		p.workers = n
		p.dormantSince = time.Now()
		p.watchDormant()
	}
	if p.waiters.Len() > 0 {
		p.admitWaiters()
	}
}

// newWorker makes a worker, whose goroutine the caller starts. mu is held.
func (p *Pool[T]) newWorker() *worker[T] {
	w := &worker[T]{id: p.nextID(0), wake: make(chan struct{}, 1)}
	if last := len(p.freeIDs) - 1; last >= 0 {
		p.freeIDs = p.freeIDs[:last]
		p.live[w.id-1] = w
	} else {
		p.live = append(p.live, w)
	}
	p.goroutines++
	return w
}

// nextID is the number that a worker gets after i others have been made. mu is held.
func (p *Pool[T]) nextID(i int) int32 {
	free := len(p.freeIDs)
	if i < free {
		return p.freeIDs[free-1-i]
	}
	return int32(len(p.live) + 1 + i - free) //nolint:gosec // max is at most MaxInt32
}

// spare is the number of workers that have nothing to do. mu is held.
func (p *Pool[T]) spare() int { return len(p.idle) + p.dormant }

// dismissDormant takes n dormant workers off the counts. mu is held.
func (p *Pool[T]) dismissDormant(n int) {
	if n == 0 {
		return
	}
	if p.meter != nil {
		p.meter.advance(p)
	}
	p.closeInbox() // it is for a pool that cannot grow
	p.dormant -= n
	p.workers -= n
	p.giveSlots()
}
