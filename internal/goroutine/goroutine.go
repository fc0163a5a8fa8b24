// Package goroutine tells goroutines apart.
package goroutine

import (
	"runtime"
	"sync"
)

// ID is the number of the calling goroutine. Numbers are not used again while
// the process lives.
//
// The language hides it on purpose, and the one way to it is the first line of a
// stack trace, "goroutine 7 [running]:". That takes some two microseconds, so it is
// for the slow paths that cannot do without: to find out whether somebody is about
// to wait for itself.
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

// lines has room for the first line of a trace, which would go to the heap otherwise.
var lines = sync.Pool{New: func() any { return new([64]byte) }}

// Registry finds values by the goroutines to which they belong. The zero value is
// empty. It is safe for concurrent use.
type Registry[V any] struct {
	mu     sync.RWMutex
	values map[uint64]V
}

// Register says that a value belongs to the calling goroutine, until the function that
// it returns is called.
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

// Of is the value of a goroutine: false if it has none.
func (r *Registry[V]) Of(id uint64) (value V, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	value, ok = r.values[id]
	return value, ok
}

// principals has the numbers of goroutines for which others act, and which wait for
// those.
var principals Registry[uint64]

// ActFor says that the calling goroutine works in the place of another one, until
// the function that it returns is called.
func ActFor(principal uint64) (done func()) { return principals.Register(principal) }

// Principal is the number of the goroutine for which another one acts: false if it
// acts for itself.
func Principal(id uint64) (principal uint64, ok bool) { return principals.Of(id) }
