package scheduler

// rouseLocked returns the worker that must be woken now, or nil. The caller passes it to
// signal after it has released mu.
//
// Invariant: while idle workers have something to do, one woken worker is on its way to the
// lock (waking). Each call that may give them something to do calls rouseLocked, and so does
// each woken worker that arrives, which thus wakes the next one. So no wake-up is lost, a
// burst of submits pays for one wake-up, and workers do not crowd at the lock to find the
// queue empty. The same holds for dormant workers (starting).
func (p *Pool[T]) rouseLocked() *worker[T] {
	if !p.readyLocked() || p.plain && !p.inboxOpen && p.phase == open && p.fifo.Len() == 0 {
		return nil // the usual cases
	}
	return p.rouseSlowLocked()
}

// readyLocked reports whether a worker may be woken: an idle one, or else a dormant one, if
// none of its kind is on its way. A dormant worker that is on its way, which may take long
// on a busy machine, does not prevent the wake-up of an idle one.
func (p *Pool[T]) readyLocked() bool {
	return !p.waking && (len(p.idle) > 0 || p.dormant > 0 && !p.starting)
}

// rouseSlowLocked is rouseLocked for a pool that is ready. It takes the worker that parked
// last, or makes a worker of a dormant one.
func (p *Pool[T]) rouseSlowLocked() *worker[T] {
	if p.lenLocked() == 0 {
		p.closeInboxLocked()
	}
	if p.haltedLocked() || p.lenLocked() == 0 && (p.phase == open || len(p.idle) == 0) {
		return nil
	}
	top := len(p.idle) - 1
	if top < 0 {
		p.starting = true
		p.dormant--
		w := p.newWorkerLocked()
		w.dormant = true
		return w
	}
	return p.popIdleLocked()
}

// popIdleLocked takes the worker that parked last off the idle stack. The caller must signal it.
func (p *Pool[T]) popIdleLocked() *worker[T] {
	p.waking = true
	top := len(p.idle) - 1
	w := p.idle[top]
	p.idle[top] = nil
	p.idle = p.idle[:top]
	return w
}

// signal wakes a worker that rouseLocked returned, or starts its goroutine if it has none. It
// ignores nil. It never blocks, since the channel of a worker that was taken off the idle
// stack is empty. mu must not be held, or the worker would wake up only to wait for it.
func (p *Pool[T]) signal(w *worker[T]) {
	if w != nil { // rarely; this check is inlined in callers
		p.wake(w)
	}
}

func (p *Pool[T]) wake(w *worker[T]) {
	if w.dormant {
		go p.work(w)
	} else {
		w.place.wake <- struct{}{}
	}
}
