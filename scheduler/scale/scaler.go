package scale

import (
	"time"
)

// Scaler says how many workers there should be.
//
// It is deterministic and reads no clock: all that it may know is in the
// signals S, so the same strategy runs in a simulation, and the same signals
// give the same decisions. It may keep state, and so must not be shared by two
// pools. The pool serialises the calls. It holds no lock meanwhile that running
// items need, but a submit that finds no idle worker waits for the answer, so
// Scale has to be quick;
// of the pool that asks it, a scaler may call only Snapshot and Workers.
//
// A pool asks at a submit that finds no idle worker, when a worker has been
// idle for its timeout, and after the Again of the last decision. It keeps the
// target within its bounds and grows to it at once: the workers count from then on, and
// those above the minimum have goroutines as soon as there are items for them, one after
// another. It shrinks towards the target only by letting workers leave that had nothing
// to do for the timeout.
type Scaler[S any] interface {
	// Scale decides, given the state of things.
	Scale(signals S) Decision
}

// Decision is a Scaler's answer.
type Decision struct {
	Target int           // how many workers there should be
	Again  time.Duration // ask again after this time at the latest; 0: no need
	Reason string        // in a few words, for people
	// Firm makes workers above the target leave as soon as they have nothing in
	// hand, even while items wait, and lets the scaler alone say when it is asked
	// again. Otherwise workers leave only when they have been idle for their
	// timeout, since under load the next decision may well want them back.
	Firm bool
}

// Timed is an optional capability of a Scaler: to say whether it reads the
// signals that need a clock. A scaler without it is taken to need them.
type Timed interface {
	// NeedsTime is asked once, when the pool is made.
	NeedsTime() bool
}

// NeedsTime reports whether a scaler wants the signals that need a clock. Pools call it.
func NeedsTime(s Scaler[Snapshot]) bool {
	t, ok := s.(Timed)
	return !ok || t.NeedsTime()
}
