package scale

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Stabilise returns a scaler that shrinks slowly: its target is the largest target of s
// within the last d, so a short lull costs no workers. It grows at once. The target
// changes direction at most 2T/d + 1 times in any time T.
//
// This is the scale-down stabilisation window of the Kubernetes Horizontal Pod
// Autoscaler. A d that is not positive is an error of [Validate].
func Stabilise(d time.Duration, s Scaler[Snapshot]) Scaler[Snapshot] {
	return &stabilise{decorator: decorator{inner: s, fault: faultOf(d <= 0, "Stabilise: the time is %v; it must be positive", d)}, length: d}
}

type stabilise struct {
	decorator
	length time.Duration
	// past holds the targets within length that no later target has reached, each with
	// the time of its last decision. The targets are strictly decreasing, so the first
	// is the largest, and there are at most Max of them.
	past []dated
}

type dated struct {
	target int
	at     time.Time
}

func (st *stabilise) Scale(s Snapshot) Decision {
	d := st.inner.Scale(s)
	for len(st.past) > 0 && st.past[len(st.past)-1].target <= d.Target {
		st.past = st.past[:len(st.past)-1]
	}
	st.past = append(st.past, dated{d.Target, s.Now})
	old := 0
	for s.Now.Sub(st.past[old].at) >= st.length { // ends at the target just added
		old++
	}
	st.past = append(st.past[:0], st.past[old:]...)
	if largest := st.past[0]; largest.target > d.Target {
		d.Reason = fmt.Sprintf("%d, but %d %v ago (%s)", d.Target, largest.target, s.Now.Sub(largest.at), d.Reason)
		d.Target = s.Bound(largest.target)
		d.Again = soonest(d.Again, st.length-s.Now.Sub(largest.at))
	}
	return d
}

// Tolerance returns a scaler that keeps the current number of workers while the target
// of s differs from it by at most the given fraction of it, for example 0.1. Small
// fluctuations thus change nothing.
//
// Tolerance does not suppress growth while more items wait than workers are idle;
// otherwise the last items might wait forever. It never changes a Firm decision.
//
// The Kubernetes Horizontal Pod Autoscaler has the same tolerance, 0.1 by default. A
// fraction below 0, or not below 1, is an error of [Validate].
func Tolerance(fraction float64, s Scaler[Snapshot]) Scaler[Snapshot] {
	ok := fraction >= 0 && fraction < 1
	return &tolerance{decorator{inner: s, fault: faultOf(!ok, "Tolerance: the fraction is %v; it must be from 0 to below 1", fraction)}, fraction}
}

type tolerance struct {
	decorator
	fraction float64
}

func (t *tolerance) Scale(s Snapshot) Decision {
	d := t.inner.Scale(s)
	if d.Firm {
		return d // its scaler relies on being obeyed
	}
	short := d.Target > s.Workers && s.waiting() > s.Workers-s.Busy
	change := float64(max(d.Target-s.Workers, s.Workers-d.Target))
	if change > 0 && !short && change <= t.fraction*float64(s.Workers) {
		d.Reason = fmt.Sprintf("%d is near enough (%s)", d.Target, d.Reason)
		d.Target = s.Bound(s.Workers)
	}
	return d
}

// RateLimit returns a scaler that adds at most perSecond workers per second, for workers
// that must not all start at once because each opens a connection or fills a cache. It
// is a token bucket that holds the tokens of one second, and at least one. RateLimit does
// not limit how fast the target shrinks.
//
// A perSecond that is not positive, or infinite, is an error of [Validate].
func RateLimit(perSecond float64, s Scaler[Snapshot]) Scaler[Snapshot] {
	return &rateLimit{decorator: decorator{inner: s, fault: faultOf(!(perSecond > 0) || math.IsInf(perSecond, 1), "RateLimit: the rate is %v; it must be positive, and finite", perSecond)}, perSecond: perSecond}
}

type rateLimit struct {
	decorator
	perSecond float64
	tokens    float64
	last      time.Time // time of the last decision; zero if there was none
}

// maxWait limits Again, in seconds, so that it does not overflow at very low rates.
const maxWait = 3600

func (l *rateLimit) Scale(s Snapshot) Decision {
	d := l.inner.Scale(s)
	burst := max(l.perSecond, 1)
	if l.last.IsZero() {
		l.tokens = burst
	} else {
		l.tokens = min(burst, l.tokens+l.perSecond*max(0, s.Now.Sub(l.last).Seconds()))
	}
	l.last = s.Now
	d.Target = s.Bound(d.Target)
	granted := min(max(d.Target-s.Workers, 0), floor(l.tokens))
	l.tokens -= float64(granted)
	if allowed := s.Workers + granted; d.Target > allowed {
		wait := time.Duration(min((1-l.tokens)/l.perSecond, maxWait) * float64(time.Second)) // less than one token is left
		d.Reason = fmt.Sprintf("%d, no more at a time (%s)", d.Target, d.Reason)
		d.Target = s.Bound(allowed)
		d.Again = soonest(d.Again, max(wait, 1))
	}
	return d
}

// Max returns a scaler that asks all scalers and takes the decision with the largest
// target, for example one for the load and one for a reserve. The decision is Firm if
// that one is. Again is the shortest of all.
//
// Calling Max without scalers is an error of [Validate].
func Max(scalers ...Scaler[Snapshot]) Scaler[Snapshot] { return largest(slices.Clone(scalers)) }

type largest []Scaler[Snapshot]

func (l largest) wraps() []Scaler[Snapshot] { return l }

func (l largest) Validate() error {
	faults := []error{faultOf(len(l) == 0, "Max: there are no scalers; give at least one")}
	for _, s := range l {
		faults = append(faults, Validate(s))
	}
	return errors.Join(faults...)
}

func (l largest) NeedsTime() bool { return slices.ContainsFunc(l, NeedsTime) }

func (l largest) Scale(s Snapshot) Decision {
	d := l[0].Scale(s)
	for _, inner := range l[1:] {
		other := inner.Scale(s)
		again := soonest(d.Again, other.Again)
		if other.Target > d.Target {
			d = other
		}
		d.Again = again
	}
	return d
}

// decorator is embedded by each scaler that changes the decisions of one inner scaler and
// reads the time.
type decorator struct {
	inner Scaler[Snapshot]
	fault error // in the decorator's own arguments
}

func (d decorator) wraps() []Scaler[Snapshot] { return []Scaler[Snapshot]{d.inner} }

func (d decorator) Validate() error { return errors.Join(d.fault, Validate(d.inner)) }

func (d decorator) NeedsTime() bool { return true }

// faultOf returns an error with the given text if bad is true, and nil otherwise.
func faultOf(bad bool, format string, args ...any) error {
	if !bad {
		return nil
	}
	return fmt.Errorf("scale: "+format, args...)
}

// soonest returns the shorter of two values of Again, of which 0 means never.
func soonest(a, b time.Duration) time.Duration {
	a, b = max(a, 0), max(b, 0)
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// floor returns ⌊x⌋ as an int, within 0 and [math.MaxInt32]. It tolerates a rounding
// error of 1e-9 below an integer.
func floor(x float64) int { return int(min(max(x+1e-9, 0), math.MaxInt32)) }
