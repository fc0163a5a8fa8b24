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
