package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// path is a way from the submit of a task to its end.
type path struct {
	name  string
	named bool // its tasks have names; then the tasks of the yardstick have names too
	open  func(h hindrance) (work func(n int) error, end func() error, err error)
}

// hindrance slows a path down on purpose, to prove that the guard sees it.
type hindrance struct {
	spin   int  // turns of a loop for each task
	allocs bool // one more allocation for each task
}

// hinder is never inlined, so that its time is the same wherever it is called.
//
//go:noinline
func (h hindrance) hinder() {
	x := uint32(1)
	for range h.spin {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
	}
	if x == 0 { // never, but the compiler must keep the loop
		panic("benchguard: the loop of a hindrance is broken")
	}
	if h.allocs {
		rubbish.Store(new([2]int))
	}
}

var rubbish atomic.Pointer[[2]int]

// paths are the guarded paths.
var paths = []path{
	{"scheduler.Pool.Submit", false, func(h hindrance) (func(int) error, func() error, error) {
		return openPool(h, func(p *scheduler.Pool[*sync.WaitGroup], all *sync.WaitGroup, n int) error {
			for range n {
				if err := p.Submit(context.Background(), all); err != nil {
					return err
				}
			}
			return nil
		})
	}},
	{"scheduler.Pool.SubmitAll", false, func(h hindrance) (func(int) error, func() error, error) {
		const batch = 64
		return openPool(h, func(p *scheduler.Pool[*sync.WaitGroup], all *sync.WaitGroup, n int) error {
			items := slices.Repeat([]*sync.WaitGroup{all}, batch)
			for ; n > 0; n -= batch {
				if err := p.SubmitAll(context.Background(), items[:min(n, batch)]); err != nil {
					return err
				}
			}
			return nil
		})
	}},
	{"TaskManager.SubmitFunc", true, func(h hindrance) (func(int) error, func() error, error) {
		return openManager(h, func(m *taskmanager.TaskManager, name string, fn func(context.Context) error) error {
			_, err := m.SubmitFunc(context.Background(), name, fn)
			return err
		})
	}},
	{"TaskManager.GoFunc", true, func(h hindrance) (func(int) error, func() error, error) {
		return openManager(h, func(m *taskmanager.TaskManager, name string, fn func(context.Context) error) error {
			_, err := m.GoFunc(name, fn)
			return err
		})
	}},
}

// workers is the number of workers, of ours and of the yardstick.
const workers = 2

func openPool(h hindrance, submit func(*scheduler.Pool[*sync.WaitGroup], *sync.WaitGroup, int) error) (func(int) error, func() error, error) {
	run := func(_ int32, all *sync.WaitGroup) { all.Done() }
	if h != (hindrance{}) { // without one, the path is unchanged
		run = func(_ int32, all *sync.WaitGroup) { h.hinder(); all.Done() }
	}
	p, err := scheduler.NewPool(scheduler.Config[*sync.WaitGroup]{Min: workers, Max: workers}, run)
	if err != nil {
		return nil, nil, err
	}
	return func(n int) error {
		var all sync.WaitGroup
		all.Add(n)
		err := submit(p, &all, n)
		if err == nil {
			all.Wait()
		}
		return err
	}, func() error { return p.Stop(context.Background()) }, nil
}

func openManager(h hindrance, submit func(*taskmanager.TaskManager, string, func(context.Context) error) error) (func(int) error, func() error, error) {
	opts := []taskmanager.Option{taskmanager.WithWorkers(workers, workers), taskmanager.WithoutTelemetry()}
	m, err := taskmanager.Start(opts...)
	if err != nil {
		return nil, nil, err
	}
	names := taskNames(tasks)
	return func(n int) error {
		var all sync.WaitGroup
		all.Add(n)
		fn := func(context.Context) error { all.Done(); return nil }
		for _, name := range names[:n] {
			h.hinder()
			err := submit(m, name, fn)
			for errors.Is(err, taskmanager.ErrAlreadyExists) { // the previous task has called Done, but its name is still taken
				runtime.Gosched()
				err = submit(m, name, fn)
			}
			if err != nil {
				return err
			}
		}
		all.Wait()
		return nil
	}, func() error { return m.Stop(context.Background()) }, nil
}

// openChannel opens the yardstick: workers behind a buffered channel. If tasks have names,
// a map holds the outstanding tasks.
func openChannel(named bool) (work func(n int) error, stop func()) {
	const buffer = 1024
	var mu sync.Mutex
	outstanding := make(map[string]func(), tasks)
	channel := make(chan *namedTask, buffer)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for t := range channel {
				t.run()
				if named {
					mu.Lock()
					delete(outstanding, t.name)
					mu.Unlock()
				}
			}
		})
	}
	// Allocate all memory in advance. With memory fresh from the allocator, the time varied
	// by half from one process to the next.
	list := make([]namedTask, tasks)
	for i, name := range taskNames(tasks) {
		list[i].name = name
	}
	return func(n int) error {
		var all sync.WaitGroup
		all.Add(n)
		done := all.Done
		for i := range list[:n] {
			t := &list[i]
			t.run = done
			if named {
				mu.Lock()
				outstanding[t.name] = done
				mu.Unlock()
			}
			channel <- t
		}
		all.Wait()
		return nil
	}, func() { close(channel); running.Wait() }
}

type namedTask struct {
	name string
	run  func()
}

func taskNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "task/" + strconv.Itoa(i)
	}
	return names
}

// cost is the cost of a task on a path.
type cost struct {
	Ratio  float64 // of the time to that of a buffered channel
	Allocs float64

	seconds float64
}

const (
	rounds = 101 // odd, so that the median is one of the rounds
	tasks  = 5_000
)

// measure measures a path and the yardstick in turns, on one processor and without garbage
// collection: the scheduling of several processors and of the collector varies from run to
// run by more than a regression.
func measure(p path, h hindrance) (c cost, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	work, end, err := p.open(h)
	if err != nil {
		return c, fmt.Errorf("benchguard: %s: %w", p.name, err)
	}
	defer func() { err = errors.Join(err, end()) }()
	standard, stop := openChannel(p.named)
	defer stop()
	var times, ratios, allocs []float64
	for range rounds {
		ours, fresh, err := timed(work)
		if err != nil {
			return c, fmt.Errorf("benchguard: %s: %w", p.name, err)
		}
		theirs, _, err := timed(standard)
		if err != nil {
			return c, err
		}
		times, ratios, allocs = append(times, ours/tasks), append(ratios, ours/theirs), append(allocs, fresh)
	}
	return cost{median(ratios), median(allocs), median(times)}, nil
}

// timed returns the time of all tasks, and the allocations per task.
func timed(work func(n int) error) (seconds, allocs float64, err error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	err = work(tasks)
	seconds = time.Since(begin).Seconds()
	runtime.ReadMemStats(&after)
	return seconds, float64(after.Mallocs-before.Mallocs) / tasks, err
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
