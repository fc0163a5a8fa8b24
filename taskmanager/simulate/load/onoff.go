package load

import (
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// OnOff has arrivals from several sources, each of which is on and off in turn. While a source is
// on, it has arrivals at equal intervals. Both times have a Pareto distribution, with a tail so heavy
// that the variance is infinite. The arrivals come in bursts of all lengths, and the bursts do not
// average out over longer times: the process is self-similar, with the Hurst parameter (3−Alpha)/2.
// Measured network traffic behaves in this way.
//
// W. Willinger, M. Taqqu, R. Sherman, D. Wilson: Self-similarity through high-variability:
// statistical analysis of Ethernet LAN traffic at the source level, IEEE/ACM Transactions on
// Networking 5 (1997).
//
// The sources start in their steady state, so Rate is the expected rate at any time. The mean of a
// single workload comes close to it very slowly; that is a property of such traffic.
type OnOff struct {
	Rate    float64       // per second, of all sources, expected
	Sources int           // 0 stands for 16
	On      time.Duration // the mean time for which a source is on; 0 stands for 1 second
	Off     time.Duration // the mean time for which it is off; 0 stands for 4 seconds
	Alpha   float64       // the index of the tails, more than 1 and less than 2; 0 stands for 1.5
}

// complete returns the process with its defaults.
func (o OnOff) complete() OnOff {
	if o.Sources == 0 {
		o.Sources = 16
	}
	if o.On == 0 {
		o.On = time.Second
	}
	if o.Off == 0 {
		o.Off = 4 * time.Second
	}
	if o.Alpha == 0 {
		o.Alpha = 1.5
	}
	return o
}

// Validate implements [Arrivals].
func (o OnOff) Validate(time.Duration) error {
	const most = 1 << 16 // each arrival looks at all sources
	if err := validRate(o.Rate); err != nil {
		return err
	}
	switch {
	case o.Sources < 0, o.Sources > most:
		return fault(true, "Sources is %d; it must be from 1 to %d, or 0 for 16", o.Sources, most)
	case o.On < 0, o.Off < 0:
		return fault(true, "On is %v and Off is %v; they must be positive, or 0 for the defaults", o.On, o.Off)
	}
	return fault(o.Alpha != 0 && !(o.Alpha > 1 && o.Alpha < 2), "Alpha is %v; it must be more than 1 and less than 2, or 0 for 1.5", o.Alpha)
}

// Times implements [Arrivals].
func (o OnOff) Times(_ time.Duration, r *rand.Rand) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		o := o.complete()
		on, off := o.On.Seconds(), o.Off.Seconds()
		sources := make([]source, o.Sources)
		for i := range sources {
			s := &sources[i]
			s.interval = on / (on + off) * float64(o.Sources) / o.Rate
			s.on, s.off = tail{o.Alpha, on}, tail{o.Alpha, off}
			s.start(r)
		}
		for {
			first := &sources[0]
			for i := range sources {
				if sources[i].next < first.next {
					first = &sources[i]
				}
			}
			if !within(first.next, yield) {
				return
			}
			first.advance(r)
		}
	}
}

// source is on and off in turn. Times are in seconds.
type source struct {
	on, off  tail
	interval float64 // between arrivals
	next     float64 // the next arrival
	until    float64 // the end of the time for which the source is on
}

// start draws the state of a source at a time in its steady state.
func (s *source) start(r *rand.Rand) {
	if r.Float64()*(s.on.mean+s.off.mean) < s.on.mean {
		s.turnOn(0, s.on.residual(r), r)
		return
	}
	begin := s.off.residual(r)
	s.turnOn(begin, s.on.draw(r), r)
}

// turnOn turns the source on for a time. The first arrival is at a random time in the first interval,
// so that the expected number of arrivals is in proportion to the time.
func (s *source) turnOn(at, length float64, r *rand.Rand) {
	s.until = at + length
	s.next = at + r.Float64()*s.interval
	s.skip(r)
}

// advance moves on to the next arrival.
func (s *source) advance(r *rand.Rand) {
	s.next += s.interval
	s.skip(r)
}

// skip moves on to a time at which the source is on.
func (s *source) skip(r *rand.Rand) {
	for s.next >= s.until && s.until < math.MaxInt64 {
		at := s.until + s.off.draw(r)
		s.until = at + s.on.draw(r)
		s.next = at + r.Float64()*s.interval
	}
}

// tail is a Pareto distribution, in seconds.
type tail struct{ alpha, mean float64 }

// least returns the least value.
func (t tail) least() float64 { return t.mean * (t.alpha - 1) / t.alpha }

// draw draws a value: the probability that it exceeds x is (least/x)^alpha.
func (t tail) draw(r *rand.Rand) float64 {
	return t.least() * math.Pow(1-r.Float64(), -1/t.alpha)
}

// residual draws how much of a period remains at a random time. It lies in the period with
// a probability in proportion to the length of the period. The probability that more than x remains
// is the integral from x of the probability that a value exceeds y, divided by the mean: for
// x above the least value, (least/x)^(alpha-1)/alpha.
func (t tail) residual(r *rand.Rand) float64 {
	u := 1 - r.Float64() // the probability that more remains
	if u > 1/t.alpha {
		return (1 - u) * t.mean
	}
	return t.least() * math.Pow(u*t.alpha, -1/(t.alpha-1))
}
