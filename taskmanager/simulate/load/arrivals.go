package load

import (
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// Arrivals is a process of arrivals. Its methods must be safe for concurrent use.
type Arrivals interface {
	// Times returns times of arrivals since the start of the workload, in order. They may go on for
	// ever: the Load takes those that it needs. duration is that of the Load, or 0. All randomness
	// must come from r.
	Times(duration time.Duration, r *rand.Rand) iter.Seq[time.Duration]
	// Validate returns an error if the process has invalid parameters.
	Validate(duration time.Duration) error
}

// Steady has arrivals at equal intervals, the first at 0.
type Steady struct {
	Rate float64 // per second
}

// Times implements [Arrivals].
func (s Steady) Times(_ time.Duration, _ *rand.Rand) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) { evenly(s.Rate, 0, math.MaxInt64, yield) }
}

// Validate implements [Arrivals].
func (s Steady) Validate(time.Duration) error { return validRate(s.Rate) }

// evenly yields times at a rate, from first up to but excluding last. It returns false if yield
// did.
func evenly(rate float64, first, last time.Duration, yield func(time.Duration) bool) bool {
	for i := 0.0; ; i++ {
		after := duration(i / rate * float64(time.Second))
		if after >= last-first {
			return true
		}
		if !yield(first + after) {
			return false
		}
	}
}

// Poisson has arrivals at random and independently of each other: a Poisson process.
type Poisson struct {
	Rate float64 // per second, on average
}

// Times implements [Arrivals].
func (p Poisson) Times(_ time.Duration, r *rand.Rand) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for at := 0.0; ; {
			at += r.ExpFloat64() / p.Rate
			if !within(at, yield) {
				return
			}
		}
	}
}

// within yields a time in seconds, unless it is beyond the longest time.
func within(at float64, yield func(time.Duration) bool) bool {
	d := duration(at * float64(time.Second))
	return d < math.MaxInt64 && yield(d)
}

// Validate implements [Arrivals].
func (p Poisson) Validate(time.Duration) error { return validRate(p.Rate) }

// Burst has all arrivals of a second at once, when the second begins.
type Burst struct {
	Rate float64 // per second
}

// Times implements [Arrivals].
func (b Burst) Times(_ time.Duration, _ *rand.Rand) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		evenly(b.Rate, 0, math.MaxInt64, func(at time.Duration) bool { return yield(at.Truncate(time.Second)) })
	}
}

// Validate implements [Arrivals].
func (b Burst) Validate(time.Duration) error { return validRate(b.Rate) }

// Step has arrivals at equal intervals, at two rates: a tenth of Rate for the first fifth of the
// duration, Rate for the next two fifths, and a tenth again. The Load must have a Duration.
type Step struct {
	Rate float64 // per second, in the middle; the mean is 0.46 times as high
}

// Times implements [Arrivals].
func (s Step) Times(d time.Duration, _ *rand.Rand) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		up, down := d/5, d/5*3
		_ = evenly(s.Rate/10, 0, up, yield) && evenly(s.Rate, up, down, yield) && evenly(s.Rate/10, down, d, yield)
	}
}

// Validate implements [Arrivals].
func (s Step) Validate(d time.Duration) error {
	if err := validRate(s.Rate); err != nil {
		return err
	}
	return fault(d <= 0, "Step divides the Duration of the Load; give one")
}

// Diurnal has arrivals at random, at a rate that rises and falls as traffic does in the course of a
// day: it is a Poisson process with the rate Rate·(1 − Swing·cos(2πt/Period)) at the time t. The
// rate is lowest at the start, and highest after half a period.
//
// The arrivals are those of a faster Poisson process, some of which are left out at random. P. Lewis,
// G. Shedler: Simulation of nonhomogeneous Poisson processes by thinning, Naval Research Logistics
// Quarterly 26 (1979).
type Diurnal struct {
	Rate   float64       // per second, on average over a period
	Swing  float64       // how far the rate departs from its mean, as a share of it: from 0 to 1
	Period time.Duration // 0 stands for 24 hours
}

// Times implements [Arrivals].
func (d Diurnal) Times(_ time.Duration, r *rand.Rand) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		highest := d.Rate * (1 + d.Swing)
		for at := 0.0; ; {
			at += r.ExpFloat64() / highest
			if r.Float64()*highest < d.rate(at) && !within(at, yield) {
				return
			}
			if at*float64(time.Second) >= math.MaxInt64 {
				return
			}
		}
	}
}

// rate returns the rate at a time in seconds.
func (d Diurnal) rate(at float64) float64 {
	period := d.Period
	if period == 0 {
		period = 24 * time.Hour
	}
	return d.Rate * (1 - d.Swing*math.Cos(2*math.Pi*at/period.Seconds()))
}

// Validate implements [Arrivals].
func (d Diurnal) Validate(time.Duration) error {
	if err := validRate(d.Rate); err != nil {
		return err
	}
	return errors.Join(
		fault(!(d.Swing >= 0 && d.Swing <= 1), "Swing is %v; it must be from 0 to 1", d.Swing),
		fault(d.Period < 0, "Period is %v; it must be positive, or 0 for 24 hours", d.Period))
}

// validRate returns an error for a rate that is not one.
func validRate(rate float64) error {
	const most = 1e9 // one in each nanosecond
	return fault(!(rate > 0 && rate <= most), "Rate is %v per second; it must be positive and at most 1e9", rate)
}
