package scheduler

import "time"

// A new worker above the minimum is dormant: it counts as a worker, but it has no
// goroutine until rouseLocked finds no idle worker for an item. At most one dormant worker is
// being started at any time; once it runs, it rouses the next one. Goroutines are thus
// started at the rate at which the scheduler of Go runs them. When items block, each gets
// a worker of its own, one right after the other. When items keep all processors busy, or
// end before the next worker runs, the existing workers do the work.
//
// Measured with a million items that sleep for 10 ms, and up to 50,000 workers on two
// processors: half the time and half the goroutines of 50,000 started at once.
// Rejected: a new worker that first yields the processor. It saved a fifth of the
// goroutines, but with other busy goroutines a hundred workers took seconds to start.

// growToLocked raises the number of workers to n, unless it is higher. The workers of the
// minimum get goroutines at once. The caller must call rouseLocked
// afterwards.
func (p *Pool[T]) growToLocked(n int) {
	if p.workers < n {
		p.advanceLocked()
	}
	for p.workers-p.dormant < min(n, p.min) {
		if p.dormant > 0 {
			p.dormant--
		} else {
			p.workers++
		}
		go p.work(p.newWorkerLocked())
	}
	if p.workers < n {
		p.dormant += n - p.workers
		p.workers = n
		p.dormantSince = time.Now()
		p.watchDormantLocked()
	}
	if p.waiters.Len() > 0 {
		p.admitWaitersLocked()
	}
}

// newWorkerLocked returns a worker whose goroutine the caller must start.
func (p *Pool[T]) newWorkerLocked() *worker[T] {
	w := &worker[T]{wake: make(chan struct{}, 1)}
	if last := len(p.freeIDs) - 1; last >= 0 { // dormantWorkers relies on this order
		w.id = p.freeIDs[last]
		p.freeIDs = p.freeIDs[:last]
		p.live[w.id-1] = w
	} else {
		p.live = append(p.live, w)
		w.id = int32(len(p.live)) //nolint:gosec // max is at most MaxInt32
	}
	p.goroutines++
	return w
}

// spareLocked returns the number of workers that have nothing to do.
func (p *Pool[T]) spareLocked() int { return len(p.idle) + p.dormant }

// dismissDormantLocked removes n dormant workers.
func (p *Pool[T]) dismissDormantLocked(n int) {
	if n == 0 {
		return
	}
	p.advanceLocked()
	p.closeInboxLocked() // it may be open only while the pool cannot grow
	p.dormant -= n
	p.workers -= n
	p.giveSlotsLocked()
}
