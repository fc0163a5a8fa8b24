package restart

import (
	"errors"
	"math/rand/v2"
	"time"
)

// Policy decides whether and when failed work runs again. It must be safe for concurrent
// use, because one policy serves many tasks.
//
// A policy may implement [Resetter] and [Windower], and may report invalid arguments
// through a method Validate() error. The policies of this package accept any Failure and
// never return a negative delay.
type Policy interface {
	// Next returns the time to wait before the next run, or false to give up. The
	// worker that ran the work waits for the answer, so Next must be quick.
	Next(f Failure) (delay time.Duration, ok bool)
}

// Failure describes a failed run to a [Policy].
type Failure struct {
	// Attempt is the number of failures in a row, this one included. It is 1 for the
	// first. Runs that returned taskmanager.NotYet have no effect on it. A run of at least ResetAfter (see [Resetter]) starts a new row.
	Attempt int
	// Previous is the delay before the run that failed, and 0 before the first run.
	Previous time.Duration
	// Recent is the number of restarts of this task that began within the Window (see
	// [Windower]) before Now. It does not include the restart that is being decided. It
	// is 0 for a policy without a Window.
	Recent int
	// Starts is the number of executions that the manager has begun so far, over all
	// tasks, without restarts and without those that followed taskmanager.NotYet.
	Starts uint64
	// Restarts is the number of restarts that the manager has granted so far, over all
	// tasks. It does not include the restart that is being decided.
	Restarts uint64
	// Err is the error with which the run ended.
	Err error
	// Now is the time at which the run ended, on the wall clock. It has a reading of the
	// monotonic clock, by which [time.Time.Sub] measures the time between two failures.
	Now time.Time
	// Rand is the source of randomness to use, so that a run can be reproduced. It is
	// safe for concurrent use. If it is nil, the policies of this package use the
	// global source of math/rand/v2.
	Rand *rand.Rand
}

// Resetter is an optional interface of a [Policy] that forgets old failures. After a run
// of at least ResetAfter, [Failure.Attempt] starts at 1 again.
type Resetter interface {
	// ResetAfter returns a positive duration, or 0 if no run is long enough. A policy
	// without this method counts as 0. It is called once, when the policy is set, and
	// must always return the same value.
	ResetAfter() time.Duration
}

// Windower is an optional interface of a [Policy] that needs [Failure.Recent].
type Windower interface {
	// Window returns the time over which Failure.Recent counts restarts, or 0 if the
	// policy does not need it. A policy without this method counts as 0. It is called
	// once, when the policy is set, and must always return the same value. The manager
	// keeps the times of the restarts within the window.
	Window() time.Duration
}

// Func is a [Policy] defined by a function, which must be safe for concurrent use. A
// negative delay counts as 0. No run is long enough to start a new row of failures. A nil
// Func always gives up, and its Validate returns an error.
type Func func(f Failure) (delay time.Duration, ok bool)

// Next calls the function.
func (fn Func) Next(f Failure) (time.Duration, bool) {
	if fn == nil {
		return 0, false
	}
	return ask(fn(f))
}

// Validate returns an error if the function is nil.
func (fn Func) Validate() error {
	if fn == nil {
		return errors.New("restart: Func: the function is nil; give one, or use Default or Never")
	}
	return nil
}

// Never returns a policy that gives up at the first failure.
func Never() Policy { return never{} }

type never struct{}

func (never) Next(Failure) (time.Duration, bool) { return 0, false }

// ask normalises an answer of a policy or function of the user.
func ask(delay time.Duration, ok bool) (time.Duration, bool) {
	if !ok {
		return 0, false
	}
	return max(delay, 0), true
}

// over is embedded by each policy that decorates an inner one. It forwards the optional
// interfaces.
//
// A decorator decides whether to give up before it asks the inner policy. So no decorator
// refuses a restart for which an inner Budget has spent a token. Budget itself asks the
// inner policy first, because it must not spend a token on a restart that does not happen.
type over struct {
	inner Policy
	fault error // in the decorator's own arguments
}

// decorate returns the base of a decorator. A nil inner means Default.
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
