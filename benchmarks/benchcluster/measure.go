package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

const (
	kind  = "empty"
	slots = 64  // goroutines that submit, and tasks that run at a time
	batch = 500 // tasks of a batch
)

// plan is how much to measure. Each phase ends with its time or its number of tasks, whichever comes first.
type plan struct {
	phase     time.Duration // of each kind of submits
	submits   int           // of each kind
	runs      int           // how many tasks at least are stored before they run
	latencies int
	yard      int // tasks in the process; 0: none
	depth     int // tasks that are stored before the first measurement
	noRun     bool
}

// planFor returns the plan for a contender: syncs take so long that fewer tasks suffice.
func planFor(d durability, scale float64) plan {
	p := plan{phase: 800 * time.Millisecond, submits: 6000, runs: 10000, latencies: 200, yard: 100_000}
	if d == synced {
		p.submits, p.runs = 2000, 6000
	}
	p.phase = time.Duration(float64(p.phase) * scale)
	p.submits, p.runs, p.latencies = int(float64(p.submits)*scale), int(float64(p.runs)*scale), int(float64(p.latencies)*scale)
	return p
}

// figures are what was measured of a contender in one round. Rates are tasks per second.
type figures struct {
	yard                    float64       // of tasks in the process, just before
	single, parallel, batch float64       // of submits; batch is 0 if there are none
	run                     float64       // from the first start until nothing is outstanding
	p50, p99                time.Duration // from the submit to the start, with an idle worker
}

// measure measures a contender once.
func measure(ctx context.Context, c contender, p plan) (f figures, err error) {
	if p.yard > 0 {
		if f.yard, err = yard(ctx, p.yard); err != nil {
			return f, err
		}
	}
	s, err := c.open(ctx)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if p.noRun {
		return f, submits(ctx, s, p, &f)
	}
	if err := warmUp(ctx, s); err != nil {
		return f, err
	}
	if err := submits(ctx, s, p, &f); err != nil {
		return f, err
	}
	stored, err := s.outstanding(ctx)
	if err != nil {
		return f, err
	}
	if err := fill(ctx, s, "fill", p.runs-stored); err != nil {
		return f, err
	}
	if f.run, err = runAll(ctx, s, max(stored, p.runs)); err != nil || p.latencies == 0 {
		return f, err
	}
	f.p50, f.p99, err = latencies(ctx, s, p.latencies)
	return f, err
}

// submits measures each kind of submit.
func submits(ctx context.Context, s system, p plan, f *figures) error {
	if err := fill(ctx, s, "depth", p.depth); err != nil {
		return err
	}
	for _, phase := range []struct {
		rate    *float64
		measure func(context.Context, system, plan) (int, time.Duration, error)
	}{{&f.single, submitSingly}, {&f.parallel, submitInParallel}, {&f.batch, submitBatches}} {
		n, took, err := phase.measure(ctx, s, p)
		if errors.Is(err, errNoBatches) {
			continue
		}
		if err != nil {
			return err
		}
		*phase.rate = float64(n) / took.Seconds()
	}
	return nil
}

// warmUp runs a few tasks, so that what is created once for a store or a worker is there: consumers,
// connections, prepared statements.
func warmUp(ctx context.Context, s system) error {
	for _, name := range names("warm", 0, slots) {
		if err := s.submit(ctx, name); err != nil {
			return err
		}
	}
	_, err := runAll(ctx, s, slots)
	return err
}

// yard returns how many tasks a second the manager alone runs: the same machine at the same moment.
func yard(ctx context.Context, n int) (float64, error) {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, slots))
	if err != nil {
		return 0, err
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("task ", i)
	}
	begin := time.Now()
	for _, name := range names {
		if _, err := m.SubmitFunc(ctx, name, func(context.Context) error { return nil }); err != nil {
			return 0, err
		}
	}
	err = m.WaitIdle(ctx)
	return float64(n) / time.Since(begin).Seconds(), errors.Join(err, m.Stop(ctx))
}

func submitSingly(ctx context.Context, s system, p plan) (n int, took time.Duration, err error) {
	begin := time.Now()
	for n < p.submits && time.Since(begin) < p.phase {
		if err := s.submit(ctx, fmt.Sprint("single ", n)); err != nil {
			return n, 0, err
		}
		n++
	}
	return n, time.Since(begin), nil
}

func submitInParallel(ctx context.Context, s system, p plan) (n int, took time.Duration, err error) {
	var next, stored atomic.Int64
	var failed error
	var once sync.Once
	var all sync.WaitGroup
	begin := time.Now()
	for range slots {
		all.Go(func() {
			for time.Since(begin) < p.phase {
				i := next.Add(1)
				if i > int64(p.submits) {
					return
				}
				if err := s.submit(ctx, fmt.Sprint("parallel ", i)); err != nil {
					once.Do(func() { failed = err })
					return
				}
				stored.Add(1)
			}
		})
	}
	all.Wait()
	return int(stored.Load()), time.Since(begin), failed
}

func submitBatches(ctx context.Context, s system, p plan) (n int, took time.Duration, err error) {
	begin := time.Now()
	for n < p.submits && time.Since(begin) < p.phase {
		if err := s.submitAll(ctx, names("batch", n, batch)); err != nil {
			return n, 0, err
		}
		n += batch
	}
	return n, time.Since(begin), nil
}

func names(prefix string, from, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(prefix, " ", from+i)
	}
	return all
}

// fill stores n tasks.
func fill(ctx context.Context, s system, prefix string, n int) error {
	for from := 0; from < n; from += batch {
		missing := names(prefix, from, min(batch, n-from))
		err := s.submitAll(ctx, missing)
		if errors.Is(err, errNoBatches) {
			err = inParallel(missing, func(name string) error { return s.submit(ctx, name) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inParallel calls f for all names.
func inParallel(names []string, f func(name string) error) error {
	errs := make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { errs[i] = f(name) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// runAll runs the n tasks that are stored, and returns how many ended each second. They have ended when
// the store has nothing left to do.
func runAll(ctx context.Context, s system, n int) (float64, error) {
	var left atomic.Int64
	left.Store(int64(n))
	ran := make(chan struct{})
	begin := time.Now()
	stop, err := s.work(ctx, slots, 0, func() {
		if left.Add(-1) == 0 {
			close(ran)
		}
	})
	if err != nil {
		return 0, err
	}
	select {
	case <-ran:
	case <-time.After(time.Minute):
		err = fmt.Errorf("after a minute %d of %d tasks have not run", left.Load(), n)
	case <-ctx.Done():
		err = ctx.Err()
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for outstanding := n; err == nil && outstanding > 0; <-tick.C {
		outstanding, err = s.outstanding(ctx)
	}
	return float64(n) / time.Since(begin).Seconds(), errors.Join(err, stop())
}

// latencies returns how long it takes from the submit to the start of a task while nothing else goes on.
func latencies(ctx context.Context, s system, n int) (p50, p99 time.Duration, err error) {
	started := make(chan time.Time, 1)
	stop, err := s.work(ctx, slots, 0, func() { started <- time.Now() })
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var all []time.Duration
	for i := range n + 1 {
		begin := time.Now()
		if err := s.submit(ctx, fmt.Sprint("latency ", i)); err != nil {
			return 0, 0, err
		}
		select {
		case at := <-started:
			if i > 0 { // by then the worker is up
				all = append(all, at.Sub(begin))
			}
		case <-time.After(20 * time.Second):
			return 0, 0, errors.New("a task has not started for 20 seconds")
		}
		// Long enough to be idle, and not in step with anything that happens each few milliseconds.
		time.Sleep(3*time.Millisecond + time.Duration(i%7)*500*time.Microsecond)
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100], nil
}
