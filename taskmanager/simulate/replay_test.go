package simulate_test

import (
	"testing"

	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

func TestFirst(t *testing.T) {
	r := simulate.Test(t, poisson(100000, 3.2, 1, ""), func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
		return taskmanager.Start(append(with, taskmanager.WithWorkers(4, 4))...)
	})
	t.Logf("%+v %v %v %v", r.Total.Jobs, r.Total.Wait.Mean(), r.Total.Wait.Percentile(99), r.Total.Sojourn.Mean())
	t.Logf("%v %v %v %v %v", r.Elapsed, r.WorkerTime, r.PeakWorkers, r.Turns, len(r.Series))
	t.Logf("%+v", r.Series[100])
}
