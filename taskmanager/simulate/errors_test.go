package simulate_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// jobs is a workload of given jobs.
func jobs(all ...simulate.Job) simulate.Workload {
	return func(yield func(simulate.Job, error) bool) {
		for _, j := range all {
			if !yield(j, nil) {
				return
			}
		}
	}
}

// fails reports a test error unless err contains a text.
func fails(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: the error is %v, want one with %q", what, err, want)
	}
}

// TestMalformedJobs: the error names the job and what is wrong with it, and the report covers the jobs
// before.
func TestMalformedJobs(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for want, bad := range map[string]simulate.Job{
		"job 2: it arrives at 1s, before the previous job, at 2s; sort the workload": {At: time.Second},
		"job 2: it arrives at 1752000h0m0s; that must be at most 876000h0m0s":        {At: 200 * year},
		"job 2: its service time is -1ns; it must be from 0 to":                      {At: 2 * time.Second, Service: -1},
		"job 2: its service time is 2562047h47m16.854775807s":                        {At: 2 * time.Second, Service: math.MaxInt64},
		"job 2: its deadline is -1s after its arrival":                               {At: 2 * time.Second, Deadline: -time.Second},
		"job 2: its cost is -3; it must be 0 or more":                                {At: 2 * time.Second, Cost: -3},
		"job 2: it fails -1 times; it must be 0 or more":                             {At: 2 * time.Second, Fails: -1},
	} {
		r, err := simulate.Run(t.Context(), jobs(simulate.Job{At: 2 * time.Second, Service: time.Minute}, bad), workers(1))
		fails(t, "the job "+want, err, want)
		if !r.Partial || r.Total.Jobs != 1 || r.Total.Unfinished != 1 {
			t.Errorf("%s: the report is partial: %v, and has %d jobs, %d unfinished; want one unfinished", want, r.Partial, r.Total.Jobs, r.Total.Unfinished)
		}
	}
}

// TestErrorOfTheWorkload: an error of the reader ends the replay, and is returned.
func TestErrorOfTheWorkload(t *testing.T) {
	broken := errors.New("line 3: not a number")
	w := func(yield func(simulate.Job, error) bool) {
		_ = yield(simulate.Job{Service: time.Second}, nil) && yield(simulate.Job{}, broken)
	}
	_, err := simulate.Run(t.Context(), w, workers(1))
	check.Is(t, "Run", err, broken)
}

// TestBadStart: a start function that fails, returns nothing, or does not pass on the options.
func TestBadStart(t *testing.T) {
	broken := errors.New("no database")
	for _, c := range []struct {
		name, want string
		start      simulate.Start
	}{
		{"fails", "no database", func(...taskmanager.Option) (*taskmanager.TaskManager, error) { return nil, broken }},
		{"returns nothing", "start returned no manager", func(...taskmanager.Option) (*taskmanager.TaskManager, error) { return nil, nil }},
		{"drops the options", "must pass the options", func(...taskmanager.Option) (*taskmanager.TaskManager, error) {
			return taskmanager.Start()
		}},
		{"replaces the observer", "leave out WithObserver", func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
			return taskmanager.Start(append(with, taskmanager.WithObserver(ends{}))...)
		}},
	} {
		_, err := simulate.Run(t.Context(), jobs(simulate.Job{Service: time.Second}), c.start)
		fails(t, c.name, err, c.want)
	}
}

// ends is an observer.
type ends struct{}

func (ends) TaskEnded(context.Context, observe.End) {}

// TestBadOptions: all faults of the options are reported at once.
func TestBadOptions(t *testing.T) {
	_, err := simulate.Run(t.Context(), jobs(), workers(1),
		simulate.WithCores(0), nil, simulate.WithWeights(nil), simulate.WithProgress(nil))
	for _, want := range []string{"WithCores: the number of cores is 0", "option 2 is nil", "WithWeights: the function is nil", "WithProgress: the function is nil"} {
		fails(t, "bad options", err, want)
	}
	_, err = simulate.Run(t.Context(), jobs(), workers(1), simulate.WithCores(2), simulate.InRealTime(nil))
	fails(t, "cores in real time", err, "InRealTime cannot be combined with WithCores")
}

// TestStalled: a replay in which jobs wait for ever ends with an error, whatever timers the manager has.
func TestStalled(t *testing.T) {
	never := managerWith(func() []taskmanager.Option {
		return []taskmanager.Option{taskmanager.WithWorkers(0, 4), taskmanager.WithScaler(noWorkers{})}
	})
	r, err := simulate.Run(t.Context(), jobs(simulate.Job{Service: time.Second}), never)
	check.Is(t, "Run", err, simulate.ErrStalled)
	if r.Total.Unfinished != 1 || !r.Partial {
		t.Errorf("%d jobs are unfinished, want 1, and a partial report", r.Total.Unfinished)
	}
	long := jobs(simulate.Job{Service: 90 * 24 * time.Hour})
	if _, err := simulate.Run(t.Context(), long, workers(1)); err != nil {
		t.Errorf("a job of 90 days: %v", err)
	}
}

// noWorkers wants no workers, and decides again every minute.
type noWorkers struct{}

func (noWorkers) Scale(scale.Snapshot) scale.Decision {
	return scale.Decision{Again: time.Minute, Reason: "none"}
}

// TestTooLong: jobs that would run beyond the end of the clock end the replay.
func TestTooLong(t *testing.T) {
	const century = 100 * 365 * 24 * time.Hour
	job := simulate.Job{Service: century}
	_, err := simulate.Run(t.Context(), jobs(job, job, job), workers(1))
	fails(t, "three centuries", err, "the workload is too long for its workers")
}

// TestInterrupt: when ctx ends, Run returns at once with a partial report, also if jobs would restart for
// ever or wait for room.
func TestInterrupt(t *testing.T) {
	endless := func(yield func(simulate.Job, error) bool) {
		for i := 0; ; i++ {
			if !yield(simulate.Job{At: time.Duration(i) * time.Second, Service: 3 * time.Second}, nil) {
				return
			}
		}
	}
	for _, c := range []struct {
		name     string
		workload simulate.Workload
		start    simulate.Start
	}{
		{"endless", endless, workers(4)},
		{"blocked", endless, workers(1, taskmanager.WithLimit(1, taskmanager.Block))},
		{"caller runs", endless, workers(1, taskmanager.WithLimit(1, taskmanager.CallerRuns))},
		{"restarts", jobs(simulate.Job{Service: time.Second, Fails: math.MaxInt}), managerWith(func() []taskmanager.Option {
			return []taskmanager.Option{taskmanager.WithRestart(restart.Constant(time.Second))}
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			executions := 0
			count := func() []taskmanager.Option {
				return []taskmanager.Option{taskmanager.WithMiddleware(func(next taskmanager.Runner) taskmanager.Runner {
					return func(in context.Context, h *taskmanager.Handle) error {
						if executions++; executions == 1000 {
							cancel()
						}
						return next(in, h)
					}
				})}
			}
			start := func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
				return c.start(slices.Concat(with, count())...)
			}
			r, err := simulate.Run(ctx, c.workload, start)
			if err != nil || !r.Partial {
				t.Errorf("partial: %v, error %v; want a partial report", r.Partial, err)
			}
			if executions > 1100 {
				t.Errorf("%d executions, want about 1000", executions)
			}
			if done := r.Total; done.Jobs == 0 || done.Jobs != done.Done+done.Unfinished {
				t.Errorf("%d jobs, %d done, %d unfinished: the sum is wrong", done.Jobs, done.Done, done.Unfinished)
			}
		})
	}
}

// TestNoJobs: an empty workload gives an empty report.
func TestNoJobs(t *testing.T) {
	r := simulate.Test(t, jobs(), workers(1))
	if r.Total.Jobs != 0 || r.Elapsed != 0 || r.Jain != 1 || len(r.Keys) != 0 {
		t.Errorf("the report of no jobs is %+v", r)
	}
}
