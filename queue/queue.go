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
// the optional capabilities [Remover], [Evictor], [OldestEvictor], [Finisher],
// [Skipper], [Holder], [Refuser] or [Clocked], and report what is wrong with how it
// was made as a [Validator]. The owner looks for them once, when it is built.
//
// Package queuetest checks any implementation for conformance.
package queue

import (
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
type Factory[T any] func() Queue[T]

// Remover is the capability to withdraw items that have not been popped yet.
// The owner of a queue without it skips withdrawn items when they are popped;
// until then they stay in memory.
type Remover[T any] interface {
	// Remove takes out every item for which gone reports true, keeps the order
	// of the others, and returns how many it took out. It calls gone exactly
	// once for each item held.
	Remove(gone func(item T) bool) int
}

// Evictor is the capability to choose a victim when room has to be made.
type Evictor[T any] interface {
	// Evict takes out the item that the discipline can best do without: as a
	// rule the one that would run last. It reports false only when the queue is
	// empty.
	Evict() (item T, ok bool)
}

// OldestEvictor is the capability to give up the item that was pushed first.
type OldestEvictor[T any] interface {
	// EvictOldest takes out the item that has been held longest. It reports
	// false only when the queue is empty.
	EvictOldest() (item T, ok bool)
}

// Finisher is the capability to be told when an item that was popped has
// ended, which a discipline needs to limit how many items of a kind run at
// once. Each popped item is finished exactly once, whichever way it ended; items
// that left in another way (removed, evicted, shed) are not finished.
type Finisher[T any] interface {
	// Finish says that a popped item has ended.
	Finish(item T)
}

// Skipper is the capability to be told that an item which was popped did not run,
// since it had been withdrawn, for disciplines that charge for what they hand out.
// Such an item is finished too, where the discipline is a Finisher.
type Skipper[T any] interface {
	// Skip says that a popped item was not served.
	Skip(item T)
}

// Refuser is the capability to hand back items that the discipline has accepted and
// then could not take, for instance because a function that it reads an attribute
// with panicked.
type Refuser[T any] interface {
	// Refused returns such an item, with the reason, and false when there is none
	// left. The owner calls it after each Finish, Remove, Evict and Shed. An item
	// that was refused is no longer counted by Len.
	Refused() (item T, ok bool, reason error)
}

// Holder is the capability to tell how many of the items that are held may not run
// now, whoever asks. The owner wants no workers for them. A queue without it is
// taken to hold back none.
type Holder interface {
	// Held is that number, from 0 to Len.
	Held() int
}

// Clocked is the capability to be told the time, for disciplines that give up
// items which have waited too long.
type Clocked[T any] interface {
	// Tick sets the time for the calls that follow. The owner calls it before
	// each call of Push, Pop, Finish, Remove and the like, with times that never
	// go back.
	Tick(now time.Time)
	// Shed returns an item that the discipline has given up, and false when
	// there is none left. The owner calls it after each Pop until it reports
	// false. An item that was shed is no longer counted by Len.
	Shed() (item T, ok bool)
}

// Validator is the capability to report bad arguments of a discipline's
// constructor, which returns a [Factory] and so cannot. An owner asks when it is
// built, and refuses a queue that has something to report.
type Validator interface {
	// Validate returns what is wrong and what to do about it, or nil.
	Validate() error
}
