package load_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/load"
)

// jobs returns all jobs of a workload.
func jobs(t *testing.T, w simulate.Workload) (all []simulate.Job) {
	t.Helper()
	for j, err := range w {
		if err != nil {
			t.Errorf("error of the workload: %v", err)
			return all
		}
		all = append(all, j)
	}
	return all
}

// drain iterates a workload and keeps nothing.
func drain(tb testing.TB, w simulate.Workload) {
	for _, err := range w {
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func poisson(n int, seed uint64) load.Load {
	return load.Load{Arrivals: load.Poisson{Rate: 100}, Service: load.Exponential{Mean: time.Second}, Jobs: n, Seed: seed}
}

func TestTheSameLoadYieldsTheSameJobs(t *testing.T) {
	l := poisson(200, 7)
	l.Failure = 0.5
	w := l.Workload()
	want := jobs(t, w)
	check.Equal(t, "jobs", len(want), 200)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			check.Equal(t, "jobs of another iteration", jobs(t, w), want)
		})
	}
	wg.Wait()
	l.Seed = 8
	if slices.Equal(jobs(t, l.Workload()), want) {
		t.Error("another seed yields the same jobs")
	}
}

func TestCommonRandomNumbers(t *testing.T) {
	// without removes what may differ.
	without := func(js []simulate.Job, service bool) []simulate.Job {
		js = slices.Clone(js)
		for i := range js {
			js[i].At = 0
			if service {
				js[i].Service, js[i].Cost = 0, 0
			}
		}
		return js
	}
	l := poisson(100, 3)
	l.Failure = 0.3
	want := jobs(t, l.Workload())
	for _, a := range []load.Arrivals{
		load.Steady{Rate: 5}, load.Burst{Rate: 7}, load.Diurnal{Rate: 20, Swing: 1}, load.OnOff{Rate: 50},
	} {
		l.Arrivals = a
		check.Equal(t, "jobs except for their arrivals", without(jobs(t, l.Workload()), false), without(want, false))
	}
	for _, s := range []load.Service{
		load.Constant{Mean: time.Second}, load.Lognormal{Mean: time.Second, CV2: 4}, load.Pareto{Alpha: 1.1, Mean: time.Second},
	} {
		l.Service = s
		check.Equal(t, "attributes", without(jobs(t, l.Workload()), true), without(want, true))
	}
}

func TestDurationAndJobsBoundALoad(t *testing.T) {
	count := func(d time.Duration, n int) int {
		return len(jobs(t, load.Load{
			Arrivals: load.Steady{Rate: 10}, Service: load.Constant{Mean: time.Second}, Duration: d, Jobs: n,
		}.Workload()))
	}
	check.Equal(t, "jobs in a second", count(time.Second, 0), 10)
	check.Equal(t, "jobs in little more", count(time.Second+1, 0), 11)
	check.Equal(t, "at most 3 jobs", count(time.Second, 3), 3)
	check.Equal(t, "at most 30 jobs", count(time.Second, 30), 10)
	check.Equal(t, "30 jobs", count(0, 30), 30)
}

func TestMemoryDoesNotDependOnTheNumberOfJobs(t *testing.T) {
	for _, a := range []load.Arrivals{
		load.Steady{Rate: 100}, load.Poisson{Rate: 100}, load.Burst{Rate: 100}, load.Diurnal{Rate: 100, Swing: 0.5}, load.OnOff{Rate: 100},
	} {
		allocs := func(n int) float64 {
			w := load.Load{Arrivals: a, Service: load.Lognormal{Mean: 1, CV2: 1}, Jobs: n, Failure: 0.1}.Workload()
			return testing.AllocsPerRun(3, func() { drain(t, w) })
		}
		if few, many := allocs(10), allocs(20_000); many > few+10 { // the runtime allocates too
			t.Errorf("%T: %v allocations for 20,000 jobs, %v for 10", a, many, few)
		}
	}
}

func TestAttributesOfTheDefaultTenants(t *testing.T) {
	const n = 40_000
	keys := map[string]int{}
	priorities := map[int]int{}
	var deadlines []float64
	for _, j := range jobs(t, poisson(n, 1).Workload()) {
		keys[j.Key]++
		priorities[j.Priority]++
		deadlines = append(deadlines, j.Deadline.Seconds())
		if j.Cost != max(1, j.Service.Microseconds()) {
			t.Fatalf("a job of %v has the cost %d", j.Service, j.Cost)
		}
	}
	for key, share := range map[string]float64{"a": 1. / 2, "b": 1. / 4, "c": 1. / 8, "d": 1. / 8} {
		proportion(t, "key "+key, keys[key], n, share)
	}
	for p := range 4 {
		proportion(t, "a priority", priorities[p], n, 1./4)
	}
	check.Equal(t, "keys and priorities", []int{len(keys), len(priorities)}, []int{4, 4})
	kolmogorov(t, "deadlines", deadlines, func(x float64) float64 { return (x - 1) / 9 })
}

func TestTenants(t *testing.T) {
	const n = 30_000
	l := poisson(n, 2)
	l.Tenants = []load.Tenant{
		{Key: "none", Share: 0},
		{Key: "large", Share: 5, Weight: 3, Kind: "report", Service: load.Constant{Mean: time.Minute}},
		{Key: "small", Share: 1},
	}
	counts := map[string]int{}
	for _, j := range jobs(t, l.Workload()) {
		counts[j.Key]++
		if large := j.Key == "large"; large != (j.Service == time.Minute) || large != (j.Kind == "report") || large != (j.Deadline >= time.Minute) {
			t.Fatalf("a job of %s takes %v, has the kind %q and the deadline %v", j.Key, j.Service, j.Kind, j.Deadline)
		}
	}
	check.Equal(t, "jobs of the tenant without a share", counts["none"], 0)
	proportion(t, "the large tenant", counts["large"], n, 5./6)
	check.Equal(t, "weights", []int{l.Weight("large"), l.Weight("small"), l.Weight("unknown")}, []int{3, 1, 1})
}

func TestFailuresAreGeometric(t *testing.T) {
	const n = 50_000
	l := poisson(n, 5)
	check.Equal(t, "failures without Failure", slices.MaxFunc(jobs(t, l.Workload()), func(a, b simulate.Job) int { return a.Fails - b.Fails }).Fails, 0)
	l.Failure = 0.3
	atLeast := make([]int, 5)
	for _, j := range jobs(t, l.Workload()) {
		for k := range atLeast[:min(j.Fails+1, len(atLeast))] {
			atLeast[k]++
		}
	}
	for k, got := range atLeast {
		proportion(t, "jobs that fail so often or more", got, n, math.Pow(0.3, float64(k)))
	}
}

func TestMerge(t *testing.T) {
	one := func(key string, a load.Arrivals) simulate.Workload {
		return load.Load{
			Arrivals: a, Service: load.Constant{Mean: 1}, Duration: 10 * time.Second, Tenants: []load.Tenant{{Key: key, Share: 1}},
		}.Workload()
	}
	a, b := one("a", load.Poisson{Rate: 10}), one("b", load.Burst{Rate: 20})
	want := append(jobs(t, a), jobs(t, b)...)
	slices.SortStableFunc(want, func(x, y simulate.Job) int { return int(x.At - y.At) })
	check.Equal(t, "merged jobs", jobs(t, load.Merge(a, b)), want)

	for _, err := range load.Merge(a, b) { // ends all; goleak would find a coroutine
		check.Equal(t, "error", err, nil)
		break
	}
	var last error
	for _, err := range load.Merge(a, load.Load{}.Workload(), b) {
		last = err
	}
	if last == nil {
		t.Error("the error of a workload was lost")
	}
	check.Equal(t, "jobs of no workloads", len(jobs(t, load.Merge())), 0)
}

func TestValidate(t *testing.T) {
	valid := poisson(1, 0)
	check.Equal(t, "error of a valid load", valid.Validate(), nil)
	for _, c := range []struct {
		change func(*load.Load)
		want   string
	}{
		{func(l *load.Load) { *l = load.Load{} }, "load: Duration and Jobs are 0; give at least one of them\n" +
			"Arrivals is nil; give a process of arrivals, such as Poisson\nService is nil; give a distribution, such as Exponential"},
		{func(l *load.Load) { l.Duration = -1 }, "load: Duration is -1ns; it must not be negative"},
		{func(l *load.Load) { l.Jobs = -1 }, "load: Jobs is -1; it must not be negative"},
		{func(l *load.Load) { l.Failure = 1 }, "load: Failure is 1; it must be at least 0 and less than 1"},
		{func(l *load.Load) { l.Failure = math.NaN() }, "load: Failure is NaN; it must be at least 0 and less than 1"},
		{func(l *load.Load) { l.Arrivals = load.Steady{} }, "load: Arrivals: Rate is 0 per second; it must be positive and at most 1e9"},
		{func(l *load.Load) { l.Arrivals = load.Poisson{Rate: math.NaN()} }, "load: Arrivals: Rate is NaN per second; it must be positive and at most 1e9"},
		{func(l *load.Load) { l.Arrivals = load.Burst{Rate: math.Inf(1)} }, "load: Arrivals: Rate is +Inf per second; it must be positive and at most 1e9"},
		{func(l *load.Load) { l.Arrivals = load.Step{Rate: -1} }, "load: Arrivals: Rate is -1 per second; it must be positive and at most 1e9"},
		{func(l *load.Load) { l.Arrivals = load.Step{Rate: 1} }, "load: Arrivals: Step divides the Duration of the Load; give one"},
		{func(l *load.Load) { l.Arrivals = load.Diurnal{} }, "load: Arrivals: Rate is 0 per second; it must be positive and at most 1e9"},
		{func(l *load.Load) { l.Arrivals = load.Diurnal{Rate: 1, Swing: 1.1} }, "load: Arrivals: Swing is 1.1; it must be from 0 to 1"},
		{func(l *load.Load) { l.Arrivals = load.Diurnal{Rate: 1, Period: -1} }, "load: Arrivals: Period is -1ns; it must be positive, or 0 for 24 hours"},
		{func(l *load.Load) { l.Arrivals = load.OnOff{} }, "load: Arrivals: Rate is 0 per second; it must be positive and at most 1e9"},
		{func(l *load.Load) { l.Arrivals = load.OnOff{Rate: 1, Sources: -1} }, "load: Arrivals: Sources is -1; it must be from 1 to 65536, or 0 for 16"},
		{func(l *load.Load) { l.Arrivals = load.OnOff{Rate: 1, On: -1} }, "load: Arrivals: On is -1ns and Off is 0s; they must be positive, or 0 for the defaults"},
		{func(l *load.Load) { l.Arrivals = load.OnOff{Rate: 1, Alpha: 2} }, "load: Arrivals: Alpha is 2; it must be more than 1 and less than 2, or 0 for 1.5"},
		{func(l *load.Load) { l.Service = load.Constant{} }, "load: Service: the mean is 0s; it must be positive"},
		{func(l *load.Load) { l.Service = load.Exponential{Mean: -1} }, "load: Service: the mean is -1ns; it must be positive"},
		{func(l *load.Load) { l.Service = load.Lognormal{} }, "load: Service: the mean is 0s; it must be positive"},
		{func(l *load.Load) { l.Service = load.Lognormal{Mean: 1, CV2: -1} }, "load: Service: CV2 is -1; it must be finite and not negative"},
		{func(l *load.Load) { l.Service = load.Pareto{Mean: 1} }, "load: Service: Alpha is 0; it must be positive and finite"},
		{func(l *load.Load) { l.Service = load.Pareto{Alpha: 1} }, "load: Service: give either Min and Max, or Mean; they are 0s, 0s and 0s"},
		{func(l *load.Load) { l.Service = load.Pareto{Alpha: 1, Min: 2, Max: 1} }, "load: Service: Min is 2ns and Max is 1ns; Min must be positive, and not above Max"},
		{func(l *load.Load) { l.Service = load.Pareto{Alpha: 1, Mean: -1} }, "load: Service: Mean is -1ns; it must be positive"},
		{func(l *load.Load) { l.Tenants = []load.Tenant{} }, "load: the sum of the shares of the tenants is 0; it must be positive and finite"},
		{func(l *load.Load) { l.Tenants = []load.Tenant{{Key: "a", Share: 1}, {Key: "a", Share: 1}} }, `load: tenant "a" is given twice`},
		{func(l *load.Load) { l.Tenants = []load.Tenant{{Key: "a", Share: -1}, {Key: "b", Share: 2}} }, `load: tenant "a": Share is -1; it must be finite and not negative`},
		{func(l *load.Load) { l.Tenants = []load.Tenant{{Key: "a", Share: 1, Weight: -1}} }, `load: tenant "a": Weight is -1; it must be positive, or 0 for 1`},
		{func(l *load.Load) { l.Tenants = []load.Tenant{{Key: "a", Share: 1, Service: load.Constant{}}} }, `load: tenant "a": Service: the mean is 0s; it must be positive`},
		{func(l *load.Load) { l.Service, l.Tenants = nil, []load.Tenant{{Key: "a", Share: 1}} }, `load: tenant "a" has no Service, nor has the Load; give a distribution, such as Exponential`},
	} {
		l := valid
		c.change(&l)
		err := l.Validate()
		if err == nil {
			t.Errorf("no error; want %s", c.want)
			continue
		}
		check.Equal(t, "error", err.Error(), c.want)
		for _, err := range l.Workload() {
			check.Equal(t, "error of the workload", err.Error(), c.want)
		}
	}
}

func BenchmarkWorkload(b *testing.B) {
	for _, a := range []load.Arrivals{load.Poisson{Rate: 100}, load.Diurnal{Rate: 100, Swing: 1}, load.OnOff{Rate: 100}} {
		b.Run(fmt.Sprintf("%T", a), func(b *testing.B) {
			b.ReportAllocs()
			drain(b, load.Load{Arrivals: a, Service: load.Lognormal{Mean: time.Second, CV2: 4}, Jobs: b.N}.Workload())
		})
	}
}
