package simulate_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/load"
)

// A program asks how long tasks would wait with a scaler: ten minutes of Poisson arrivals take a moment.
func ExampleRun() {
	w := load.Load{Arrivals: load.Poisson{Rate: 20}, Service: load.Exponential{Mean: 200 * time.Millisecond}, Duration: 10 * time.Minute, Seed: 1}
	report, err := simulate.Run(context.Background(), w.Workload(), func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
		return taskmanager.Start(append(with,
			taskmanager.WithWorkers(1, 50),
			taskmanager.WithScaler(scale.TargetWait(scale.TargetWaitConfig{Wait: 50 * time.Millisecond})),
		)...)
	})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(report.Total.Jobs > 11_000, report.Total.Wait.Percentile(95) < 100*time.Millisecond, report.PeakWorkers < 20)
	// Output: true true true
}

// A test asserts what a policy guarantees: a tenant that floods the queue does not delay another one.
func TestFloodDelaysOnlyItself(t *testing.T) {
	flood := load.Load{
		Arrivals: load.Poisson{Rate: 100}, Service: load.Constant{Mean: 90 * time.Millisecond}, Duration: time.Minute,
		Tenants: []load.Tenant{{Key: "large", Share: 0.99}, {Key: "small", Share: 0.01}},
	}
	report := simulate.Test(t, flood.Workload(), func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
		return taskmanager.Start(append(with, taskmanager.WithWorkers(8, 8), taskmanager.WithQueue(taskmanager.Fair(nil)))...)
	})
	if small := report.Keys[1]; small.Wait.Percentile(99) > 100*time.Millisecond {
		t.Errorf("p99 wait of tenant %s is %v", small.Name, small.Wait.Percentile(99))
	}
}
