package simulate_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// An interrupt ends the replay early even if no job is outstanding: others were to arrive.
func TestInterruptBetweenArrivals(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	workload := func(yield func(simulate.Job, error) bool) { yield(simulate.Job{At: time.Hour}, nil) }
	start := func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) { return taskmanager.Start(with...) }
	for name, opts := range map[string][]simulate.Option{"virtual": nil, "real": {simulate.InRealTime(nil)}} {
		report, err := simulate.Run(ctx, workload, start, opts...)
		if err != nil || !report.Partial || report.Total.Jobs != 0 {
			t.Errorf("in %s time: partial %v, %d jobs; %v", name, report.Partial, report.Total.Jobs, err)
		}
	}
}
