package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// badLogger is a logger that always panics.
type badLogger struct{ calls atomic.Int32 }

func (l *badLogger) Infof(string, ...any)  { l.calls.Add(1); panic("logger") }
func (l *badLogger) Info(...any)           { l.calls.Add(1); panic("logger") }
func (l *badLogger) Errorf(string, ...any) { l.calls.Add(1); panic("logger") }
func (l *badLogger) Error(...any)          { l.calls.Add(1); panic("logger") }

func TestLoggerThatPanicsDoesNoHarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := new(badLogger)
		m := start(t, taskmanager.WithLogger(l))
		runs := 0
		h := submit(t, m, &task{
			name: "a",
			execute: func(context.Context) error {
				if runs++; runs < 4 {
					panic("boom")
				}
				return nil
			},
			restart: func(context.Context, error) bool { return true },
		})
		if err := wait(t, h); err != nil || runs != 4 {
			t.Errorf("ended with %v after %d runs, want nil after 4", err, runs)
		}
		if l.calls.Load() == 0 {
			t.Error("the logger was never called: the test shows nothing")
		}
	})
}

// recorder is a logger that keeps the messages.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

func (r *recorder) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

// String returns all messages so far.
func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

func (r *recorder) Infof(f string, a ...any)  { r.add("info " + fmt.Sprintf(f, a...)) }
func (r *recorder) Info(a ...any)             { r.add("info " + fmt.Sprint(a...)) }
func (r *recorder) Errorf(f string, a ...any) { r.add("error " + fmt.Sprintf(f, a...)) }
func (r *recorder) Error(a ...any)            { r.add("error " + fmt.Sprint(a...)) }

func TestFailuresAndRestartsAreLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log recorder
		m := start(t, taskmanager.WithLogger(&log), taskmanager.WithName("mail"), taskmanager.WithWorkers(1, 1))
		await(t, submitFunc(t, m, "plain", func(context.Context) error { return errFailed }))
		synctest.Wait() // the message is logged after the end
		asked := 0
		await(t, submit(t, m, &task{
			name:    "again",
			execute: func(context.Context) error { return errFailed },
			restart: func(context.Context, error) bool { asked++; return asked == 1 },
		}))
		await(t, submitFunc(t, m, "fine", fn0))
		synctest.Wait()
		want := []string{
			`error taskmanager "mail": task "plain" failed: failed`,
			`info taskmanager "mail": task "again" restarts in 0s after failure 1 in a row: failed`,
			`error taskmanager "mail": task "again" failed: failed`,
		}
		if diff := cmp.Diff(want, log.lines); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

// TestBlockedStatusBlocksNothingElse checks that everything else continues while Progress
// and Description block.
func TestBlockedStatusBlocksNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 4))
		release := make(chan struct{})
		submit(t, m, &task{
			name:     "progress",
			execute:  untilCancelled,
			progress: func() (float64, error) { <-release; return 0.5, nil },
		})
		submit(t, m, &task{
			name:     "describe",
			execute:  untilCancelled,
			describe: func() string { <-release; return "slow" },
		})
		asked := make(chan map[string]taskmanager.TaskStatus)
		go func() { asked <- m.TaskStatus() }()
		synctest.Wait()
		if err := wait(t, submitFunc(t, m, "other", fn0)); err != nil {
			t.Errorf("a task during the blocked status: %v", err)
		}
		if got := len(m.Status()); got < 2 {
			t.Errorf("Status during the blocked one lists %d workers, want 2 at least", got)
		}
		stop(t, m)
		close(release)
		if got := <-asked; len(got) != 0 {
			t.Errorf("the blocked status returned %v, want no task that ended meanwhile", got)
		}
	})
}

func TestBlockedRestartIsNamedByStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		release := make(chan struct{})
		h := submit(t, m, &task{
			name:    "slow to decide",
			execute: func(context.Context) error { return errFailed },
			restart: func(context.Context, error) bool { <-release; return true },
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Stop(ctx); err == nil || !strings.Contains(err.Error(), "slow to decide") {
			t.Errorf("Stop returned %v, want the name of the task", err)
		}
		close(release)
		if err := wait(t, h); !errors.Is(err, taskmanager.ErrStopped) || !errors.Is(err, errFailed) {
			t.Errorf("ended with %v, want ErrStopped and the failure, not a restart", err)
		}
	})
}

func TestGoexitInRestartEndsTheTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		for _, execute := range []func(context.Context) error{
			func(context.Context) error { return errFailed },
			func(context.Context) error { panic(errFailed) },
			func(context.Context) error { runtime.Goexit(); return nil },
		} {
			h := submit(t, m, &task{
				name:    "a",
				execute: execute,
				restart: func(context.Context, error) bool { runtime.Goexit(); return true },
			})
			if err := wait(t, h); !errors.Is(err, taskmanager.ErrGoexit) {
				t.Errorf("ended with %v, want ErrGoexit", err)
			}
			if err := wait(t, submitFunc(t, m, "next", fn0)); err != nil {
				t.Errorf("the next task: %v", err)
			}
		}
		if got := len(m.Status()); got != 1 {
			t.Errorf("%d workers, want 1", got)
		}
	})
}

// badPolicy is a restart policy that panics.
type badPolicy struct{}

func (badPolicy) Next(restart.Failure) (time.Duration, bool) { panic("policy") }

// exitingPolicy ends the goroutine that asks it.
type exitingPolicy struct{}

func (exitingPolicy) Next(restart.Failure) (time.Duration, bool) { runtime.Goexit(); return 0, true }

func TestPolicyThatCallsGoexitEndsTheTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithRestart(exitingPolicy{}), taskmanager.WithRestartPlain())
		h := submitFunc(t, m, "a", func(context.Context) error { return errFailed })
		if err := wait(t, h); !errors.Is(err, taskmanager.ErrGoexit) || !errors.Is(err, errFailed) {
			t.Errorf("ended with %v, want the failure and ErrGoexit", err)
		}
		await(t, submitFunc(t, m, "next", fn0))
	})
}

func TestPolicyThatPanicsEndsTheTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithRestart(badPolicy{}))
		h := submit(t, m, &task{
			name:    "a",
			execute: func(context.Context) error { return errFailed },
			restart: func(context.Context, error) bool { return true },
		})
		var pe *taskmanager.PanicError
		if err := wait(t, h); !errors.As(err, &pe) || !errors.Is(err, errFailed) {
			t.Errorf("ended with %v, want the failure and a *PanicError", err)
		}
	})
}

func TestLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 2), taskmanager.WithLimit(1, taskmanager.Reject))
		for _, name := range []string{"runs", "runs too", "waits"} {
			submitFunc(t, m, name, untilCancelled)
		}
		if _, err := m.GoFunc("no room", untilCancelled); !errors.Is(err, taskmanager.ErrQueueFull) {
			t.Errorf("a submit beyond the limit: %v, want ErrQueueFull", err)
		}
		if _, there := m.TaskStatus()["no room"]; there {
			t.Error("the refused task is listed")
		}
	})
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.Block))
		first := submitFunc(t, m, "runs", untilCancelled)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.SubmitFunc(ctx, "waits in vain", fn0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a submit that waits for room until its deadline: %v", err)
		}
		time.AfterFunc(time.Second, first.Cancel)
		if err := wait(t, submitFunc(t, m, "waits", fn0)); err != nil {
			t.Errorf("the task that got the room: %v", err)
		}
	})
}

func TestCancelWhileQueuedFreesNameAndRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.Reject))
		submitFunc(t, m, "runs", untilCancelled)
		for range 100 {
			h := submitFunc(t, m, "waits", untilCancelled)
			h.Cancel()
			h.Cancel() // has no effect
			if err := h.Err(); !errors.Is(err, taskmanager.ErrCancelled) || !errors.Is(err, context.Canceled) {
				t.Fatalf("ended with %v at once, want ErrCancelled", err)
			}
		}
	})
}

type contextKey struct{}

func TestContextOfATask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		request, done := context.WithCancel(context.WithValue(t.Context(), contextKey{}, "value"))
		var contexts []context.Context
		h, err := m.Submit(request, &task{
			name: "a",
			execute: func(ctx context.Context) error {
				if got := ctx.Value(contextKey{}); got != "value" {
					t.Errorf("the task's context has value %v, want that of the submit", got)
				}
				time.Sleep(time.Second)
				if err := ctx.Err(); err != nil {
					t.Errorf("the end of the request ended the task's context: %v", err)
				}
				contexts = append(contexts, ctx)
				return errFailed
			},
			restart: func(context.Context, error) bool { return len(contexts) < 2 },
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		done()
		await(t, h)
		if len(contexts) != 2 || contexts[0] == contexts[1] {
			t.Fatalf("%d executions, want 2 with a context each", len(contexts))
		}
		for i, ctx := range contexts {
			if ctx.Err() == nil {
				t.Errorf("the context of execution %d outlives it", i+1)
			}
			<-ctx.Done() // must be closed although Done was not called before
		}
	})
}

func TestStatusOfATask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		time.Sleep(time.Second)
		queuedAt := time.Now()
		h := submit(t, m, &task{
			name:     "a",
			execute:  untilCancelled,
			progress: func() (float64, error) { return 0.25, errFailed },
			describe: func() string { return "computes" },
		})
		later, err := m.SubmitFunc(t.Context(), "b", fn0, taskmanager.WithDescription("comes later"))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		want := map[string]taskmanager.TaskStatus{
			"a": {
				Name: "a", Kind: "*taskmanager_test.task", Attempt: 1, Worker: 1, Status: taskmanager.Running, Description: "computes",
				Progress: 0.25, ProgressError: errFailed, QueuedAt: queuedAt, StartedAt: queuedAt,
			},
			"b": {Name: "b", Kind: "func", Attempt: 1, Status: taskmanager.NotAssigned, Description: "comes later", QueuedAt: queuedAt},
		}
		sameError := cmp.Comparer(errors.Is)
		if diff := cmp.Diff(want, m.TaskStatus(), sameError); diff != "" {
			t.Errorf("TaskStatus (-want +got):\n%s", diff)
		}
		h.Cancel()
		await(t, later)
		if got := later.Status(); got.Status != taskmanager.Finished || got.Status.String() != "finished" {
			t.Errorf("status after the end is %v, want finished", got.Status)
		}
		if diff := cmp.Diff(map[string]taskmanager.TaskStatus{}, m.TaskStatus(), sameError); diff != "" {
			t.Errorf("TaskStatus after the end (-want +got):\n%s", diff)
		}
	})
}

func TestLongRunForgivesEarlierFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithRestart(restart.Exponential(time.Hour, time.Hour)))
		runs := 0
		h := submit(t, m, &task{
			name: "a",
			execute: func(context.Context) error {
				if runs++; runs == 3 {
					return nil
				}
				time.Sleep(time.Hour) // long enough to reset the policy
				return errFailed
			},
			restart: func(context.Context, error) bool { return true },
		})
		begin := time.Now()
		if err := h.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(begin); got != 2*time.Hour {
			t.Errorf("two runs of an hour and two restarts took %v, want 2h: each failure is the first of a row", got)
		}
	})
}

func TestCancellationDuringARetryKeepsTheFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		runs := 0
		h := submit(t, m, &task{
			name: "a",
			execute: func(ctx context.Context) error {
				if runs++; runs == 1 {
					return errFailed
				}
				<-ctx.Done()
				return context.Cause(ctx)
			},
			restart: func(context.Context, error) bool { return true },
		})
		synctest.Wait()
		h.Cancel()
		if err := wait(t, h); !errors.Is(err, taskmanager.ErrCancelled) || !errors.Is(err, errFailed) {
			t.Errorf("ended with %v, want ErrCancelled and the failure before", err)
		}
	})
}

func TestNameOfTheManagerIsNotAFormat(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log recorder
		m := start(t, taskmanager.WithLogger(&log), taskmanager.WithName("50%done"))
		await(t, submitFunc(t, m, "a", func(context.Context) error { return errFailed }))
		synctest.Wait()
		if diff := cmp.Diff([]string{`error taskmanager "50%done": task "a" failed: failed`}, log.lines); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestPanicIsLoggedWithItsStack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log recorder
		m := start(t, taskmanager.WithLogger(&log))
		await(t, submitFunc(t, m, "a", func(context.Context) error { panic("boom") }))
		synctest.Wait()
		if len(log.lines) != 1 || !strings.Contains(log.lines[0], "boom") || !strings.Contains(log.lines[0], "TestPanicIsLoggedWithItsStack") {
			t.Errorf("log is %q, want one line with the value and the stack", log.lines)
		}
	})
}
