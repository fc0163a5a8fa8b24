package restart

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// The delays of the default restart policy.
const (
	DefaultBase = 10 * time.Millisecond
	DefaultCap  = 10 * time.Second
)

// Default is Exponential with the default delays.
func Default() Policy { return Exponential(DefaultBase, DefaultCap) }

// Constant restarts after the same delay each time. It never gives up, and no run
// is long enough for it to begin a new row of failures. With a delay of 0, work
// that fails at once keeps a worker busy with nothing else; add [Intensity] or
// [MaxAttempts] then. A negative delay is reported by Validate, and counts as 0.
//
// Work that failed together comes back together; [Exponential] and
// [Decorrelated] spread it out.
func Constant(delay time.Duration) Policy { return constant(delay) }

type constant time.Duration

func (c constant) Next(Failure) (time.Duration, bool) { return max(time.Duration(c), 0), true }

func (c constant) Validate() error {
	if c < 0 {
		return fmt.Errorf("restart: Constant: the delay is %v; it must be positive, or 0 for at once", time.Duration(c))
	}
	return nil
}

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
func Exponential(base, limit time.Duration) Policy {
	if base <= 0 {
		base = DefaultBase
	}
	if limit <= 0 {
		limit = DefaultCap
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
	return f.between(0, ceiling), true
}

// Decorrelated restarts after a random delay from base to below three times the
// delay before, or three times base after the first failure in a row, but always
// below limit. It never gives up. A run of at least limit begins a new row.
//
// Compared with [Exponential] no restart is sooner than base, the first included,
// and the delays of tasks that failed together drift apart, since each depends on
// those before it.
//
// This is the “decorrelated jitter” of Marc Brooker, Exponential Backoff And
// Jitter (AWS Architecture Blog, 2015), but for one thing: there the delay that
// was drawn is cut down to the limit, which makes most of them equal to it once
// they have grown. Here the limit cuts the range that is drawn from. If base and
// limit are equal, so is every delay.
//
// A base or limit of 0 means its default: DefaultBase, DefaultCap.
// Negative ones, and a limit below base, are reported by Validate; they count as
// the default and as base.
func Decorrelated(base, limit time.Duration) Policy {
	var faults []error
	if base < 0 {
		faults = append(faults, fmt.Errorf("restart: Decorrelated: the base is %v; it must be positive, or 0 for %v", base, DefaultBase))
	}
	if limit < 0 {
		faults = append(faults, fmt.Errorf("restart: Decorrelated: the limit is %v; it must be positive, or 0 for %v", limit, DefaultCap))
	}
	if base <= 0 {
		base = DefaultBase
	}
	if limit <= 0 {
		limit = DefaultCap
	}
	if limit < base {
		faults = append(faults, fmt.Errorf("restart: Decorrelated: the limit, %v, is below the base, %v; raise it, or lower the base", limit, base))
	}
	return decorrelated{base: base, limit: max(base, limit), fault: errors.Join(faults...)}
}

type decorrelated struct {
	base, limit time.Duration
	fault       error
}

func (d decorrelated) ResetAfter() time.Duration { return d.limit }

func (d decorrelated) Validate() error { return d.fault }

func (d decorrelated) Next(f Failure) (time.Duration, bool) {
	previous := d.base
	if f.Attempt > 1 {
		previous = max(previous, f.Previous) // which another policy may have chosen
	}
	ceiling := d.limit
	if previous <= d.limit/3 {
		ceiling = 3 * previous
	}
	return f.between(d.base, ceiling), true
}

// between draws from low up to but not including high, or is low if there is
// nothing between. It takes 0 ≤ low.
func (f Failure) between(low, high time.Duration) time.Duration {
	n := int64(high - low)
	switch {
	case n <= 0:
		return low
	case f.Rand == nil:
		return low + time.Duration(rand.Int64N(n))
	}
	return low + time.Duration(f.Rand.Int64N(n))
}
