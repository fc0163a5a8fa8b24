package taskmanager_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestPostponedTasks checks that a postponed task reserves its name, reports when it is
// due, uses neither a worker nor room in the queue, and then runs in time.
func TestPostponedTasks(t *testing.T) {
	begin := 3 * time.Second
	for name, opts := range map[string]func() []taskmanager.TaskOption{
		"delay": func() []taskmanager.TaskOption { return []taskmanager.TaskOption{taskmanager.WithDelay(begin)} },
		"time": func() []taskmanager.TaskOption {
			return []taskmanager.TaskOption{taskmanager.WithNotBefore(time.Now().Add(begin))}
		},
		"time after a delay": func() []taskmanager.TaskOption {
			return []taskmanager.TaskOption{taskmanager.WithDelay(1), taskmanager.WithNotBefore(time.Now().Add(begin))}
		},
		"delay after a time": func() []taskmanager.TaskOption {
			return []taskmanager.TaskOption{taskmanager.WithNotBefore(time.Now()), taskmanager.WithDelay(begin)}
		},
	} {
		for _, overflow := range []taskmanager.Overflow{taskmanager.Block, taskmanager.Reject} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, overflow))
					now := time.Now()
					h := submit(t, m, &task{name: "later"}, opts()...)
					time.Sleep(begin - 1)
					synctest.Wait()
					s := m.TaskStatus()["later"]
					if s.Status != taskmanager.NotAssigned || !s.DueAt.Equal(now.Add(begin)) || isClosed(h.Started()) {
						t.Errorf("before its time the status is %v, due %v; want not assigned, due %v", s.Status, s.DueAt, now.Add(begin))
					}
					if _, err := m.GoFunc("later", fn0); !errors.Is(err, taskmanager.ErrAlreadyExists) {
						t.Errorf("its name: %v, want ErrAlreadyExists", err)
					}
					await(t, submitFunc(t, m, "another", fn0)) // there is room for this task
					time.Sleep(time.Nanosecond)
					synctest.Wait()
					if s := h.Status(); !isClosed(h.Done()) || h.Err() != nil || !s.StartedAt.Equal(now.Add(begin)) || !s.DueAt.IsZero() || !s.QueuedAt.Equal(s.StartedAt) {
						t.Errorf("after its time it ended: %v, with %v: %+v", isClosed(h.Done()), h.Err(), s)
					}
				})
			})
		}
	}
}

// TestPostponedTasksEndEarly checks that Cancel and Stop end a postponed task at once.
func TestPostponedTasksEndEarly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		one := submit(t, m, &task{name: "one"}, taskmanager.WithDelay(time.Hour))
		other := submit(t, m, &task{name: "other"}, taskmanager.WithDelay(time.Hour))
		one.Cancel()
		if err := one.Err(); !isClosed(one.Done()) || !isClosed(one.Started()) || !errors.Is(err, taskmanager.ErrCancelled) {
			t.Errorf("the cancelled task ended: %v, with %v; want ErrCancelled", isClosed(one.Done()), err)
		}
		await(t, submitFunc(t, m, "one", fn0))
		stop(t, m)
		if err := other.Err(); !isClosed(other.Done()) || !errors.Is(err, taskmanager.ErrStopped) {
			t.Errorf("the other one ended: %v, with %v; want ErrStopped", isClosed(other.Done()), err)
		}
		if _, err := m.Submit(context.Background(), &task{name: "late"}, taskmanager.WithDelay(time.Hour)); !errors.Is(err, taskmanager.ErrStopped) {
			t.Errorf("a submit after Stop returned %v, want ErrStopped", err)
		}
	})
}

// TestPostponedTasksRestart checks that a postponed task restarts like others.
func TestPostponedTasksRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithRestart(fixedDelay(time.Second)))
		runs := 0
		h := submit(t, m, &task{
			name:    "later",
			execute: func(context.Context) error { runs++; return errFailed },
			restart: func(context.Context, error) bool { return runs < 3 },
		}, taskmanager.WithDelay(time.Second))
		time.Sleep(1500 * time.Millisecond)
		if s := h.Status(); s.Status != taskmanager.Restarted || s.Restarts != 1 || time.Until(s.DueAt) != 500*time.Millisecond {
			t.Errorf("after the first run: %+v; want it to wait for its restart", s)
		}
		await(t, h)
		if runs != 3 {
			t.Errorf("it ran %d times, want 3", runs)
		}
	})
}

// TestDueWithoutDelay checks that a task with a zero delay or a time in the past runs at
// once, and that invalid delays are refused.
func TestDueWithoutDelay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		for _, o := range []taskmanager.TaskOption{taskmanager.WithDelay(0), taskmanager.WithNotBefore(time.Now()), taskmanager.WithNotBefore(time.Unix(1, 0))} {
			h := submit(t, m, &task{name: "now"}, o)
			synctest.Wait()
			if !isClosed(h.Done()) {
				t.Error("the task has not run")
			}
		}
		for _, o := range []taskmanager.TaskOption{taskmanager.WithDelay(-1), taskmanager.WithNotBefore(time.Time{})} {
			if _, err := m.Submit(context.Background(), &task{name: "bad"}, o); err == nil {
				t.Error("an impossible delay was accepted")
			}
		}
	})
}

// TestTasksWithShortDelaysCanBeCancelled uses delays so short that they end during the
// submit. It needs real time.
func TestTasksWithShortDelaysCanBeCancelled(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1))
	submitFunc(t, m, "busy", untilCancelled)
	for i := range 300 {
		h := submit(t, m, &task{name: "x"}, taskmanager.WithNotBefore(time.Now().Add(time.Duration(10*i))))
		h.Cancel()
		if err := wait(t, h); !errors.Is(err, taskmanager.ErrCancelled) {
			t.Fatalf("a task with a delay of %d ns ended with %v", 10*i, err)
		}
	}
}
