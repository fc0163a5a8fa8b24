package contest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func ours() []Contender {
	list := []Contender{
		{Name: "scheduler.Pool", Service: Runs, Open: openPool(poolSession.submitEach)},
		{Name: "scheduler.Pool, SubmitAll", Service: Batches, Open: openPool(poolSession.submitBatches)},
		{Name: "TaskManager.SubmitFunc", Service: Names, Open: openManager(managerSession.submitFunc)},
		{Name: "TaskManager.GoFunc", Service: Names, Open: openManager(managerSession.goFunc)},
		{Name: "TaskManager.SubmitAll", Service: Batches, Open: openManager(managerSession.submitAll)},
		{Name: "taskmanager.Async", Service: Answers, Open: openManager(managerSession.async)},
	}
	for i := range list {
		list[i].Ours, list[i].Queues = true, true
	}
	return list
}

// poolSession is the worker pool without the manager.
type poolSession struct {
	pool *scheduler.Pool[func()]
	send func(s poolSession, n int, task func()) error
}

func openPool(send func(poolSession, int, func()) error) func(workers, producers, tasks int) (Session, error) {
	return func(workers, _, _ int) (Session, error) {
		// One worker exists from the start, the others start on demand, as with the peers.
		p, err := scheduler.NewPool(scheduler.Config[func()]{Min: 1, Max: workers}, func(_ int32, task func()) { task() })
		return poolSession{p, send}, err
	}
}

// Submit implements Session.
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
// contenders, as parts of one string, so that names cause no additional garbage collection.
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

func openManager(send func(managerSession, []string, func()) error) func(workers, producers, tasks int) (Session, error) {
	return func(workers, producers, tasks int) (Session, error) {
		m, err := taskmanager.Start(taskmanager.WithWorkers(1, workers))
		s := managerSession{m, namesFor(producers, tasks), send}
		return s, err
	}
}

// Submit implements Session.
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

// window is how many results are outstanding at the same time.
const window = 1000

func (s managerSession) async(names []string, task func()) error {
	fn := func(context.Context) (int, error) { task(); return 1, nil }
	futures := make([]*taskmanager.Future[int], 0, window)
	for i, name := range names {
		f, err := taskmanager.Async(context.Background(), s.manager, name, fn)
		if err != nil {
			return err
		}
		futures = append(futures, f)
		if len(futures) < window && i+1 < len(names) {
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
