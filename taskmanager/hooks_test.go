package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// hook is a place where the manager calls user code. The code calls act once.
type hook struct {
	opts   func(act func()) []taskmanager.Option
	submit func(m *taskmanager.TaskManager, act func()) error // nil: a task that fails and restarts
	worker bool                                               // the code runs on the worker of task "a"
}

// observed is the hook of a method of an observer.
func observed(method string, worker bool) hook {
	return hook{worker: worker, opts: func(act func()) []taskmanager.Option {
		return []taskmanager.Option{taskmanager.WithObserver(listener(func(m string) {
			if m == method {
				act()
			}
		}))}
	}}
}

// inside is the hook of a method of an observer when a task submits another one.
func inside(method string) hook {
	return hook{
		worker: true,
		opts: func(act func()) []taskmanager.Option {
			return []taskmanager.Option{taskmanager.WithObserver(submitListener(func(m, task string) {
				if m == method && task == "a" {
					act()
				}
			}))}
		},
		submit: func(m *taskmanager.TaskManager, _ func()) error {
			_, err := m.SubmitFunc(context.Background(), "outer", func(ctx context.Context) error {
				_, err := m.TrySubmit(ctx, &task{name: "a"})
				return err
			})
			return err
		},
	}
}

// submitListener is an observer that is called with the name of the method and of the task.
type submitListener func(method, task string)

func (l submitListener) BeginSubmit(_, onto context.Context, s observe.Submission) context.Context {
	l("BeginSubmit", s.Name)
	return onto
}

func (l submitListener) EndSubmit(_ context.Context, s observe.Submission, _ error) {
	l("EndSubmit", s.Name)
}

// delayed is a hook whose task restarts a second later.
func delayed(h hook) hook {
	h.worker = false
	h.submit = func(m *taskmanager.TaskManager, _ func()) error { return failingTask(m, fixedDelay(time.Second)) }
	return h
}

// failingTask submits a task that fails once.
func failingTask(m *taskmanager.TaskManager, policy restart.Policy) error {
	failed := false
	_, err := m.SubmitFunc(context.Background(), "a", func(context.Context) error {
		if failed {
			return nil
		}
		failed = true
		return errFailed
	}, taskmanager.WithRestart(policy))
	return err
}

func submitting(t func(act func()) taskmanager.Task) func(m *taskmanager.TaskManager, act func()) error {
	return func(m *taskmanager.TaskManager, act func()) error {
		_, err := m.Submit(context.Background(), t(act))
		return err
	}
}

var hooks = map[string]hook{
	"BeginSubmit":                  observed("BeginSubmit", false),
	"EndSubmit":                    observed("EndSubmit", false),
	"BeginSubmit inside a task":    inside("BeginSubmit"),
	"EndSubmit inside a task":      inside("EndSubmit"),
	"BeginRun":                     observed("BeginRun", true),
	"EndRun":                       observed("EndRun", true),
	"BeginRestart":                 observed("BeginRestart", true),
	"EndRestart":                   observed("EndRestart", true),
	"EndRestart of a delayed task": delayed(observed("EndRestart", false)),
	"EndRestart of a cancelled task": {
		opts: observed("EndRestart", false).opts,
		submit: func(m *taskmanager.TaskManager, _ func()) error {
			err := failingTask(m, fixedDelay(time.Hour))
			time.Sleep(time.Second)
			m.Cancel("a")
			return err
		},
	},
	"logger": {worker: true, opts: func(act func()) []taskmanager.Option {
		return []taskmanager.Option{taskmanager.WithLogger(blockingLogger(act))}
	}},
	"context logger": {worker: true, opts: func(act func()) []taskmanager.Option {
		return []taskmanager.Option{taskmanager.WithLogger(blockingContextLogger{blockingLogger(act)})}
	}},
	"logger of a failure": {
		worker: true,
		opts: func(act func()) []taskmanager.Option {
			return []taskmanager.Option{taskmanager.WithLogger(blockingLogger(act))}
		},
		submit: func(m *taskmanager.TaskManager, _ func()) error { return failingTask(m, restart.Never()) },
	},
	"middleware": {worker: true, opts: func(act func()) []taskmanager.Option {
		return []taskmanager.Option{taskmanager.WithMiddleware(func(next taskmanager.Runner) taskmanager.Runner {
			return func(ctx context.Context, h *taskmanager.Handle) error {
				act()
				return next(ctx, h)
			}
		})}
	}},
	"Execute": {worker: true, submit: submitting(func(act func()) taskmanager.Task {
		return &task{name: "a", execute: func(context.Context) error { act(); return nil }}
	})},
	"Restart": {worker: true, submit: submitting(func(act func()) taskmanager.Task {
		return &task{name: "a", execute: fails, restart: func(context.Context, error) bool { act(); return false }}
	})},
	"Name": {submit: submitting(func(act func()) taskmanager.Task {
		return &task{nameOf: func() string { act(); return "a" }}
	})},
	"restart policy": {worker: true, submit: func(m *taskmanager.TaskManager, act func()) error {
		return failingTask(m, restart.Func(func(restart.Failure) (time.Duration, bool) { act(); return 0, true }))
	}},
	"Progress": {submit: progressing(false, func(act func()) *task {
		return &task{progress: func() (float64, error) { act(); return 0, nil }}
	})},
	"Description": {submit: progressing(false, func(act func()) *task {
		return &task{describe: func() string { act(); return "" }}
	})},
	"Progress inside the task": {worker: true, submit: progressing(true, func(act func()) *task {
		return &task{progress: func() (float64, error) { act(); return 0, nil }}
	})},
	"first call of a timetable": {submit: func(m *taskmanager.TaskManager, act func()) error {
		return repeatOnce(m, func(asked int) {
			if asked == 1 {
				act()
			}
		})
	}},
	"timetable": {submit: func(m *taskmanager.TaskManager, act func()) error {
		return repeatOnce(m, func(asked int) {
			if asked == 2 {
				act()
			}
		})
	}},
}

// progressing submits a task whose status is asked for while it runs: by the task or by another
// goroutine.
func progressing(inside bool, made func(act func()) *task) func(m *taskmanager.TaskManager, act func()) error {
	return func(m *taskmanager.TaskManager, act func()) error {
		x := made(act)
		x.name = "a"
		x.execute = func(context.Context) error {
			if inside {
				m.TaskStatus()
			} else {
				time.Sleep(time.Second)
			}
			return nil
		}
		h, err := m.Submit(context.Background(), x)
		if err == nil && !inside {
			<-h.Started()
			h.Status()
		}
		return err
	}
}

// repeatOnce runs a task once with a timetable, which passes on how often it has been asked.
func repeatOnce(m *taskmanager.TaskManager, ask func(asked int)) error {
	asked := 0
	_, err := m.Repeat(context.Background(), timetable(func(after time.Time) time.Time {
		asked++
		ask(asked)
		if asked == 1 {
			return after.Add(time.Second)
		}
		return time.Time{}
	}), &task{name: "a"})
	return err
}

// TestHooksBlockForEver lets each hook submit to its own manager, whose queue is full, and wait
// for another task, with a single worker. In a bubble, a hook that hangs fails the test.
func TestHooksBlockForEver(t *testing.T) {
	actions := map[string]func(t *testing.T, m *taskmanager.TaskManager, h hook){
		"submits": func(t *testing.T, m *taskmanager.TaskManager, h hook) {
			for i := 0; ; i++ {
				if _, err := m.TrySubmit(context.Background(), &task{name: fmt.Sprint("fill", i)}); err != nil {
					check.Is(t, "TrySubmit", err, taskmanager.ErrQueueFull)
					break
				}
			}
			_, err := m.SubmitFunc(context.Background(), "extra", fn0)
			if h.worker {
				check.Is(t, "a submit on the worker", err, taskmanager.ErrWouldDeadlock)
			} else {
				check.Equal(t, "a submit on another goroutine", err, nil)
			}
		},
		"waits": func(t *testing.T, m *taskmanager.TaskManager, _ hook) {
			b, err := m.TrySubmit(context.Background(), &task{name: "b"})
			if err != nil {
				t.Error(err)
				return
			}
			check.Equal(t, "Wait", b.Wait(context.Background()), nil)
		},
		"waits for its own task": func(t *testing.T, m *taskmanager.TaskManager, h hook) {
			a, ok := m.Lookup("a")
			if !ok || !h.worker {
				return // the hook runs before or after the task, or for something else
			}
			err := a.Wait(context.Background())
			if err != nil && !errors.Is(err, taskmanager.ErrWouldDeadlock) {
				t.Errorf("Wait returned %v, want nil or ErrWouldDeadlock", err)
			}
		},
	}
	for where, h := range hooks {
		for what, action := range actions {
			t.Run(where+" "+what, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					var m *taskmanager.TaskManager
					acted := false
					act := func() {
						if !acted {
							acted = true // before the action, which may call the hook again
							action(t, m, h)
						}
					}
					opts := []taskmanager.Option{taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(2, taskmanager.Block)}
					if h.opts != nil {
						opts = append(opts, h.opts(act)...)
					}
					m = start(t, opts...)
					submit := h.submit
					if submit == nil {
						submit = func(m *taskmanager.TaskManager, _ func()) error { return failingTask(m, fixedDelay(0)) }
					}
					if err := submit(m, act); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					check.Equal(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
					check.Equal(t, "the hook was called", acted, true)
				})
			})
		}
	}
}

// restartListener is an observer that is called with the name of a task at the end of its wait for
// a restart.
type restartListener func(task string)

func (l restartListener) BeginRestart(ctx context.Context, _ observe.Restart) context.Context {
	return ctx
}

func (l restartListener) EndRestart(_ context.Context, r observe.Restart, _ error) { l(r.Name) }

// TestObserverWaitsForARestartOfTheSameMoment lets an observer that is told of the restart of a task
// wait for another task, whose restart is due at the same moment.
func TestObserverWaitsForARestartOfTheSameMoment(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var second *taskmanager.Handle
		m := start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithoutTelemetry(), taskmanager.WithObserver(
			restartListener(func(task string) {
				if task == "first" {
					check.Equal(t, "Wait", second.Wait(context.Background()), nil)
				}
			})))
		once := func() func(context.Context) error {
			runs := 0
			return func(context.Context) error {
				if runs++; runs == 1 {
					return errFailed
				}
				return nil
			}
		}
		again := taskmanager.WithRestart(restart.Constant(time.Minute))
		first := submitFunc(t, m, "first", once(), again)
		second = submitFunc(t, m, "second", once(), again)
		check.Equal(t, "Wait", first.Wait(t.Context()), nil)
	})
}

// TestLoggerOfADroppedTaskWaits lets the logger wait for another task when the manager drops a
// task: on the goroutine of the submit, and on that of a worker.
func TestLoggerOfADroppedTaskWaits(t *testing.T) {
	for _, inside := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			var m *taskmanager.TaskManager
			var logged int
			m = start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.DropOldest),
				taskmanager.WithLogger(blockingLogger(func() {
					logged++
					if h, ok := m.Lookup("newest"); ok {
						check.Equal(t, "Wait", h.Wait(context.Background()), nil)
					}
				})))
			fill := func(context.Context) error {
				for _, name := range []string{"oldest", "newest"} {
					if _, err := m.SubmitFunc(context.Background(), name, fn0); err != nil {
						t.Error(err)
					}
				}
				return nil
			}
			if inside {
				submitFunc(t, m, "outer", fill)
			} else {
				submitFunc(t, m, "blocker", func(context.Context) error { time.Sleep(time.Second); return nil })
				_ = fill(t.Context())
			}
			check.Equal(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
			check.Equal(t, "messages", logged, 1)
		})
	}
}

// TestObserverOfThePoolSubmits lets the function that ends the observation of the pool use the
// manager, which has stopped.
func TestObserverOfThePoolSubmits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var m *taskmanager.TaskManager
		called := false
		m = start(t, taskmanager.WithObserver(poolObserver(func(p observe.Pool) func() {
			check.Equal(t, "busy workers at the start", p.State().Busy, 0)
			return func() {
				called = true
				_, err := m.SubmitFunc(context.Background(), "a", fn0)
				check.Is(t, "a submit", err, taskmanager.ErrStopped)
				check.Equal(t, "WaitIdle", m.WaitIdle(context.Background()), nil)
				check.Equal(t, "busy workers", p.State().Busy, 0)
			}
		})))
		stop(t, m)
		check.Equal(t, "the observation has ended", called, true)
	})
}

type poolObserver func(observe.Pool) func()

func (o poolObserver) ObservePool(p observe.Pool) func() { return o(p) }
