package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Synthetic is a workload of tasks that take given times. All are drawn in
// advance, so that every setting gets the same tasks.
type Synthetic struct {
	Arrivals []Arrival // in order
	Duration time.Duration
	Work     Work
}

// Arrival is a task of a synthetic workload.
type Arrival struct {
	At       time.Duration // after the start
	Service  time.Duration // how long the task takes
	Key      string
	Priority int
	Patience time.Duration // how long the task may wait
}

// Draw draws a workload whose tasks take service on average. The same seed gives
// the same workload.
func Draw(s Shape, rate float64, service, duration time.Duration, seed uint64, work Work) *Synthetic {
	w := &Synthetic{Duration: duration, Work: work}
	// Shapes draw from a source of their own, so that the tasks are the same for all
	// shapes.
	r := rand.New(rand.NewPCG(seed, 1))
	for _, at := range s(rate, duration, rand.New(rand.NewPCG(seed, 0))) {
		w.Arrivals = append(w.Arrivals, Arrival{
			At:       at,
			Service:  time.Duration(r.ExpFloat64() * float64(service)),
			Key:      string("aaaabbcd"[r.IntN(8)]),
			Priority: r.IntN(4),
			Patience: time.Duration((1 + 9*r.Float64()) * float64(service)),
		})
	}
	return w
}

// Tasks returns the number of tasks.
func (w *Synthetic) Tasks() int { return len(w.Arrivals) }

// Interval returns the time between samples.
func (w *Synthetic) Interval() time.Duration { return sampleInterval(w.Duration) }

// Offered returns the offered load over time.
func (w *Synthetic) Offered() []Point {
	const bins = 20 // wide enough that single tasks do not show
	points := make([]Point, bins)
	width := max(w.Duration/bins, 1)
	for i := range points {
		points[i].At = time.Duration(i) * width
	}
	for _, a := range w.Arrivals {
		points[min(a.At/width, bins-1)].Number += float64(a.Service) / float64(width)
	}
	return append(points, Point{w.Duration, 0})
}

// Feed submits each task when it is due.
func (w *Synthetic) Feed(ctx context.Context, start time.Time, load *measure.Load, submit func(measure.Task) error) (lag time.Duration, err error) {
	woke := start
	for i, a := range w.Arrivals {
		due := start.Add(a.At)
		if wait := time.Until(due); wait > 0 {
			if err := Sleep(ctx, wait); err != nil {
				return lag, err
			}
			woke = time.Now()
		}
		lag = max(lag, time.Since(due))
		// The wait of a task starts when the task is due, even if an earlier
		// submit delays this one. It starts later only if a timer was late,
		// which is not the manager's fault.
		from := due
		if woke.After(due) {
			from = woke
		}
		t := &syntheticTask{
			Executions: measure.Executions{Submitted: from, Allowed: a.Patience},
			arrival:    a, name: fmt.Sprintf("task %d", i+1), work: w.Work, load: load,
		}
		if err := submit(t); err != nil {
			return lag, err
		}
	}
	return lag, nil
}

// syntheticTask is a task that takes a given time.
type syntheticTask struct {
	measure.Executions
	arrival Arrival
	name    string
	work    Work
	load    *measure.Load
}

var (
	_ measure.Task                 = (*syntheticTask)(nil)
	_ taskmanager.TaskWithKey      = (*syntheticTask)(nil)
	_ taskmanager.TaskWithCost     = (*syntheticTask)(nil)
	_ taskmanager.TaskWithPriority = (*syntheticTask)(nil)
	_ taskmanager.TaskWithDeadline = (*syntheticTask)(nil)
)

// Name returns "task" and a number.
func (t *syntheticTask) Name() string { return t.name }

// Execute works for the service time.
func (t *syntheticTask) Execute(ctx context.Context) error {
	defer t.Begin(t.load)()
	return t.work(ctx, t.arrival.Service)
}

// Key returns one of four keys. Half of the tasks have the first, a quarter the
// second, and an eighth each of the others.
func (t *syntheticTask) Key() string { return t.arrival.Key }

// Cost returns the service time in microseconds.
func (t *syntheticTask) Cost() int64 { return max(1, t.arrival.Service.Microseconds()) }

// Priority returns a level from 0 to 3.
func (t *syntheticTask) Priority() int { return t.arrival.Priority }

// Deadline is 1 to 10 mean service times after the arrival.
func (t *syntheticTask) Deadline() (deadline time.Time, ok bool) {
	return t.Submitted.Add(t.Allowed), true
}

// Late reports whether the task was started after its deadline.
func (t *syntheticTask) Late() bool { return t.QueueWait > t.Allowed }
