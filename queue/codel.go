package queue

import (
	"fmt"
	"time"
)

// The defaults of [CoDelConfig].
const (
	DefaultCoDelTarget   = 5 * time.Millisecond
	DefaultCoDelInterval = 100 * time.Millisecond
)

// CoDelConfig configures [CoDel]. Zero values mean the defaults.
type CoDelConfig struct {
	// Target is the acceptable waiting time of a standing queue. The default is
	// DefaultCoDelTarget.
	Target time.Duration
	// Interval is the time in which the queue should work off a burst. Waits above the
	// target for a whole interval are overload. The default is DefaultCoDelInterval.
	Interval time.Duration
	// AdaptiveLIFO makes the newest item run first during overload. Then the items that
	// run have hardly waited, and the others are shed. The default is first in, first
	// out at all times.
	AdaptiveLIFO bool
}

// CoDel returns a first-in, first-out discipline that sheds items during overload: controlled
// delay (Nichols and Jacobson, Controlling queue delay, ACM Queue 10, 2012), in the variant
// for servers with optional adaptive LIFO (Maurer, Fail at scale, ACM Queue 13, 2015).
// Overload leaves a standing queue, which delays all later items. CoDel gives some items
// up so that the others run in time.
//
// Time is divided into intervals. If the minimum wait in an interval is above the target,
// the queue is overloaded in the next one: Pop then sheds each item that has waited
// for more than twice the target. The first wait within the target ends the overload and
// starts a new interval. CoDel therefore sheds nothing in an interval that contains a
// wait within the target, nor in the interval after it.
//
// A pause of the owner does not count as a wait; see [Clocked]. After [Drainer.Drain] nothing
// is shed, and the oldest item runs first.
//
// Push, Pop and Evict cost O(1) amortised. A single Pop costs O(1) for each item that it
// sheds. The queue implements [Clocked], [Discarder], [Drainer], [Remover] and [Evictor]. It does
// not implement [Fronter]: the wait of the item at the front shows whether the queue is overloaded.
// The [Worst] item is the newest. Validate reports an invalid configuration; see [Factory].
func CoDel[T any](cfg CoDelConfig) Factory[T] {
	if cfg.Target == 0 {
		cfg.Target = DefaultCoDelTarget
	}
	if cfg.Interval == 0 {
		cfg.Interval = DefaultCoDelInterval
	}
	var fault error
	if cfg.Target < 0 || cfg.Interval < cfg.Target {
		fault = fmt.Errorf("queue: CoDel: the target is %v and the interval %v; the target must be positive and not exceed the interval", cfg.Target, cfg.Interval)
	}
	return func() Queue[T] { return &codel[T]{cfg: cfg, fault: fault} }
}

// codel is a FIFO whose items carry the time at which they were pushed. It observes the wait
// of the item at the front, the longest wait of all. Also with AdaptiveLIFO: the waits of
// the newest items would not show a standing queue. An empty queue counts as a wait of 0.
type codel[T any] struct {
	cfg   CoDelConfig
	fault error // the result of Validate
	items FIFO[stamped[T]]
	shed  FIFO[T]

	epoch time.Time     // the time of the first Tick
	now   time.Duration // the time of the last Tick, since epoch

	begun      bool          // an interval has begun
	end        time.Duration // the end of the interval, since epoch
	least      time.Duration // the minimum wait in the interval so far
	overloaded bool          // the queue is overloaded in the interval
	draining   bool          // the queue sheds nothing any more
}

type stamped[T any] struct {
	item T
	at   time.Duration // the time of the push, since epoch
}

// Validate reports an invalid configuration.
func (q *codel[T]) Validate() error { return q.fault }

// NeedsTime returns true.
func (q *codel[T]) NeedsTime() bool { return true }

// Tick sets the time.
func (q *codel[T]) Tick(now time.Time) {
	if q.epoch.IsZero() {
		q.epoch = now
	}
	q.now = now.Sub(q.epoch)
}

// Push adds an item at the back.
func (q *codel[T]) Push(item T) {
	if q.items.Len() == 0 {
		q.observe(0) // there may have been no Pop while the queue was empty
	}
	q.items.Push(stamped[T]{item, q.now})
}

// Pop sheds the items that have waited too long, and removes and returns the next one.
func (q *codel[T]) Pop() (item T, ok bool) {
	for {
		front, ok := q.items.Peek()
		if !ok {
			if !q.draining {
				q.observe(0)
			}
			return item, false
		}
		shed, newest := q.next(q.now - front.at)
		switch {
		case shed:
			q.items.Pop()
			q.shed.Push(front.item)
		case newest:
			return unstamped(q.items.popBack())
		default:
			return unstamped(q.items.Pop())
		}
	}
}

// next updates the state with the wait of the item at the front, and says what Pop does: shed that item,
// return the newest one, or return that one.
func (q *codel[T]) next(wait time.Duration) (shed, newest bool) {
	if q.draining {
		return false, false
	}
	q.observe(wait)
	if q.overloaded && wait > 2*q.cfg.Target {
		return true, false
	}
	return false, q.overloaded && q.cfg.AdaptiveLIFO
}

// observe updates the state with a wait of the item at the front.
func (q *codel[T]) observe(wait time.Duration) {
	if !q.begun || q.now >= q.end {
		q.overloaded = q.begun && q.least > q.cfg.Target
		q.begin(wait)
	}
	q.least = min(q.least, wait)
	if q.overloaded && wait <= q.cfg.Target {
		q.overloaded = false
		q.begin(wait)
	}
}

// begin starts an interval at the current time.
func (q *codel[T]) begin(wait time.Duration) {
	q.begun, q.end, q.least = true, q.now+q.cfg.Interval, wait
}

// Drain makes the queue a FIFO that sheds nothing.
func (q *codel[T]) Drain() { q.draining = true }

// Discarded returns an item that was shed.
func (q *codel[T]) Discarded() (item T, ok bool, reason error) {
	item, ok = q.shed.Pop()
	return item, ok, ErrShed
}

// Len returns the number of items in the queue.
func (q *codel[T]) Len() int { return q.items.Len() }

// Remove removes each item for which gone returns true. It costs O(n).
func (q *codel[T]) Remove(gone func(item T) bool) int {
	return q.items.Remove(func(s stamped[T]) bool { return gone(s.item) })
}

// CanEvict returns true.
func (q *codel[T]) CanEvict(Victim) bool { return true }

// Evict removes and returns the item at the front for [Oldest], and the item at the back
// for [Worst].
func (q *codel[T]) Evict(v Victim) (T, bool) { return unstamped(q.items.Evict(v)) }

func unstamped[T any](s stamped[T], ok bool) (T, bool) { return s.item, ok }
