package failsafe_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	failsafego "github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/seed56799101/taskmanager/adapters/failsafe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// observed runs a test with a manager that notes how its last execution ended.
func observed(t *testing.T, policies policies, test func(t *testing.T, m *taskmanager.TaskManager, ended *error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var ended error
		observe := func(next taskmanager.Runner) taskmanager.Runner {
			return func(ctx context.Context, h *taskmanager.Handle) error {
				ended = next(ctx, h)
				return ended
			}
		}
		m, err := taskmanager.Start(taskmanager.WithWorkers(2, 2),
			taskmanager.WithMiddleware(observe, failsafe.Middleware(failsafego.With(policies()...))))
		if err != nil {
			t.Fatal(err)
		}
		test(t, m, &ended)
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestSuccessInSpiteOfACancellationIsSuccess(t *testing.T) {
	observed(t, with(retrypolicy.NewWithDefaults[any]()), func(t *testing.T, m *taskmanager.TaskManager, ended *error) {
		h := submit(t, m, "task", func(ctx context.Context) error { <-ctx.Done(); return nil })
		synctest.Wait()
		h.Cancel()
		if err := h.Wait(t.Context()); err != nil || *ended != nil {
			t.Errorf("it ended with %v, the execution with %v, want success", err, *ended)
		}
	})
}

func TestFailureAfterACancellationIsThatOfTheTask(t *testing.T) {
	observed(t, with(retrypolicy.NewWithDefaults[any]()), func(t *testing.T, m *taskmanager.TaskManager, ended *error) {
		h := submit(t, m, "task", func(ctx context.Context) error { <-ctx.Done(); return errFailed })
		synctest.Wait()
		h.Cancel()
		err := h.Wait(t.Context())
		if !errors.Is(err, taskmanager.ErrCancelled) || !errors.Is(err, errFailed) || *ended != errFailed { //nolint:errorlint // the error itself is wanted
			t.Errorf("it ended with %v, the execution with %v", err, *ended)
		}
	})
}

func TestCancellationBetweenRetries(t *testing.T) {
	observed(t, with(retrypolicy.NewBuilder[any]().WithDelay(time.Hour).Build()),
		func(t *testing.T, m *taskmanager.TaskManager, ended *error) {
			h := submit(t, m, "task", func(context.Context) error { return errFailed })
			time.Sleep(time.Minute)
			begin := time.Now()
			h.Cancel()
			err := h.Wait(t.Context())
			if !errors.Is(err, taskmanager.ErrCancelled) || !errors.Is(err, errFailed) || *ended != errFailed { //nolint:errorlint // the error itself is wanted
				t.Errorf("it ended with %v, the execution with %v", err, *ended)
			}
			if passed := time.Since(begin); passed != 0 {
				t.Errorf("it took %v", passed)
			}
		})
}

func TestCancellationWhileAPolicyWaits(t *testing.T) {
	limiter := func() []failsafego.Policy[any] {
		l := ratelimiter.NewSmoothBuilder[any](1, time.Hour).WithMaxWaitTime(time.Hour).Build()
		l.TryAcquirePermit()
		return with(l)()
	}
	full := func() []failsafego.Policy[any] {
		b := bulkhead.NewBuilder[any](1).WithMaxWaitTime(time.Hour).Build()
		b.TryAcquirePermit()
		return with(b)()
	}
	for name, policies := range map[string]policies{"rate limiter": limiter, "bulkhead": full} {
		observed(t, policies, func(t *testing.T, m *taskmanager.TaskManager, ended *error) {
			h := submit(t, m, "task", func(context.Context) error { t.Error(name, "let it run"); return nil })
			synctest.Wait()
			h.Cancel()
			if err := h.Wait(t.Context()); !errors.Is(err, taskmanager.ErrCancelled) || *ended != taskmanager.ErrCancelled { //nolint:errorlint // the error itself is wanted
				t.Errorf("%s: it ended with %v, the execution with %v", name, err, *ended)
			}
		})
	}
}

type key struct{}

func TestTasksGetTheirContext(t *testing.T) {
	ours := context.WithValue(context.Background(), key{}, "the executor's")
	executor := failsafego.With[any](retrypolicy.NewWithDefaults[any]()).WithContext(ours)
	m, err := taskmanager.Start(taskmanager.WithMiddleware(failsafe.Middleware(executor)))
	if err != nil {
		t.Fatal(err)
	}
	var got any
	h, err := m.SubmitFunc(context.WithValue(t.Context(), key{}, "the task's"), "task", func(ctx context.Context) error {
		got = ctx.Value(key{})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Wait(t.Context()); err != nil || got != "the task's" {
		t.Errorf("the value is %v; it ended with %v", got, err)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
