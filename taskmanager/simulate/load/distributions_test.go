package load_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/load"
)

// The seeds of these tests are fixed, so they do not fail by chance. The bounds are nevertheless
// those of a test at a level of about 1 in 10,000, so another seed should pass too.

// errors is the number of standard errors by which an estimate may be off.
const errors = 4.0

// proportion checks that k of n is a share, by the standard error of a binomial distribution.
func proportion(t *testing.T, what string, k, n int, share float64) {
	t.Helper()
	within(t, what, float64(k)/float64(n), share, math.Sqrt(share*(1-share)/float64(n)))
}

// within checks an estimate by its standard error.
func within(t *testing.T, what string, got, want, standardError float64) {
	t.Helper()
	if math.Abs(got-want) > errors*standardError {
		t.Errorf("%s: %v, want %v ± %v", what, got, want, errors*standardError)
	}
}

// kolmogorov checks that values have a distribution, by the test of Kolmogorov and Smirnov.
func kolmogorov(t *testing.T, what string, values []float64, cdf func(float64) float64) {
	t.Helper()
	slices.Sort(values)
	n := float64(len(values))
	worst := 0.0
	for i, v := range values {
		p := cdf(v)
		worst = max(worst, p-float64(i)/n, float64(i+1)/n-p)
	}
	if most := 2.23 / math.Sqrt(n); worst > most { // exceeded with probability 2·exp(−2·2.23²) = 1e-4
		t.Errorf("%s: the distribution is off by %v, want at most %v", what, worst, most)
	}
}

// services returns the service times of n jobs, in seconds.
func services(t *testing.T, s load.Service, n int, seed uint64) (values []float64) {
	t.Helper()
	for _, j := range jobs(t, load.Load{Arrivals: load.Steady{Rate: 1e6}, Service: s, Jobs: n, Seed: seed}.Workload()) {
		values = append(values, j.Service.Seconds())
	}
	return values
}

// moments returns the mean of values and their variance.
func moments(values []float64) (mean, variance float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		variance += (v - mean) * (v - mean) / float64(len(values))
	}
	return mean, variance
}

const samples = 100_000

func TestServiceTimes(t *testing.T) {
	const s = time.Second
	normal := func(mu, sigma float64) func(float64) float64 {
		return func(x float64) float64 { return math.Erfc((mu-math.Log(x))/(sigma*math.Sqrt2)) / 2 }
	}
	pareto := func(alpha, low, high float64) func(float64) float64 {
		return func(x float64) float64 { return (1 - math.Pow(low/x, alpha)) / (1 - math.Pow(low/high, alpha)) }
	}
	// cv2 is the squared coefficient of variation of a bounded Pareto distribution. The moment of order k is
	// the integral of x^(k−alpha−1), without a common factor.
	cv2 := func(alpha, low, high float64) float64 {
		moment := func(k float64) float64 {
			if k == alpha {
				return math.Log(high / low)
			}
			return (math.Pow(high, k-alpha) - math.Pow(low, k-alpha)) / (k - alpha)
		}
		return moment(2)*moment(0)/(moment(1)*moment(1)) - 1
	}
	for _, c := range []struct {
		service load.Service
		mean    float64 // computed from other formulas than those of the package
		cv2     float64
		cdf     func(float64) float64
	}{
		{load.Exponential{Mean: 2 * s}, 2, 1, func(x float64) float64 { return -math.Expm1(-x / 2) }},
		{load.Lognormal{Mean: s, CV2: 4}, 1, 4, normal(-math.Log(5)/2, math.Sqrt(math.Log(5)))},
		{load.Lognormal{Mean: 3 * s, CV2: 0.25}, 3, 0.25, normal(math.Log(3)-math.Log(1.25)/2, math.Sqrt(math.Log(1.25)))},
		{load.Pareto{Alpha: 1, Min: s, Max: 100 * s}, math.Log(100) / 0.99, cv2(1, 1, 100), pareto(1, 1, 100)},
		{load.Pareto{Alpha: 1.5, Min: s, Max: 1000 * s}, 3 * (1 - math.Pow(1000, -.5)) / (1 - math.Pow(1000, -1.5)), cv2(1.5, 1, 1000), pareto(1.5, 1, 1000)},
		{load.Pareto{Alpha: 0.5, Min: s, Max: 100 * s}, 10, cv2(0.5, 1, 100), pareto(0.5, 1, 100)},
		{load.Pareto{Alpha: 1.1, Mean: 7 * s}, 7, cv2(1.1, 1, 1e4), nil},
	} {
		name := fmt.Sprintf("%#v", c.service)
		check.Equal(t, "expected value of "+name, c.service.Expected(), time.Duration(math.Round(c.mean*1e9)))
		values := services(t, c.service, samples, 11)
		mean, variance := moments(values)
		within(t, "mean of "+name, mean, c.mean, c.mean*math.Sqrt(c.cv2/samples))
		within(t, "variance of "+name, variance, c.cv2*c.mean*c.mean, standardErrorOfVariance(values))
		if c.cdf != nil {
			kolmogorov(t, name, values, c.cdf)
		}
	}
}

// standardErrorOfVariance estimates the standard error of the variance of values, by the variance of the
// squared deviations.
func standardErrorOfVariance(values []float64) float64 {
	mean, _ := moments(values)
	squares := make([]float64, len(values))
	for i, v := range values {
		squares[i] = (v - mean) * (v - mean)
	}
	_, variance := moments(squares)
	return math.Sqrt(variance / float64(len(values)))
}

func TestConstantServiceTimes(t *testing.T) {
	for _, s := range []load.Service{
		load.Constant{Mean: time.Second}, load.Lognormal{Mean: time.Second}, load.Pareto{Alpha: 1, Min: time.Second, Max: time.Second},
	} {
		for _, v := range services(t, s, 10, 1) {
			check.Equal(t, fmt.Sprintf("service time of %#v", s), math.Round(v*1e6), 1e6)
		}
		check.Equal(t, fmt.Sprintf("expected value of %#v", s), s.Expected(), time.Second)
	}
}

func TestTheTailOfPareto(t *testing.T) {
	values := services(t, load.Pareto{Alpha: 1.1, Mean: time.Second}, samples, 4)
	low := slices.Min(values)
	if ratio := slices.Max(values) / low; ratio > 1e4*(1+1e-6) { // rounding to the nanosecond
		t.Errorf("the longest service time is %v times the shortest", ratio)
	}
	for _, x := range []float64{10, 100, 1000} {
		longer := 0
		for _, v := range values {
			if v > x*low {
				longer++
			}
		}
		want := (math.Pow(x, -1.1) - math.Pow(1e4, -1.1)) / (1 - math.Pow(1e4, -1.1))
		proportion(t, fmt.Sprintf("service times above %v times the shortest", x), longer, samples, want)
	}
}
