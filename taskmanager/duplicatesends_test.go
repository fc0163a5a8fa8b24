package taskmanager_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestStopEndsATaskBehindAnother checks Stop with a running task that ignores its context.
func TestStopEndsATaskBehindAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		runs := 0
		first := submitFunc(t, m, "a", func(context.Context) error { runs++; time.Sleep(time.Minute); return nil })
		synctest.Wait()
		second := submitFunc(t, m, "a", func(context.Context) error { runs++; return nil }, taskmanager.WithRerun())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var late *taskmanager.StopError
		if err := m.Stop(ctx); !errors.As(err, &late) {
			t.Errorf("Stop returned %v", err)
		}
		check.Is(t, "Err", second.Err(), taskmanager.ErrStopped) // at once
		for _, opt := range []taskmanager.TaskOption{taskmanager.WithRerun(), taskmanager.WithReplace()} {
			_, err := m.SubmitFunc(t.Context(), "a", untilCancelled, opt)
			check.Is(t, "Submit", err, taskmanager.ErrStopped)
		}
		check.Is(t, "Stop", m.Stop(t.Context()), nil)
		check.Is(t, "Err", first.Err(), nil)
		check.Equal(t, "runs", runs, 1)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 2, Succeeded: 1, Stopped: 1})
	})
}

// TestDrainRunsATaskBehindAnother checks Close and Drain, also with a delay.
func TestDrainRunsATaskBehindAnother(t *testing.T) {
	for name, opts := range map[string][]taskmanager.TaskOption{
		"rerun": {taskmanager.WithRerun()}, "debounce": {taskmanager.WithDebounce(), taskmanager.WithDelay(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m, j := start(t), newJournal()
				submitFunc(t, m, "a", j.takes("first", time.Minute))
				synctest.Wait()
				second := submitFunc(t, m, "a", j.takes("second", time.Minute), opts...)
				check.Is(t, "Drain", m.Drain(t.Context()), nil)
				check.Is(t, "Err", second.Err(), nil)
				check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 2, Succeeded: 2})
			})
		})
	}
}

// TestWaitIdleWaitsForATaskBehindAnother checks that the manager is not idle between two tasks of a
// name, nor while a task that was behind another one ends.
func TestWaitIdleWaitsForATaskBehindAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := &slowEnd{}
		m, j := start(t, taskmanager.WithObserver(slow)), newJournal()
		h := submitFunc(t, m, "a", j.takes("a", time.Second))
		for range 9 {
			synctest.Wait()
			h = submitFunc(t, m, "a", j.takes("a", time.Second), taskmanager.WithRerun())
			time.Sleep(time.Second)
		}
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		check.Is(t, "Wait", h.Err(), nil)
		check.Equal(t, "time", time.Since(j.start), 10*time.Second)

		submitFunc(t, m, "a", j.takes("a", time.Second))
		synctest.Wait()
		h = submitFunc(t, m, "a", j.takes("a", time.Second), taskmanager.WithRerun())
		slow.d = time.Minute // its end takes longer than the task before it
		go func() { h.Cancel() }()
		synctest.Wait()
		slow.d = 0
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		check.Is(t, "Err", h.Err(), taskmanager.ErrCancelled)
		check.Equal(t, "time", time.Since(j.start), 70*time.Second)
	})
}

// slowEnd is an observer that takes its time at the end of a task.
type slowEnd struct{ d time.Duration }

func (s *slowEnd) TaskEnded(context.Context, observe.End) { time.Sleep(s.d) }

// TestTaskBehindAnotherNeedsNoRoom checks the limits of the queue.
func TestTaskBehindAnotherNeedsNoRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.Reject),
			taskmanager.WithKeyQueueLimit(1, taskmanager.Reject)), newJournal()
		key := taskmanager.WithKey("k")
		submitFunc(t, m, "a", j.takes("a", time.Second), key)
		synctest.Wait()
		submitFunc(t, m, "b", j.takes("b", 5*time.Second), key)
		a := submitFunc(t, m, "a", j.takes("a again", 0), taskmanager.WithRerun(), key)
		check.Equal(t, "queued", m.Snapshot().Queued, 1)
		_, err := m.SubmitFunc(t.Context(), "c", j.takes("no", 0))
		check.Is(t, "Submit", err, taskmanager.ErrQueueFull)
		time.Sleep(1100 * time.Millisecond)
		check.Equal(t, "queued", m.Snapshot().Queued, 1)
		_, err = m.SubmitFunc(t.Context(), "c", j.takes("no", 0), key)
		check.Is(t, "Submit", err, taskmanager.ErrQueueFull)
		again := submitFunc(t, m, "a", j.takes("a replaced", 0), taskmanager.WithReplace(), key) // a place for a place
		check.Is(t, "Err", a.Err(), taskmanager.ErrReplaced)
		check.Is(t, "Wait", wait(t, again), nil)
		j.expect(t, "0s a", "1s b", "6s a replaced")
	})
}

// TestReplaceOfATaskThatWaitsForRoom checks tasks whose submits have not returned.
func TestReplaceOfATaskThatWaitsForRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.Block)), newJournal()
		submitFunc(t, m, "running", j.takes("running", time.Second))
		synctest.Wait()
		submitFunc(t, m, "queued", j.takes("queued", time.Second))
		errs := make(chan error, 3)
		go func() {
			_, err := m.SubmitFunc(t.Context(), "a", j.takes("no", 0))
			errs <- err
		}()
		go func() {
			_, err := m.SubmitAll(t.Context(), []taskmanager.Task{&task{name: "b"}, &task{name: "c"}})
			errs <- err
		}()
		go func() {
			_, err := m.SubmitFunc(t.Context(), "d", j.takes("d", 0))
			errs <- err
		}()
		synctest.Wait()
		a := submitFunc(t, m, "a", j.takes("a", 0), taskmanager.WithReplace())
		check.Is(t, "Submit", <-errs, taskmanager.ErrReplaced)
		c := submitFunc(t, m, "c", j.takes("c", 0), taskmanager.WithReplace())
		check.Is(t, "SubmitAll", <-errs, taskmanager.ErrReplaced)
		d := submitFunc(t, m, "d", j.takes("d again", 0), taskmanager.WithRerun()) // the submit of d may fail
		for _, h := range []*taskmanager.Handle{a, c, d} {
			check.Is(t, "Wait", wait(t, h), nil)
		}
		check.Is(t, "Submit", <-errs, nil)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 6, Succeeded: 6})
	})
}

// TestRerunAfterARefusedSubmit checks that a request is not lost with the submit of another task.
func TestRerunAfterARefusedSubmit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.Block)), newJournal()
		submitFunc(t, m, "running", j.takes("running", time.Minute))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() {
			_, err := m.SubmitFunc(ctx, "a", j.takes("no", 0))
			check.Is(t, "Submit", err, context.DeadlineExceeded)
		}()
		synctest.Wait()
		h := submitFunc(t, m, "a", j.takes("a", 0), taskmanager.WithRerun())
		time.Sleep(2 * time.Second)
		found, _ := m.Lookup("a")
		sameTask(t, "Lookup", found, h)
		check.Is(t, "Wait", h.Wait(t.Context()), nil)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 2, Succeeded: 2})
		j.expect(t, "0s running", "1m0s a")
	})
}

// TestDuplicateOptionsThatDoNotFit checks the errors of options.
func TestDuplicateOptionsThatDoNotFit(t *testing.T) {
	m := start(t)
	ctx := t.Context()
	rerun, replace, debounce := taskmanager.WithRerun(), taskmanager.WithReplace(), taskmanager.WithDebounce()
	delay := taskmanager.WithDelay(time.Second)
	nothing := func(context.Context) error { return nil }
	submit := func(opts ...taskmanager.TaskOption) error {
		_, err := m.SubmitFunc(ctx, "a", nothing, opts...)
		return err
	}
	batch := func(opts ...taskmanager.TaskOption) error {
		_, err := m.SubmitAll(ctx, []taskmanager.Task{&task{name: "b"}}, opts...)
		return err
	}
	every := func(opts ...taskmanager.TaskOption) error {
		_, err := m.Every(ctx, time.Hour, &task{name: "c"}, opts...)
		return err
	}
	group := func(opts ...taskmanager.TaskOption) error { return m.Group(ctx).Go("d", nothing, opts...) }
	future := func(opts ...taskmanager.TaskOption) error {
		_, err := taskmanager.Async(ctx, m, "e", func(context.Context) (int, error) { return 1, nil }, opts...)
		return err
	}
	for what, x := range map[string]struct {
		err  error
		want string
	}{
		"two":             {submit(rerun, replace), "WithRerun and WithReplace exclude each other; give one of them"},
		"two more":        {submit(debounce, delay, rerun), "WithDebounce and WithRerun exclude each other; give one of them"},
		"no delay":        {submit(debounce), "WithDebounce needs WithDelay or WithNotBefore"},
		"batch":           {batch(replace), "SubmitAll: task 1: WithReplace is not allowed"},
		"schedule":        {every(rerun), "WithRerun is not allowed in a group, a batch or a schedule"},
		"group":           {group(replace), "WithReplace is not allowed in a group, a batch or a schedule"},
		"future":          {future(rerun), "WithRerun is not allowed for Async"},
		"twice the same":  {submit(rerun, rerun), ""},
		"delay afterward": {submit(replace, delay), ""},
		"future replaces": {future(replace), ""},
	} {
		if x.want == "" && x.err != nil || x.want != "" && (x.err == nil || !strings.HasPrefix(x.err.Error(), "taskmanager: "+x.want)) {
			t.Errorf("%s: the error is %v, want %q", what, x.err, x.want)
		}
	}
}

// TestFutureReplacesAnother checks the results of futures with WithReplace.
func TestFutureReplacesAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		submit := func(n int) *taskmanager.Future[int] {
			f, err := taskmanager.Async(t.Context(), m, "a", func(context.Context) (int, error) { return n, nil },
				taskmanager.WithDebounce(), taskmanager.WithDelay(time.Second))
			check.Is(t, "Async", err, nil)
			return f
		}
		first, second := submit(1), submit(2)
		_, err := first.Result(t.Context())
		check.Is(t, "Result", err, taskmanager.ErrReplaced)
		n, err := second.Result(t.Context())
		check.Is(t, "Result", err, nil)
		check.Equal(t, "result", n, 2)
	})
}

// TestObserversOfDuplicates checks that each accepted task reports one submit and one end, and
// that each record of the history is about one task.
func TestObserversOfDuplicates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		seen := &endCounter{ends: map[observe.Outcome]int{}}
		m, j := start(t, taskmanager.WithObserver(seen), taskmanager.WithHistory(10)), newJournal()
		never := taskmanager.WithRestart(restart.Constant(time.Hour))
		submitFunc(t, m, "a", j.fails("a", time.Second), never)
		synctest.Wait()
		submitFunc(t, m, "a", j.takes("b", time.Second), taskmanager.WithRerun())
		submitFunc(t, m, "a", j.takes("no", time.Second), taskmanager.WithRerun()) // the one before serves it
		submitFunc(t, m, "a", j.takes("c", time.Second), taskmanager.WithReplace())
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		check.Equal(t, "submits without an error", seen.submits, 4)
		check.Equal(t, "ends", seen.ends, map[observe.Outcome]int{observe.Cancelled: 2, observe.Success: 1})
		check.Equal(t, "records", len(m.History()), 3)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 3, Succeeded: 1, Cancelled: 2})
		j.expect(t, "0s a", "1s c")
	})
}

// endCounter counts submits without an error, and ends.
type endCounter struct {
	submits int
	ends    map[observe.Outcome]int
}

func (e *endCounter) BeginSubmit(_, onto context.Context, _ observe.Submission) context.Context {
	return onto
}

func (e *endCounter) EndSubmit(_ context.Context, _ observe.Submission, err error) {
	if err == nil {
		e.submits++
	}
}

func (e *endCounter) TaskEnded(_ context.Context, end observe.End) { e.ends[end.Outcome]++ }

// TestReplacedTasksAreFreed checks that a task that runs for long keeps nothing of the tasks that
// were behind it, and that handles keep only what they should.
func TestReplacedTasksAreFreed(t *testing.T) {
	s := scales{}
	m := start(t)
	running, end := make(chan struct{}), make(chan struct{})
	first := submitFunc(t, m, "a", func(context.Context) error { close(running); <-end; return nil })
	<-running
	var handles []*taskmanager.Handle
	submit := func(opt taskmanager.TaskOption) {
		h, err := m.SubmitFunc(s.context(t.Context()), "a", s.function(untilCancelled), opt)
		check.Is(t, "Submit", err, nil)
		handles = append(handles, h)
	}
	for range 10 {
		submit(taskmanager.WithReplace())
		submit(taskmanager.WithRerun())
	}
	handles[len(handles)-1].Cancel()
	s.check(t)
	close(end)
	await(t, first)
	runtime.KeepAlive(handles)
}
