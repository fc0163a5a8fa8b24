package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// steps is the body of a task whose executions return the given errors, one after another, and
// then nil. It records when they began.
type steps struct {
	errs   []error
	begins []time.Duration // since the first call of at
	since  time.Time
}

// at returns a body that begins to count now.
func at(errs ...error) *steps { return &steps{errs: errs, since: time.Now()} }

func (s *steps) execute(context.Context) error {
	s.begins = append(s.begins, time.Since(s.since))
	if n := len(s.begins); n <= len(s.errs) {
		return s.errs[n-1]
	}
	return nil
}

// seconds are the times of s, in seconds.
func (s *steps) seconds() (list []float64) {
	for _, b := range s.begins {
		list = append(list, b.Seconds())
	}
	return list
}

func TestNotYetRunsAgainAfterExactlyThatTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithRestart(restart.Never()))
		body := at(taskmanager.NotYet(2*time.Second), fmt.Errorf("no file: %w", taskmanager.NotYet(3*time.Second)), taskmanager.NotYet(0))
		for name, submit := range map[string]func() *taskmanager.Handle{
			"function": func() *taskmanager.Handle { return submitFunc(t, m, "f", body.execute) },
			"task that never restarts": func() *taskmanager.Handle {
				return submit(t, m, &task{name: "t", execute: body.execute, restart: func(context.Context, error) bool {
					t.Error("Restart was called")
					return false
				}})
			},
			"future": func() *taskmanager.Handle {
				f, err := taskmanager.Async(t.Context(), m, "a", func(ctx context.Context) (int, error) { return 7, body.execute(ctx) })
				check.Is(t, "Async", err, nil)
				n, err := f.Result(t.Context())
				check.Is(t, "Result", err, nil)
				check.Equal(t, "result", n, 7)
				return &f.Handle
			},
			"group": func() *taskmanager.Handle {
				g := m.Group(t.Context())
				check.Is(t, "Go", g.Go("g", body.execute), nil)
				h, _ := m.Lookup("g")
				check.Is(t, "Wait", g.Wait(t.Context()), nil)
				return h
			},
		} {
			*body = *at(body.errs...)
			h := submit()
			check.Is(t, name, wait(t, h), nil)
			check.Equal(t, name+": begins", body.seconds(), []float64{0, 2, 5, 5})
			s := h.Status()
			check.Equal(t, name+": restarts", s.Restarts, 0)
			check.Equal(t, name+": attempt", s.Attempt, 4)
		}
		c := m.Counts()
		check.Equal(t, "counts", c, taskmanager.Counts{Accepted: 4, Succeeded: 4})
		p := m.Snapshot()
		check.Equal(t, "completed and failed executions", []uint64{p.Completed, p.Failed}, []uint64{16, 0})
	})
}

func TestNotYetStatusShowsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		begin := time.Now()
		h := submitFunc(t, m, "a", at(errFailed, taskmanager.NotYet(time.Minute), errFailed).execute, taskmanager.WithRestart(restart.Constant(time.Second)))
		synctest.Wait()
		check.Equal(t, "status after a failure", h.Status().Status, taskmanager.Restarted)
		time.Sleep(1500 * time.Millisecond)
		s := h.Status()
		check.Equal(t, "status", s.Status, taskmanager.NotAssigned)
		check.Equal(t, "DueAt", s.DueAt, begin.Add(61*time.Second))
		check.Equal(t, "QueuedAt", s.QueuedAt, begin.Add(time.Second))
		check.Equal(t, "LastError", s.LastError, errFailed) // of the execution before
		check.Equal(t, "restarts and attempt", []int{s.Restarts, s.Attempt}, []int{1, 3})
		fresh := submitFunc(t, m, "b", at(taskmanager.NotYet(time.Minute)).execute)
		synctest.Wait()
		check.Equal(t, "LastError of a task that has not failed", fresh.Status().LastError, nil)
		time.Sleep(60 * time.Second)
		s = h.Status()
		check.Equal(t, "status after another failure", s.Status, taskmanager.Restarted)
		check.Equal(t, "restarts and attempt", []int{s.Restarts, s.Attempt}, []int{2, 4})
		check.Is(t, "the task", wait(t, h), nil)
	})
}

func TestNotYetZeroGoesToTheBackOfTheQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		order, polls := "", 0
		m.Pause()
		submitFunc(t, m, "polls", func(context.Context) error {
			order += "p"
			if polls++; polls < 3 {
				return taskmanager.NotYet(0)
			}
			return nil
		})
		for _, name := range []string{"a", "b"} {
			submitFunc(t, m, name, func(context.Context) error { order += name; return nil })
		}
		m.Resume()
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		check.Equal(t, "order", order, "pabpp")
	})
}

func TestNotYetOfANegativeTimeIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		h := submitFunc(t, m, "a", at(taskmanager.NotYet(-time.Second)).execute)
		err := wait(t, h)
		if err == nil || err.Error() != "taskmanager: NotYet: the time is -1s; it must not be negative" {
			t.Errorf("the task ended with %v", err)
		}
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 1, Failed: 1})
	})
}

// TestNotYetDoesNotHideAFailure joins it to a failure, which counts, and wraps it alone.
func TestNotYetDoesNotHideAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		runs := 0
		joined := submitFunc(t, m, "joined", func(context.Context) error {
			runs++
			return errors.Join(errFailed, taskmanager.NotYet(time.Second))
		})
		check.Is(t, "the error", wait(t, joined), errFailed)
		check.Equal(t, "executions", runs, 1)
		wrapped := submitFunc(t, m, "wrapped", func(context.Context) error {
			if runs++; runs == 2 {
				return fmt.Errorf("no file: %w", taskmanager.NotYet(time.Second))
			}
			return nil
		})
		check.Is(t, "the error", wait(t, wrapped), nil)
		check.Equal(t, "executions", runs, 3)
	})
}

// TestErrNotYet checks for which errors it holds, and that a task that returns one of them alone is
// postponed, also one that returns ErrNotYet itself.
func TestErrNotYet(t *testing.T) {
	later := taskmanager.NotYet(time.Second)
	for _, x := range []struct {
		err           error
		is, postpones bool
	}{
		{taskmanager.NotYet(0), true, true},
		{taskmanager.ErrNotYet, true, true},
		{later, true, true},
		{fmt.Errorf("no file: %w", later), true, true},
		{errors.Join(later, errFailed), true, false}, // which Is cannot tell
		{taskmanager.NotYet(-1), false, false},
		{errFailed, false, false},
	} {
		check.Equal(t, fmt.Sprintf("errors.Is(%v, ErrNotYet)", x.err), errors.Is(x.err, taskmanager.ErrNotYet), x.is)
		bubble(t, func(t *testing.T) {
			m, body := start(t), at(x.err)
			err := wait(t, submitFunc(t, m, "a", body.execute))
			check.Equal(t, fmt.Sprintf("%v postpones", x.err), err == nil && len(body.begins) == 2, x.postpones)
		})
	}
	if errors.Is(later, taskmanager.NotYet(time.Minute)) {
		t.Error("errors of different times match")
	}
}

// TestNotYetDoesNotExistForThePolicy checks that a policy sees the same failures with and without
// postponed executions between them.
func TestNotYetDoesNotExistForThePolicy(t *testing.T) {
	type seen struct {
		Attempt, Recent  int
		Previous         time.Duration
		Starts, Restarts uint64
	}
	bubble(t, func(t *testing.T) {
		later := taskmanager.NotYet(time.Second)
		for name, body := range map[string]*steps{
			"without": at(errFailed, errFailed, errFailed, errFailed),
			"with":    at(later, errFailed, later, later, errFailed, errFailed, later, errFailed, later),
		} {
			var got []seen
			policy := windowed{time.Hour, restart.Func(func(f restart.Failure) (time.Duration, bool) {
				got = append(got, seen{f.Attempt, f.Recent, f.Previous, f.Starts, f.Restarts})
				return time.Duration(f.Attempt) * time.Minute, true
			})}
			m := start(t)
			h := submitFunc(t, m, "a", body.execute, taskmanager.WithRestart(policy))
			time.Sleep(time.Hour)
			check.Is(t, name, wait(t, h), nil)
			check.Equal(t, name, got, []seen{
				{1, 0, 0, 1, 0}, {2, 1, time.Minute, 1, 1}, {3, 2, 2 * time.Minute, 1, 2}, {4, 3, 3 * time.Minute, 1, 3},
			})
		}
	})
}

// windowed gives a policy a window.
type windowed struct {
	window time.Duration
	restart.Func
}

func (w windowed) Window() time.Duration { return w.window }

func TestNotYetNeitherExtendsNorEndsARow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		later := taskmanager.NotYet(time.Hour)
		h := submitFunc(t, m, "a", at(errFailed, later, errFailed, later, errFailed).execute, taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(0))))
		time.Sleep(3 * time.Hour)
		check.Is(t, "the task", wait(t, h), taskmanager.ErrRestartsExhausted)
		check.Equal(t, "attempt", h.Status().Attempt, 5)
		// A long execution that is postponed does not end the row either.
		long := submitFunc(t, m, "b", func() func(context.Context) error {
			n := 0
			return func(context.Context) error {
				if n++; n == 2 {
					time.Sleep(time.Hour)
					return later
				}
				return errFailed
			}
		}(), taskmanager.WithRestart(restart.MaxAttempts(2, restart.Exponential(time.Second, time.Minute))))
		time.Sleep(3 * time.Hour)
		check.Is(t, "the task", wait(t, long), taskmanager.ErrRestartsExhausted)
		check.Equal(t, "attempt", long.Status().Attempt, 3)
	})
}

// TestNotYetWaitEnds checks what ends the wait, and the error of the task then.
func TestNotYetWaitEnds(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(m *taskmanager.TaskManager, h *taskmanager.Handle, cancel context.CancelFunc)
		want error
		took time.Duration
	}{
		"cancel":   {end: func(_ *taskmanager.TaskManager, h *taskmanager.Handle, _ context.CancelFunc) { h.Cancel() }, want: taskmanager.ErrCancelled, took: time.Second},
		"stop":     {end: func(m *taskmanager.TaskManager, _ *taskmanager.Handle, _ context.CancelFunc) { stop(t, m) }, want: taskmanager.ErrStopped, took: time.Second},
		"link":     {end: func(_ *taskmanager.TaskManager, _ *taskmanager.Handle, cancel context.CancelFunc) { cancel() }, want: taskmanager.ErrCancelled, took: time.Second},
		"deadline": {end: func(*taskmanager.TaskManager, *taskmanager.Handle, context.CancelFunc) {}, want: taskmanager.ErrDeadlineExceeded, took: 5 * time.Second},
	} {
		bubble(t, func(t *testing.T) {
			b := newBackend(t)
			m := start(t, taskmanager.WithObserver(b.otel))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			begin := time.Now()
			body := at(taskmanager.NotYet(time.Minute))
			h, err := m.SubmitFunc(ctx, "a", body.execute, taskmanager.WithLinkedContext(), taskmanager.WithDeadline(begin.Add(5*time.Second)))
			check.Is(t, "SubmitFunc", err, nil)
			time.Sleep(time.Second)
			test.end(m, h, cancel)
			err = wait(t, h)
			check.Is(t, name, err, test.want)
			check.Equal(t, name+": took", time.Since(begin), test.took)
			check.Equal(t, name+": runs", len(body.begins), 1)
			spans := b.all(t)
			check.Equal(t, name+": spans", []string{spans[0].Name, spans[0].Outcome, spans[1].Name}, []string{"run func", "postponed", "end func"})
			waited := attributeOf(b.spans.Ended()[1], "taskmanager.task.queue.duration").AsFloat64()
			check.Equal(t, name+": waited", waited, test.took.Seconds())
		})
	}
}

// TestNotYetOfACancelledExecution checks that an execution whose task was cancelled meanwhile, that
// took too long, or that panicked, is not postponed.
func TestNotYetOfACancelledExecution(t *testing.T) {
	later := taskmanager.NotYet(time.Second)
	slow := func(ctx context.Context) error { time.Sleep(3 * time.Second); return later }
	for name, test := range map[string]struct {
		fn      func(context.Context) error
		opts    []taskmanager.TaskOption
		cancel  bool
		want    error
		outcome observe.Outcome
		counts  taskmanager.Counts
	}{
		"cancel":  {slow, nil, true, taskmanager.ErrCancelled, observe.Cancelled, taskmanager.Counts{Accepted: 1, Cancelled: 1}},
		"timeout": {slow, []taskmanager.TaskOption{taskmanager.WithTimeout(2 * time.Second)}, false, taskmanager.ErrTimeout, observe.Failure, taskmanager.Counts{Accepted: 1, TimedOut: 1}},
		"panic":   {func(context.Context) error { panic(later) }, nil, false, later, observe.Failure, taskmanager.Counts{Accepted: 1, Failed: 1}},
	} {
		bubble(t, func(t *testing.T) {
			b := newBackend(t)
			m := start(t, taskmanager.WithObserver(b.otel))
			h := submitFunc(t, m, "a", test.fn, test.opts...)
			time.Sleep(time.Second)
			if test.cancel {
				h.Cancel()
			}
			err := wait(t, h)
			check.Is(t, name, err, test.want)
			if name != "panic" && errors.Is(err, later) {
				t.Errorf("%s: the error %v would postpone a task that returns it", name, err)
			}
			check.Equal(t, name+": attempt", h.Status().Attempt, 1)
			check.Equal(t, name+": counts", m.Counts(), test.counts)
			check.Equal(t, name+": outcome", b.all(t)[0].Outcome, string(test.outcome))
		})
	}
}

func TestNotYetDuringADrainAndAPause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		body := at(taskmanager.NotYet(2 * time.Second))
		submitFunc(t, m, "a", body.execute)
		synctest.Wait()
		m.Pause()
		time.Sleep(10 * time.Second)
		check.Equal(t, "begins during the pause", body.seconds(), []float64{0})
		m.Resume()
		synctest.Wait()
		check.Equal(t, "begins", body.seconds(), []float64{0, 10})
		again := at(taskmanager.NotYet(3*time.Second), taskmanager.NotYet(0))
		submitFunc(t, m, "b", again.execute)
		check.Is(t, "Drain", m.Drain(t.Context()), nil)
		check.Equal(t, "begins", again.seconds(), []float64{0, 3, 3})
	})
}

func TestNotYetOfARunOfASchedule(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		body := at(taskmanager.NotYet(2500 * time.Millisecond))
		s, err := m.Every(t.Context(), time.Second, &task{name: "a", execute: body.execute})
		check.Is(t, "Every", err, nil)
		time.Sleep(4500 * time.Millisecond)
		s.Stop()
		// The run of second 1 is outstanding until 3.5.
		check.Equal(t, "begins", body.seconds(), []float64{1, 3.5, 4})
		check.Equal(t, "skipped", s.Skipped(), 2)
	})
}

func TestNotYetOfAMiddlewareAndUnderCallerRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		calls, runs := 0, at()
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.CallerRuns),
			taskmanager.WithMiddleware(func(next taskmanager.Runner) taskmanager.Runner {
				return func(ctx context.Context, h *taskmanager.Handle) error {
					if calls++; h.Name() == "inline" && calls < 4 {
						return taskmanager.NotYet(time.Second)
					}
					return next(ctx, h)
				}
			}))
		submitFunc(t, m, "busy", func(context.Context) error { time.Sleep(1500 * time.Millisecond); return nil })
		synctest.Wait()
		h := submitFunc(t, m, "inline", runs.execute) // runs in the submit
		check.Equal(t, "status", h.Status().Status, taskmanager.NotAssigned)
		check.Is(t, "the task", wait(t, h), nil)
		check.Equal(t, "begins", runs.seconds(), []float64{2.5}) // 0 inline, 1.5 when the worker is free, 2.5
	})
}

// TestNotYetAndASubmitOfTheSameName checks that a task that waits after NotYet can be replaced, or
// serves a request to run once more, and that one which is about to wait gives way to its successor.
func TestNotYetAndASubmitOfTheSameName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		body := at(taskmanager.NotYet(time.Minute))
		h := submitFunc(t, m, "a", body.execute)
		synctest.Wait()
		if served := submitFunc(t, m, "a", fn0, taskmanager.WithRerun()); served != h {
			t.Errorf("another task, %+v, serves the request", served.Status())
		}
		next := submitFunc(t, m, "a", fn0, taskmanager.WithReplace())
		check.Is(t, "the waiting task", wait(t, h), taskmanager.ErrReplaced)
		check.Is(t, "its successor", wait(t, next), nil)
		for name, opts := range map[string][]taskmanager.TaskOption{"plain": nil, "origin": {taskmanager.WithOrigin(restart.State{})}} {
			h = submitFunc(t, m, name, func(context.Context) error { time.Sleep(time.Second); return taskmanager.NotYet(time.Minute) }, opts...)
			synctest.Wait()
			next = submitFunc(t, m, name, fn0, taskmanager.WithReplace())
			check.Equal(t, name+": error", wait(t, h), taskmanager.ErrReplaced)
			check.Is(t, name+": its successor", wait(t, next), nil)
		}
		check.Equal(t, "executions", len(body.begins), 1)
	})
}

func TestNotYetBeginsANewQueueTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		h := submitFunc(t, m, "a", at(taskmanager.NotYet(time.Minute)).execute, taskmanager.WithQueueTimeout(5*time.Second))
		time.Sleep(59 * time.Second)
		submitFunc(t, m, "b", untilCancelled)
		begin := time.Now()
		check.Is(t, "the task", wait(t, h), taskmanager.ErrQueueTimeout)
		check.Equal(t, "took", time.Since(begin), 6*time.Second)
	})
}

func TestNotYetInTelemetry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		log := new(recorder)
		m := start(t, taskmanager.WithObserver(b.otel), taskmanager.WithLogger(log), taskmanager.WithHistory(5))
		h := submitFunc(t, m, "a", at(taskmanager.NotYet(time.Second), errFailed, taskmanager.NotYet(0)).execute, taskmanager.WithRestart(restart.Constant(0)))
		check.Is(t, "the task", wait(t, h), nil)
		check.Equal(t, "spans", b.all(t), []emitted{
			{Name: "run func", Kind: "consumer", Outcome: "postponed", Attempt: 1},
			{Name: "run func", Kind: "consumer", Outcome: "failure", Attempt: 2, Status: codes.Error, ErrorType: "*errors.errorString", Links: []string{"run func 1"}},
			{Name: "restart func", Kind: "internal", Attempt: 2, ErrorType: "*errors.errorString", Links: []string{"run func 2"}},
			{Name: "run func", Kind: "consumer", Outcome: "postponed", Attempt: 3, Links: []string{"run func 2"}},
			{Name: "run func", Kind: "consumer", Outcome: "success", Attempt: 4, Links: []string{"run func 3"}},
		})
		check.Equal(t, "executions", b.counts(t, "taskmanager.task.run.duration", "taskmanager.task.outcome"),
			map[string]int64{"postponed": 2, "failure": 1, "success": 1})
		check.Equal(t, "restarts", b.counts(t, "taskmanager.task.restarts", "taskmanager.task.kind"), map[string]int64{"func": 1})
		check.Equal(t, "ends", b.counts(t, "taskmanager.task.ends", "taskmanager.task.outcome"), map[string]int64{"success": 1})
		check.Equal(t, "messages", strings.Count(log.String()+"\n", "\n"), 1) // the restart
		check.Equal(t, "attempt in the history", m.History()[0].Attempt, 4)
	})
}

// TestNotYetOfAnotherTask passes on the error of a task that crashed with NotYet, or was cancelled for
// that reason. The task that waited for it has failed.
func TestNotYetOfAnotherTask(t *testing.T) {
	for way, child := range map[string]func(ctx context.Context) error{
		"panic": func(context.Context) error { panic(taskmanager.NotYet(time.Minute)) },
		"cause": func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) },
	} {
		t.Run(way, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m, runs := start(t, taskmanager.WithWorkers(0, 4)), 0
				parent := submitFunc(t, m, "parent", func(ctx context.Context) error {
					runs++
					h := submitFunc(t, m, "child", child)
					time.AfterFunc(time.Second, func() { h.CancelCause(taskmanager.NotYet(time.Minute)) })
					return h.Wait(ctx)
				})
				if err := wait(t, parent); err == nil {
					t.Error("the parent has not failed")
				}
				check.Equal(t, "executions of the parent", runs, 1)
			})
		})
	}
}
