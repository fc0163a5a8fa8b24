package load_test

import (
	"math"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/load"
)

// arrivals returns the arrivals of a process, in seconds.
func arrivals(t *testing.T, a load.Arrivals, d time.Duration, n int, seed uint64) (times []float64) {
	t.Helper()
	last := 0.0
	for _, j := range jobs(t, load.Load{Arrivals: a, Service: load.Constant{Mean: 1}, Duration: d, Jobs: n, Seed: seed}.Workload()) {
		at := j.At.Seconds()
		if at < last {
			t.Fatalf("%T: arrival at %v after %v", a, at, last)
		}
		last = at
		times = append(times, at)
	}
	return times
}

// inEachSecond counts the arrivals in each second.
func inEachSecond(times []float64, seconds int) []int {
	counts := make([]int, seconds)
	for _, at := range times {
		counts[int(at)]++
	}
	return counts
}

func TestSteadyArrivals(t *testing.T) {
	check.Equal(t, "arrivals", arrivals(t, load.Steady{Rate: 4}, time.Second, 0, 0), []float64{0, 0.25, 0.5, 0.75})
	check.Equal(t, "slow arrivals", arrivals(t, load.Steady{Rate: 0.1}, 30*time.Second, 0, 0), []float64{0, 10, 20})
}

func TestBursts(t *testing.T) {
	check.Equal(t, "arrivals", arrivals(t, load.Burst{Rate: 3}, 2*time.Second, 0, 0), []float64{0, 0, 0, 1, 1, 1})
}

func TestSteps(t *testing.T) {
	check.Equal(t, "arrivals in each second", inEachSecond(arrivals(t, load.Step{Rate: 20}, 10*time.Second, 0, 0), 10),
		[]int{2, 2, 20, 20, 20, 20, 2, 2, 2, 2})
	for _, n := range []int{1, 10, 90} { // ended in each of the parts
		check.Equal(t, "arrivals", len(arrivals(t, load.Step{Rate: 20}, 10*time.Second, n, 0)), n)
	}
}

func TestPoissonArrivals(t *testing.T) {
	times := arrivals(t, load.Poisson{Rate: 50}, 0, samples, 6)
	intervals := make([]float64, len(times))
	for i := range times {
		intervals[i] = times[i]
		if i > 0 {
			intervals[i] -= times[i-1]
		}
	}
	within(t, "mean interval", times[samples-1]/samples, 1./50, 1./50/math.Sqrt(samples))
	kolmogorov(t, "intervals", intervals, func(x float64) float64 { return -math.Expm1(-50 * x) })
}

func TestDiurnalArrivals(t *testing.T) {
	const rate, swing, days = 0.5, 0.8, 2
	day := 24 * time.Hour.Seconds()
	times := arrivals(t, load.Diurnal{Rate: rate, Swing: swing}, days*24*time.Hour, 0, 9)
	want := rate * days * day
	within(t, "number of arrivals", float64(len(times)), want, math.Sqrt(want))
	// Given their number, the arrivals are independent, with a density in proportion to the rate.
	kolmogorov(t, "arrivals", times, func(x float64) float64 {
		turn := 2 * math.Pi / day
		return (x - swing*math.Sin(turn*x)/turn) / (days * day)
	})
}

func TestOnOffArrivals(t *testing.T) {
	// Workloads of different seeds are independent, so the standard errors are those of independent values.
	const seeds, rate = 600, 4.0
	a := load.OnOff{Rate: rate}
	short, long := make([]float64, seeds), make([]float64, seeds)
	for seed := range seeds {
		times := arrivals(t, a, 256*time.Second, 0, uint64(seed))
		long[seed] = float64(len(times))
		for _, at := range times {
			if at >= 252 { // not the begin, so that the state is that after some time
				short[seed]++
			}
		}
	}
	for _, c := range []struct {
		name    string
		counts  []float64
		seconds float64
	}{{"short", short, 4}, {"long", long, 256}} {
		mean, variance := moments(c.counts)
		within(t, c.name+": arrivals per second", mean/c.seconds, rate, math.Sqrt(variance/seeds)/c.seconds)
	}
	_, vs := moments(short)
	_, vl := moments(long)
	hurst := math.Log(vl/vs) / (2 * math.Log(64))
	// The standard error of the logarithm of a variance is the relative one of the variance.
	standardError := math.Hypot(standardErrorOfVariance(short)/vs, standardErrorOfVariance(long)/vl) / (2 * math.Log(64))
	// The limit is 0.75. It is approached from above, as most sources do not change within a short time.
	if hurst < 0.75-errors*standardError || hurst > 0.85 {
		t.Errorf("the Hurst parameter is %.3f ± %.3f, want 0.75 to 0.85", hurst, standardError)
	}
}

func TestOnOffTimesArePareto(t *testing.T) {
	// A single source has an arrival every two seconds while it is on.
	const interval, periods = 2.0, 1000
	var on, off []float64
	begin, last := 0.0, -1.0
	l := load.Load{
		Arrivals: load.OnOff{Rate: 0.2, Sources: 1, On: 400 * time.Second, Off: 600 * time.Second, Alpha: 1.6},
		Service:  load.Constant{Mean: 1}, Duration: 1<<63 - 1, Seed: 3,
	}
	for j, err := range l.Workload() {
		if err != nil {
			t.Fatal(err)
		}
		at := j.At.Seconds()
		if gap := at - last; last >= 0 && gap > 1.5*interval {
			on, off = append(on, last-begin+interval), append(off, gap-interval)
			begin = at
		}
		if last < 0 {
			begin = at
		}
		if last = at; len(on) > periods {
			break
		}
	}
	pareto := func(mean float64) func(float64) float64 {
		least := mean * 0.6 / 1.6
		return func(x float64) float64 { return 1 - math.Pow(least/max(x, least), 1.6) }
	}
	// The first time began before the workload. The intervals are so short that they do not count.
	kolmogorov(t, "times on", on[1:], pareto(400))
	kolmogorov(t, "times off", off[1:], pareto(600))
}

func TestOnOffSourcesStartInTheirSteadyState(t *testing.T) {
	// A single source is on half of the time, and then has an arrival every 10 ms.
	const seeds, interval = 2000, 0.01
	var on, off []float64 // how long the first state of each seed lasts, to half an interval
	for seed := range uint64(seeds) {
		times := arrivals(t, load.OnOff{Rate: 50, Sources: 1, On: time.Second, Off: time.Second}, 3*time.Second, 0, seed)
		if len(times) == 0 {
			off = append(off, 3)
			continue
		}
		if times[0] >= interval {
			off = append(off, times[0]-interval/2)
			continue
		}
		i := 1
		for i < len(times) && times[i]-times[i-1] < 1.5*interval {
			i++
		}
		on = append(on, times[i-1]+interval/2)
	}
	proportion(t, "seeds that start on", len(on), seeds, 0.5)
	for _, states := range [][]float64{on, off} {
		for _, x := range []float64{0.1, 0.3, 1, 2} {
			longer := 0
			for _, d := range states {
				if d > x {
					longer++
				}
			}
			// The integral of the probability that a time exceeds y, from x: times are at least 1/3 s.
			want := 1 - x
			if x > 1./3 {
				want = math.Pow(3*x, -0.5) / 1.5
			}
			proportion(t, "first times that are longer", longer, len(states), want)
		}
	}
}
