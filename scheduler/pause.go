package scheduler

import "time"

// pauseTimes measures the pauses of a pool. Waiting times are measured on a clock that stands still
// during a pause, since an item that no worker may take does not wait for a worker: a pause
// is not overload. Service times, and what workers do, are measured on the ordinary clock.
type pauseTimes struct {
	since time.Time     // start of the present pause; meaningless unless the pool is paused
	total time.Duration // length of all pauses that have ended
}

// pauseLocked begins a pause, unless the pool is paused or ends.
func (p *Pool[T]) pauseLocked() {
	if p.paused || p.phase != open {
		return
	}
	p.advanceLocked()
	p.pauses.since = time.Now()
	p.setPausedLocked(true)
}

// endPauseLocked ends a pause, if there is one. The phase must not have changed since it began.
func (p *Pool[T]) endPauseLocked() {
	if !p.paused {
		return
	}
	p.advanceLocked()
	p.pauses.total += time.Since(p.pauses.since)
	p.setPausedLocked(false)
}

func (p *Pool[T]) setPausedLocked(paused bool) {
	p.paused = paused
	if p.cfg.Hooks.Paused != nil {
		p.cfg.Hooks.Paused(paused)
	}
}

// pausedForLocked returns the length of all pauses up to now.
func (p *Pool[T]) pausedForLocked(now time.Time) time.Duration {
	if p.paused {
		return p.pauses.total + now.Sub(p.pauses.since)
	}
	return p.pauses.total
}

// tickLocked tells the time to a queue that needs it, on the clock of waiting times.
func (p *Pool[T]) tickLocked() {
	if p.clocked != nil {
		now := time.Now()
		p.clocked.Tick(now.Add(-p.pausedForLocked(now)))
	}
}

// waitClockLocked advances the meter. It returns the time on the clock of waiting times, or 0 if
// the pool has no meter.
func (p *Pool[T]) waitClockLocked() time.Duration {
	if p.meter == nil {
		return 0
	}
	now := p.advanceLocked()
	return now - p.pausedForLocked(p.meter.epoch.Add(now))
}

// keepItemsLocked makes the queue give up no more items because of their waits.
func (p *Pool[T]) keepItemsLocked() {
	if p.drainer != nil {
		p.drainer.Drain()
	}
}
