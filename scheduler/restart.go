package scheduler

import (
	"math/rand/v2"
	"time"
)

// RestartPolicy says when work that has failed and may run again does so. One
// policy serves many tasks at once, so it must be safe for concurrent use.
type RestartPolicy interface {
	// Next returns how long to wait before the next run, or false to give up.
	Next(f Failure) (delay time.Duration, ok bool)
}

// Failure is what a RestartPolicy is told.
type Failure struct {
	// Attempt counts the failures in a row, this one included: 1 is the first.
	// A run of at least ResetAfter (see Resetter) begins a new row.
	Attempt int
	// Previous is the delay before the run that failed; 0 before the first.
	Previous time.Duration
	// Err is how the run ended.
	Err error
	// Now is when.
	Now time.Time
	// Rand is the source of randomness to use, so that a run can be repeated. It
	// is safe for concurrent use.
	Rand *rand.Rand
}

// Resetter is an optional capability of a RestartPolicy: to forgive. After a
// run that lasted at least ResetAfter, Failure.Attempt starts at 1 again.
type Resetter interface {
	// ResetAfter returns a positive duration. It is asked once, when a manager
	// is started.
	ResetAfter() time.Duration
}

// The delays of the default restart policy.
const (
	DefaultRestartBase = 10 * time.Millisecond
	DefaultRestartCap  = 10 * time.Second
)

// DefaultRestart is Exponential with the default delays.
func DefaultRestart() RestartPolicy { return Exponential(DefaultRestartBase, DefaultRestartCap) }

// Exponential restarts at once after the first failure in a row, and then after
// a random delay from 0 to below base, 2·base, 4·base and so on up to limit. It
// never gives up. A run of at least limit begins a new row.
//
// This is the “full jitter” of Marc Brooker, Exponential Backoff And Jitter
// (AWS Architecture Blog, 2015): tasks that failed together, for a common cause,
// do not come back together.
//
// A base or limit that is not positive means its default, and a limit below
// base means base.
func Exponential(base, limit time.Duration) RestartPolicy {
	if base <= 0 {
		base = DefaultRestartBase
	}
	if limit <= 0 {
		limit = DefaultRestartCap
	}
	return exponential{base: base, limit: max(base, limit)}
}

type exponential struct{ base, limit time.Duration }

func (e exponential) ResetAfter() time.Duration { return e.limit }

func (e exponential) Next(f Failure) (time.Duration, bool) {
	if f.Attempt <= 1 {
		return 0, true
	}
	ceiling := e.limit
	// base·2^n, unless that exceeds the limit; written so that it cannot overflow.
	if n := f.Attempt - 2; n < 63 && e.base <= e.limit>>n {
		ceiling = e.base << n
	}
	return time.Duration(f.Rand.Int64N(int64(ceiling))), true
}
