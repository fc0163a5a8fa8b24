package simulate_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// poisson is a workload of n jobs that arrive at a rate, with exponential service of one second on
// average.
func poisson(n int, rate float64, seed uint64, keys string) simulate.Workload {
	return func(yield func(simulate.Job, error) bool) {
		r := rand.New(rand.NewPCG(seed, 1))
		at := 0.0
		for i := range n {
			at += r.ExpFloat64() / rate
			j := simulate.Job{At: time.Duration(at * 1e9), Service: time.Duration(r.ExpFloat64() * 1e9)}
			if keys != "" {
				j.Key = keys[i%len(keys) : i%len(keys)+1]
			}
			if !yield(j, nil) {
				return
			}
		}
	}
}

// managerWith starts managers with options that are made anew for each.
func managerWith(opts func() []taskmanager.Option) simulate.Start {
	return func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
		return taskmanager.Start(slices.Concat(with, opts())...)
	}
}

// BenchmarkReplay replays with one core. The aim is 300,000 jobs a second with FIFO and Demand, and
// 150,000 with Fair and TargetWait.
func BenchmarkReplay(b *testing.B) {
	for _, c := range []struct {
		name string
		keys string
		opts func() []taskmanager.Option
	}{
		{"fixed", "", func() []taskmanager.Option { return []taskmanager.Option{taskmanager.WithWorkers(10, 10)} }},
		{"FIFO, Demand", "", func() []taskmanager.Option { return []taskmanager.Option{taskmanager.WithWorkers(1, 100)} }},
		{"Fair, TargetWait", "aaab", func() []taskmanager.Option {
			return []taskmanager.Option{
				taskmanager.WithWorkers(1, 100), taskmanager.WithQueue(taskmanager.Fair(nil)),
				taskmanager.WithScaler(scale.TargetWait(scale.TargetWaitConfig{})),
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			b.ReportAllocs()
			if _, err := simulate.Run(b.Context(), poisson(b.N, 8, 1, c.keys), managerWith(c.opts)); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}
