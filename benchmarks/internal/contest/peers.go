package contest

import (
	"errors"
	"fmt"
	"time"

	"github.com/alitto/pond/v2"
	"github.com/gammazero/workerpool"
	"github.com/panjf2000/ants/v2"
	"github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
	"github.com/seed56799101/taskmanager/benchmarks/internal/ours"
)

func peers() []Contender {
	return []Contender{
		{Name: "a goroutine each", Service: Runs, Queues: true, Open: openGoroutines},
		{Name: Yardstick, Service: Runs, Open: openChannel},
		{Name: "errgroup", Service: Runs, Open: openErrgroup},
		{Name: "ants.Pool", Service: Runs, Open: openAnts()},
		{Name: "ants.Pool, preallocated", Service: Runs, Open: openAnts(ants.WithPreAlloc(true))},
		{Name: "ants.PoolWithFunc", Service: Runs, Open: openAntsFunc},
		{Name: "ants.MultiPool", Service: Runs, Open: openAntsMulti},
		{Name: "pond.Go", Service: Runs, Queues: true, Open: openPond(pond.Pool.Go)},
		{Name: "pond.Submit", Service: Runs, Queues: true, Open: openPond(func(p pond.Pool, task func()) error { p.Submit(task); return nil })},
		{Name: "conc", Service: Runs, Open: openConc},
		{Name: "workerpool", Service: Runs, Queues: true, Open: openWorkerpool},
		{Name: "pond.ResultPool", Service: Answers, Queues: true, Open: openPondResults},
		{Name: "conc.ResultPool", Service: Answers, Open: openConcResults},
	}
}

func nothing() error { return nil }

func openGoroutines(int, int, int) (drive.Session, error) {
	return drive.NewSession(func(task func()) error { go task(); return nil }, nothing), nil
}

func openChannel(workers, _, _ int) (drive.Session, error) { return drive.OpenChannel(workers), nil }

func openErrgroup(workers, _, _ int) (drive.Session, error) {
	g := new(errgroup.Group)
	g.SetLimit(workers)
	return drive.NewSession(func(task func()) error { g.Go(func() error { task(); return nil }); return nil }, g.Wait), nil
}

// released returns a function that ends a pool of ants and waits for its goroutines.
func released(p interface{ ReleaseTimeout(d time.Duration) error }) func() error {
	return func() error { return p.ReleaseTimeout(10 * time.Second) }
}

func openAnts(opts ...ants.Option) func(workers, producers, tasks int) (drive.Session, error) {
	return func(workers, _, _ int) (drive.Session, error) {
		p, err := ants.NewPool(workers, opts...)
		if err != nil {
			return nil, err
		}
		return drive.NewSession(p.Submit, released(p)), nil
	}
}

func openAntsFunc(workers, _, _ int) (drive.Session, error) {
	p, err := ants.NewPoolWithFunc(workers, func(task any) { task.(func())() })
	if err != nil {
		return nil, err
	}
	return drive.NewSession(func(task func()) error { return p.Invoke(task) }, released(p)), nil
}

func openAntsMulti(workers, _, _ int) (drive.Session, error) {
	pools := min(workers, 10) // as in its own benchmark
	p, err := ants.NewMultiPool(pools, (workers+pools-1)/pools, ants.RoundRobin)
	if err != nil {
		return nil, err
	}
	return drive.NewSession(p.Submit, released(p)), nil
}

func openPond(submit func(p pond.Pool, task func()) error) func(workers, producers, tasks int) (drive.Session, error) {
	return func(workers, _, _ int) (drive.Session, error) {
		p := pond.NewPool(workers)
		return drive.NewSession(func(task func()) error { return submit(p, task) }, func() error { p.StopAndWait(); return nil }), nil
	}
}

func openConc(workers, _, _ int) (drive.Session, error) {
	p := pool.New().WithMaxGoroutines(workers)
	return drive.NewSession(func(task func()) error { p.Go(task); return nil }, func() error { p.Wait(); return nil }), nil
}

func openWorkerpool(workers, _, _ int) (drive.Session, error) {
	p := workerpool.New(workers)
	return drive.NewSession(func(task func()) error { p.Submit(task); return nil }, func() error { p.StopWait(); return nil }), nil
}

// results is a pool whose tasks return results. They are collected a ours.Window at a time.
type results struct {
	collect func(n int, task func() int) ([]int, error)
	close   func() error
}

// Submit implements drive.Session. It checks the results.
func (r results) Submit(_, n int, task func()) error {
	fn := func() int { task(); return 1 }
	for n > 0 {
		size := min(n, ours.Window)
		got, err := r.collect(size, fn)
		if err != nil {
			return err
		}
		sum := 0
		for _, one := range got {
			sum += one
		}
		if sum != size {
			return fmt.Errorf("%d results of %d are right", sum, size)
		}
		n -= size
	}
	return nil
}

// Close ends the pool.
func (r results) Close() error { return r.close() }

func openPondResults(workers, _, _ int) (drive.Session, error) {
	p := pond.NewResultPool[int](workers)
	return results{func(n int, task func() int) ([]int, error) {
		futures, got := make([]pond.ResultTask[int], n), make([]int, n)
		for i := range futures {
			futures[i] = p.Submit(task)
		}
		var faults []error
		for i, f := range futures {
			var err error
			got[i], err = f.Wait()
			if err != nil {
				faults = append(faults, err)
			}
		}
		return got, errors.Join(faults...)
	}, func() error { p.StopAndWait(); return nil }}, nil
}

// openConcResults makes a pool for each ours.Window, since a pool can be used only once.
func openConcResults(workers, _, _ int) (drive.Session, error) {
	return results{func(n int, task func() int) ([]int, error) {
		p := pool.NewWithResults[int]().WithMaxGoroutines(workers)
		for range n {
			p.Go(task)
		}
		return p.Wait(), nil
	}, nothing}, nil
}
