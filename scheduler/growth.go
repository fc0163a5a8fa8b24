package scheduler

import (
	"runtime"
	"time"
)

// A new worker above the minimum is dormant: it counts as a worker, but it has no
// goroutine until rouseLocked finds no idle worker for an item. At most one dormant worker is
// being started at any time; once it runs, it rouses the next one. Goroutines are thus
// started at the rate at which the scheduler of Go runs them. When items block, each gets
// a worker of its own, one right after the other. When items keep all processors busy, or
// end before the next worker runs, the existing workers do the work.
//
// Measured with a million items that sleep for 10 ms, and up to 50,000 workers on two
// processors: half the time and half the goroutines of 50,000 started at once.

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
	w := new(worker[T])
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

const (
	giveWays  = 16                    // how often a new worker gives way at most
	endsEvery = 20 * time.Microsecond // if items end less often, others occupy the processors
	giveLong  = 5 * time.Millisecond  // if others do so for this long, new workers stop giving way
	insists   = 100                   // the number of new workers that do not give way then
)

// giving is what new workers have found out about giving way. The pool's mu guards it.
type giving struct {
	ended   uint64 // items that had ended when the last new worker arrived, or gave way
	insists int    // new workers that will not give way
}

// giveWayLocked lets goroutines that are ready run before a new worker, as long as items end
// meanwhile and more of them wait than there are goroutines. The workers whose items end then
// take the next ones. It may release mu and lock it again.
//
// Without it, a million items that sleep for 10 ms had 25,000 goroutines if other programs
// used the processors too, where 3,000 slept at any time: the others waited for a processor.
// Now there are 10,000, with half the memory, and in no more time.
//
// Rejected: to give way always. With other busy goroutines a hundred workers took seconds to
// start. Therefore a new worker does not give way while no item ends, since all may block, nor
// if the time goes to others, which shows in the number of items that end while it waits.
func (p *Pool[T]) giveWayLocked() {
	g := &p.giving
	if g.insists > 0 {
		g.insists--
		g.ended = p.endedLocked()
		return
	}
	for range giveWays {
		ended := p.endedLocked()
		if ended == g.ended || p.phase != open || p.paused || p.lenLocked() <= p.goroutines {
			break
		}
		begin := time.Now()
		p.mu.Unlock()
		runtime.Gosched()
		p.mu.Lock()
		g.ended = ended
		if took := time.Since(begin); took > time.Duration(p.endedLocked()-ended)*endsEvery { //nolint:gosec // few
			if took > giveLong {
				g.insists = insists
			}
			break
		}
	}
	g.ended = p.endedLocked()
}

// endedLocked returns the number of items that have run.
func (p *Pool[T]) endedLocked() uint64 { return p.counts.completed + p.rare.failed }

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
