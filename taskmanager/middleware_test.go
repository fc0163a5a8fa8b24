package taskmanager_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// middleware is the type of the arguments of WithMiddleware.
type middleware = func(next taskmanager.Runner) taskmanager.Runner

// around makes a middleware from a function that gets the next runner as an argument.
func around(run func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) error) middleware {
	return func(next taskmanager.Runner) taskmanager.Runner {
		return func(ctx context.Context, h *taskmanager.Handle) error { return run(ctx, h, next) }
	}
}

// TestFirstMiddlewareIsOutermost also checks that each function is called once, however
// many tasks run.
func TestFirstMiddlewareIsOutermost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var made, calls []string
		named := func(name string) middleware {
			return func(next taskmanager.Runner) taskmanager.Runner {
				made = append(made, name)
				return func(ctx context.Context, h *taskmanager.Handle) error {
					calls = append(calls, name+" before")
					err := next(ctx, h)
					calls = append(calls, name+" after")
					return err
				}
			}
		}
		m := start(t, taskmanager.WithMiddleware(named("outer"), named("middle"), named("inner")))
		for range 2 {
			await(t, submitFunc(t, m, "task", func(context.Context) error { calls = append(calls, "task"); return nil }))
		}
		once := []string{"outer before", "middle before", "inner before", "task", "inner after", "middle after", "outer after"}
		check.Equal(t, "calls", calls, slices.Concat(once, once))
		slices.Sort(made)
		check.Equal(t, "functions called at the start", made, []string{"inner", "middle", "outer"})
	})
}

// TestMiddlewareDecidesHowAnExecutionEnds uses middleware that runs the task several times
// or not at all. The error that it returns is that of the execution.
func TestMiddlewareDecidesHowAnExecutionEnds(t *testing.T) {
	errOther := errors.New("other")
	tests := map[string]struct {
		run  func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) error
		want error
		runs int
	}{
		"three calls": {func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) error {
			return errors.Join(next(ctx, h), next(ctx, h), next(ctx, h))
		}, errFailed, 3},
		"until it succeeds": {func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) (err error) {
			for range 10 {
				if err = next(ctx, h); err == nil {
					break
				}
			}
			return err
		}, nil, 4},
		"no call": {func(context.Context, *taskmanager.Handle, taskmanager.Runner) error { return nil }, nil, 0},
		"refusal": {func(context.Context, *taskmanager.Handle, taskmanager.Runner) error { return errOther }, errOther, 0},
		"forgiveness": {func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) error {
			_ = next(ctx, h)
			return nil
		}, nil, 1},
		"another error": {func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) error {
			_ = next(ctx, h)
			return errOther
		}, errOther, 1},
	}
	for name, test := range tests {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithMiddleware(around(test.run)))
			runs := 0
			h := submitFunc(t, m, "task", func(context.Context) error {
				if runs++; runs > 3 {
					return nil
				}
				return errFailed
			})
			if err := wait(t, h); !errors.Is(err, test.want) {
				t.Errorf("%s: the task ended with %v, want %v", name, err, test.want)
			}
			check.Equal(t, name+": executions", runs, test.runs)
			check.Equal(t, name+": restarts", h.Status().Restarts, 0)
		})
	}
}

// TestMiddlewareMayAddToTheContext checks that the task sees values and a cancellation that
// middleware adds, at each execution, together with those of the submit's context.
func TestMiddlewareMayAddToTheContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		type added struct{}
		var handle *taskmanager.Handle
		executions := 0
		m := start(t, taskmanager.WithRestart(fixedDelay(0)), taskmanager.WithMiddleware(
			around(func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) error {
				handle = h
				executions++
				return next(context.WithValue(ctx, added{}, executions), h)
			}),
			around(func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) error {
				ctx, cancel := context.WithTimeoutCause(ctx, time.Second, errFailed)
				defer cancel()
				return next(ctx, h)
			}),
		))
		seen := []any{}
		body := &task{name: "task", execute: func(ctx context.Context) error {
			h, ok := taskmanager.FromContext(ctx)
			if !ok || h != handle {
				t.Errorf("the middleware was given the task %v, and the context knows %v, %v", handle, h, ok)
			}
			seen = append(seen, ctx.Value(added{}), ctx.Value(ctxKey{}))
			<-ctx.Done()
			return context.Cause(ctx)
		}, restart: func(_ context.Context, err error) bool { return len(seen) < 4 }}
		begin := time.Now()
		h, err := m.Submit(context.WithValue(t.Context(), ctxKey{}, "value"), body)
		if err != nil {
			t.Fatal(err)
		}
		if err := wait(t, h); !errors.Is(err, errFailed) {
			t.Errorf("the task ended with %v, want the cause that the middleware gave", err)
		}
		if h != handle {
			t.Errorf("the middleware was given %v, want the handle of the task, %v", handle, h)
		}
		check.Equal(t, "values", seen, []any{1, "value", 2, "value"})
		check.Equal(t, "it took", time.Since(begin), 2*time.Second)
	})
}

// TestCrashInMiddlewareIsAFailureOfTheTask lets middleware crash before and after the task
// has run. The task restarts, and its error reports the crash. The same holds under
// CallerRuns.
func TestCrashInMiddlewareIsAFailureOfTheTask(t *testing.T) {
	crashes := map[string]struct {
		crash func()
		want  error
	}{
		"panic":  {func() { panic(errFailed) }, errFailed},
		"Goexit": {runtime.Goexit, taskmanager.ErrGoexit},
	}
	for name, test := range crashes {
		for _, after := range []bool{false, true} {
			for _, inline := range []bool{false, true} {
				bubble(t, func(t *testing.T) {
					calls := 0
					crash := around(func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) error {
						if h.Name() != "task" {
							return next(ctx, h)
						}
						calls++
						if after {
							_ = next(ctx, h)
						}
						if calls < 4 {
							test.crash()
						}
						return nil
					})
					opts := []taskmanager.Option{taskmanager.WithMiddleware(crash), taskmanager.WithRestart(fixedDelay(time.Second))}
					var m *taskmanager.TaskManager
					if inline {
						m = crowded(t, taskmanager.CallerRuns, opts...)
					} else {
						m = start(t, append(opts, taskmanager.WithWorkers(1, 1))...)
					}
					asked := []error{}
					restarts := 2
					h := submit(t, m, &task{name: "task", restart: func(_ context.Context, err error) bool {
						asked = append(asked, err)
						return len(asked) <= restarts
					}})
					m.Cancel("running") // the restart needs a worker
					if err := wait(t, h); !errors.Is(err, test.want) {
						t.Errorf("%s: the task ended with %v, want %v", name, err, test.want)
					}
					check.Equal(t, name+": restarts", h.Status().Restarts, restarts)
					for i, err := range asked {
						if !errors.Is(err, test.want) {
							t.Errorf("%s: failure %d is %v, want %v", name, i+1, err, test.want)
						}
					}
					// The worker and the middleware still work.
					if err := wait(t, submit(t, m, &task{name: "task"})); err != nil {
						t.Errorf("%s: a task after the crashes ended with %v", name, err)
					}
				})
			}
		}
	}
}

// TestTimeLimitIncludesMiddleware checks that the time limit covers the whole execution.
func TestTimeLimitIncludesMiddleware(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithMiddleware(around(func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) error {
			select {
			case <-time.After(time.Minute): // as a rate limiter does
				return next(ctx, h)
			case <-ctx.Done():
				return ctx.Err()
			}
		})))
		begin := time.Now()
		h := submit(t, m, &task{name: "task", execute: func(context.Context) error { t.Error("it ran"); return nil }},
			taskmanager.WithTimeout(time.Second))
		if err := wait(t, h); !errors.Is(err, taskmanager.ErrTimeout) {
			t.Errorf("the task ended with %v, want ErrTimeout", err)
		}
		check.Equal(t, "it took", time.Since(begin), time.Second)
	})
}

// TestMiddlewareMayWaitForOtherTasks checks that a wait in middleware lends the slot of the
// task.
func TestMiddlewareMayWaitForOtherTasks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var m *taskmanager.TaskManager
		m = start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithMiddleware(
			around(func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) error {
				if h.Name() == "main" {
					first, err := m.SubmitFunc(ctx, "before main", fn0)
					if err != nil {
						return err
					}
					if err := first.Wait(ctx); err != nil {
						return err
					}
				}
				return next(ctx, h)
			})))
		if err := wait(t, submitFunc(t, m, "main", fn0)); err != nil {
			t.Errorf("the task ended with %v", err)
		}
	})
}

// TestBadMiddlewareIsAnErrorOfStart checks that the error says which function is invalid.
func TestBadMiddlewareIsAnErrorOfStart(t *testing.T) {
	fine := around(func(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) error { return next(ctx, h) })
	tests := map[string]struct {
		functions []middleware
		want      error
		says      []string
	}{
		"nil":     {[]middleware{nil, fine, nil}, nil, []string{"function 1 is nil", "function 3 is nil"}},
		"nothing": {[]middleware{fine, func(taskmanager.Runner) taskmanager.Runner { return nil }}, nil, []string{"function 2", "no runner"}},
		"panic":   {[]middleware{fine, fine, func(taskmanager.Runner) taskmanager.Runner { panic(errFailed) }}, errFailed, []string{"function 3", "panicked"}},
	}
	for name, test := range tests {
		m, err := taskmanager.Start(taskmanager.WithMiddleware(test.functions...))
		if m != nil || err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: Start returned %v, %v; want an error %v", name, m, err, test.want)
			continue
		}
		for _, says := range append(test.says, "WithMiddleware") {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: the error is %q, want it to say %q", name, err, says)
			}
		}
	}
}
