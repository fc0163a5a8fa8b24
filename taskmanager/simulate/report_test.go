package simulate_test

import (
	"math"
	"runtime"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

const second = time.Second

// summary is the part of a group that a test states.
type summary struct {
	Jobs, Done, Failed, Shed, Dropped, Late, Restarts int
	MeanWait, MaxWait, MeanRun, MeanSojourn           time.Duration
}

func summaryOf(g simulate.Group) summary {
	return summary{
		g.Jobs, g.Done, g.Failed, g.Shed, g.Dropped, g.Late, g.Restarts,
		g.Wait.Mean(), g.Wait.Max(), g.Run.Mean(), g.Sojourn.Mean(),
	}
}

// TestReport states every figure of small replays, computed by hand.
func TestReport(t *testing.T) {
	three := jobs(
		simulate.Job{At: 0, Service: 4 * second, Key: "a", Kind: "x"},
		simulate.Job{At: second, Service: 2 * second, Key: "b", Kind: "x", Deadline: 2 * second},
		simulate.Job{At: 2 * second, Service: 3 * second, Key: "a", Kind: "y", Deadline: 5 * second},
	)
	// One worker: a from 0 to 4, b from 4 to 6 (late), a from 6 to 9.
	r := simulate.Test(t, three, workers(1))
	check.Equal(t, "the total", summaryOf(r.Total), summary{
		Jobs: 3, Done: 3, Late: 1,
		MeanWait: 7 * second / 3, MaxWait: 4 * second, MeanRun: 3 * second, MeanSojourn: 16 * second / 3,
	})
	check.Equal(t, "key a", summaryOf(r.Keys[0]), summary{
		Jobs: 2, Done: 2, MeanWait: 2 * second, MaxWait: 4 * second, MeanRun: 7 * second / 2, MeanSojourn: 11 * second / 2,
	})
	check.Equal(t, "kind y", summaryOf(r.Kinds[1]), summary{
		Jobs: 1, Done: 1, MeanWait: 4 * second, MaxWait: 4 * second, MeanRun: 3 * second, MeanSojourn: 7 * second,
	})
	check.Equal(t, "the slowdown of b", r.Keys[1].Slowdown.Max(), 2.5)
	check.Equal(t, "elapsed", r.Elapsed, 9*second)
	check.Equal(t, "worker time", r.WorkerTime, 9.0)
	check.Equal(t, "peak", r.PeakWorkers, 1)
	// Keys a and b compete from 2 to 4 seconds, when a runs: a has one worker then, b none.
	check.Equal(t, "Jain's index", r.Jain, 0.5)

	// Failures: 1 s, a restart after 1 s, and 1 s more; the other job is given up.
	failing := jobs(simulate.Job{Service: second, Fails: 1}, simulate.Job{At: 10 * second, Service: second, Fails: 5})
	r = simulate.Test(t, failing, managerWith(func() []taskmanager.Option {
		return []taskmanager.Option{taskmanager.WithWorkers(1, 1), taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(second)))}
	}))
	check.Equal(t, "the slowdown of jobs that fail", math.Round(1e6*r.Total.Slowdown.Max()), 1_666_667)
	sum := summaryOf(r.Total) // restarts put executions off by some nanoseconds
	sum.MeanRun, sum.MeanSojourn = sum.MeanRun.Round(time.Microsecond), sum.MeanSojourn.Round(time.Microsecond)
	check.Equal(t, "jobs that fail", sum, summary{
		Jobs: 2, Done: 1, Failed: 1, Restarts: 3, MeanRun: second, MeanSojourn: 4 * second,
	})

	// A queue for one job: of three at once, one runs, one waits and one is refused.
	burst := jobs(simulate.Job{Service: second}, simulate.Job{Service: second}, simulate.Job{Service: second})
	for _, o := range []taskmanager.Overflow{taskmanager.Reject, taskmanager.DropNewest, taskmanager.DropOldest} {
		r = simulate.Test(t, burst, workers(1, taskmanager.WithLimit(1, o)))
		if g := r.Total; g.Done != 2 || g.Dropped != 1 {
			t.Errorf("%v: %d done and %d dropped, want 2 and 1", o, g.Done, g.Dropped)
		}
	}
	// Under Block, no job is lost, and the last waits for room first.
	r = simulate.Test(t, burst, workers(1, taskmanager.WithLimit(1, taskmanager.Block)))
	if g := r.Total; g.Done != 3 || g.Wait.Max().Round(time.Microsecond) != 2*second {
		t.Errorf("Block: %d done, and the longest wait is %v; want 3 and 2s", g.Done, g.Wait.Max())
	}
	// Two cores for four jobs: each advances at half the speed.
	four := jobs(simulate.Job{Service: second}, simulate.Job{Service: second}, simulate.Job{Service: second}, simulate.Job{Service: second})
	r = simulate.Test(t, four, workers(4), simulate.WithCores(2))
	if got := r.Total.Run.Mean().Round(time.Microsecond); got != 2*second {
		t.Errorf("four jobs of 1s on two cores took %v each, want 2s", got)
	}
}

// TestWorkerTime: workers live from their start until they have been idle for the timeout.
func TestWorkerTime(t *testing.T) {
	r := simulate.Test(t, jobs(
		simulate.Job{Service: 4 * second},
		simulate.Job{At: second, Service: second},
		simulate.Job{At: 19 * second, Service: second},
	), managerWith(func() []taskmanager.Option {
		return []taskmanager.Option{taskmanager.WithWorkers(0, 5), taskmanager.WithIdleTimeout(3 * second)}
	}))
	// Workers: 0–7, 1–5 and 19–20, where the replay ends.
	check.Equal(t, "worker time", math.Round(1e6*r.WorkerTime)/1e6, 12.0)
	check.Equal(t, "peak", r.PeakWorkers, 2)
	var seconds float64
	arrivals := 0
	for _, i := range r.Series {
		seconds += i.Workers * i.Length.Seconds()
		arrivals += i.Arrivals
	}
	if seconds < 11.99 || seconds > 12.01 || arrivals != 3 {
		t.Errorf("the series has %.3f worker-seconds and %d arrivals, want 12 and 3", seconds, arrivals)
	}
}

// TestPeak: the peak is the most workers that a snapshot ever shows, and turns follow the decisions.
func TestPeak(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		s := rapid.SampledFrom(scalers).Draw(rt, "scaler")
		var m *taskmanager.TaskManager
		most := 0
		w := func(yield func(simulate.Job, error) bool) {
			for j, err := range mixed(50, seed, 1) {
				j.At++ // yield comes after the wait for the job before
				most = max(most, m.Snapshot().Workers)
				if !yield(j, err) {
					return
				}
			}
		}
		r := simulate.Test(t, w, func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
			var err error
			m, err = taskmanager.Start(append(with, taskmanager.WithWorkers(1, 9), taskmanager.WithScaler(s.make()))...)
			most = m.Snapshot().Workers
			return m, err
		})
		if most > r.PeakWorkers || r.PeakWorkers > 9 {
			rt.Fatalf("a snapshot has %d workers, and the peak is %d", most, r.PeakWorkers)
		}
		if r.Turns > r.Decisions {
			rt.Fatalf("%d turns in %d decisions", r.Turns, r.Decisions)
		}
	})
}

// TestScalerSeries: the series has the decisions of the scaler with their reasons.
func TestScalerSeries(t *testing.T) {
	r := simulate.Test(t, mixed(200, 1, 1), managerWith(func() []taskmanager.Option {
		return []taskmanager.Option{taskmanager.WithWorkers(1, 9), taskmanager.WithScaler(scale.TargetWait(scale.TargetWaitConfig{}))}
	}))
	made, started := 0, 0
	for i, one := range r.Series {
		made += one.Decisions
		started += one.Started
		if one.Decisions > 0 && (one.Decision.Reason == "" || one.Decision.At < one.At || one.Decision.At >= one.At+one.Length) {
			t.Errorf("interval %d, at %v: the decision is %+v", i, one.At, one.Decision)
		}
		if i > 0 && one.At != r.Series[i-1].At+r.Series[i-1].Length {
			t.Errorf("interval %d begins at %v, want %v", i, one.At, r.Series[i-1].At+r.Series[i-1].Length)
		}
	}
	if made != r.Decisions || made == 0 || started != r.Total.Jobs {
		t.Errorf("the series has %d decisions and %d starts, want %d and %d", made, started, r.Decisions, r.Total.Jobs)
	}
	if n := len(r.Series); n < 100 || n > 512 {
		t.Errorf("the series has %d intervals", n)
	}
}

// TestFairShares: 3,000 tasks of one tenant and 30 of another arrive at once. The totals suggest that the
// order does not matter; the figures of the small tenant, and Jain's index, show what Fair does.
func TestFairShares(t *testing.T) {
	w := func(yield func(simulate.Job, error) bool) {
		for i := range 3030 {
			j := simulate.Job{Service: 100 * time.Millisecond, Key: "large"}
			if i >= 3000 {
				j.Key = "small"
			}
			if !yield(j, nil) {
				return
			}
		}
	}
	fifo := simulate.Test(t, w, workers(10))
	fair := simulate.Test(t, w, workers(10, taskmanager.WithQueue(taskmanager.Fair(nil))))
	if a, b := fifo.Total.Wait.Mean(), fair.Total.Wait.Mean(); b < a*99/100 || b > a*101/100 {
		t.Errorf("the mean wait is %v and %v, want about the same", a, b)
	}
	if a, b := fifo.Keys[1].Wait.Percentile(99), fair.Keys[1].Wait.Percentile(99); a < 29*second || b > second {
		t.Errorf("the p99 wait of the small tenant is %v, and %v with Fair; want 30s, and less than 1s", a, b)
	}
	if fifo.Jain > 0.55 || fair.Jain < 0.95 {
		t.Errorf("Jain's index is %.3f, and %.3f with Fair; want about 0.5 and 1", fifo.Jain, fair.Jain)
	}
	weighted := simulate.Test(t, w, workers(10, taskmanager.WithQueue(taskmanager.Fair(weightOf))), simulate.WithWeights(weightOf))
	if weighted.Jain < 0.95 {
		t.Errorf("Jain's index with weights is %.3f, want about 1", weighted.Jain)
	}
}

// weightOf gives the large tenant four times the share.
func weightOf(key string) int {
	if key == "large" {
		return 4
	}
	return 1
}

// TestMemory: a replay of many jobs takes no more memory than one of few.
func TestMemory(t *testing.T) {
	few, many := *memory/10, *memory
	a, b := peakOf(t, few), peakOf(t, many)
	t.Logf("%d jobs: %d kB; %d jobs: %d kB", few, a/1024, many, b/1024)
	if b > a+a/4+1<<20 {
		t.Errorf("%d jobs take %d kB, and %d jobs %d kB", few, a/1024, many, b/1024)
	}
}

// peakOf returns the most memory that a replay has in use.
func peakOf(t *testing.T, jobs int) (most uint64) {
	ended := 0
	look := func(int) {
		if ended++; ended%max(1, jobs/10_000) != 0 { // it is called after every thousandth job
			return
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	}
	w := random(jobs, 8, 1, exponential, func(i int, j *simulate.Job) { j.Key, j.Kind = strconv.Itoa(i%2), "k" })
	r, err := simulate.Run(t.Context(), w, managerWith(func() []taskmanager.Option {
		return []taskmanager.Option{taskmanager.WithWorkers(1, 100), taskmanager.WithQueue(taskmanager.Fair(nil))}
	}), simulate.WithProgress(look))
	if err != nil || r.Total.Done != jobs {
		t.Fatalf("%d of %d jobs, %v", r.Total.Done, jobs, err)
	}
	return most
}

// TestLongReplay: sums over workers and jobs may exceed the longest duration.
func TestLongReplay(t *testing.T) {
	const year = 365 * 24 * time.Hour
	w := func(yield func(simulate.Job, error) bool) {
		for range 500 { // of which 100 wait
			if !yield(simulate.Job{Service: year}, nil) {
				return
			}
		}
	}
	r := simulate.Test(t, w, workers(400))
	if want := 400 * (2 * year).Seconds(); math.Abs(r.WorkerTime/want-1) > 1e-6 {
		t.Errorf("%v worker-seconds, want %v", r.WorkerTime, want)
	}
	for _, i := range r.Series {
		if i.Workers < 399 || i.Workers > 401 || i.Queued < 0 || i.Queued > 101 || i.Busy < 0 || i.Offered < 0 || i.MeanWait < 0 {
			t.Fatalf("an interval is %+v", i)
		}
	}
}
