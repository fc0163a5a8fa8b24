// Package goroutine tells goroutines apart.
package goroutine

import (
	"iter"
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
	var line [prefix + 20]byte // the digits of the largest number
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

// principals maps the number of a goroutine that acts for another one, which waits
// for it, to that of the other one.
var principals sync.Map

// ActFor says that the calling goroutine works in the place of another one, until
// the function that it returns is called.
func ActFor(principal uint64) (done func()) {
	id := ID()
	principals.Store(id, principal)
	return func() { principals.Delete(id) }
}

// Callers ranges over the number of the calling goroutine, and, if it acts for
// another one, that of the other one, and so on.
func Callers() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for id := ID(); yield(id); {
			principal, ok := principals.Load(id)
			if !ok {
				return
			}
			id = principal.(uint64)
		}
	}
}
