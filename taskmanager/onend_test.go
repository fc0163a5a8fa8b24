package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// endLog records the calls of a function of WithOnEnd.
type endLog struct {
	t testing.TB
	m *taskmanager.TaskManager

	mu  sync.Mutex
	all []string // the name and the error of each task
}

// option returns the option. It checks that the end of a task is visible when it calls the function.
func (e *endLog) option() taskmanager.TaskOption {
	return taskmanager.WithOnEnd(func(h *taskmanager.Handle) {
		check.Equal(e.t, "Done is closed", isClosed(h.Done()), true)
		check.Equal(e.t, "Started is closed", isClosed(h.Started()), true)
		other, taken := e.m.Lookup(h.Name())
		check.Equal(e.t, "the name is taken by the task", taken && other == h, false)
		check.Equal(e.t, "the status", h.Status().Status, taskmanager.Finished)
		e.mu.Lock()
		defer e.mu.Unlock()
		how := kind(h.Err())
		e.all = append(e.all, h.Name()+" "+how)
	})
}

// take returns the calls since the last one.
func (e *endLog) take() (all []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all, e.all = e.all, nil
	return all
}

// TestOnEndIsCalledOnce ends tasks in all ways.
func TestOnEndIsCalledOnce(t *testing.T) {
	type submit func(name string, fn func(context.Context) error, opts ...taskmanager.TaskOption) *taskmanager.Handle
	limited := []taskmanager.Option{taskmanager.WithLimit(1, taskmanager.DropOldest)}
	tests := map[string]struct {
		options []taskmanager.Option
		end     func(t *testing.T, m *taskmanager.TaskManager, submit submit)
		want    []string
	}{
		"succeeds": {nil, func(_ *testing.T, _ *taskmanager.TaskManager, submit submit) { submit("a", fn0) }, []string{"a done"}},
		"fails":    {nil, func(_ *testing.T, _ *taskmanager.TaskManager, submit submit) { submit("a", fails) }, []string{"a failed"}},
		"panics": {nil, func(_ *testing.T, _ *taskmanager.TaskManager, submit submit) {
			submit("a", func(context.Context) error { panic("boom") })
		}, []string{"a panicked"}},
		"restarts": {nil, func(_ *testing.T, _ *taskmanager.TaskManager, submit submit) {
			runs := 0
			submit("a", func(context.Context) error {
				if runs++; runs < 4 {
					return errFailed
				}
				return nil
			}, taskmanager.WithRestart(fixedDelay(time.Second)))
		}, []string{"a done"}},
		"is given up": {nil, func(_ *testing.T, _ *taskmanager.TaskManager, submit submit) {
			submit("a", fails, taskmanager.WithRestart(restart.MaxAttempts(3, fixedDelay(time.Second))))
		}, []string{"a given up"}},
		"is cancelled while it runs": {nil, func(_ *testing.T, _ *taskmanager.TaskManager, submit submit) {
			h := submit("a", untilCancelled)
			<-h.Started()
			h.Cancel()
		}, []string{"a cancelled"}},
		"is cancelled in the queue": {nil, func(_ *testing.T, m *taskmanager.TaskManager, submit submit) {
			m.Pause()
			submit("a", fn0).Cancel()
		}, []string{"a cancelled"}},
		"is cancelled before its time": {nil, func(_ *testing.T, _ *taskmanager.TaskManager, submit submit) {
			submit("a", fn0, taskmanager.WithDelay(time.Hour)).Cancel()
		}, []string{"a cancelled"}},
		"waits too long": {nil, func(_ *testing.T, _ *taskmanager.TaskManager, submit submit) {
			submit("busy", untilCancelled, taskmanager.WithTimeout(time.Minute))
			submit("a", fn0, taskmanager.WithQueueTimeout(time.Second))
		}, []string{"a waited too long", "busy ran too long"}},
		"is dropped": {limited, func(_ *testing.T, _ *taskmanager.TaskManager, submit submit) {
			busy := submit("busy", untilCancelled)
			<-busy.Started()
			submit("a", fn0)
			submit("b", fn0)
			busy.Cancel()
		}, []string{"a dropped", "busy cancelled", "b done"}},
		"is stopped": {nil, func(t *testing.T, m *taskmanager.TaskManager, submit submit) {
			m.Pause()
			submit("a", fn0)
			stop(t, m)
		}, []string{"a stopped"}},
	}
	for how, test := range tests {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, append(test.options, taskmanager.WithWorkers(1, 1))...)
				e := &endLog{t: t, m: m}
				test.end(t, m, func(name string, fn func(context.Context) error, opts ...taskmanager.TaskOption) *taskmanager.Handle {
					return submitFunc(t, m, name, fn, append(opts, e.option())...)
				})
				time.Sleep(time.Hour / 2)
				check.Equal(t, "the calls", e.take(), test.want)
			})
		})
	}
}

// TestOnEndIsNotCalledForRefusedSubmits refuses submits in all ways.
func TestOnEndIsNotCalledForRefusedSubmits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.Block))
		e := &endLog{t: t, m: m}
		never := taskmanager.WithOnEnd(func(h *taskmanager.Handle) {
			t.Errorf("the function is called for %q, which ended with %v", h.Name(), h.Err())
		})
		busy := submitFunc(t, m, "busy", untilCancelled, e.option())
		<-busy.Started()
		waits := submitFunc(t, m, "waits", fn0, e.option())
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		over, end := context.WithCancel(t.Context())
		end()
		later := taskmanager.WithDelay(time.Hour)
		refusals := map[error]func() error{
			taskmanager.ErrAlreadyExists: func() error { _, err := m.SubmitFunc(t.Context(), "busy", fn0, never, later); return err },
			taskmanager.ErrQueueFull:     func() error { _, err := m.TrySubmit(t.Context(), &task{name: "b"}, never); return err },
			context.DeadlineExceeded:     func() error { _, err := m.SubmitFunc(short, "c", fn0, never); return err },
			context.Canceled:             func() error { _, err := m.SubmitFunc(over, "d", fn0, never); return err },
			taskmanager.ErrEmptyName:     func() error { _, err := m.SubmitFunc(t.Context(), "", fn0, never); return err },
			taskmanager.ErrDeadlineExceeded: func() error {
				_, err := m.SubmitFunc(t.Context(), "e", fn0, never, taskmanager.WithDeadline(time.Now()))
				return err
			},
			taskmanager.ErrNilTask: func() error {
				_, err := m.SubmitAll(t.Context(), []taskmanager.Task{&task{name: "f"}, nil}, never)
				return err
			},
			taskmanager.ErrCancelled: func() error {
				time.AfterFunc(time.Second, func() { m.Cancel("g") })
				_, err := m.SubmitFunc(t.Context(), "g", fn0, never)
				return err
			},
		}
		for want, refusal := range refusals {
			check.Is(t, "a refused submit", refusal(), want)
		}
		_, err := m.SubmitAll(t.Context(), []taskmanager.Task{&task{name: "h"}, &task{name: "busy"}}, never)
		check.Is(t, "a batch with a name that is taken", err, taskmanager.ErrAlreadyExists)
		busy.Cancel()
		await(t, waits)
		stop(t, m)
		_, err = m.SubmitFunc(t.Context(), "late", fn0, never)
		check.Is(t, "a submit after Stop", err, taskmanager.ErrStopped)
		check.Equal(t, "the calls", e.take(), []string{"busy cancelled", "waits done"})
	})
}

// TestOnEndComposes uses the option with everything that submits tasks.
func TestOnEndComposes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		e := &endLog{t: t, m: m}
		_, err := m.SubmitAll(t.Context(), []taskmanager.Task{&task{name: "a"}, &task{name: "b"}}, e.option())
		check.Is(t, "SubmitAll", err, nil)
		f, err := taskmanager.Async(t.Context(), m, "future", func(context.Context) (int, error) { return 7, nil }, e.option())
		check.Is(t, "Async", err, nil)
		await(t, &f.Handle)
		synctest.Wait()
		check.Equal(t, "the calls", e.take(), []string{"a done", "b done", "future done"})

		ctx, cancel := context.WithCancel(t.Context())
		s, err := m.Every(ctx, time.Second, &task{name: "run"}, e.option(), taskmanager.WithLinkedContext())
		check.Is(t, "Every", err, nil)
		time.Sleep(3500 * time.Millisecond)
		s.Stop()
		cancel()
		check.Equal(t, "the calls", e.take(), []string{"run done", "run done", "run done"})

		g := taskmanager.NewResultGroup[int](t.Context(), m)
		for i := range 3 {
			err := g.Go(fmt.Sprint("member ", i), func(context.Context) (int, error) {
				time.Sleep(time.Second) // a failed group refuses the next member
				return 0, errFailed
			}, e.option())
			check.Is(t, "Go", err, nil)
		}
		_, err = g.Wait(t.Context())
		check.Is(t, "Wait", err, errFailed)
		synctest.Wait()
		got := e.take()
		check.Equal(t, "the number of calls", len(got), 3)
		check.Equal(t, "the last call, since the group has cancelled the others by then", got[2], "member 0 failed")
	})
}

// TestOnEndIsGivenSeveralTimes checks that all functions are called in order, even if one panics,
// and that the log tells of the panic.
func TestOnEndIsGivenSeveralTimes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		text := new(lines)
		m := start(t, taskmanager.WithLogger(text))
		var called []int
		note := func(i int) taskmanager.TaskOption {
			return taskmanager.WithOnEnd(func(*taskmanager.Handle) {
				called = append(called, i)
				if i == 1 {
					panic("boom")
				}
			})
		}
		h := submitFunc(t, m, "a\nb", fn0, note(0), note(1), note(2))
		await(t, h)
		synctest.Wait()
		check.Equal(t, "the calls", called, []int{0, 1, 2})
		check.Equal(t, "the error of the task", h.Err(), nil)
		if got := text.String(); !strings.Contains(got, `a function of WithOnEnd of task "a\nb" crashed: `) || !strings.Contains(got, "boom") {
			t.Errorf("the log does not tell of the panic:\n%s", got)
		}
		_, err := m.SubmitFunc(t.Context(), "c", fn0, taskmanager.WithOnEnd(nil))
		if err == nil || !strings.Contains(err.Error(), "taskmanager: WithOnEnd: the function is nil") {
			t.Errorf("a nil function: %v", err)
		}
	})
}

// lines is a Logger that keeps its messages.
type lines struct {
	mu sync.Mutex
	strings.Builder
}

func (l *lines) Errorf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.WriteString(fmt.Sprintf(format, args...) + "\n")
}
func (l *lines) Infof(format string, args ...any) { l.Errorf(format, args...) }
func (l *lines) Error(args ...any)                { l.Errorf("%s", fmt.Sprint(args...)) }
func (l *lines) Info(args ...any)                 { l.Errorf("%s", fmt.Sprint(args...)) }

// TestOnEndSubmitsAgain runs a task whose function submits it again, under the same name, until
// Drain refuses that.
func TestOnEndSubmitsAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.Block))
		var runs atomic.Int32
		last := make(chan error, 1)
		var again func(h *taskmanager.Handle)
		run := func(context.Context) error { runs.Add(1); time.Sleep(time.Second); return nil }
		again = func(*taskmanager.Handle) {
			if _, err := m.SubmitFunc(t.Context(), "a", run, taskmanager.WithOnEnd(again)); err != nil {
				last <- err
			}
		}
		again(nil)
		time.Sleep(9500 * time.Millisecond)
		check.Is(t, "Drain", m.Drain(t.Context()), nil)
		check.Equal(t, "runs", runs.Load(), 10)
		check.Is(t, "the last submit", <-last, taskmanager.ErrStopped)
	})
}

// TestStopWaitsForOnEnd lets a function block, on the goroutine of a worker and on one that cancels
// the task. Stop waits for it, and names it, although the task has ended.
func TestStopWaitsForOnEnd(t *testing.T) {
	for _, cancelled := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1))
			hold, returned := make(chan struct{}), false
			opt := taskmanager.WithOnEnd(func(*taskmanager.Handle) { <-hold; returned = true })
			h := submitFunc(t, m, "a", fn0, opt, taskmanager.WithDelay(time.Second))
			if cancelled {
				go h.Cancel()
			}
			check.Equal(t, "Wait", errors.Is(wait(t, h), taskmanager.ErrCancelled), cancelled)
			synctest.Wait()
			check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := m.Stop(ctx)
			stop, ok := errors.AsType[*taskmanager.StopError](err)
			if !ok {
				t.Fatalf("Stop returned %v, want a *StopError", err)
			}
			check.Equal(t, "the calls", stop.Calls, []string{`the function of WithOnEnd for task "a"`})
			check.Equal(t, "the running tasks", len(stop.Running), 0)
			check.Equal(t, "the manager has ended", isClosed(m.Done()), false)
			close(hold)
			check.Is(t, "Stop", m.Stop(t.Context()), nil)
			check.Equal(t, "the function has returned", returned, true)
		})
	}
}
