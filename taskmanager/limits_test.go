package taskmanager_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

type ctxKey struct{}

// TestCausesAndErrorsMatchTheReason checks that the cause of the task's context and the
// error of its handle match the reason of the end, and no other reason.
func TestCausesAndErrorsMatchTheReason(t *testing.T) {
	kinds := map[string]error{
		"user":        taskmanager.ErrCancelled,
		"time limit":  taskmanager.ErrTimeout,
		"deadline":    taskmanager.ErrDeadlineExceeded,
		"stop":        taskmanager.ErrStopped,
		"group":       taskmanager.ErrGroupFailed,
		"queue limit": taskmanager.ErrQueueTimeout,
	}
	ends := map[string]struct {
		opts []taskmanager.TaskOption
		end  func(t *testing.T, m *taskmanager.TaskManager, g *taskmanager.Group)
		err  error // the context's Err
	}{
		"user":       {end: func(_ *testing.T, m *taskmanager.TaskManager, _ *taskmanager.Group) { m.Cancel("task") }, err: context.Canceled},
		"time limit": {opts: []taskmanager.TaskOption{taskmanager.WithTimeout(time.Second)}, err: context.DeadlineExceeded},
		"deadline": {
			opts: []taskmanager.TaskOption{taskmanager.WithDeadline(time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)), taskmanager.WithTimeout(time.Minute)},
			err:  context.DeadlineExceeded,
		},
		"stop": {end: func(t *testing.T, m *taskmanager.TaskManager, _ *taskmanager.Group) { stop(t, m) }, err: context.Canceled},
		"group": {
			end: func(_ *testing.T, _ *taskmanager.TaskManager, g *taskmanager.Group) {
				_ = g.Go("other", func(context.Context) error { return errFailed })
			},
			err: context.Canceled,
		},
	}
	for name, test := range ends {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(0, 2))
			g := m.Group(context.WithValue(t.Context(), ctxKey{}, "value"))
			var cause, err error
			if failure := g.Go("task", func(ctx context.Context) error {
				<-ctx.Done()
				cause, err = context.Cause(ctx), ctx.Err()
				if ctx.Value(ctxKey{}) != "value" {
					t.Error("the task's context does not carry the value")
				}
				return err
			}, test.opts...); failure != nil {
				t.Fatal(failure)
			}
			h, _ := m.Lookup("task")
			synctest.Wait()
			if test.end != nil {
				test.end(t, m, g)
			}
			await(t, h)
			for kind, want := range kinds {
				if got := errors.Is(cause, want); got != (kind == name) {
					t.Errorf("%s: the cause %v matches %v: %v", name, cause, want, got)
				}
				if got := errors.Is(h.Err(), want); got != (kind == name) {
					t.Errorf("%s: the error %v matches %v: %v", name, h.Err(), want, got)
				}
			}
			if !errors.Is(err, test.err) {
				t.Errorf("%s: the context's error is %v, want %v", name, err, test.err)
			}
		})
	}
}

// TestTimeLimits checks the effect of each limit and its exact time.
func TestTimeLimits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		begin := time.Now()
		release := make(chan struct{})
		blocker := submitFunc(t, m, "blocker", func(context.Context) error { <-release; return nil })
		ended := func(h *taskmanager.Handle, want error, at time.Duration) {
			t.Helper()
			if err := wait(t, h); !errors.Is(err, want) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("task %s ended with %v, want %v", h.Name(), err, want)
			}
			if got := time.Since(begin); got != at {
				t.Errorf("task %s ended after %v, want %v", h.Name(), got, at)
			}
		}
		body := &task{name: "waits", execute: untilCancelled}
		waits := submit(t, m, body, taskmanager.WithQueueTimeout(time.Second))
		late := submit(t, m, &task{name: "late"}, taskmanager.WithDeadline(begin.Add(2*time.Second)))
		delayed := submit(t, m, &task{name: "delayed"}, taskmanager.WithDeadline(begin.Add(3*time.Second)), taskmanager.WithDelay(time.Hour))
		// For a delayed task the queue timeout begins when the task is due.
		due := submit(t, m, &task{name: "due"}, taskmanager.WithDelay(3*time.Second), taskmanager.WithQueueTimeout(time.Second))
		ended(waits, taskmanager.ErrQueueTimeout, time.Second)
		ended(late, taskmanager.ErrDeadlineExceeded, 2*time.Second)
		ended(delayed, taskmanager.ErrDeadlineExceeded, 3*time.Second)
		ended(due, taskmanager.ErrQueueTimeout, 4*time.Second)
		close(release)
		await(t, blocker)
		// The timeout begins with the execution, and applies to each execution.
		runs := 0
		again := &task{
			name: "again",
			execute: func(ctx context.Context) error {
				runs++
				if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != 5*time.Second {
					t.Errorf("the context's deadline is in %v, %v; want 5s", time.Until(deadline), ok)
				}
				return untilCancelled(ctx)
			},
			restart: func(_ context.Context, err error) bool { return errors.Is(err, taskmanager.ErrTimeout) && runs < 3 },
		}
		begin = time.Now()
		ended(submit(t, m, again, taskmanager.WithTimeout(5*time.Second), taskmanager.WithRestart(fixedDelay(time.Second))),
			taskmanager.ErrTimeout, (3*5+2)*time.Second)
		// A task that exceeds its limits but returns nil has succeeded.
		begin = time.Now()
		slow := submit(t, m, &task{name: "slow", execute: func(context.Context) error { time.Sleep(30 * time.Second); return nil }},
			taskmanager.WithTimeout(time.Second), taskmanager.WithDeadline(begin.Add(time.Second)))
		if err := wait(t, slow); err != nil {
			t.Errorf("a task that succeeded too late ended with %v, want nil", err)
		}
		if _, err := m.Submit(t.Context(), &task{name: "past"}, taskmanager.WithDeadline(begin)); !errors.Is(err, taskmanager.ErrDeadlineExceeded) {
			t.Errorf("a submit after the deadline returned %v, want ErrDeadlineExceeded", err)
		}
	})
}

// TestDeadlineEndsRestarts checks that a failed task does not restart after its deadline.
func TestDeadlineEndsRestarts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		h := submit(t, m, &task{
			name:    "fails",
			execute: func(context.Context) error { return errFailed },
			restart: func(context.Context, error) bool { return true },
		}, taskmanager.WithDeadline(time.Now().Add(time.Second+1)), taskmanager.WithRestart(fixedDelay(300*time.Millisecond)))
		err := wait(t, h)
		if !errors.Is(err, taskmanager.ErrDeadlineExceeded) || !errors.Is(err, errFailed) {
			t.Errorf("ended with %v, want ErrDeadlineExceeded and the failure", err)
		}
		check.Equal(t, "restarts", h.Status().Restarts, 4)
	})
}

// TestSubmitThatWaitsForRoomEnds ends the task of a waiting submit by Cancel, queue timeout
// and deadline.
func TestSubmitThatWaitsForRoomEnds(t *testing.T) {
	ends := map[string]struct {
		opts []taskmanager.TaskOption
		end  func(m *taskmanager.TaskManager)
		want error
	}{
		"cancel":     {end: func(m *taskmanager.TaskManager) { m.Cancel("late") }, want: taskmanager.ErrCancelled},
		"queue time": {opts: []taskmanager.TaskOption{taskmanager.WithQueueTimeout(time.Second)}, want: taskmanager.ErrQueueTimeout},
		"deadline":   {opts: []taskmanager.TaskOption{taskmanager.WithDeadline(time.Now().Add(time.Hour))}, want: taskmanager.ErrDeadlineExceeded},
	}
	for name, test := range ends {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.Block))
			blocker := submitFunc(t, m, "blocker", untilCancelled)
			queued := submitFunc(t, m, "queued", fn0)
			if name == "deadline" {
				test.opts[0] = taskmanager.WithDeadline(time.Now().Add(time.Second))
			}
			var err error
			returned := make(chan struct{})
			go func() {
				defer close(returned)
				_, err = m.SubmitFunc(context.Background(), "late", fn0, test.opts...)
			}()
			synctest.Wait()
			if isClosed(returned) {
				t.Fatalf("%s: the submit did not wait: %v", name, err)
			}
			if test.end != nil {
				test.end(m)
			}
			<-returned
			if !errors.Is(err, test.want) {
				t.Errorf("%s: the submit returned %v, want %v", name, err, test.want)
			}
			if got, want := errors.Is(err, context.Canceled), name == "cancel"; got != want {
				t.Errorf("%s: that the submit returned %v matches Canceled: %v, want %v", name, err, got, want)
			}
			if _, ok := m.Lookup("late"); ok {
				t.Errorf("%s: the name is taken still", name)
			}
			blocker.Cancel()
			await(t, blocker)
			await(t, queued)
		})
	}
}

// TestLinkedContext checks that the end of the submit's context ends a linked task in every
// state, and no other task.
func TestLinkedContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 2))
		ctx, cancel := context.WithCancelCause(t.Context())
		handles := map[string]*taskmanager.Handle{}
		for _, name := range []string{"runs", "not linked", "queued", "delayed"} {
			var opts []taskmanager.TaskOption
			if name != "not linked" {
				opts = append(opts, taskmanager.WithLinkedContext())
			}
			if name == "delayed" {
				opts = append(opts, taskmanager.WithDelay(time.Hour))
			}
			h, err := m.SubmitFunc(ctx, name, untilCancelled, opts...)
			if err != nil {
				t.Fatal(err)
			}
			handles[name] = h
		}
		synctest.Wait()
		cancel(errFailed)
		synctest.Wait()
		for name, h := range handles {
			if linked := name != "not linked"; isClosed(h.Done()) != linked {
				t.Errorf("task %q has ended: %v", name, !linked)
			} else if err := h.Err(); linked && (!errors.Is(err, taskmanager.ErrCancelled) || !errors.Is(err, errFailed)) {
				t.Errorf("task %q ended with %v, want ErrCancelled and why the context ended", name, err)
			}
		}
		if _, err := m.SubmitFunc(ctx, "later", fn0, taskmanager.WithLinkedContext()); !errors.Is(err, errFailed) {
			t.Errorf("a submit with a context that has ended returned %v", err)
		}
	})
}

// TestDeadlinePassedAndContextEnded checks that the end of the context is reported first: the
// submitter has given up, and need not learn that the task would have been late.
func TestDeadlinePassedAndContextEnded(t *testing.T) {
	m := start(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := m.SubmitFunc(ctx, "late", fn0, taskmanager.WithDeadline(time.Now().Add(-time.Hour)))
	check.Is(t, "SubmitFunc", err, context.Canceled)
}
