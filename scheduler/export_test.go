package scheduler

import (
	"time"
)

// AlarmAt is when the pool's one timer fires; the zero time says that it is not
// set.
func (p *Pool[T]) AlarmAt() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.alarm.at
}

// Goroutines is the number of workers that have a goroutine.
func (p *Pool[T]) Goroutines() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.goroutines
}
