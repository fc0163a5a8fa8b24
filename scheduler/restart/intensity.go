package restart

import (
	"errors"
	"fmt"
	"time"
)

// Intensity returns a policy that gives up when a task would need more than restarts
// restarts within any window. Otherwise inner decides. Each task is counted separately. A
// nil inner means [Default].
//
// This is the maximum restart intensity of Erlang/OTP supervisors (OTP Design Principles,
// Supervisor Behaviour), which give up after more than MaxR restarts within MaxT seconds.
// A supervisor restarts at once; here the delays of inner count too. If these delays are
// longer than window/restarts, as those of [Exponential] become, Intensity gives up early
// in a row of failures or never.
//
// A restart counts from the time at which it begins, which may be later than the time at
// which it was due. The window is half-open: of two restarts exactly one window apart,
// only one falls into it.
//
// Validate reports restarts below 1 and a window that is not positive. It also reports an
// inner policy with a different Window, such as a second Intensity: a manager counts over
// one window only, and with the longer one this policy would give up too early.
func Intensity(restarts int, window time.Duration, inner Policy) Policy {
	var faults []error
	if restarts < 1 {
		faults = append(faults, fmt.Errorf("restart: Intensity: the number of restarts is %d; it must be 1 or more (to restart nothing, use Never)", restarts))
	}
	if window <= 0 {
		faults = append(faults, fmt.Errorf("restart: Intensity: the window is %v; it must be positive (to count failures in a row, use MaxAttempts)", window))
	}
	return intensity{over: decorate(inner, faults...), restarts: restarts, window: window}
}

type intensity struct {
	over
	restarts int
	window   time.Duration
}

func (i intensity) Window() time.Duration { return max(i.window, i.over.Window()) }

func (i intensity) Validate() error {
	var clash error
	if w := i.over.Window(); i.window > 0 && w > 0 && w != i.window {
		clash = fmt.Errorf("restart: Intensity: the window is %v, that of the inner policy %v; restarts are counted over only one, so make them equal", i.window, w)
	}
	return errors.Join(i.over.Validate(), clash)
}

// Next needs no state to limit the restarts in any window (t−T, t] to R. Proof: suppose
// that R+1 restarts begin in that window, and that the last of them to be granted was
// granted at the time Now. No restart begins before it is granted, so Now ≤ t. The other
// R restarts began before Now, because a task fails only after it has been restarted, and
// after t−T ≥ Now−T. So Recent counted all R of them, and Next refused the last one.
func (i intensity) Next(f Failure) (time.Duration, bool) {
	if f.Recent >= i.restarts {
		return 0, false
	}
	return i.next(f)
}
