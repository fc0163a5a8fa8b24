package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestStressOfOneName submits a few names from many goroutines, with all options. Every accepted
// task must end exactly once, at most one of a name may run at a time, and a run must begin after
// each request for one. The last replacement of a name must run. Tasks never has a task twice.
func TestStressOfOneName(t *testing.T) {
	for round := range 20 {
		opts := []taskmanager.Option{
			taskmanager.WithWorkers(round%2, 1+round%4),
			taskmanager.WithRestart(brisk{}),
			taskmanager.WithHistory(1 << 20),
		}
		if round%3 == 0 {
			opts = append(opts, taskmanager.WithLimit(round%4, taskmanager.Block))
		}
		s := &oneName{m: start(t, opts...), t: t, stops: round%2 == 0}
		s.run(uint64(round))
	}
}

// oneName is the state of a round.
type oneName struct {
	m     *taskmanager.TaskManager
	t     *testing.T
	stops bool // the round ends with a Stop among the submits
	names [2]struct {
		running, begun atomic.Int64
	}
	serial    atomic.Int64
	cancelled sync.Map // by *taskmanager.Handle

	mu    sync.Mutex // guards tasks
	tasks map[*taskmanager.Handle]*oneTask
}

// oneTask is an accepted task.
type oneTask struct{ runs atomic.Int64 }

func (s *oneName) run(seed uint64) {
	s.tasks = make(map[*taskmanager.Handle]*oneTask)
	var submitters, lists sync.WaitGroup
	done := make(chan struct{})
	lists.Go(func() { s.list(done) })
	defer lists.Wait()
	defer close(done)
	for i := range 6 {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		submitters.Go(func() {
			for range 150 {
				if !s.submit(random) {
					return
				}
			}
		})
	}
	if s.stops {
		runtime.Gosched()
		stop(s.t, s.m)
	}
	submitters.Wait()
	if !s.stops {
		s.checkLast()
	}
	stop(s.t, s.m)
	s.check()
}

// body returns the function of a task.
func (s *oneName) body(name int, x *oneTask, way int) func(context.Context) error {
	n := &s.names[name]
	return func(ctx context.Context) error {
		if k := n.running.Add(1); k != 1 {
			s.t.Errorf("%d tasks of a name run together", k)
		}
		defer n.running.Add(-1)
		n.begun.Add(1)
		run := x.runs.Add(1)
		switch way {
		case 0:
			return errFailed
		case 1:
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(20 * time.Microsecond):
			}
		case 2:
			runtime.Gosched()
		case 4:
			if run < 3 {
				return taskmanager.NotYet(time.Duration(run-1) * 20 * time.Microsecond)
			}
		}
		return nil
	}
}

// list checks that no listing has a task twice, until done is closed.
func (s *oneName) list(done <-chan struct{}) {
	for !isClosed(done) {
		listed := map[*taskmanager.Handle]bool{}
		for h := range s.m.Tasks() {
			if listed[h] {
				s.t.Error("Tasks has a task twice")
			}
			listed[h] = true
		}
		runtime.Gosched()
	}
}

// submit submits a task with a random option. It returns false if the manager has stopped.
func (s *oneName) submit(random *rand.Rand) bool {
	name, x := random.IntN(len(s.names)), new(oneTask)
	opts := [][]taskmanager.TaskOption{
		{taskmanager.WithRerun()},
		{taskmanager.WithRerun()},
		{taskmanager.WithReplace()},
		{taskmanager.WithDebounce(), taskmanager.WithDelay(time.Duration(random.IntN(100)) * time.Microsecond)},
		{taskmanager.WithQueueTimeout(time.Duration(1+random.IntN(100)) * time.Microsecond), taskmanager.WithRerun()},
		nil,
	}
	way := random.IntN(len(opts))
	rerun := way < 2 || way == 4
	id := fmt.Sprint(s.serial.Add(1))
	before := s.names[name].begun.Load()
	h, err := s.m.SubmitFunc(context.Background(), fmt.Sprint("name/", name), s.body(name, x, random.IntN(5)),
		append(opts[way], taskmanager.WithDescription(id))...)
	switch {
	case errors.Is(err, taskmanager.ErrStopped):
		return false
	case err == nil:
	case errors.Is(err, taskmanager.ErrAlreadyExists) && opts[way] == nil, errors.Is(err, taskmanager.ErrReplaced),
		errors.Is(err, taskmanager.ErrCancelled), errors.Is(err, taskmanager.ErrQueueTimeout):
		return true
	default:
		s.t.Errorf("Submit: %v", err)
		return false
	}
	if mine := h.Status().Description == id; !mine && !rerun {
		s.t.Error("a submit without WithRerun returned the handle of another task")
	} else if mine {
		s.note(h, x)
	}
	switch random.IntN(8) {
	case 0:
		s.cancelled.Store(h, nil)
		h.Cancel()
	case 1, 2:
		err := h.Wait(context.Background())
		if rerun && err == nil && s.names[name].begun.Load() == before {
			s.t.Error("the task of a request has succeeded, and no run has begun since the request")
		}
	}
	return true
}

// note records an accepted task.
func (s *oneName) note(h *taskmanager.Handle, x *oneTask) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tasks[h] != nil {
		s.t.Error("two submits returned the same handle as their own")
	}
	s.tasks[h] = x
}

// checkLast replaces the tasks of each name once more, and checks that the last replacement runs.
func (s *oneName) checkLast() {
	for name := range s.names {
		for range 20 {
			x := new(oneTask)
			h, err := s.m.SubmitFunc(context.Background(), fmt.Sprint("name/", name), s.body(name, x, 3), taskmanager.WithReplace())
			if err != nil {
				s.t.Errorf("Submit: %v", err)
				return
			}
			s.note(h, x)
			if name == 0 {
				runtime.Gosched()
			}
			defer func() {
				if err := h.Wait(context.Background()); err == nil && x.runs.Load() != 1 || err != nil && x.runs.Load() != 0 {
					s.t.Errorf("a replacement ran %d times and ended with %v", x.runs.Load(), err)
				}
			}()
		}
		h, _ := s.m.Lookup(fmt.Sprint("name/", name))
		if err := s.m.WaitIdle(context.Background()); err != nil {
			s.t.Errorf("WaitIdle: %v", err)
		}
		if h != nil && !isClosed(h.Done()) {
			s.t.Error("the manager was idle, and a task has not ended")
		}
	}
}

// check checks all tasks after the stop.
func (s *oneName) check() {
	c := s.m.Counts()
	if c.Outstanding() != 0 || c.Accepted != uint64(len(s.tasks)) {
		s.t.Errorf("%d tasks were accepted: %+v", len(s.tasks), c)
	}
	if n := len(s.m.History()); uint64(n) != c.Accepted {
		s.t.Errorf("the history has %d records of %d tasks", n, c.Accepted)
	}
	for h, x := range s.tasks {
		err := h.Err()
		_, cancelled := s.cancelled.Load(h)
		switch {
		case !isClosed(h.Done()) || h.Status().Status != taskmanager.Finished:
			s.t.Errorf("a task has not ended: %+v", h.Status())
		case err == nil && x.runs.Load() == 0:
			s.t.Error("a task has succeeded without a run")
		case errors.Is(err, taskmanager.ErrCancelled) && !cancelled:
			s.t.Errorf("a task was cancelled: %v", err)
		case errors.Is(err, taskmanager.ErrStopped) && !s.stops:
			s.t.Errorf("a task was stopped: %v", err)
		}
	}
	if p := s.m.Snapshot(); p.Submitted != p.Completed+p.Failed+p.Withdrawn+p.Dropped || p.Workers+p.Busy+p.Queued != 0 {
		s.t.Errorf("the counts of the pool do not balance: %+v", p)
	}
}
