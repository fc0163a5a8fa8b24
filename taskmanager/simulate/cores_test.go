package simulate_test

import (
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// Jobs that share cores may end at the instant at which others arrive, as in a trace with round times.
func TestCoresWithArrivalsAtEnds(t *testing.T) {
	const jobs = 20
	for workers, want := range map[int]time.Duration{1: 2 * time.Second, 2: 1050 * time.Millisecond} {
		report := simulate.Test(t, func(yield func(simulate.Job, error) bool) {
			for i := range jobs {
				if !yield(simulate.Job{At: time.Duration(i) * 50 * time.Millisecond, Service: 100 * time.Millisecond}, nil) {
					return
				}
			}
		}, func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
			return taskmanager.Start(append(with, taskmanager.WithWorkers(workers, workers))...)
		}, simulate.WithCores(4))
		if got := report.Elapsed; got < want || got > want+time.Microsecond {
			t.Errorf("with %d workers the last job ended after %v, want %v", workers, got, want)
		}
		if report.Total.Done != jobs {
			t.Errorf("with %d workers %d of %d jobs succeeded", workers, report.Total.Done, jobs)
		}
	}
}
