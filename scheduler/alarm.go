package scheduler

import "time"

// alarm is the only timer of a pool. It serves idle workers that may expire and the
// scaler that wants to be asked again. It is not set while neither needs it. The pool's
// mu guards it.
type alarm struct {
	ring    func()
	timer   Timer     // nil until it is needed
	at      time.Time // when it fires; zero if not set
	scaleAt time.Time // when the scaler is asked again; zero if it need not be

	keptAt   time.Time     // when the scaler last kept workers that could have expired
	patience time.Duration // how long it is left alone after that
	started  uint64        // items that had started then
}

// set makes the alarm ring at the given time, unless it is set to an earlier one.
func (a *alarm) set(at time.Time) {
	if !a.at.IsZero() && !at.Before(a.at) {
		return
	}
	a.at = at
	if a.timer == nil {
		a.timer = time.AfterFunc(time.Until(at), a.ring)
		return
	}
	a.timer.Reset(time.Until(at))
}

// stop clears the alarm. A call of ring that has already begun finds nothing to do.
func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.at, a.scaleAt = time.Time{}, time.Time{}
}

// watchIdleLocked sets the alarm for the worker that has been idle longest, if it may expire.
// That is the worker at the bottom of the stack, which is ordered by place.since. If this
// worker is woken, the alarm stays set. It then rings once for nothing and is set for the
// new bottom of the stack, which is cheaper than a change for each item. While the scaler keeps
// that worker, others that park do not make the alarm ring.
func (p *Pool[T]) watchIdleLocked() {
	if p.expiresLocked() && len(p.idle) > 0 {
		p.alarm.set(later(p.idle[0].place.since.Add(p.cfg.IdleTimeout), p.keptUntilLocked()))
	}
}

// watchDormantLocked sets the alarm for the dormant workers, if they may expire. It is called
// when workers become dormant and when the alarm has rung, but not when a worker parks:
// dormant workers that the scaler keeps would make the alarm ring each time.
func (p *Pool[T]) watchDormantLocked() {
	if p.expiresLocked() && p.dormant > 0 {
		p.alarm.set(p.dormantSince.Add(p.cfg.IdleTimeout))
	}
}

// expiresLocked reports whether a worker that has nothing to do for the timeout may exit.
func (p *Pool[T]) expiresLocked() bool {
	return p.workers > p.min && p.phase != stopped && p.cfg.IdleTimeout != NoIdleTimeout
}

// longestPatience limits how long a scaler that keeps idle workers is left alone.
const longestPatience = time.Minute

// keepLocked notes that the scaler has just kept workers that could have expired, and sets the
// alarm for the time when it is asked again. While no item starts, the time between two
// questions doubles, so that an idle pool uses no processor time however short its timeout is.
func (p *Pool[T]) keepLocked(now time.Time) {
	a := &p.alarm
	if !now.Before(p.keptUntilLocked()) { // otherwise the alarm rang for another reason
		if a.started != p.counts.started {
			a.started, a.patience = p.counts.started, 0
		}
		a.keptAt, a.patience = now, max(p.cfg.IdleTimeout, min(2*a.patience, longestPatience))
	}
	a.set(p.keptUntilLocked())
}

// keptUntilLocked returns the time until which the scaler's last decision to keep workers
// stands. It is in the past if there is none.
func (p *Pool[T]) keptUntilLocked() time.Time {
	a := &p.alarm
	if a.started != p.counts.started {
		return a.keptAt.Add(min(a.patience, p.cfg.IdleTimeout))
	}
	return a.keptAt.Add(a.patience)
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// ring runs when the alarm fires. It asks the scaler and dismisses the workers that have
// been idle for the timeout and that neither the minimum nor the scaler keeps. While it
// asks the scaler it counts as a goroutine of the pool, so that Stop waits for it.
func (p *Pool[T]) ring() {
	p.mu.Lock()
	now := time.Now()
	p.alarm.at = time.Time{}
	if p.ended() {
		p.mu.Unlock()
		return
	}
	keep := 0
	if p.expiredLocked(now) > 0 || !p.alarm.scaleAt.IsZero() && !now.Before(p.alarm.scaleAt) {
		p.goroutines++
		p.mu.Unlock()
		keep = p.scale()
		p.mu.Lock()
		p.goroutines--
	}
	if p.phase == stopped {
		p.finishStopLocked()
		p.mu.Unlock()
		return
	}
	spare := p.spareLocked()
	if !p.haltedLocked() { // the rest, and those on their way, are about to take what waits
		spare = min(spare, p.freeLocked()-p.demandLocked())
	}
	before := p.workers
	leaving := p.dismissExpiredLocked(now, min(p.workers-max(p.min, keep), spare))
	if p.expiredLocked(now) > 0 { // the scaler keeps them
		p.keepLocked(now)
	} else {
		p.watchIdleLocked()
		p.watchDormantLocked()
	}
	if !p.alarm.scaleAt.IsZero() {
		p.alarm.set(p.alarm.scaleAt)
	}
	p.finishStopLocked()
	if p.workers < before {
		p.dispatchAndUnlock(p.shortLocked()) // items that arrived while the scaler was asked may need new workers
	} else {
		p.mu.Unlock()
	}
	for _, w := range leaving {
		p.signal(w)
	}
}

// expiredLocked returns the number of workers, idle or dormant, that may exit because they have
// been so for the timeout. It omits the workers that the minimum needs.
func (p *Pool[T]) expiredLocked(now time.Time) int {
	return min(p.expiredIdleLocked(now)+p.expiredDormantLocked(now), p.workers-p.min)
}

// expiredIdleLocked returns the number of workers that have been idle for the timeout. They are
// at the bottom of the stack.
func (p *Pool[T]) expiredIdleLocked(now time.Time) int {
	n := 0
	for n < len(p.idle) && now.Sub(p.idle[n].place.since) >= p.cfg.IdleTimeout {
		n++
	}
	return n
}

// expiredDormantLocked returns the number of workers that have been dormant for the timeout.
func (p *Pool[T]) expiredDormantLocked(now time.Time) int {
	if now.Sub(p.dormantSince) < p.cfg.IdleTimeout {
		return 0
	}
	return p.dormant
}

// dismissExpiredLocked dismisses at most n expired workers, dormant ones first. The caller must
// signal the workers that it returns.
func (p *Pool[T]) dismissExpiredLocked(now time.Time, n int) []*worker[T] {
	asleep := max(min(n, p.expiredDormantLocked(now)), 0)
	idle := min(n-asleep, p.expiredIdleLocked(now))
	p.dismissDormantLocked(asleep)
	return p.dismissIdleLocked(idle)
}

// dismissSpareLocked dismisses n spare workers, dormant ones first. The caller must signal the
// workers that it returns.
func (p *Pool[T]) dismissSpareLocked(n int) []*worker[T] {
	asleep := max(min(n, p.dormant), 0)
	p.dismissDormantLocked(asleep)
	return p.dismissIdleLocked(n - asleep)
}

// dismissIdleLocked dismisses the n workers that have been idle longest and returns them. The
// caller must signal them after it has released mu.
func (p *Pool[T]) dismissIdleLocked(n int) []*worker[T] {
	if n <= 0 {
		return nil
	}
	leaving := make([]*worker[T], n)
	copy(leaving, p.idle)
	rest := copy(p.idle, p.idle[n:])
	clear(p.idle[rest:])
	p.idle = p.idle[:rest]
	for _, w := range leaving {
		p.dismissLocked(w)
	}
	return leaving
}

// restampIdleLocked restarts the idle time of all idle and dormant workers, and forgets that the
// scaler has kept any. Workers that parked while the pool had a fixed size have no place.since.
func (p *Pool[T]) restampIdleLocked() {
	now := time.Now()
	p.alarm.keptAt = time.Time{}
	p.dormantSince = now
	for _, w := range p.idle {
		w.place.since = now
	}
}
