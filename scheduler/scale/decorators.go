package scale

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Stabilise makes a scaler slow to shrink: the target is the largest of those of
// the last d, so a short lull costs no workers. It grows at once. So the target
// turns from growing to shrinking and back at most 2T/d + 1 times in any time T.
//
// It is the stabilisation window of Kubernetes' horizontal pod autoscaler.
func Stabilise(d time.Duration, s Scaler[Snapshot]) Scaler[Snapshot] {
	return &stabilise{decorator: decorator{inner: s, fault: faultOf(d <= 0, "Stabilise: the time is %v; it must be positive", d)}, length: d}
}

type stabilise struct {
	decorator
	length time.Duration
	// Targets that no later one has reached, each with the time of its last
	// decision; so they fall from the first to the last, and the first is the
	// largest. There are no more of them than numbers of workers.
	past []dated
}

type dated struct {
	target int
	at     time.Time
}

// Scale decides.
func (st *stabilise) Scale(s Snapshot) Decision {
	d := st.inner.Scale(s)
	for len(st.past) > 0 && st.past[len(st.past)-1].target <= d.Target {
		st.past = st.past[:len(st.past)-1]
	}
	st.past = append(st.past, dated{d.Target, s.Now})
	old := 0
	for s.Now.Sub(st.past[old].at) >= st.length { // the last is of now
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

// Tolerance ignores a target that differs from the workers that there are by no
// more than a fraction of them, for instance 0.1, so that small fluctuations change
// nothing. But while more items wait than workers are idle, growth is not ignored, or
// the last few items might wait for ever; nor is a firm decision.
func Tolerance(fraction float64, s Scaler[Snapshot]) Scaler[Snapshot] {
	ok := fraction >= 0 && fraction < 1
	return &tolerance{decorator{inner: s, fault: faultOf(!ok, "Tolerance: the fraction is %v; it must be from 0 to below 1", fraction)}, fraction}
}

type tolerance struct {
	decorator
	fraction float64
}

// Scale decides.
func (t *tolerance) Scale(s Snapshot) Decision {
	d := t.inner.Scale(s)
	if d.Firm {
		return d // it counts on being obeyed
	}
	short := d.Target > s.Workers && s.waiting() > s.Workers-s.Busy
	change := float64(max(d.Target-s.Workers, s.Workers-d.Target))
	if change > 0 && !short && change <= t.fraction*float64(s.Workers) {
		d.Reason = fmt.Sprintf("%d is near enough (%s)", d.Target, d.Reason)
		d.Target = s.Bound(s.Workers)
	}
	return d
}

// RateLimit limits how fast the target grows, to a number of workers a second, for
// workers that must not all start at once: each opens a connection, or fills a
// cache. A second's worth may come at once, and one worker always. It does not
// limit how fast the target shrinks.
func RateLimit(perSecond float64, s Scaler[Snapshot]) Scaler[Snapshot] {
	return &rateLimit{decorator: decorator{inner: s, fault: faultOf(!(perSecond > 0) || math.IsInf(perSecond, 1), "RateLimit: the rate is %v; it must be positive, and finite", perSecond)}, perSecond: perSecond}
}

type rateLimit struct {
	decorator
	perSecond float64
	tokens    float64
	last      time.Time // zero: never
}

// maxWait is an hour, in seconds: it does no harm to be asked too early.
const maxWait = 3600

// Scale decides.
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

// Max asks several scalers and takes the largest target: for instance a number of
// workers for the load, and one in reserve.
// It is firm if the one is whose target it takes.
func Max(scalers ...Scaler[Snapshot]) Scaler[Snapshot] { return largest(slices.Clone(scalers)) }

type largest []Scaler[Snapshot]

func (l largest) wraps() []Scaler[Snapshot] { return l }

// Validate reports what is wrong with the scalers.
func (l largest) Validate() error {
	faults := []error{faultOf(len(l) == 0, "Max: there are no scalers; give at least one")}
	for _, s := range l {
		faults = append(faults, Validate(s))
	}
	return errors.Join(faults...)
}

// NeedsTime reports whether one of the scalers does.
func (l largest) NeedsTime() bool { return slices.ContainsFunc(l, NeedsTime) }

// Scale decides.
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

// decorator is what scalers have in common that change the decisions of another
// one.
type decorator struct {
	inner Scaler[Snapshot]
	fault error // in the arguments
}

func (d decorator) wraps() []Scaler[Snapshot] { return []Scaler[Snapshot]{d.inner} }

// Validate reports what is wrong with the arguments, and with the inner scaler.
func (d decorator) Validate() error { return errors.Join(d.fault, Validate(d.inner)) }

// NeedsTime reports that it reads the time.
func (d decorator) NeedsTime() bool { return true }

// Validate asks a scaler what is wrong with how it was made.
func Validate(s Scaler[Snapshot]) error {
	if s == nil {
		return errors.New("scale: a scaler is nil; Demand(1) is the default")
	}
	if v, ok := s.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// Trusted reports whether a scaler is this package's through and through, so that
// nothing of it panics or calls runtime.Goexit.
func Trusted(s Scaler[Snapshot]) bool {
	switch s := s.(type) {
	case fixed, demand, *step, *targetWait, *utilisation, *probe:
		return true
	case interface{ wraps() []Scaler[Snapshot] }:
		return !slices.ContainsFunc(s.wraps(), func(inner Scaler[Snapshot]) bool { return !Trusted(inner) })
	}
	return false
}

// faultOf is an error if the condition holds.
func faultOf(when bool, format string, args ...any) error {
	if !when {
		return nil
	}
	return fmt.Errorf("scale: "+format, args...)
}

// soonest is the shorter of two times after which to ask again, 0 being never.
func soonest(a, b time.Duration) time.Duration {
	a, b = max(a, 0), max(b, 0)
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// floor rounds down, but not what is less than a whole number only by the rounding
// of floating point. It fits into an int, whatever it is given.
func floor(x float64) int { return int(min(max(x+1e-9, 0), math.MaxInt32)) }
