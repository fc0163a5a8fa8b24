package scheduler

import (
	"sync"
	"sync/atomic"
	"time"
)

// AlarmAt returns the time at which the alarm fires, or the zero time if it is not set.
func (p *Pool[T]) AlarmAt() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.alarm.at
}

// Goroutines returns the number of workers that have a goroutine.
func (p *Pool[T]) Goroutines() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.goroutines
}

// Insists returns the number of new workers that will not give way.
func (p *Pool[T]) Insists() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.giving.insists
}

// Locked reports whether a goroutine holds the lock of the pool at this moment.
func (p *Pool[T]) Locked() bool {
	if !p.mu.TryLock() {
		return true
	}
	p.mu.Unlock()
	return false
}

// Patience is the patience of a worker.
type Patience struct{ p patience }

// Lock locks mu, which the worker has found locked.
func (p *Patience) Lock(mu *sync.Mutex, held *atomic.Bool) { p.p.lock(mu, held, true) }

// Paused reports whether it has ever paused.
func (p *Patience) Paused() bool { return p.p.pause > 0 }

// Plain reports whether the pool takes its shortcuts.
func (p *Pool[T]) Plain() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plain
}
