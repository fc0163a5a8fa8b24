package restart

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// The arguments of [Exponential] in the default policy.
const (
	DefaultBase = 10 * time.Millisecond
	DefaultCap  = 10 * time.Second
)

// Default returns the default policy, Exponential(DefaultBase, DefaultCap).
func Default() Policy { return Exponential(DefaultBase, DefaultCap) }

// Constant returns a policy with the same delay before each restart. It never gives up,
// and no run is long enough to start a new row of failures. With a delay of 0, work that
// fails immediately occupies a worker permanently; wrap the policy in [Intensity] or
// [MaxAttempts] in that case. A negative delay counts as 0, and Validate reports it.
//
// Tasks that failed together restart together. [Exponential] and [Decorrelated] spread
// them out.
func Constant(delay time.Duration) Policy { return constant(delay) }

type constant time.Duration

func (c constant) Next(Failure) (time.Duration, bool) { return max(time.Duration(c), 0), true }

func (c constant) Validate() error {
	if c < 0 {
		return fmt.Errorf("restart: Constant: the delay is %v; it must be positive, or 0 for at once", time.Duration(c))
	}
	return nil
}

// Exponential returns a policy with random delays whose upper bound doubles. It restarts
// at once after the first failure in a row. The delay after the failures that follow is
// uniformly distributed from 0 to below base, 2·base, 4·base and so on, up to limit. It
// never gives up. A run of at least limit starts a new row.
//
// This is the “full jitter” of Marc Brooker, Exponential Backoff And Jitter (AWS
// Architecture Blog, 2015). Tasks that failed together for a common cause do not restart
// together.
//
// A base that is not positive means [DefaultBase], a limit that is not positive means
// [DefaultCap], and a limit below base means base.
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
	// base·2^n, unless that exceeds the limit. The shift of the limit cannot overflow.
	if n := f.Attempt - 2; n < 63 && e.base <= e.limit>>n {
		ceiling = e.base << n
	}
	return f.between(0, ceiling), true
}

// Decorrelated returns a policy with random delays that depend on the previous delay. A
// delay is uniformly distributed from base to below three times the previous delay, or
// three times base after the first failure in a row. It is always below limit. It never
// gives up. A run of at least limit starts a new row.
//
// Compared with [Exponential], no restart happens before base, not even the first, and
// the delays of tasks that failed together diverge, since each depends on the previous
// ones.
//
// This is the “decorrelated jitter” of Marc Brooker, Exponential Backoff And Jitter (AWS
// Architecture Blog, 2015), with one change. There, a delay above the limit is set to the
// limit, so that after some failures most delays are equal to it. Here the limit bounds
// the range from which the delay is drawn. If base and limit are equal, each delay is
// equal to them.
//
// A base of 0 means [DefaultBase] and a limit of 0 means [DefaultCap]. Validate reports
// negative values, which count as 0, and a limit below base, which counts as base.
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
		previous = max(previous, f.Previous) // another policy may have chosen a shorter one
	}
	ceiling := d.limit
	if previous <= d.limit/3 {
		ceiling = 3 * previous
	}
	return f.between(d.base, ceiling), true
}

// between returns a random duration d with low ≤ d < high, or low if high ≤ low. It
// requires low ≥ 0.
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
