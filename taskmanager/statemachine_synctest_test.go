package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestManagerEqualsItsModel drives a manager and a model of it through the same
// random life of tasks, in virtual time, and compares all that can be seen.
func TestManagerEqualsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			s := newSystem(t)
			defer s.stop(t)
			t.Repeat(map[string]func(*rapid.T){
				"submit":  s.submit,
				"resolve": s.resolve,
				"cancel":  s.cancel,
				"advance": s.advance,
				"":        s.check,
			})
		})
	})
}

const (
	restartDelay = 10 * time.Millisecond // from the second failure in a row on
	giveUpAfter  = 4                     // failures in a row
	idleTimeout  = 25 * time.Millisecond
)

// modelPolicy restarts at once, then after a fixed delay, then gives up.
type modelPolicy struct{}

func (modelPolicy) Next(f scheduler.Failure) (time.Duration, bool) {
	switch {
	case f.Attempt == 1:
		return 0, true
	case f.Attempt < giveUpAfter:
		return restartDelay, true
	default:
		return 0, false
	}
}

// outcome is what the test tells an execution to do.
type outcome string

const (
	succeed outcome = "succeed"
	fail    outcome = "fail"
	crash   outcome = "panic"
	goexit  outcome = "goexit"
)

// modelTask is a task as the model sees it, together with the real one.
type modelTask struct {
	name     string
	restarts bool // implements RestartableTask and always wants to
	phase    taskmanager.WorkerStatus
	failures int
	due      time.Time
	started  bool
	order    chan outcome // received by the execution
	handle   *taskmanager.Handle
	end      error // how it must end
}

type system struct {
	m        *taskmanager.TaskManager
	min, max int
	tasks    map[string]*modelTask // outstanding
	queue    []*modelTask          // those that wait for a worker, in order
	delayed  []*modelTask          // those that wait for their time, in the order in which they began to
	ended    []*modelTask
}

func newSystem(t *rapid.T) *system {
	s := &system{tasks: map[string]*modelTask{}}
	s.min = rapid.IntRange(0, 3).Draw(t, "min")
	s.max = rapid.IntRange(max(1, s.min), 5).Draw(t, "max")
	m, err := taskmanager.Start(
		taskmanager.WithWorkers(s.min, s.max),
		taskmanager.WithIdleTimeout(idleTimeout),
		taskmanager.WithRestart(modelPolicy{}),
	)
	if err != nil {
		t.Fatal(err)
	}
	s.m = m
	return s
}

// execute is the body of every task.
func (x *modelTask) execute(ctx context.Context) error {
	select {
	case o := <-x.order:
		switch o {
		case succeed:
			return nil
		case fail:
			return errFailed
		case crash:
			panic(errFailed)
		default:
			runtime.Goexit()
		}
	case <-ctx.Done():
	}
	return ctx.Err()
}

func (s *system) submit(t *rapid.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "idle"}).Draw(t, "name")
	x := &modelTask{
		name:     name,
		restarts: rapid.Bool().Draw(t, "restarts"),
		phase:    taskmanager.NotAssigned,
		order:    make(chan outcome),
	}
	var err error
	if x.restarts {
		x.handle, err = s.m.Submit(t.Context(), &task{
			name:    name,
			execute: x.execute,
			restart: func(context.Context, error) bool { return true },
		})
	} else {
		x.handle, err = s.m.SubmitFunc(t.Context(), name, x.execute)
	}
	if s.tasks[name] != nil {
		if !errors.Is(err, taskmanager.ErrAlreadyExists) {
			t.Fatalf("a second task named %q: %v, want ErrAlreadyExists", name, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("submit %q: %v", name, err)
	}
	s.tasks[name] = x
	s.queue = append(s.queue, x)
	s.settle()
}

// resolve tells a running task what to do.
func (s *system) resolve(t *rapid.T) {
	x := s.pick(t, func(x *modelTask) bool { return x.phase == taskmanager.Running })
	o := rapid.SampledFrom([]outcome{succeed, fail, fail, crash, goexit}).Draw(t, "outcome")
	x.order <- o
	var failure error
	switch o {
	case succeed:
		s.finish(x, nil)
	case goexit:
		failure = taskmanager.ErrGoexit
	default:
		failure = errFailed
	}
	if failure != nil {
		s.failed(x, failure)
	}
	s.settle()
}

func (s *system) failed(x *modelTask, failure error) {
	x.failures++
	switch {
	case !x.restarts:
		s.finish(x, failure)
	case x.failures == giveUpAfter:
		s.finish(x, taskmanager.ErrRestartsExhausted)
	case x.failures == 1:
		x.phase = taskmanager.Restarted
		s.queue = append(s.queue, x)
	default:
		x.phase = taskmanager.Restarted
		x.due = time.Now().Add(restartDelay)
		s.delayed = append(s.delayed, x)
	}
}

func (s *system) cancel(t *rapid.T) {
	x := s.pick(t, func(*modelTask) bool { return true })
	x.handle.Cancel()
	s.finish(x, taskmanager.ErrCancelled)
	s.settle()
}

// advance lets time pass, often up to a moment at which something is due.
func (s *system) advance(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{
		1, restartDelay / 2, restartDelay, restartDelay + 1, idleTimeout, 10 * idleTimeout,
	}).Draw(t, "duration")
	end := time.Now().Add(d)
	for len(s.delayed) > 0 && !s.delayed[0].due.After(end) {
		time.Sleep(time.Until(s.delayed[0].due))
		for len(s.delayed) > 0 && !s.delayed[0].due.After(time.Now()) {
			s.queue = append(s.queue, s.delayed[0])
			s.delayed = s.delayed[1:]
		}
		s.settle()
	}
	time.Sleep(time.Until(end))
}

// settle gives workers to those that wait for one, in the model and, by letting
// it come to rest, in the manager.
func (s *system) settle() {
	busy := 0
	for _, x := range s.tasks {
		if x.phase == taskmanager.Running {
			busy++
		}
	}
	for ; busy < s.max && len(s.queue) > 0; busy++ {
		s.queue[0].phase = taskmanager.Running
		s.queue[0].started = true
		s.queue = s.queue[1:]
	}
	synctest.Wait()
}

// finish ends a task in the model.
func (s *system) finish(x *modelTask, err error) {
	x.phase, x.end = taskmanager.Finished, err
	delete(s.tasks, x.name)
	is := func(y *modelTask) bool { return x == y }
	s.queue = slices.DeleteFunc(s.queue, is)
	s.delayed = slices.DeleteFunc(s.delayed, is)
	s.ended = append(s.ended, x)
}

// pick draws an outstanding task, and skips the action if there is none.
func (s *system) pick(t *rapid.T, fits func(*modelTask) bool) *modelTask {
	var names []string
	for name, x := range s.tasks {
		if fits(x) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Skip("no task to pick")
	}
	slices.Sort(names)
	return s.tasks[rapid.SampledFrom(names).Draw(t, "task")]
}

// check compares what the manager says with the model.
func (s *system) check(t *rapid.T) {
	synctest.Wait()
	got, want := map[string]string{}, map[string]string{}
	running := map[string]bool{}
	for name, status := range s.m.TaskStatus() {
		got[name] = fmt.Sprintf("%v, %d restarts", status.Status, status.Restarts)
	}
	for name, x := range s.tasks {
		want[name] = fmt.Sprintf("%v, %d restarts", x.phase, x.failures)
		if x.phase == taskmanager.Running {
			running[name] = true
		}
		if isClosed(x.handle.Done()) || isClosed(x.handle.Started()) != x.started {
			t.Fatalf("task %q: done %v, started %v; want false, %v", name,
				isClosed(x.handle.Done()), isClosed(x.handle.Started()), x.started)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("TaskStatus (-want +got):\n%s", diff)
	}
	s.checkWorkers(t, running)
	for _, x := range s.ended {
		if err := x.handle.Err(); !isClosed(x.handle.Done()) || !isClosed(x.handle.Started()) || !errors.Is(err, x.end) {
			t.Fatalf("task %q ended with %v, want %v", x.name, err, x.end)
		}
	}
}

func (s *system) checkWorkers(t *rapid.T, running map[string]bool) {
	workers := s.m.Status()
	if n := len(workers); n < s.min || n < len(running) || n > s.max {
		t.Fatalf("%d workers for %d running tasks, with bounds %d and %d", n, len(running), s.min, s.max)
	}
	got := map[string]bool{}
	for _, w := range workers {
		if w.Status == taskmanager.Running {
			got[w.TaskName] = true
		} else if diff := cmp.Diff(taskmanager.WorkerInfo{TaskName: "idle", Status: taskmanager.Waiting}, w); diff != "" {
			t.Fatalf("a worker without a task (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(running, got); diff != "" {
		t.Fatalf("tasks that workers run (-want +got):\n%s", diff)
	}
	pool := s.m.Snapshot()
	if pool.Busy != len(running) || pool.Queued != len(s.queue) {
		t.Fatalf("the pool has %d busy and %d queued, want %d and %d", pool.Busy, pool.Queued, len(running), len(s.queue))
	}
	if in, out := pool.Submitted, pool.Completed+pool.Failed+pool.Withdrawn+uint64(pool.Busy+pool.Queued); in != out {
		t.Fatalf("%d submitted, but %d accounted for: %+v", in, out, pool)
	}
}

// stop ends the manager; every task that is outstanding must say so.
func (s *system) stop(t *rapid.T) {
	stop(t, s.m)
	for _, x := range s.tasks {
		x.end = taskmanager.ErrStopped
		s.ended = append(s.ended, x)
	}
	s.tasks, s.queue, s.min = nil, nil, 0
	s.check(t)
	if _, err := s.m.GoFunc("late", untilCancelled); !errors.Is(err, taskmanager.ErrStopped) {
		t.Fatalf("GoFunc after Stop returned %v, want ErrStopped", err)
	}
}
