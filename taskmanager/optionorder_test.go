package taskmanager_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestLastOptionWins gives options of a manager twice, as callers that append to defaults
// do.
func TestLastOptionWins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ran := ""
		mark := func(name string) func(taskmanager.Runner) taskmanager.Runner {
			return func(next taskmanager.Runner) taskmanager.Runner {
				return func(ctx context.Context, h *taskmanager.Handle) error { ran += name; return next(ctx, h) }
			}
		}
		defaults := []taskmanager.Option{
			taskmanager.WithWorkers(7, 9), taskmanager.WithHistory(1), taskmanager.WithLimit(1, taskmanager.Reject),
			taskmanager.WithRestart(restart.Constant(time.Hour)), taskmanager.WithMiddleware(mark("first ")),
		}
		m := start(t, append(defaults, taskmanager.WithWorkers(1, 2), taskmanager.WithHistory(2),
			taskmanager.WithLimit(5, taskmanager.Block), taskmanager.WithRestart(restart.Never()), taskmanager.WithMiddleware(mark("last ")))...)
		s := m.Snapshot()
		check.Equal(t, "bounds", []int{s.Min, s.Max}, []int{1, 2})
		for _, name := range []string{"a", "b", "c"} {
			await(t, submitFunc(t, m, name, fn0))
		}
		check.Equal(t, "records", len(m.History()), 2)
		check.Equal(t, "middleware", ran, "last last last ")
	})
}

// TestLastTaskOptionWins gives options of a task twice.
func TestLastTaskOptionWins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		begin := time.Now()
		deadline := begin.Add(time.Hour)
		h := submitFunc(t, m, "a", func(ctx context.Context) error {
			if at, _ := ctx.Deadline(); at != begin.Add(3*time.Second) {
				t.Errorf("the deadline of the execution is %v after the submit, want 3s", at.Sub(begin))
			}
			return errFailed
		},
			taskmanager.WithDelay(time.Hour), taskmanager.WithNotBefore(begin.Add(time.Hour)),
			taskmanager.WithTimeout(time.Hour), taskmanager.WithQueueTimeout(time.Nanosecond), taskmanager.WithDeadline(begin.Add(time.Minute)),
			taskmanager.WithKey("first"), taskmanager.WithCost(1), taskmanager.WithPriority(1), taskmanager.WithDescription("first"),
			taskmanager.WithRestart(restart.Constant(0)),

			taskmanager.WithDelay(time.Second), taskmanager.WithNotBefore(begin.Add(time.Second)),
			taskmanager.WithTimeout(2*time.Second), taskmanager.WithQueueTimeout(time.Hour), taskmanager.WithDeadline(deadline),
			taskmanager.WithKey("last"), taskmanager.WithCost(2), taskmanager.WithPriority(2), taskmanager.WithDescription("last"),
			taskmanager.WithRestart(restart.Never()),
		)
		synctest.Wait()
		check.Equal(t, "description", h.Status().Description, "last")
		await(t, h)
		check.Equal(t, "it ran after", time.Since(begin), time.Second)
		at, _ := h.Deadline()
		check.Equal(t, "attributes", []any{h.Key(), h.Cost(), h.Priority(), at}, []any{"last", int64(2), 2, deadline})
		check.Equal(t, "restarts", h.Status().Restarts, 0)
	})
}

// TestLastGroupOptionWins gives options of a group twice.
func TestLastGroupOptionWins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := start(t, taskmanager.WithWorkers(0, 4)).Group(t.Context(), taskmanager.WithGroupLimit(1), taskmanager.WithGroupLimit(2))
		release := make(chan struct{})
		var started atomic.Int32
		go func() {
			for _, name := range []string{"a", "b", "c"} {
				_ = g.Go(name, func(context.Context) error { started.Add(1); <-release; return nil })
			}
		}()
		synctest.Wait()
		check.Equal(t, "members of the group under way", started.Load(), 2)
		close(release)
		synctest.Wait()
		if err := g.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
