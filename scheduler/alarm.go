package scheduler

import (
	"time"
)

// alarm is the one timer of a pool. It serves idle workers that may expire and
// the scaler's wish to be asked again, and is not set while there is neither.
// It is guarded by the pool's mu.
type alarm struct {
	ring    func()
	timer   *time.Timer
	at      time.Time // when it fires; zero: not set
	scaleAt time.Time // when the scaler wants to be asked again; zero: never
}

// set makes the alarm ring at the given time, unless it rings earlier anyway.
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

// stop unsets the alarm. A ring that is under way finds nothing to do.
func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.at, a.scaleAt = time.Time{}, time.Time{}
}

// watchIdle sets the alarm for the worker that has been idle longest, if it may
// expire. The stack is ordered by idleSince, so that is the one at the bottom.
// When it is woken meanwhile the alarm is left as it is: it rings once for
// nothing and is then set for whoever is at the bottom by that time, which is
// cheaper than moving it with every task. mu is held.
func (p *Pool[T]) watchIdle() {
	if p.workers > p.min && len(p.idle) > 0 && p.phase != stopped {
		p.alarm.set(p.idle[0].idleSince.Add(p.cfg.IdleTimeout))
	}
}

// watchDormant sets the alarm for the dormant workers, if they may expire. They need it
// when some are added, and when it has rung, but not whenever a worker parks: those that
// the scaler keeps would have it ring each time. mu is held.
func (p *Pool[T]) watchDormant() {
	if p.workers > p.min && p.dormant > 0 && p.phase != stopped {
		p.alarm.set(p.dormantSince.Add(p.cfg.IdleTimeout))
	}
}

// ring is called by the alarm: it asks the scaler, and lets those workers go
// that have been idle for too long and that neither the minimum nor the scaler
// wants to keep. Stop waits for it as for a worker.
func (p *Pool[T]) ring() {
	p.mu.Lock()
	now := time.Now()
	p.alarm.at = time.Time{}
	if p.ended() {
		p.mu.Unlock()
		return
	}
	keep := 0
	if p.expired(now) > 0 || !p.alarm.scaleAt.IsZero() && !now.Before(p.alarm.scaleAt) {
		p.goroutines++
		keep = p.scaleUnlocked(func() { p.goroutines-- })
	}
	if p.phase == stopped {
		p.finishStop()
		p.mu.Unlock()
		return
	}
	spare := p.spare()
	if !p.halted() { // the others are about to come for what has been let in for them
		spare -= p.queued() - p.held() + p.blocked
	}
	before := p.workers
	leaving := p.dismissExpired(now, min(p.workers-max(p.min, keep), spare))
	if p.expired(now) > 0 { // kept by the scaler, which is asked again in a while
		p.alarm.set(now.Add(p.cfg.IdleTimeout))
	} else {
		p.watchIdle()
		p.watchDormant()
	}
	if !p.alarm.scaleAt.IsZero() {
		p.alarm.set(p.alarm.scaleAt)
	}
	p.finishStop()
	if p.workers < before {
		p.dispatch() // unlocks; what came while the scaler was asked may lack them now
	} else {
		p.mu.Unlock()
	}
	for _, w := range leaving {
		p.signal(w)
	}
}

// expired is the number of workers that the idle timeout entitles to leave: a
// stretch at the bottom of the stack, and dormant ones, and never one that the minimum
// needs. mu is held.
func (p *Pool[T]) expired(now time.Time) int {
	return min(p.expiredIdle(now)+p.expiredDormant(now), p.workers-p.min)
}

// expiredIdle is the number of idle workers that have been so for the timeout. mu is held.
func (p *Pool[T]) expiredIdle(now time.Time) int {
	n := 0
	for n < len(p.idle) && now.Sub(p.idle[n].idleSince) >= p.cfg.IdleTimeout {
		n++
	}
	return n
}

// expiredDormant is the number of dormant workers that have been so for the timeout. mu is
// held.
func (p *Pool[T]) expiredDormant(now time.Time) int {
	if now.Sub(p.dormantSince) < p.cfg.IdleTimeout {
		return 0
	}
	return p.dormant
}

// dismissExpired takes workers out of the pool that have expired, no more than n. What it
// returns is to be signalled. mu is held.
func (p *Pool[T]) dismissExpired(now time.Time, n int) []*worker[T] {
	asleep := max(min(n, p.expiredDormant(now)), 0)
	idle := min(n-asleep, p.expiredIdle(now))
	p.dismissDormant(asleep)
	return p.dismissIdle(idle)
}

// dismissSpare takes n workers out of the pool, of which dormant ones are the first. What
// it returns is to be signalled. mu is held.
func (p *Pool[T]) dismissSpare(n int) []*worker[T] {
	asleep := max(min(n, p.dormant), 0)
	p.dismissDormant(asleep)
	return p.dismissIdle(n - asleep)
}

// dismissIdle takes the n workers that have been idle longest out of the pool
// and returns them; the caller signals them after letting go of mu, which is
// held.
func (p *Pool[T]) dismissIdle(n int) []*worker[T] {
	if n <= 0 {
		return nil
	}
	leaving := make([]*worker[T], n)
	copy(leaving, p.idle)
	rest := copy(p.idle, p.idle[n:])
	clear(p.idle[rest:])
	p.idle = p.idle[:rest]
	for _, w := range leaving {
		p.dismiss(w)
	}
	return leaving
}

// restampIdle dates the idle workers anew: those that parked while the pool had
// a fixed size carry no time. mu is held.
func (p *Pool[T]) restampIdle() {
	now := time.Now()
	p.dormantSince = now
	for _, w := range p.idle {
		w.idleSince = now
	}
}
