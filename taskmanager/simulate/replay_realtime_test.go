package simulate_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// TestInRealTime: a replay in real time runs the same jobs, takes the time of the workload, and counts
// what happens in the same way.
func TestInRealTime(t *testing.T) {
	w := mixed(60, 1, 1)
	faster := func(yield func(simulate.Job, error) bool) { // a hundred times
		for j, err := range w {
			j.At, j.Service, j.Deadline = j.At/100, j.Service/100, 0
			if !yield(j, err) {
				return
			}
		}
	}
	simulated := simulate.Test(t, faster, workers(4))
	for name, work := range map[string]simulate.Work{
		"waiting": nil,
		"given": func(ctx context.Context, service time.Duration) error {
			select {
			case <-time.After(service):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		},
	} {
		begin := time.Now()
		r := simulate.Test(t, faster, workers(4), simulate.InRealTime(work))
		took := time.Since(begin)
		if r.Total.Jobs != 60 || r.Total.Done != simulated.Total.Done || r.Total.Restarts != simulated.Total.Restarts {
			t.Errorf("%s: %+v, want the counts of %+v", name, r.Total, simulated.Total)
		}
		if r.Elapsed > took || r.Elapsed < simulated.Elapsed*9/10 {
			t.Errorf("%s: the replay took %v of %v of real time, and %v of virtual time", name, r.Elapsed, took, simulated.Elapsed)
		}
	}
}

// TestInterruptInRealTime: the end of ctx ends a replay in real time at once, with a partial report.
func TestInterruptInRealTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	started := make(chan struct{})
	work := func(ctx context.Context, _ time.Duration) error {
		close(started)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	go func() {
		<-started
		cancel()
	}()
	long := jobs(simulate.Job{Service: time.Hour}, simulate.Job{At: time.Hour})
	r, err := simulate.Run(ctx, long, workers(1, taskmanager.WithIdleTimeout(time.Second)), simulate.InRealTime(work))
	if err != nil || !r.Partial || r.Total.Jobs != 1 || r.Total.Unfinished != 1 {
		t.Errorf("%d jobs, %d unfinished, partial: %v, error %v; want one unfinished job in a partial report", r.Total.Jobs, r.Total.Unfinished, r.Partial, err)
	}
}
