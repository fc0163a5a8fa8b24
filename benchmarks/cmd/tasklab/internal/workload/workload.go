// Package workload has the tasks that the program gives to a manager: tasks that
// read files, and synthetic tasks that arrive at given times and take given times.
package workload

import (
	"context"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
)

// Workload makes the same tasks for every setting that is compared.
type Workload interface {
	// Tasks returns the number of tasks.
	Tasks() int
	// Interval returns the time between samples.
	Interval() time.Duration
	// Offered returns the offered load over time, or nil if it is unknown.
	Offered() []Point
	// Feed makes the tasks of a session, whose manager started at start, and
	// submits each when it is due. The lag is the longest time by which a
	// submit was late.
	Feed(ctx context.Context, start time.Time, load *measure.Load, submit func(measure.Task) error) (lag time.Duration, err error)
}

// Point is the offered load from a time after the start on: how many workers
// would be busy if no task waited.
type Point struct {
	At     time.Duration
	Number float64
}

// Samples is how many samples are taken while a workload runs.
const Samples = 300

// sampleInterval returns the interval for a workload of a given duration.
func sampleInterval(d time.Duration) time.Duration { return max(d/Samples, time.Millisecond) }
