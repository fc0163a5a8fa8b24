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

// agent is a goroutine that acts for others.
type agent struct {
	owner      any
	principals []Principal
}

var agents Registry[agent]

// ActFor declares that the calling goroutine acts for the goroutine principal, which waits meanwhile,
// until done is called. The owner is the part of the program to which the calling goroutine belongs.
func ActFor(principal uint64, owner any) (done func()) {
	of, _ := agents.Of(principal)
	list := []Principal{{principal, of.owner}}
	for _, p := range of.principals {
		if p.owner == nil || p.owner != of.owner {
			list = append(list, p)
		}
	}
	return agents.Register(agent{owner, list})
}

// Principal is a goroutine for which another one acts.
type Principal struct {
	ID    uint64
	owner any // nil: it acts for itself
}

// Principals returns the goroutines for which a goroutine acts, directly or through others that act
// too, from the nearest to the one that acts for itself. Of several with the same owner it returns
// only the nearest, so a chain of any length gives at most one goroutine for each owner, and one more.
// The caller must not change the list.
func Principals(id uint64) []Principal {
	a, _ := agents.Of(id)
	return a.principals
}
