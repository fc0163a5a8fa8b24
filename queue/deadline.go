package queue

import (
	"fmt"
	"math"
	"time"
)

// DeadlineConfig configures [Deadline].
type DeadlineConfig[T any] struct {
	// Deadline returns the time by which an item should start, and false if the item has no
	// deadline. Required.
	Deadline func(item T) (deadline time.Time, ok bool)
	// Horizon sets the deadline of items without one: they are due Horizon after they were
	// Enqueued. A stream of urgent items then cannot starve them. If Horizon is 0, the
	// default, they run after all items with a deadline, in the order in which they were
	// pushed.
	Horizon time.Duration
	// Enqueued returns the time at which an item was pushed. Required if Horizon is
	// positive.
	Enqueued func(item T) time.Time
}

// Deadline returns the discipline that runs the item with the earliest deadline first
// (EDF), and items of equal deadline in the order in which they were pushed.
//
// With one worker, this order minimises the maximum lateness of the items in the queue
// (Jackson, Scheduling a production line to minimize maximum tardiness, UCLA, 1955). With
// preemption, EDF meets all deadlines if any order does (Liu and Layland, Scheduling
// algorithms for multiprogramming in a hard-real-time environment, JACM 20, 1973).
//
// The discipline also runs items that are late. Under lasting overload all items become
// late; then drop the [Worst], or use [CoDel].
//
// Push and Pop cost O(log n). The queue implements [Remover] and [Evictor]. The [Worst]
// item is the one due last; evicting the [Oldest] costs O(n). Validate reports an invalid
// configuration; see [Factory].
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
		fault = fmt.Errorf("queue: Deadline: the horizon is %v and Enqueued is nil; set Enqueued", cfg.Horizon)
	}
	return func() Queue[T] { return &heap[T]{key: key, fault: fault} }
}

// unixNano returns t in nanoseconds since 1970. Times outside the years 1678 to 2261 are
// limited to that range.
func unixNano(t time.Time) int64 {
	const last = math.MaxInt64/int64(time.Second) - 1
	switch s := t.Unix(); {
	case s > last:
		return math.MaxInt64 - 1 // before items without a deadline
	case s < -last:
		return math.MinInt64
	}
	return t.UnixNano()
}
