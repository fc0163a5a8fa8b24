package simulate_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// The tests of this file compare replays with formulas of queueing theory. They are statistical, with
// fixed seeds. Without the flag -lab they replay a hundredth of the jobs, and the bounds are wider, more than in
// proportion to the standard error, because so few jobs are not enough for a precise comparison.

// enough returns the number of jobs for a test, and the factor for its bound.
func enough(jobs int) (n int, widen float64) {
	if *lab {
		return jobs, 1
	}
	return jobs / 100, 20
}

// within reports a test error unless got is within a fraction of want.
func within(t *testing.T, what string, got, want, fraction float64) {
	t.Helper()
	t.Logf("%s: %.5g, theory %.5g (%+.2f%%)", what, got, want, 100*(got/want-1))
	if math.Abs(got/want-1) > fraction {
		t.Errorf("%s is %.5g, want %.5g within %.1f%%", what, got, want, 100*fraction)
	}
}

// random is a workload of Poisson arrivals at a rate, with services of a distribution whose mean is 1. The
// times between arrivals, and the services, are scaled so that their means are exact: most of the
// difference between a mean wait and its expectation is that of the load.
func random(jobs int, rate float64, seed uint64, service func(r *rand.Rand) float64, adorn func(i int, j *simulate.Job)) simulate.Workload {
	draw := func(yield func(gap, service float64) bool) {
		arrivals, services := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
		for range jobs {
			if !yield(arrivals.ExpFloat64(), service(services)) {
				return
			}
		}
	}
	var gaps, work float64
	for gap, service := range draw {
		gaps += gap
		work += service
	}
	perGap, perService := 1e9*float64(jobs)/gaps/rate, 1e9*float64(jobs)/work
	return func(yield func(simulate.Job, error) bool) {
		at, i := 0.0, 0
		for gap, service := range draw {
			at += gap * perGap
			j := simulate.Job{At: time.Duration(at) &^ 3, Service: time.Duration(service*perService) &^ 3} // see calendar
			if adorn != nil {
				adorn(i, &j)
			}
			if !yield(j, nil) {
				return
			}
			i++
		}
	}
}

func exponential(r *rand.Rand) float64 { return r.ExpFloat64() }

// lognormal has mean 1 and a squared coefficient of variation of 4.
func lognormal(r *rand.Rand) float64 {
	s2 := math.Log(1 + 4.0)
	return math.Exp(-s2/2 + math.Sqrt(s2)*r.NormFloat64())
}

// workers starts managers with a fixed number of workers.
func workers(n int, more ...taskmanager.Option) simulate.Start {
	return managerWith(func() []taskmanager.Option { return append(more, taskmanager.WithWorkers(n, n)) })
}

// erlang returns the mean wait of M/M/c with a mean service of 1.
func erlang(c int, load float64) float64 {
	b := 1.0 // Erlang's loss formula by its recursion
	for k := 1; k <= c; k++ {
		b = load * b / (float64(k) + load*b)
	}
	rho := load / float64(c)
	wait := b / (1 - rho*(1-b)) // Erlang's delay formula
	return wait / (float64(c) - load)
}

// TestErlang: the mean wait of M/M/c at a load of 0.8.
func TestErlang(t *testing.T) {
	for _, c := range []int{1, 4, 8, 16} {
		t.Run(strconv.Itoa(c), func(t *testing.T) {
			t.Parallel()
			jobs, widen := enough(500_000 * c) // for a standard error of 0.5 to 0.8 %
			load := 0.8 * float64(c)
			r := simulate.Test(t, random(jobs, load, uint64(c), exponential, nil), workers(c))
			within(t, "the mean wait", r.Total.Wait.Mean().Seconds(), erlang(c, load), 0.015*widen)
		})
	}
}

// TestPollaczekKhinchine: the mean wait of M/G/1 with lognormal service.
func TestPollaczekKhinchine(t *testing.T) {
	t.Parallel()
	const rho, cv2 = 0.6, 4
	jobs, widen := enough(2_000_000)
	r := simulate.Test(t, random(jobs, rho, 1, lognormal, nil), workers(1))
	within(t, "the mean wait", r.Total.Wait.Mean().Seconds(), rho/(1-rho)*(1+cv2)/2, 0.025*widen)
}

// TestCobham: the mean waits of two classes under strict priority.
//
// A. Cobham: Priority Assignment in Waiting Line Problems, Operations Research 2(1), 1954.
func TestCobham(t *testing.T) {
	t.Parallel()
	const rho = 0.8
	jobs, widen := enough(1_000_000)
	var class *rand.Rand
	w := random(jobs, rho, 3, exponential, func(i int, j *simulate.Job) {
		if i == 0 {
			class = rand.New(rand.NewPCG(9, 9))
		}
		j.Priority = class.IntN(2)
		j.Key = strconv.Itoa(j.Priority)
	})
	r := simulate.Test(t, w, workers(1, taskmanager.WithQueue(taskmanager.Priority(0))))
	residual := rho // rate · E[S²]/2, with E[S²] = 2
	high, low := residual/(1-rho/2), residual/((1-rho/2)*(1-rho))
	within(t, "the mean wait of the higher class", r.Keys[1].Wait.Mean().Seconds(), high, 0.015*widen)
	within(t, "the mean wait of the lower class", r.Keys[0].Wait.Mean().Seconds(), low, 0.03*widen)
}

// TestLIFO: LIFO has the mean wait of FIFO, and 1/(1−ρ) times its mean square.
func TestLIFO(t *testing.T) {
	t.Parallel()
	const rho = 0.6
	jobs, widen := enough(2_000_000)
	w := random(jobs, rho, 4, exponential, nil)
	fifo := simulate.Test(t, w, workers(1)).Total.Wait
	lifo := simulate.Test(t, w, workers(1, taskmanager.WithQueue(taskmanager.LIFO()))).Total.Wait
	square := func(d simulate.Distribution) float64 {
		mean, dev := d.Mean().Seconds(), d.StdDev().Seconds()
		return mean*mean + dev*dev
	}
	within(t, "the mean wait of LIFO, by that of FIFO", lifo.Mean().Seconds()/fifo.Mean().Seconds(), 1, 0.01*widen)
	within(t, "the mean square of LIFO, by that of FIFO", square(lifo)/square(fifo), 1/(1-rho), 0.05*widen)
}

// TestProcessorSharing: the mean sojourn is S/(1−ρ) for any distribution of the service.
func TestProcessorSharing(t *testing.T) {
	const rho = 0.7
	for name, service := range map[string]func(*rand.Rand) float64{
		"exponential": exponential, "lognormal": lognormal, "constant": func(*rand.Rand) float64 { return 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jobs, widen := enough(1_000_000)
			r := simulate.Test(t, random(jobs, rho, 5, service, nil),
				managerWith(func() []taskmanager.Option {
					return []taskmanager.Option{taskmanager.WithWorkers(1, taskmanager.NoMaximum)}
				}),
				simulate.WithCores(1))
			within(t, "the mean sojourn", r.Total.Sojourn.Mean().Seconds(), 1/(1-rho), 0.03*widen)
		})
	}
}

// event is the begin or the end of an execution.
type event struct {
	job int
	at  time.Duration
}

// watched is an option that notes when executions begin and end, in the order of their ends.
func watched(begins, ends *[]event) taskmanager.Option {
	return taskmanager.WithMiddleware(func(next taskmanager.Runner) taskmanager.Runner {
		return func(ctx context.Context, h *taskmanager.Handle) error {
			number, _ := strconv.Atoi(strings.TrimPrefix(h.Name(), "job "))
			epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when a bubble begins
			*begins = append(*begins, event{number, time.Since(epoch)})
			err := next(ctx, h)
			*ends = append(*ends, event{number, time.Since(epoch)})
			return err
		}
	})
}

// TestRecursion compares the begin of each execution under FIFO with fixed workers with a recursion: a
// job begins when it has arrived, and the worker that is free first is free.
func TestRecursion(t *testing.T) {
	jobs, _ := enough(300_000)
	for _, c := range []int{1, 2, 7} {
		w := random(jobs, 0.9*float64(c), uint64(10+c), lognormal, nil)
		var begins, ends []event
		simulate.Test(t, w, workers(c, watched(&begins, &ends)))
		got := make([]time.Duration, jobs)
		for _, b := range begins {
			got[b.job] = b.at
		}
		free := make([]time.Duration, c)
		i := 0
		for j, err := range w {
			if err != nil {
				t.Fatal(err)
			}
			first := 0
			for k := range free {
				if free[k] < free[first] {
					first = k
				}
			}
			want := max(j.At, free[first])
			free[first] = want + j.Service
			if got[i] != want {
				t.Fatalf("with %d workers, job %d began at %v, want %v", c, i, got[i], want)
			}
			i++
		}
		if i != jobs || len(begins) != jobs {
			t.Fatalf("%d jobs and %d begins, want %d", i, len(begins), jobs)
		}
	}
}

// TestWorkConservation: with one worker, every discipline that never idles while a job waits ends
// executions when FIFO does, if all services are equal: the number of jobs in the system is the same at
// every moment. If services differ, the order decides how many jobs are left, but not how much work: the
// worker becomes idle when it does under FIFO.
func TestWorkConservation(t *testing.T) {
	jobs, _ := enough(100_000)
	adorn := func(i int, j *simulate.Job) {
		j.Key, j.Priority, j.Cost, j.Deadline = string("abc"[i%3]), i*7%4, int64(1+i%5), time.Duration(i%11)*time.Second
	}
	conserving := []named[taskmanager.Discipline]{}
	for _, d := range disciplines {
		if d.name != "LimitByKey" && d.name != "CoDel" { // they hold back, and shed
			conserving = append(conserving, d)
		}
	}
	for _, service := range []func(*rand.Rand) float64{func(*rand.Rand) float64 { return 1 }, lognormal} {
		constant := service(rand.New(rand.NewPCG(1, 1))) == 1
		w := random(jobs, 0.8, 20, service, adorn)
		var want []event
		for _, d := range conserving {
			var begins, ends []event
			simulate.Test(t, w, workers(1, taskmanager.WithQueue(d.make()), watched(&begins, &ends)))
			if !constant {
				ends = idleAfter(begins, ends)
			}
			if want == nil {
				want = ends // of FIFO
			}
			if len(ends) != len(want) {
				t.Fatalf("%s: %d ends, want %d", d.name, len(ends), len(want))
			}
			for i := range want {
				if ends[i].at != want[i].at {
					t.Fatalf("%s: end %d is at %v, want %v", d.name, i, ends[i].at, want[i].at)
				}
			}
		}
	}
}

// idleAfter returns the ends after which the worker is idle.
func idleAfter(begins, ends []event) (last []event) {
	for i, e := range ends {
		if i+1 == len(begins) || begins[i+1].at > e.at {
			last = append(last, e)
		}
	}
	return last
}
