// Package clock converts between the wall clock and the monotonic clock.
//
// The wall clock may be set forward or back at any time, and runs on while the machine is
// suspended. So a program measures time on the monotonic clock, by differences of results of
// [time.Now]. Wall times enter where a user supplies them, through [Pin], and leave where they
// are displayed, through [Wall].
//
// The functions are safe for concurrent use.
package clock

import (
	"math"
	"sync/atomic"
	"time"
)

// Now returns the time on the wall clock. It is [time.Now], except in tests that set the wall
// clock. Use it only where the wall time matters, and time.Now elsewhere.
func Now() time.Time { return read().wall }

// Read returns the time on the wall clock and the moment at which that was read, for a program that
// computes a wall time and its moment from one reading. The wall clock may be set between two.
func Read() (wall, moment time.Time) {
	r := read()
	return r.wall, r.mono
}

// Set is a function that changes the results of Now, or nil. Package clocktest sets it, to test
// what happens when somebody sets the wall clock.
var Set atomic.Pointer[func(time.Time) time.Time]

// Pin returns the moment at which the wall clock will show t if nobody sets it until then. A
// later change of the wall clock does not move that moment: [time.Until], [time.Time.Before] and
// the other methods that compare times use the monotonic reading of the result. Equal wall times
// are pinned to equal moments, as long as the wall clock is not set in between.
//
// A t that has a monotonic reading, like time.Now().Add(d), is such a moment already. A t that is
// more than 292 years away is returned as it is.
func Pin(t time.Time) time.Time {
	r := now()
	d := t.Sub(r.wall)
	if d == math.MaxInt64 || d == math.MinInt64 {
		return t
	}
	return r.mono.Add(d)
}

// Wall returns the time, in the local time zone, that the wall clock would have shown or will show
// at the moment t if nobody sets it between then and now. The moment must be a result of time.Now
// or of Pin, or be computed from such a result by Add.
func Wall(t time.Time) time.Time {
	r := now()
	return r.wall.Add(t.Sub(r.mono))
}

// Monotonic reports whether t has a reading of the monotonic clock. In a bubble of
// testing/synctest no time has one: the results of time.Now stand for the monotonic clock there.
func Monotonic(t time.Time) bool { return t != t.Round(0) }

// reading is a reading of both clocks at one moment. Outside of tests both fields are equal, and
// have two readings each.
type reading struct{ mono, wall time.Time }

func read() reading {
	now := time.Now()
	if set := Set.Load(); set != nil {
		return reading{now, (*set)(now)}
	}
	return reading{now, now}
}

// last is the reading by which times are converted.
var last atomic.Pointer[reading]

// tolerance is the change of the difference between the clocks that now ignores. The runtime reads
// one clock after the other, so the difference varies. Without a tolerance, each conversion of a
// moment would give another result.
const tolerance = 10 * time.Millisecond

// now returns a reading that shows how the clocks are related now. As long as nobody sets the wall
// clock, all calls return the same one.
//
// The operating system may suspend the thread between the two clocks of a reading, which then
// looks as if the wall clock had been set back. So a reading replaces the last one only if a second
// reading confirms it, and only if no other goroutine has replaced the last one meanwhile.
func now() reading {
	for {
		l, r := last.Load(), read()
		if l.agrees(r) {
			return *l
		}
		again := read()
		if !l.agrees(again) && r.agrees(again) && last.CompareAndSwap(l, &again) {
			return again
		}
	}
}

// agrees reports whether the wall clock was not set between two readings. A nil reading, and one
// from inside a bubble of testing/synctest with one from outside, do not agree.
func (r *reading) agrees(other reading) bool {
	if r == nil || Monotonic(r.mono) != Monotonic(other.mono) {
		return false
	}
	step := other.wall.Round(0).Sub(r.wall.Round(0)) - other.mono.Sub(r.mono)
	return -tolerance < step && step < tolerance
}
