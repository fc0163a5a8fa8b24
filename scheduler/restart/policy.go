package restart

import (
	"errors"
	"math/rand/v2"
	"time"
)

// Policy says when work that has failed and may run again does so.
//
//	Exponential   after delays that double, with full jitter; the default
//	Decorrelated  after delays that grow from the one before, with jitter
//	Constant      after the same delay each time
//	Never         not at all
//	Func   as a function of your own has it
//
// Others add a reason to give up to a policy within:
//
//	MaxAttempts   after so many failures in a row
//	Intensity     at too many restarts within a while
//	Budget        when restarts outgrow the work that is not a restart
//	When          for errors that a restart does not cure
//
// A policy may offer more by implementing [Resetter] or [Windower], and report
// what is wrong with its arguments by a method Validate() error. Those of this
// package answer any Failure, with a delay that is never negative.
//
// One policy serves many tasks at once, so it must be safe for concurrent use.
type Policy interface {
	// Next returns how long to wait before the next run, or false to give up. The
	// worker that ran the work waits for the answer.
	Next(f Failure) (delay time.Duration, ok bool)
}

// Failure is what a Policy is told.
type Failure struct {
	// Attempt counts the failures in a row, this one included: 1 is the first.
	// A run of at least ResetAfter (see Resetter) begins a new row.
	Attempt int
	// Previous is the delay before the run that failed; 0 before the first.
	Previous time.Duration
	// Recent is how many restarts of this work began after Now less the Window (see
	// Windower), not counting the one that is asked for. It is 0 for a policy
	// without a Window.
	Recent int
	// Starts is how many executions the whole manager has begun so far, restarts
	// not counted.
	Starts uint64
	// Restarts is how many restarts the whole manager has granted so far, the one
	// that is asked for not among them.
	Restarts uint64
	// Err is how the run ended.
	Err error
	// Now is when.
	Now time.Time
	// Rand is the source of randomness to use, so that a run can be repeated. It
	// is safe for concurrent use. If it is nil, the policies of this package use
	// the global source of math/rand/v2.
	Rand *rand.Rand
}

// Resetter is an optional capability of a Policy: to forgive. After a
// run that lasted at least ResetAfter, Failure.Attempt starts at 1 again.
type Resetter interface {
	// ResetAfter returns a positive duration, or 0 for never, which is also how a
	// policy without the capability counts. It is asked when a manager or a task
	// is set up, not at each failure, so it must not change.
	ResetAfter() time.Duration
}

// Windower is an optional capability of a Policy: to be told how often
// the work was restarted of late.
type Windower interface {
	// Window returns over how long Failure.Recent counts, or 0 if it is not
	// needed, which is also how a policy without the capability counts. It is
	// asked when a manager or a task is set up, not at each failure, so it must
	// not change. The manager keeps the times of the restarts meanwhile.
	Window() time.Duration
}

// Func makes a Policy of a function, which must be safe for
// concurrent use. A negative delay counts as 0. It has neither of the optional
// capabilities, so no run is long enough to begin a new row of failures. A nil
// function is reported by Validate, and gives up.
type Func func(f Failure) (delay time.Duration, ok bool)

// Next calls the function.
func (fn Func) Next(f Failure) (time.Duration, bool) {
	if fn == nil {
		return 0, false
	}
	return ask(fn(f))
}

// Validate reports a nil function.
func (fn Func) Validate() error {
	if fn == nil {
		return errors.New("restart: Func: the function is nil; give one, or use Default or Never")
	}
	return nil
}

// Never restarts nothing: the first failure is the end.
func Never() Policy { return never{} }

type never struct{}

func (never) Next(Failure) (time.Duration, bool) { return 0, false }

// ask puts the answer of somebody else's policy in order.
func ask(delay time.Duration, ok bool) (time.Duration, bool) {
	if !ok {
		return 0, false
	}
	return max(delay, 0), true
}

// over is what the policies that decorate another one have in common. They
// decide first whether to give up, and ask the inner one only if they do not, so
// that what an inner Budget has granted is not refused further out. (Budget
// itself asks first, since it must not spend a token on a restart that will not
// be.)
type over struct {
	inner Policy
	fault error // of the decorator's own arguments
}

// decorate returns what a decorator of inner is built on; nil is the default
// policy.
func decorate(inner Policy, faults ...error) over {
	if inner == nil {
		inner = Default()
	}
	return over{inner: inner, fault: errors.Join(faults...)}
}

func (o over) next(f Failure) (time.Duration, bool) { return ask(o.inner.Next(f)) }

func (o over) ResetAfter() time.Duration {
	if r, ok := o.inner.(Resetter); ok {
		return max(r.ResetAfter(), 0)
	}
	return 0
}

func (o over) Window() time.Duration {
	if w, ok := o.inner.(Windower); ok {
		return max(w.Window(), 0)
	}
	return 0
}

func (o over) Validate() error {
	if v, ok := o.inner.(interface{ Validate() error }); ok {
		return errors.Join(o.fault, v.Validate())
	}
	return o.fault
}
