package scheduler

import "time"

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

// Locked reports whether a goroutine holds the lock of the pool at this moment.
func (p *Pool[T]) Locked() bool {
	if !p.mu.TryLock() {
		return true
	}
	p.mu.Unlock()
	return false
}
