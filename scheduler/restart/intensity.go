package restart

import (
	"errors"
	"fmt"
	"time"
)

// Intensity restarts as inner says, but no more than restarts times within any
// window: it gives up at the failure that would need one more. Each task is
// counted for itself. A nil inner means [Default].
//
// This is the maximum restart intensity of Erlang/OTP's supervisors (OTP Design
// Principles, Supervisor Behaviour), which count restarts over the last MaxT
// seconds and give up at more than MaxR. They restart at once; here the delays of
// inner count too. If those alone keep restarts further apart than the window
// divided by restarts, as Exponential does in the end, then work is given up
// early in a row of failures or not at all.
//
// A restart counts from the time at which it begins, which may be later than it was
// due, and the window is half open: of two restarts a window apart, only one falls
// in it.
//
// Restarts below 1 and a window that is not positive are reported by Validate. So
// is an inner policy with another Window, such as a second Intensity, since a
// manager counts over only one: with the longer one, this policy would give up
// too early.
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

// Next bounds the restarts in any window (t−T, t], without state: suppose that
// R+1 of them fall in it. The one that was granted last was granted at some Now,
// and since no restart begins before it is granted, Now ≤ t. The other R had begun,
// as their work fails only after that, and after t−T ≥ Now−T; so Recent counted all
// of them, and the last was refused.
func (i intensity) Next(f Failure) (time.Duration, bool) {
	if f.Recent >= i.restarts {
		return 0, false
	}
	return i.next(f)
}
