// Package clocktest sets the wall clock in tests.
package clocktest

import (
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/seed56799101/taskmanager/internal/clock"
)

// T is the part of [testing.TB] that this package uses. *rapid.T implements it too.
type T interface {
	// Helper marks the caller as a helper of the test.
	Helper()
	// Cleanup registers a function to be called when the test ends.
	Cleanup(func())
}

// offset is the sum of all steps.
var offset atomic.Int64

// Step sets the wall clock forward by d, or back if d is negative, until the test ends. The
// monotonic clock is not affected. Only [clock.Now] and what depends on it follow: time.Now does
// not. The clock is that of the process, so tests that call Step must not run in parallel with
// others.
func Step(t T, d time.Duration) {
	t.Helper()
	t.Cleanup(func() { add(-d) })
	add(d)
}

func add(d time.Duration) {
	by := time.Duration(offset.Add(int64(d)))
	if by == 0 {
		clock.Set.Store(nil)
		return
	}
	set := func(now time.Time) time.Time { return Stepped(now, by) }
	clock.Set.Store(&set)
}

// Stepped returns what time.Now would have returned instead of t if the wall clock had been set
// forward by d before: the wall time is later by d, and the monotonic reading, if there is one, is
// the same.
//
// Package time has no function for it. The layout of a time with a monotonic reading is: a bit that
// is set, 33 bits for the seconds since 1885, and 30 bits for the nanoseconds.
func Stepped(t time.Time, d time.Duration) time.Time {
	if !clock.Monotonic(t) {
		return t.Add(d)
	}
	const second, nanoseconds = 1 << 30, 1<<30 - 1
	wall := (*uint64)(unsafe.Pointer(&t))
	ns := int64(*wall&nanoseconds) + int64(d%time.Second)
	seconds := int64(d / time.Second)
	switch {
	case ns < 0:
		ns, seconds = ns+int64(time.Second), seconds-1
	case ns >= int64(time.Second):
		ns, seconds = ns-int64(time.Second), seconds+1
	}
	*wall = *wall&^nanoseconds + uint64(seconds)*second + uint64(ns)
	return t
}
