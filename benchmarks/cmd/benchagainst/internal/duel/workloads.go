package duel

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
)

// workload is something to measure.
type workload struct {
	name    string
	measure func(c Config, older, newer Side) ([]Figure, error)
}

// Ways to submit tasks, as package ours calls them.
const (
	poolSubmit    = "Pool.Submit"
	poolSubmitAll = "Pool.SubmitAll"
	submitFunc    = "TaskManager.SubmitFunc"
	goFunc        = "TaskManager.GoFunc"
	submitAll     = "TaskManager.SubmitAll"
	async         = "taskmanager.Async"
)

// quick returns the first number in a quick run, else the second one.
func (c Config) quick(few, many int) int {
	switch {
	case c.tiny:
		return max(1, few/100)
	case c.Quick:
		return few
	default:
		return many
	}
}

// rounds returns the number of rounds of a workload whose rounds take so many times as long as
// those of the others.
func (c Config) rounds(times int) int { return max(1, c.Rounds/times) }

// all returns all workloads. Their names are unique.
func (c Config) all() (list []workload) {
	for _, way := range []string{poolSubmit, poolSubmitAll, submitFunc, goFunc, submitAll, async} {
		for _, workers := range c.Workers {
			list = append(list, short(way, workers))
		}
	}
	many := c.quick(100_000, 1_000_000)
	list = append(list, long(poolSubmit), long(submitFunc), long(async), crowd(submitFunc, many), queue(submitFunc, many))
	for _, way := range []string{poolSubmit, submitFunc} {
		list = append(list, latency(way, 0), latency(way, 50*time.Microsecond))
	}
	if c.Sleep {
		list = append(list, sleep(poolSubmit, many), sleep(submitFunc, many))
	}
	return list
}

const (
	sitting = 4 // rounds of a session
	two     = 2 // workers, in workloads with a fixed number of them
)

// short submits tasks that do nothing as fast as possible, in many short rounds. Other work of
// the machine disturbs only some of them, and no garbage is collected meanwhile.
func short(way string, workers int) workload {
	tasks := 10_000
	if way == poolSubmit || way == poolSubmitAll {
		tasks = 50_000 // a round takes some milliseconds
	}
	return flood(fmt.Sprintf("%s, %d workers", way, workers), way, workers, tasks, 1)
}

// long does the same in rounds that are so long that garbage is collected, and that the queue
// grows when the submitter is faster than the workers.
func long(way string) workload {
	return flood(way+", long rounds", way, two, 200_000, 10)
}

// flood submits tasks in rounds that take so many times as long as short ones.
func flood(name, way string, workers, tasks, times int) workload {
	return workload{name, func(c Config, older, newer Side) ([]Figure, error) {
		tasks := c.quick(tasks, tasks)
		open := func(s Side) func() (drive.Session, error) {
			return func() (drive.Session, error) { return s.Open(way, workers, 1, tasks) }
		}
		a, b := &lane{name: "old", open: open(older)}, &lane{name: "new", open: open(newer)}
		err := turns([]*lane{a, b}, c.rounds(times), sitting, func(s drive.Session) ([]float64, error) { return timed(s, tasks) })
		if err != nil {
			return nil, err
		}
		names := []string{"time, ns/task", "allocations/task", "allocated, B/task"}
		if way == poolSubmit || way == poolSubmitAll {
			names = names[:2] // without allocations of the tasks, there are no bytes of them
		}
		return figures(a, b, names...), nil
	}}
}

// timed returns the nanoseconds, the allocations and the allocated bytes of a task.
func timed(s drive.Session, tasks int) ([]float64, error) {
	var took time.Duration
	var err error
	objects, bytes := drive.Allocated(func() { took, err = drive.Timed(s, 1, tasks, nil) })
	n := float64(tasks)
	return []float64{float64(took.Nanoseconds()) / n, float64(objects) / n, float64(bytes) / n}, err
}

// crowd submits while many other tasks are outstanding, and while few are.
func crowd(way string, many int) workload {
	const few = 1_000
	name := fmt.Sprintf("%s, %d others", way, many)
	return workload{name, func(c Config, older, newer Side) ([]Figure, error) {
		tasks := c.quick(5_000, 10_000)
		// A collection of the garbage would take much longer than the round.
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
		open := func(s Side, others int) func() (drive.Session, error) {
			return func() (drive.Session, error) {
				runtime.GC() // what the last session has left
				return s.OpenCrowded(way, two, tasks, others)
			}
		}
		oldFew, newFew := &lane{name: "old, few", open: open(older, few)}, &lane{name: "new, few", open: open(newer, few)}
		oldMany, newMany := &lane{name: "old, many", open: open(older, many)}, &lane{name: "new, many", open: open(newer, many)}
		lanes := []*lane{oldFew, newFew, oldMany, newMany}
		turn, rounds := 0, c.rounds(2)
		err := turns(lanes, rounds, (rounds+2)/3, func(s drive.Session) ([]float64, error) {
			if turn%(4*len(lanes)) == 0 {
				runtime.GC()
			}
			turn++
			took, err := drive.Timed(s, 1, tasks, nil)
			return []float64{float64(took.Nanoseconds()) / float64(tasks)}, err
		})
		if err != nil {
			return nil, err
		}
		list := figures(oldFew, newFew, fmt.Sprintf("time with %d, ns/task", few))
		list = append(list, figures(oldMany, newMany, fmt.Sprintf("time with %d, ns/task", many))...)
		return append(list, Figure{
			Name: "the latter to the former",
			Old:  Ratios(oldMany.values[0], oldFew.values[0]),
			New:  Ratios(newMany.values[0], newFew.values[0]),
		}), nil
	}}
}

// queue measures the memory of queued tasks.
func queue(way string, tasks int) workload {
	name := fmt.Sprintf("%s, %d queued", way, tasks)
	return workload{name, func(_ Config, older, newer Side) ([]Figure, error) {
		open := func(s Side) func() (drive.Session, error) {
			return func() (drive.Session, error) { return s.Open(way, two, 1, tasks) }
		}
		a, b := &lane{name: "old", open: open(older)}, &lane{name: "new", open: open(newer)}
		const rounds = 3
		for range rounds { // a session that has held that many tasks keeps some memory
			for _, l := range []*lane{a, b} {
				value, err := queuedBytes(l, tasks)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", l.name, err)
				}
				l.add([]float64{value})
			}
		}
		return figures(a, b, "memory, B/queued task"), nil
	}}
}

// latency submits tasks one at a time, and measures from submit to start. The pause tells how
// long the workers are idle before each submit.
func latency(way string, pause time.Duration) workload {
	name := "latency, " + way
	if pause > 0 {
		name += ", idle"
	}
	return workload{name, func(c Config, older, newer Side) ([]Figure, error) {
		tasks := c.quick(1_000, 2_000)
		open := func(s Side) func() (drive.Session, error) {
			return func() (drive.Session, error) { return s.Open(way, two, 1, tasks) }
		}
		a, b := &lane{name: "old", open: open(older)}, &lane{name: "new", open: open(newer)}
		channel := &lane{name: "channel", open: func() (drive.Session, error) { return drive.OpenChannel(two), nil }}
		err := turns([]*lane{a, b, channel}, c.rounds(2), sitting, func(s drive.Session) ([]float64, error) {
			l, err := drive.PingPong(s, tasks, pause)
			return []float64{l.P50 * 1e6, l.P99 * 1e6, l.P999 * 1e6}, err
		})
		if err != nil {
			return nil, err
		}
		list := figures(a, b, "p50, µs", "p99, µs", "p99.9, µs")
		for i := range list {
			list[i].Channel = channel.values[i]
		}
		return list, nil
	}}
}

// figures returns the figures of two lanes. There is a name for each.
func figures(older, newer *lane, names ...string) (list []Figure) {
	for i, name := range names {
		list = append(list, Figure{Name: name, Old: older.values[i], New: newer.values[i]})
	}
	return list
}
