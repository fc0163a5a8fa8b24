// Package stateword holds the state of a task, and the lock of the task's other fields, in one
// word of 32 bits.
//
//	 31     30     29      28..24  23..16    15..4  3      2..0
//	┌──────┬──────┬───────┬───────┬─────────┬──────┬──────┬───────┐
//	│locked│extras│special│   0   │observers│  0   │begun │ state │
//	└──────┴──────┴───────┴───────┴─────────┴──────┴──────┴───────┘
//
//	locked     a goroutine holds the lock
//	extras     the fields that few tasks need may be in use: a channel, an error, a restart
//	special    the task has a configuration
//	observers  the id of the set of observers of the task; 0: none
//	begun      the execution has begun, or observers were told so
//	state      see State
//
// A task that nobody waits for, and that succeeds, changes its state three times. With a separate
// lock, each change would be three atomic operations. Here the two changes that only the pool
// and the worker make, [Word.Claim] and [Word.Begin], are one compare-and-swap each. They
// succeed only if the lock is free and, for Begin, if extras and special say that nothing is left
// to do but to change the state. All other changes are made with the lock held.
//
// special is set before any other goroutine knows the task, and observers at the begin of the
// submit, before the pool or the table of names knows it. Neither changes afterwards. The holder of
// the lock may change all other bits. Any goroutine may read the word; what it reads may be out of
// date at once, unless it holds the lock or owns the state.
package stateword

import (
	"runtime"
	"sync/atomic"
)

// State is where a task is in its life.
//
//	admitting → queued            the submit, when the task is in the queue
//	admitting → delayed           the submit, if the task is not due yet
//	admitting, queued → claimed   the pool, when it takes the task from the queue
//	claimed → running → asking    the worker
//	asking → queued, delayed      the worker
//	delayed → queued              the timer
//	delayed → admitting           the goroutine that ends the task before it
//	queued, delayed → ending      the goroutine that cancels the task
//	other states → ending         the owner of that state
//	ending → ended                the goroutine that made it ending
//
// Therefore exactly one goroutine ends each task and frees its name. It may go to ended directly.
type State uint8

// The states of a task. A zero Word is in state Queued.
const (
	Queued    State = iota // waits for a worker
	Admitting              // is being submitted, and may wait for room
	Claimed                // taken from the queue by the pool
	Running                // Execute runs
	Asking                 // Execute has failed; Restart and the policy decide
	Delayed                // waits until it is due to start or restart, or for the end of another task of its name
	Ending                 // is about to end; nothing else changes it
	Ended                  // Done is closed
)

const (
	stateMask     = 1<<3 - 1
	begun         = 1 << 3
	observers     = 16 // lowest bit
	observersMask = 0xff << observers
	special       = 1 << 29
	extras        = 1 << 30
	locked        = 1 << 31
)

// Word is the state and the lock. The zero Word is unlocked. It must not be copied after first
// use.
type Word struct{ v atomic.Uint32 }

// Init sets the state and special of a task that no other goroutine knows yet.
func (w *Word) Init(s State, isSpecial bool) {
	if isSpecial {
		w.v.Store(uint32(s) | special)
	} else if s != Queued { // the state of a zero Word; an atomic write takes longer than the question
		w.v.Store(uint32(s))
	}
}

// Observe sets the id of the set of observers, which must be unset. It locks the word: although
// the submit has only begun, a group or a schedule may know the task and cancel it.
func (w *Word) Observe(id uint8) {
	if id != 0 {
		w.Lock()
		w.v.Store(w.v.Load()&^locked | uint32(id)<<observers)
	}
}

// Lock locks the word. A goroutine that finds it locked tries again, and soon lets others run
// between its tries: the lock is held for tens of nanoseconds, never while user code runs.
func (w *Word) Lock() {
	if x := w.v.Load(); x&locked == 0 && w.v.CompareAndSwap(x, x|locked) {
		return
	}
	w.lockSlow()
}

// spins is the number of attempts before a goroutine yields, about half a microsecond. The holder
// of the lock most likely runs on another processor and releases it within the time of a few
// transfers of a cache line, and the pool, which calls Claim, holds its own lock meanwhile.
const spins = 500

func (w *Word) lockSlow() {
	for i := 0; ; i++ {
		if x := w.v.Load(); x&locked == 0 && w.v.CompareAndSwap(x, x|locked) {
			return
		}
		if i >= spins {
			runtime.Gosched()
		}
	}
}

// Unlock unlocks the word. The caller holds the lock.
func (w *Word) Unlock() { w.v.Store(w.v.Load() &^ locked) }

// SetAndUnlock is Set and Unlock in one change.
func (w *Word) SetAndUnlock(s State) { w.v.Store(w.v.Load()&^(stateMask|locked) | uint32(s)) }

// Set changes the state. The caller holds the lock.
func (w *Word) Set(s State) { w.v.Store(w.v.Load()&^stateMask | uint32(s)) }

// SetBegun sets or clears begun. The caller holds the lock.
func (w *Word) SetBegun(is bool) {
	v := w.v.Load() &^ begun
	if is {
		v |= begun
	}
	w.v.Store(v)
}

// MarkExtras sets extras. The caller holds the lock.
func (w *Word) MarkExtras() { w.v.Store(w.v.Load() | extras) }

// State returns the state.
func (w *Word) State() State { return State(w.v.Load() & stateMask) }

// Over reports whether the task has ended. If it is about to be, Over waits until what its end
// involves has been done, and the lock is free.
func (w *Word) Over() bool {
	for i := 0; ; i++ {
		x := w.v.Load()
		if State(x&stateMask) != Ended || x&locked == 0 {
			return State(x&stateMask) == Ended
		}
		if i >= spins {
			runtime.Gosched()
		}
	}
}

// OverWithoutExtras reports whether the task has ended without extras, and so without an error,
// which is final. It may return false while the lock is held.
func (w *Word) OverWithoutExtras() bool {
	x := w.v.Load()
	return State(x&stateMask) == Ended && x&(extras|locked) == 0
}

// Begun returns begun.
func (w *Word) Begun() bool { return w.v.Load()&begun != 0 }

// Extras returns extras.
func (w *Word) Extras() bool { return w.v.Load()&extras != 0 }

// Special returns special.
func (w *Word) Special() bool { return w.v.Load()&special != 0 }

// ObservedOrSpecial reports whether the task has observers or is special.
func (w *Word) ObservedOrSpecial() bool { return w.v.Load()&(observersMask|special) != 0 }

// Observers returns the id of the set of observers.
func (w *Word) Observers() uint8 { return uint8(w.v.Load() >> observers) }

// Claim changes a task that waits for a worker to Claimed, or returns false. Exactly one of Claim
// and a change to Ending succeeds.
func (w *Word) Claim() bool {
	x := w.v.Load()
	if x&locked == 0 && waits(x) && w.v.CompareAndSwap(x, x&^stateMask|uint32(Claimed)) {
		return true
	}
	w.Lock()
	x = w.v.Load()
	if !waits(x) {
		w.Unlock()
		return false
	}
	w.SetAndUnlock(Claimed)
	return true
}

func waits(x uint32) bool { s := State(x & stateMask); return s == Queued || s == Admitting }

// BeginAndUnlock is what Begin does for a task that is not plain, and sets or clears extras. The
// caller holds the lock, which is released.
func (w *Word) BeginAndUnlock(hasExtras bool) {
	v := w.v.Load()&^(stateMask|extras|locked) | uint32(Running) | begun
	if hasExtras {
		v |= extras
	}
	w.v.Store(v)
}

// Plain reports whether Begin may succeed for a claimed task: the lock is free, and there is
// nothing to do at the begin of the execution but to change the state.
func (w *Word) Plain() bool { return w.v.Load()&(locked|extras|special) == 0 }

// Begin changes a claimed task to Running and sets begun, if the task is plain. The caller owns
// the state Claimed. It may have written fields that other goroutines do not read in that state.
func (w *Word) Begin() bool {
	x := w.v.Load()
	return x&(locked|extras|special) == 0 && w.v.CompareAndSwap(x, x&^stateMask|uint32(Running)|begun)
}
