// Package ours drives the worker pool and the task manager.
package ours

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Way is a way to submit a task.
type Way string

// The ways. Those of the pool submit tasks without names, the others tasks whose names were
// made in advance.
const (
	PoolSubmit    Way = "Pool.Submit"
	PoolSubmitAll Way = "Pool.SubmitAll" // batches of 64
	SubmitFunc    Way = "TaskManager.SubmitFunc"
	GoFunc        Way = "TaskManager.GoFunc"
	SubmitAll     Way = "TaskManager.SubmitAll" // batches of 64
	Async         Way = "taskmanager.Async"     // waits for the results, 1000 at a time
)

// batch is the size of the batches.
const batch = 64

// Open starts a pool or a manager with up to so many workers. In a round, each producer
// submits at most an equal share of so many tasks, or else names are used again.
func Open(way Way, workers, producers, tasks int) (drive.Session, error) {
	switch way {
	case PoolSubmit:
		return openPool(poolSession.submitEach, workers)
	case PoolSubmitAll:
		return openPool(poolSession.submitBatches, workers)
	}
	send, ok := map[Way]func(managerSession, []string, func()) error{
		SubmitFunc: managerSession.submitFunc,
		GoFunc:     managerSession.goFunc,
		SubmitAll:  managerSession.submitAll,
		Async:      managerSession.async,
	}[way]
	if !ok {
		return nil, fmt.Errorf("ours: there is no way %q", way)
	}
	return openManager(send, workers, producers, tasks)
}

// OpenCrowded is Open for a manager with so many other tasks outstanding, which are delayed
// until it ends.
func OpenCrowded(way Way, workers, tasks, others int) (drive.Session, error) {
	session, err := Open(way, workers, 1, tasks)
	if err != nil {
		return nil, err
	}
	s, ok := session.(managerSession)
	if !ok {
		return nil, errors.Join(fmt.Errorf("ours: %s has no names", way), session.Close())
	}
	never := func(context.Context) error { return errors.New("ours: a task ran that is delayed for a day") }
	for i := range others {
		_, err := s.manager.SubmitFunc(context.Background(), fmt.Sprint("other/", i), never, taskmanager.WithDelay(24*time.Hour))
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// poolSession is the worker pool without the manager.
type poolSession struct {
	pool *scheduler.Pool[func()]
	send func(s poolSession, n int, task func()) error
}

func openPool(send func(poolSession, int, func()) error, workers int) (drive.Session, error) {
	// One worker exists from the start, the others start on demand, as with other pools.
	p, err := scheduler.NewPool(scheduler.Config[func()]{Min: 1, Max: workers}, func(_ int32, task func()) { task() })
	if err != nil {
		return nil, err
	}
	return poolSession{p, send}, nil
}

// Submit implements drive.Session.
func (s poolSession) Submit(_, n int, task func()) error { return s.send(s, n, task) }

// Close stops the pool.
func (s poolSession) Close() error { return s.pool.Stop(context.Background()) }

func (s poolSession) submitEach(n int, task func()) error {
	for range n {
		if err := s.pool.Submit(context.Background(), task); err != nil {
			return err
		}
	}
	return nil
}

func (s poolSession) submitBatches(n int, task func()) error {
	tasks := make([]func(), min(n, batch))
	for i := range tasks {
		tasks[i] = task
	}
	for ; n > 0; n -= batch {
		if err := s.pool.SubmitAll(context.Background(), tasks[:min(n, batch)]); err != nil {
			return err
		}
	}
	return nil
}

// namesFor returns the names of the tasks of each producer. It makes them once for all
// sessions, as parts of one string, so that names cause no additional garbage collection.
func namesFor(producers, tasks int) [][]string {
	namesMu.Lock()
	defer namesMu.Unlock()
	key := [2]int{producers, tasks}
	if namesMade[key] != nil {
		return namesMade[key]
	}
	share := (tasks + producers - 1) / producers
	var all strings.Builder
	ends := make([]int, 0, producers*share)
	for i := range producers * share {
		_, _ = fmt.Fprintf(&all, "task/%d", i)
		ends = append(ends, all.Len())
	}
	text, from := all.String(), 0
	flat := make([]string, len(ends))
	for i, end := range ends {
		flat[i], from = text[from:end], end
	}
	clear(namesMade) // of another workload
	namesMade[key] = slices.Collect(slices.Chunk(flat, share))
	return namesMade[key]
}

var (
	namesMu   sync.Mutex
	namesMade = make(map[[2]int][][]string)
)

// managerSession is the task manager. The submitter provides the names, so they are made in
// advance.
type managerSession struct {
	manager *taskmanager.TaskManager
	names   [][]string // of each producer
	send    func(s managerSession, names []string, task func()) error
}

func openManager(send func(managerSession, []string, func()) error, workers, producers, tasks int) (drive.Session, error) {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, workers))
	if err != nil {
		return nil, err
	}
	return managerSession{m, namesFor(producers, tasks), send}, nil
}

// Submit implements drive.Session.
func (s managerSession) Submit(producer, n int, task func()) error {
	names := s.names[producer]
	for n > len(names) {
		if err := s.send(s, names, task); err != nil {
			return err
		}
		n -= len(names)
	}
	return s.send(s, names[:n], task)
}

// Close stops the manager.
func (s managerSession) Close() error { return s.manager.Stop(context.Background()) }

// again reports whether to repeat a submit: the previous task of that name has called Done,
// but its name is still taken.
func again(err error) bool { return errors.Is(err, taskmanager.ErrAlreadyExists) }

func (s managerSession) submitFunc(names []string, task func()) error {
	fn := func(context.Context) error { task(); return nil }
	for _, name := range names {
		_, err := s.manager.SubmitFunc(context.Background(), name, fn)
		for again(err) {
			_, err = s.manager.SubmitFunc(context.Background(), name, fn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s managerSession) goFunc(names []string, task func()) error {
	fn := func(context.Context) error { task(); return nil }
	for _, name := range names {
		_, err := s.manager.GoFunc(name, fn)
		for again(err) {
			_, err = s.manager.GoFunc(name, fn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// named is a task with a name.
type named struct {
	name string
	task func()
}

func (t *named) Name() string                  { return t.name }
func (t *named) Execute(context.Context) error { t.task(); return nil }

func (s managerSession) submitAll(names []string, task func()) error {
	for len(names) > 0 {
		n := min(len(names), batch)
		tasks, list := make([]named, n), make([]taskmanager.Task, n)
		for i := range n {
			tasks[i] = named{names[i], task}
			list[i] = &tasks[i]
		}
		_, err := s.manager.SubmitAll(context.Background(), list)
		for again(err) {
			_, err = s.manager.SubmitAll(context.Background(), list)
		}
		if err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

// Window is how many results are outstanding at the same time.
const Window = 1000

func (s managerSession) async(names []string, task func()) error {
	fn := func(context.Context) (int, error) { task(); return 1, nil }
	futures := make([]*taskmanager.Future[int], 0, Window)
	for i, name := range names {
		f, err := taskmanager.Async(context.Background(), s.manager, name, fn)
		if err != nil {
			return err
		}
		futures = append(futures, f)
		if len(futures) < Window && i+1 < len(names) {
			continue
		}
		for _, f := range futures {
			if one, err := f.Result(context.Background()); one != 1 || err != nil {
				return fmt.Errorf("the result is %d, %w", one, err)
			}
		}
		futures = futures[:0]
	}
	return nil
}
