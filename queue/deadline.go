package queue

import (
	"fmt"
	"math"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
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
// Times that have a reading of the monotonic clock, such as the results of [time.Now], are
// compared by it. If all times have one, a change of the wall clock does not change the order
// of the items. Times without such a reading are compared with the others as if the wall
// clock had not been set since the first of the others.
//
// The discipline also runs items that are late. Under lasting overload all items become
// late; then drop the [Worst], or use [CoDel].
//
// Push and Pop cost O(log n). The queue implements [Remover], [Evictor] and [Fronter]. The
// [Worst] item is the one due last; evicting the [Oldest] costs O(n). Validate reports an invalid
// configuration; see [Factory].
func Deadline[T any](cfg DeadlineConfig[T]) Factory[T] {
	var fault error
	switch {
	case cfg.Deadline == nil:
		fault = errNilFunc("Deadline", "Deadline")
	case cfg.Horizon < 0:
		fault = fmt.Errorf("queue: Deadline: the horizon is %v; it must be positive, or 0 for none", cfg.Horizon)
	case cfg.Horizon > 0 && cfg.Enqueued == nil:
		fault = fmt.Errorf("queue: Deadline: the horizon is %v and Enqueued is nil; set Enqueued", cfg.Horizon)
	}
	return func() Queue[T] {
		var order timeOrder
		key := func(item T, _ int64) int64 {
			if deadline, ok := cfg.Deadline(item); ok {
				return order.key(deadline)
			}
			if cfg.Horizon > 0 {
				return order.key(cfg.Enqueued(item).Add(cfg.Horizon))
			}
			return math.MaxInt64
		}
		return &heap[T]{key: key, fault: fault}
	}
}

// timeOrder converts times to keys in the order of the times.
type timeOrder struct {
	origin time.Time // the first time with a monotonic reading
}

// key returns the key of t: the nanoseconds since 1970 on a wall clock that was not set since
// the origin.
func (o *timeOrder) key(t time.Time) int64 {
	if !clock.Monotonic(t) {
		return unixNano(t)
	}
	if o.origin.IsZero() {
		o.origin = t
	}
	return unixNano(o.origin.Round(0).Add(t.Sub(o.origin)))
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
