// Package goroutine identifies goroutines.
package goroutine

import (
	"runtime"
	"sync"
)

// ID returns the number of the calling goroutine. The runtime does not reuse numbers.
//
// The language hides the number on purpose. ID reads it from the first line of a stack trace,
// "goroutine 7 [running]:", which takes about two microseconds. It is for slow paths that cannot do
// without it, such as the detection of a task that is about to wait for itself.
func ID() uint64 {
	const prefix = len("goroutine ")
	line := lines.Get().(*[64]byte)
	defer lines.Put(line)
	n := runtime.Stack(line[:], false)
	var id uint64
	for _, digit := range line[prefix:n] {
		if digit < '0' || digit > '9' {
			break
		}
		id = 10*id + uint64(digit-'0')
	}
	return id
}

// lines holds buffers for the first line of a trace. Without the pool, each call would allocate one.
var lines = sync.Pool{New: func() any { return new([64]byte) }}

// Registry maps goroutines to values. The zero value is an empty registry. It is safe for concurrent
// use.
type Registry[V any] struct {
	mu     sync.RWMutex
	values map[uint64]V
}

// Register sets the value of the calling goroutine. The function done removes it; any goroutine may
// call done.
func (r *Registry[V]) Register(value V) (done func()) {
	id := ID()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.values == nil {
		r.values = make(map[uint64]V)
	}
	r.values[id] = value
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.values, id)
	}
}

// Of returns the value of a goroutine, and false if it has none.
func (r *Registry[V]) Of(id uint64) (value V, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	value, ok = r.values[id]
	return value, ok
}

// principals maps a goroutine that acts for another one to that one, which waits meanwhile.
var principals Registry[uint64]

// ActFor declares that the calling goroutine acts for the goroutine principal, until done is called.
func ActFor(principal uint64) (done func()) { return principals.Register(principal) }

// Principal returns the goroutine for which a goroutine acts, and false if it acts for itself.
func Principal(id uint64) (principal uint64, ok bool) { return principals.Of(id) }
