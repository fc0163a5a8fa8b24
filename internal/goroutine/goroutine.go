// Package goroutine tells goroutines apart.
package goroutine

import "runtime"

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
