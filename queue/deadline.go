package queue

import (
	"fmt"
	"math"
	"time"
)

// DeadlineConfig says how [Deadline] learns what it orders by.
type DeadlineConfig[T any] struct {
	// Deadline is the time by which an item ought to run; false: it has none.
	// Required.
	Deadline func(item T) (deadline time.Time, ok bool)
	// Horizon and Enqueued are for items without a deadline: they count as due
	// the Horizon after the time at which they were Enqueued. So they are neither
	// always last nor ever first, and a stream of urgent items cannot starve
	// them. Without a Horizon, the default, they come after all that have a
	// deadline, in the order of arrival.
	Horizon  time.Duration
	Enqueued func(item T) time.Time
}

// Deadline returns the discipline that hands out the item with the earliest
// deadline first (EDF), and among equals the one that came first.
//
// Of all orders, this one has the smallest largest lateness when one worker
// serves what is there (Jackson, Scheduling a production line to minimize
// maximum tardiness, UCLA, 1955), and meets every deadline whenever any order
// does (Liu and Layland, Scheduling algorithms for multiprogramming in a
// hard-real-time environment, JACM 20, 1973). Nothing is given up for being late.
// Under lasting overload everything ends up late: drop what is due last
// ([Evictor]), or use [CoDel].
//
// It costs O(log n) a push and pop. It implements [Remover] and [Evictor]; the worst
// item is the last in order, and the oldest is found in O(n). Bad values of the
// configuration are reported by Validate; see [Factory].
func Deadline[T any](cfg DeadlineConfig[T]) Factory[T] {
	key := func(item T, _ int64) int64 {
		if deadline, ok := cfg.Deadline(item); ok {
			return unixNano(deadline)
		}
		if cfg.Horizon > 0 {
			return unixNano(cfg.Enqueued(item).Add(cfg.Horizon))
		}
		return math.MaxInt64
	}
	var fault error
	switch {
	case cfg.Deadline == nil:
		fault = errNilFunc("Deadline", "Deadline")
	case cfg.Horizon < 0:
		fault = fmt.Errorf("queue: Deadline: the horizon is %v; it must be positive, or 0 for none", cfg.Horizon)
	case cfg.Horizon > 0 && cfg.Enqueued == nil:
		fault = fmt.Errorf("queue: Deadline: the horizon of %v counts from the time of arrival; set Enqueued to tell it", cfg.Horizon)
	}
	return func() Queue[T] { return &heap[T]{key: key, fault: fault} }
}

// unixNano is t as the nanoseconds since 1970, or the nearest that there are:
// the years 1678 to 2261 are told apart.
func unixNano(t time.Time) int64 {
	const last = math.MaxInt64/int64(time.Second) - 1
	switch s := t.Unix(); {
	case s > last:
		return math.MaxInt64 - 1 // still before an item without a deadline
	case s < -last:
		return math.MinInt64
	}
	return t.UnixNano()
}
