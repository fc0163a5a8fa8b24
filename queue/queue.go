// Package queue provides queueing disciplines: data structures that decide in which
// order waiting items run.
//
//	NewFIFO      first in, first out
//	NewLIFO      last in, first out
//	Priority     the highest level first, strictly or with ageing
//	Deadline     the earliest deadline first
//	Fair         keys in turn, in proportion to their weights
//	LimitByKey   at most n items of a key at once, in the order of another discipline
//	Resources    items that use amounts of shared resources, in the order of another discipline
//	CoDel        first in, first out; sheds items that have waited too long
//
// A discipline implements the three methods of [Queue]. It holds no lock, starts no
// goroutine and reads no clock. Its owner, usually a scheduler.Pool, serialises all
// calls and supplies the time. A discipline is therefore short, can be tested with
// integers, and behaves in a simulation exactly as in production.
//
// A discipline knows nothing about the type of its items. It reads the attributes that
// it needs (a priority, key, cost or deadline) with functions passed to its
// constructor. Such a function must always return the same result for an item, and
// must not panic. If it does, Push leaves the queue unchanged.
//
// # Optional capabilities
//
// A discipline can implement further interfaces: [Remover], [Evictor], [Finisher],
// [Holder], [Lender], [Fronter], [Clocked], [Discarder] and [Drainer]. The owner looks for them
// once, when it is created.
//
// # Own disciplines
//
// Three methods are enough. Package queuetest checks an implementation of [Queue] and of
// the optional interfaces.
package queue

import (
	"errors"
	"time"
)

// Queue decides which item runs next.
//
// The owner serialises all calls, so an implementation need not be safe for concurrent
// use. It must not block, start goroutines, read a clock or call its owner. Each item
// that was pushed leaves the queue once.
type Queue[T any] interface {
	// Push adds an item. It cannot fail: limits on the length are the owner's task.
	Push(item T)
	// Pop removes and returns the item that runs next. It reports false if no item
	// may run now: the queue is empty, or it holds items back (see [Holder]).
	Pop() (item T, ok bool)
	// Len returns the number of items in the queue, including held ones.
	Len() int
}

// Factory makes an empty Queue. Each call returns an independent instance.
//
// The constructors in this package return a Factory and no error, so that a discipline
// is one expression in a configuration. A queue whose constructor received invalid
// arguments reports them by a method Validate() error, which says what is wrong and
// what to do about it. The owner calls Validate, where it exists, before it uses the
// queue.
type Factory[T any] func() Queue[T]

// Remover is implemented by a queue that can remove withdrawn items. Without it, a
// withdrawn item stays in memory until the owner pops and discards it.
type Remover[T any] interface {
	// Remove removes each item for which gone returns true and keeps the order of the
	// others. It calls gone exactly once for each item in the queue, and returns
	// the number of items removed.
	Remove(gone func(item T) bool) int
}

// Evictor is implemented by a queue that can choose an item to drop when the owner needs
// room.
type Evictor[T any] interface {
	// CanEvict reports whether the queue can find the victim v. The owner asks once,
	// before it uses the queue. The answer can depend on an inner discipline.
	CanEvict(v Victim) bool
	// Evict removes and returns the victim v, for which CanEvict has returned true.
	// It reports false only if the queue is empty.
	Evict(v Victim) (item T, ok bool)
}

// Victim says which item an [Evictor] removes.
type Victim uint8

const (
	// Worst is the item that ranks last, usually the one that would run last.
	Worst Victim = iota
	// Oldest is the item that was pushed first. An item that was put first by a [Fronter] may
	// count as older than the others.
	Oldest
)

// Finisher is implemented by a queue that needs to know when a popped item has ended.
type Finisher[T any] interface {
	// Finish says that a popped item has ended. The owner calls it exactly once for
	// each popped item, however the item ended, and never for an item that left the
	// queue in another way. If ran is false, the item had been withdrawn and never
	// ran; a discipline that charges for a popped item refunds the charge.
	Finish(item T, ran bool)
}

// Holder is implemented by a queue that holds items back: its Pop can report false while
// Len is positive. The owner starts no workers for held items, and does not run an
// item without pushing it first. A Holder must implement [Remover], because the owner
// removes held items when it stops. It usually implements [Finisher], because the end
// of one item allows another one to run.
type Holder interface {
	// Held returns the number of items that may not run now, from 0 to Len.
	Held() int
}

// Lender is implemented by a queue that needs to know when a popped item waits for others. It
// must not count on the end of such an item, which may come only after items in the queue.
type Lender[T any] interface {
	// Lent says that a popped item has begun to wait, and has lent its worker's place to
	// another item (lends), or that it continues. The owner calls it alternately with true
	// and false for an item, and with false before Finish.
	Lent(item T, lends bool)
}

// Fronter is implemented by a queue in which an item can go to the front.
type Fronter[T any] interface {
	// CanPushFront reports whether PushFront works. The owner asks once, before it uses the
	// queue. The answer can depend on an inner discipline.
	CanPushFront() bool
	// PushFront adds an item as Push does, but before all items that are its equals: those
	// of the same level, deadline or key, or all items if the order is that of the pushes.
	// Of two such items, the one that was pushed later runs first. The owner ticks a Clocked
	// before it.
	PushFront(item T)
}

// Previewer is implemented by a queue that can tell which items run next.
type Previewer[T any] interface {
	// CanPreview reports whether Preview works. The owner asks once, before it uses the queue.
	// The answer can depend on an inner discipline.
	CanPreview() bool
	// Preview returns at most n items in the order in which Pop would return them if nothing
	// else happened. It leaves out items that are held back, and changes nothing. The owner ticks
	// a Clocked before it. It should not cost more than O(n log n) for n items, however many
	// there are in the queue.
	Preview(n int) []T
}

// Clocked is implemented by a queue that depends on the time.
type Clocked interface {
	// NeedsTime reports whether the owner has to call Tick. The owner asks once, before
	// it uses the queue. A discipline over an inner one can then avoid the cost of
	// the clock, which exceeds that of a Push and a Pop, if the inner one does not
	// need the time.
	NeedsTime() bool
	// Tick sets the time for the calls that follow. The owner calls it before each
	// Push, PushFront, Pop, Preview, Finish, Lent, Remove and Evict. The times never decrease, as measured by
	// [time.Time.Sub] and [time.Time.Before]. They have a reading of the monotonic clock;
	// the wall time may jump between two of them.
	//
	// The difference of two times is how long an item has waited between them. The clock
	// stands still while the owner is paused, since that is no wait for a worker. So a time
	// is not the time of day after a pause; compare it only with other times of Tick.
	Tick(now time.Time)
}

// Discarder is implemented by a queue that gives up items by itself: because they have
// waited too long, or because it fails to insert them.
type Discarder[T any] interface {
	// Discarded returns an item that the queue has given up, and false if there are no
	// more. The reason is [ErrShed] for an item that has waited too long, and never
	// nil. The owner calls Discarded until it reports false after each Push, PushFront, Pop,
	// Finish, Lent, Remove and Evict. Len does not count discarded items, and the owner does not
	// finish them.
	Discarded() (item T, ok bool, reason error)
}

// Drainer is implemented by a queue that gives up items because they have waited too long.
type Drainer interface {
	// Drain says that the owner takes no more items, except those that it runs again, and
	// stops when the queue is empty. From now on the queue gives up no item because
	// of its wait. The owner may call Drain repeatedly.
	Drain()
}

// ErrShed is the reason why a [Discarder] gave up an item that had waited too long.
var ErrShed = errors.New("queue: shed after waiting too long")
