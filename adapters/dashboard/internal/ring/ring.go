// Package ring keeps the last values of a sequence.
package ring

import (
	"slices"
	"sync"
)

// Ring keeps the last values that were added to it, up to its size. It is safe for concurrent use.
type Ring[T any] struct {
	size int

	mu    sync.Mutex // guards the rest; held for a few instructions, or to copy the values
	list  []T
	added uint64
}

// New returns a ring of the given size, which must be positive.
func New[T any](size int) *Ring[T] { return &Ring[T]{size: size} }

// Add adds a value. It replaces the oldest one if the ring is full.
func (r *Ring[T]) Add(v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addLocked(v)
}

// TryAdd is Add, but drops the value if another goroutine uses the ring.
func (r *Ring[T]) TryAdd(v T) {
	if r.mu.TryLock() {
		defer r.mu.Unlock()
		r.addLocked(v)
	}
}

func (r *Ring[T]) addLocked(v T) {
	if len(r.list) < r.size {
		r.list = append(r.list, v)
	} else {
		r.list[r.added%uint64(r.size)] = v //nolint:gosec // positive
	}
	r.added++
}

// Values returns a copy of the values, the oldest one first.
func (r *Ring[T]) Values() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	oldest := 0
	if len(r.list) == r.size {
		oldest = int(r.added % uint64(r.size)) //nolint:gosec // below the size
	}
	return slices.Concat(r.list[oldest:], r.list[:oldest])
}

// Last returns the newest value that meets a condition, if there is one. The condition must not use the ring.
func (r *Ring[T]) Last(is func(T) bool) (v T, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range len(r.list) {
		v := r.list[(r.added-1-uint64(i))%uint64(r.size)] //nolint:gosec // not negative, and positive
		if is(v) {
			return v, true
		}
	}
	return v, false
}

// Forgotten returns the number of values that others have replaced.
func (r *Ring[T]) Forgotten() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.added - uint64(len(r.list))
}
