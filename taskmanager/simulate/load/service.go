package load

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"
)

// Service is a distribution of service times. Its methods must be safe for concurrent use.
type Service interface {
	// Sampler returns a function that draws a service time. All its randomness must come from its
	// argument.
	Sampler() func(*rand.Rand) time.Duration
	// Expected returns the mean.
	Expected() time.Duration
	// Validate returns an error if the distribution has invalid parameters.
	Validate() error
}

// Constant is the distribution of service times that are all equal.
type Constant struct {
	Mean time.Duration // the service time
}

// Sampler implements [Service].
func (c Constant) Sampler() func(*rand.Rand) time.Duration {
	return func(*rand.Rand) time.Duration { return c.Mean }
}

// Expected implements [Service].
func (c Constant) Expected() time.Duration { return c.Mean }

// Validate implements [Service].
func (c Constant) Validate() error { return validMean(c.Mean) }

// Exponential is the exponential distribution.
type Exponential struct {
	Mean time.Duration // the mean
}

// Sampler implements [Service].
func (e Exponential) Sampler() func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration { return duration(r.ExpFloat64() * float64(e.Mean)) }
}

// Expected implements [Service].
func (e Exponential) Expected() time.Duration { return e.Mean }

// Validate implements [Service].
func (e Exponential) Validate() error { return validMean(e.Mean) }

// Lognormal is the distribution of e^X, where X has a normal distribution.
type Lognormal struct {
	Mean time.Duration // the mean
	CV2  float64       // the squared coefficient of variation: the variance divided by the squared mean
}

// Sampler implements [Service].
func (l Lognormal) Sampler() func(*rand.Rand) time.Duration {
	variance := math.Log1p(l.CV2)
	mu, sigma := math.Log(float64(l.Mean))-variance/2, math.Sqrt(variance)
	return func(r *rand.Rand) time.Duration { return duration(math.Exp(mu + sigma*r.NormFloat64())) }
}

// Expected implements [Service].
func (l Lognormal) Expected() time.Duration { return l.Mean }

// Validate implements [Service].
func (l Lognormal) Validate() error {
	if err := validMean(l.Mean); err != nil {
		return err
	}
	return fault(!(l.CV2 >= 0) || math.IsInf(l.CV2, 1), "CV2 is %v; it must be finite and not negative", l.CV2)
}

// Pareto is the bounded Pareto distribution: the density at x is in proportion to x^(−Alpha−1) from
// Min to Max. For an Alpha near 1, the largest 1 % of the jobs are half of the work.
//
// M. Harchol-Balter, A. Downey: Exploiting process lifetime distributions for dynamic load balancing,
// ACM Transactions on Computer Systems 15 (1997); M. Crovella, M. Harchol-Balter, C. Murta: Task
// assignment in a distributed system, BUCS-TR-1997-018.
type Pareto struct {
	Alpha float64 // the index of the tail; positive

	// Give either both bounds, or the mean. With the mean, Max is 10,000 times Min.
	Min, Max time.Duration
	Mean     time.Duration
}

// spread is the ratio of the bounds of a Pareto that has none.
const spread = 1e4

// bounds returns the bounds, in nanoseconds.
func (p Pareto) bounds() (low, high float64) {
	if p.Mean == 0 {
		return float64(p.Min), float64(p.Max)
	}
	low = float64(p.Mean) / p.meanOf(1, spread)
	return low, spread * low
}

// meanOf returns the mean for the given bounds.
func (p Pareto) meanOf(low, high float64) float64 {
	if low == high {
		return low
	}
	part := -math.Expm1(-p.Alpha * math.Log(high/low)) // 1 − (low/high)^Alpha
	if p.Alpha == 1 {
		return low * math.Log(high/low) / part
	}
	return low * p.Alpha / (p.Alpha - 1) * -math.Expm1((1-p.Alpha)*math.Log(high/low)) / part
}

// Sampler implements [Service].
func (p Pareto) Sampler() func(*rand.Rand) time.Duration {
	low, high := p.bounds()
	part := -math.Expm1(-p.Alpha * math.Log(high/low))
	return func(r *rand.Rand) time.Duration {
		return duration(min(low*math.Pow(1-r.Float64()*part, -1/p.Alpha), high))
	}
}

// Expected implements [Service].
func (p Pareto) Expected() time.Duration {
	if p.Mean != 0 {
		return p.Mean
	}
	return duration(p.meanOf(p.bounds()))
}

// Validate implements [Service].
func (p Pareto) Validate() error {
	bounds := p.Min != 0 || p.Max != 0
	return errors.Join(
		fault(!(p.Alpha > 0) || math.IsInf(p.Alpha, 1), "Alpha is %v; it must be positive and finite", p.Alpha),
		fault(bounds == (p.Mean != 0), "give either Min and Max, or Mean; they are %v, %v and %v", p.Min, p.Max, p.Mean),
		fault(bounds && (p.Min <= 0 || p.Min > p.Max), "Min is %v and Max is %v; Min must be positive, and not above Max", p.Min, p.Max),
		fault(p.Mean < 0, "Mean is %v; it must be positive", p.Mean))
}

// validMean returns an error for a mean that is not one.
func validMean(d time.Duration) error {
	return fault(d <= 0, "the mean is %v; it must be positive", d)
}
