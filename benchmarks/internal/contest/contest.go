// Package contest measures goroutine pools, ours and others, on the same work.
package contest

import (
	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
	"github.com/seed56799101/taskmanager/benchmarks/internal/ours"
)

// Service is what a pool does for a task.
type Service string

// The services. A pool is compared with pools of the same service, or of a lesser one.
const (
	Runs    Service = "runs it"
	Batches Service = "runs batches of 64"
	Names   Service = "knows it by name"
	Answers Service = "returns its result"
)

// Contender is a way to run tasks.
type Contender struct {
	Name    string
	Service Service
	Ours    bool
	// Queues says that a submit never waits for a worker, so that a task may submit
	// others.
	Queues bool
	// Open makes a pool. In a round, the producers submit equal shares of the tasks.
	Open func(workers, producers, tasks int) (drive.Session, error)
}

// open makes the pool for a workload.
func (c Contender) open(w Workload) (drive.Session, error) {
	return c.Open(w.Workers, w.Producers, max(w.Tasks, w.Producers*w.names))
}

// Yardstick is the contender that the others are compared with.
const Yardstick = "buffered channel"

// All returns the contenders, each in the newest release of its module.
func All() []Contender { return append(own(), peers()...) }

func own() []Contender {
	list := []Contender{
		{Name: "scheduler.Pool", Service: Runs, Open: open(ours.PoolSubmit)},
		{Name: "scheduler.Pool, SubmitAll", Service: Batches, Open: open(ours.PoolSubmitAll)},
		{Name: "TaskManager.SubmitFunc", Service: Names, Open: open(ours.SubmitFunc)},
		{Name: "TaskManager.GoFunc", Service: Names, Open: open(ours.GoFunc)},
		{Name: "TaskManager.SubmitAll", Service: Batches, Open: open(ours.SubmitAll)},
		{Name: "taskmanager.Async", Service: Answers, Open: open(ours.Async)},
	}
	for i := range list {
		list[i].Ours, list[i].Queues = true, true
	}
	return list
}

func open(way ours.Way) func(workers, producers, tasks int) (drive.Session, error) {
	return func(workers, producers, tasks int) (drive.Session, error) {
		return ours.Open(way, workers, producers, tasks)
	}
}
