package queue

import (
	"fmt"
	"time"
)

// The defaults of [CoDel].
const (
	DefaultCoDelTarget   = 5 * time.Millisecond
	DefaultCoDelInterval = 100 * time.Millisecond
)

// CoDelConfig adjusts [CoDel]. Zero values mean the defaults.
type CoDelConfig struct {
	// Target is the wait that a queue may always have: less than that is of no
	// concern, however long it lasts. The default is DefaultCoDelTarget.
	Target time.Duration
	// Interval is how long a burst may take to be worked off: waits above the
	// target are no concern if one within it is seen in that time. The default
	// is DefaultCoDelInterval.
	Interval time.Duration
	// AdaptiveLIFO hands out the newest item first while the queue is overloaded,
	// so that those that run have hardly waited at all, and the wait of the
	// others is cut short by shedding. The default is first come, first served.
	AdaptiveLIFO bool
}

// CoDel returns the discipline that hands items out in the order of arrival and
// sheds load while it is overloaded, by controlled delay (Nichols and Jacobson,
// Controlling queue delay, ACM Queue 10, 2012), in the form made for servers
// (Maurer, Fail at scale, ACM Queue 13, 2015): what overload leaves behind in a
// queue makes everything late that comes after it, so it is better to give some
// items up and serve the others in time.
//
// Time is cut into intervals. If even the least wait in an interval was above
// the target, the queue is overloaded in the next one: an item that has then
// waited for more than twice the target is shed in place of being handed out.
// The first wait within the target ends the overload, and with it the
// interval. So nothing is ever shed in an interval in which a wait was within
// the target, nor in the one after it.
//
// Every operation but Remove is O(1) on average; a single Pop sheds all that it comes
// upon. It implements [Clocked], so its owner reads the clock for each item,
// [Discarder], [Remover] and [Evictor]; the worst item is the newest. Bad values of
// the configuration are reported by Validate; see [Factory].
func CoDel[T any](cfg CoDelConfig) Factory[T] {
	if cfg.Target == 0 {
		cfg.Target = DefaultCoDelTarget
	}
	if cfg.Interval == 0 {
		cfg.Interval = DefaultCoDelInterval
	}
	var fault error
	if cfg.Target < 0 || cfg.Interval < cfg.Target {
		fault = fmt.Errorf("queue: CoDel: the target is %v and the interval %v; the target must be positive, and the interval no less", cfg.Target, cfg.Interval)
	}
	return func() Queue[T] { return &codel[T]{cfg: cfg, fault: fault} }
}

// codel is a FIFO whose items carry the time of their arrival. What it observes
// is the wait of the item at the front, the longest that there is: in the order
// of arrival that is the wait of what is handed out, and with AdaptiveLIFO it is
// what tells whether there is a standing queue, which the waits of the newest
// items do not. An empty queue counts as a wait of nothing.
type codel[T any] struct {
	cfg   CoDelConfig
	fault error
	items FIFO[stamped[T]]
	shed  FIFO[T]

	epoch time.Time     // the first that was told
	now   time.Duration // since epoch

	begun      bool          // there is an interval
	end        time.Duration // of the interval
	least      time.Duration // the least wait in it, so far
	overloaded bool          // as the interval before it has shown
}

type stamped[T any] struct {
	item T
	at   time.Duration // of its arrival, since epoch
}

// Validate reports bad values of the configuration.
func (q *codel[T]) Validate() error { return q.fault }

// NeedsTime reports that the owner has to call Tick.
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
		q.observe(0) // nobody may have looked while it was empty
	}
	q.items.Push(stamped[T]{item, q.now})
}

// Pop sheds what has waited for too long, and takes the next item.
func (q *codel[T]) Pop() (item T, ok bool) {
	for {
		front, ok := q.items.Peek()
		if !ok {
			q.observe(0)
			return item, false
		}
		wait := q.now - front.at
		q.observe(wait)
		if !q.overloaded || wait <= 2*q.cfg.Target {
			break
		}
		q.items.Pop()
		q.shed.Push(front.item)
	}
	if q.overloaded && q.cfg.AdaptiveLIFO {
		return unstamped(q.items.popBack())
	}
	return unstamped(q.items.Pop())
}

// observe takes a wait into account.
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

// begin begins an interval.
func (q *codel[T]) begin(wait time.Duration) {
	q.begun, q.end, q.least = true, q.now+q.cfg.Interval, wait
}

// Discarded returns an item that was shed.
func (q *codel[T]) Discarded() (item T, ok bool, reason error) {
	item, ok = q.shed.Pop()
	return item, ok, ErrShed
}

// Len is the number of items held.
func (q *codel[T]) Len() int { return q.items.Len() }

// Remove takes out every item for which gone reports true. O(n).
func (q *codel[T]) Remove(gone func(item T) bool) int {
	return q.items.Remove(func(s stamped[T]) bool { return gone(s.item) })
}

// CanEvict reports that CoDel can find any victim.
func (q *codel[T]) CanEvict(Victim) bool { return true }

// Evict takes the item at the front if it is to be the oldest, and else that at the
// back.
func (q *codel[T]) Evict(v Victim) (T, bool) { return unstamped(q.items.Evict(v)) }

func unstamped[T any](s stamped[T], ok bool) (T, bool) { return s.item, ok }
