// Package queue decides what runs next: the order in which waiting work is
// handed out.
//
// A discipline is a plain data structure behind the three methods of [Queue].
// It needs no lock, no goroutine and no clock, because its owner (usually a
// scheduler.Pool) serialises every call and tells it whatever it has to know.
// That keeps a discipline short, lets it be tested with integers, and lets a
// simulation run the very object that serves in production.
//
// What an item is worth (its priority, key, cost or deadline) reaches a
// discipline through functions given to its constructor, so the item type
// stays opaque. They must give the same answer for an item each time, and must
// not panic.
//
//	NewFIFO      in the order of arrival
//	NewLIFO      the newest first
//	Priority     the most important first, strictly or with ageing
//	Deadline     the most urgent first
//	Fair         by turns between keys, in proportion to their weights
//	LimitByKey   at most n of a key at once, over any of the others
//	CoDel        in the order of arrival, without what has waited too long
//
// A discipline may offer more than the three methods by implementing one of
// the optional capabilities [Remover], [Evictor], [Finisher], [Holder], [Clocked] and
// [Discarder]. The owner looks for them once, when it is built. It also asks the
// discipline what is wrong with its arguments, by a method Validate() error.
//
// Package queuetest checks any implementation for conformance.
package queue

import (
	"errors"
	"time"
)

// Queue decides what runs next.
//
// The owner serialises every call: an implementation need not be safe for
// concurrent use, and must not block, start goroutines, read a clock or call
// back into its owner. What comes out is exactly what went in, each item once.
type Queue[T any] interface {
	// Push adds an item. It never fails: bounds are the owner's business.
	Push(item T)
	// Pop takes the item that should run next. It reports false when nothing
	// may run now, which need not mean that the queue is empty: a discipline
	// that limits concurrency by key can hold items that have to wait.
	Pop() (item T, ok bool)
	// Len is the exact number of items held, eligible or not.
	Len() int
}

// Factory makes an empty Queue. Each call returns an independent instance.
//
// The constructors of this package return a Factory, and no error. Instead, a queue
// reports bad arguments of its constructor by a method Validate() error, which returns
// what is wrong and what to do about it, or nil. The owner calls it when it is built,
// and refuses a queue that reports something.
type Factory[T any] func() Queue[T]

// Remover is the capability to take out items that have been withdrawn. The owner of
// a queue without it discards withdrawn items when they are popped; until then they
// stay in memory.
type Remover[T any] interface {
	// Remove takes out every item for which gone reports true, keeps the order
	// of the others, and returns how many it took out. It calls gone exactly
	// once for each item held.
	Remove(gone func(item T) bool) int
}

// Evictor is the capability to choose an item to give up when room has to be made.
type Evictor[T any] interface {
	// CanEvict reports whether the discipline can find such a victim. The owner
	// asks once, when it is built. A discipline over another one may depend on it.
	CanEvict(v Victim) bool
	// Evict takes out a victim that CanEvict has said yes to. It reports false only
	// when the queue is empty.
	Evict(v Victim) (item T, ok bool)
}

// Victim says which item an [Evictor] gives up.
type Victim uint8

// The victims.
const (
	// Worst is the item that ranks last: as a rule the one that would run last.
	Worst Victim = iota
	// Oldest is the item that was pushed first.
	Oldest
)

// Finisher is the capability to be told when an item that was popped has ended.
type Finisher[T any] interface {
	// Finish says that a popped item has ended. It is called exactly once for each
	// popped item, however it ended, and not for items that left in another
	// way. If ran is false, the item was withdrawn before the pop and never ran:
	// a discipline that charges for what it hands out takes the charge back.
	Finish(item T, ran bool)
}

// Holder is the capability of disciplines that hold items back: those whose Pop may
// report false while Len is positive. The owner starts no workers for held items,
// and never runs an item past the discipline. A Holder must be a [Remover], so that
// the owner can reach the held items when it stops, and as a rule is a [Finisher],
// since the end of one item is what allows another one to run.
type Holder interface {
	// Held is the number of items that may not run now, from 0 to Len.
	Held() int
}

// Clocked is the capability to be told the time.
type Clocked interface {
	// NeedsTime reports whether the owner has to call Tick. The owner asks once,
	// when it is built: reading the clock costs more than a push and a pop. A
	// discipline over another one passes the question on.
	NeedsTime() bool
	// Tick sets the time for the calls that follow. The owner calls it before each
	// Push, Pop, Finish, Remove and Evict, with times that never go back.
	Tick(now time.Time)
}

// Discarder is the capability to give up items without being asked: since they have
// waited too long, or since the discipline cannot take them after all.
type Discarder[T any] interface {
	// Discarded returns an item that the discipline has given up, and false when
	// there is none left. The reason for giving it up is never nil; it is [ErrShed]
	// for an item that has waited too long. The owner calls Discarded until it
	// reports false after each Pop, Finish, Remove and Evict. Len does not count a
	// discarded item, and the owner does not finish it.
	Discarded() (item T, ok bool, reason error)
}

// ErrShed is the reason for discarding an item that has waited too long.
var ErrShed = errors.New("queue: shed, having waited too long")
