package failsafe_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	failsafego "github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/fallback"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"
	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/failsafe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

var errFailed = errors.New("failed")

// policies makes them, in the bubble: they take its time from the start.
type policies func() []failsafego.Policy[any]

// around runs a test in virtual time, with a manager that has policies around its tasks.
func around(t *testing.T, policies policies, test func(t *testing.T, m *taskmanager.TaskManager)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, err := taskmanager.Start(taskmanager.WithWorkers(1, 10),
			taskmanager.WithMiddleware(failsafe.Middleware(failsafego.With(policies()...))))
		if err != nil {
			t.Fatal(err)
		}
		test(t, m)
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func with(list ...failsafego.Policy[any]) policies {
	return func() []failsafego.Policy[any] { return list }
}

func submit(t *testing.T, m *taskmanager.TaskManager, name string, fn func(context.Context) error) *taskmanager.Handle {
	t.Helper()
	h, err := m.SubmitFunc(t.Context(), name, fn)
	if err != nil {
		t.Fatalf("SubmitFunc(%q): %v", name, err)
	}
	return h
}

func TestErrorsOfTasksComeBackAsTheyAre(t *testing.T) {
	retries := retrypolicy.NewBuilder[any]().ReturnLastFailure().Build()
	several := with(retries, circuitbreaker.NewWithDefaults[any](), bulkhead.New[any](3), timeout.New[any](time.Hour))
	around(t, several, func(t *testing.T, m *taskmanager.TaskManager) {
		if err := submit(t, m, "good", func(context.Context) error { return nil }).Wait(t.Context()); err != nil {
			t.Errorf("a task that succeeds: %v", err)
		}
	})
	around(t, with(retries), func(t *testing.T, m *taskmanager.TaskManager) {
		attempts := 0
		err := submit(t, m, "bad", func(context.Context) error { attempts++; return errFailed }).Wait(t.Context())
		if err != errFailed || attempts != 3 { //nolint:errorlint // the error itself is wanted
			t.Errorf("after %d attempts, want 3: %v, want the error of the task", attempts, err)
		}
	})
}

func TestRateLimiterSpreadsTasksOverTime(t *testing.T) {
	limiter := func() []failsafego.Policy[any] {
		return with(ratelimiter.NewSmoothBuilder[any](1, time.Second).WithMaxWaitTime(2500 * time.Millisecond).Build())()
	}
	around(t, limiter, func(t *testing.T, m *taskmanager.TaskManager) {
		begin := time.Now()
		ends := map[string]int{}
		var handles []*taskmanager.Handle
		for i := range 5 {
			handles = append(handles, submit(t, m, fmt.Sprint(i), func(context.Context) error {
				if since := time.Since(begin); since%time.Second != 0 {
					return fmt.Errorf("ran after %v", since)
				}
				return nil
			}))
		}
		for _, h := range handles {
			err := h.Wait(t.Context())
			ends[fmt.Sprint(err)]++
			if err != nil && !errors.Is(err, ratelimiter.ErrExceeded) {
				t.Errorf("task %s: %v", h.Name(), err)
			}
		}
		if diff := cmp.Diff(map[string]int{"<nil>": 3, "rate limit exceeded": 2}, ends); diff != "" {
			t.Errorf("ends (-want +got):\n%s", diff)
		}
		if passed := time.Since(begin); passed != 2*time.Second {
			t.Errorf("it took %v, want 2s", passed)
		}
	})
}

func TestBulkheadLimitsHowManyRun(t *testing.T) {
	around(t, with(bulkhead.New[any](2)), func(t *testing.T, m *taskmanager.TaskManager) {
		sleep := func(context.Context) error { time.Sleep(time.Minute); return nil }
		first, second := submit(t, m, "1", sleep), submit(t, m, "2", sleep)
		synctest.Wait()
		if err := submit(t, m, "3", sleep).Wait(t.Context()); !errors.Is(err, bulkhead.ErrFull) {
			t.Errorf("the third task: %v", err)
		}
		if err := errors.Join(first.Wait(t.Context()), second.Wait(t.Context())); err != nil {
			t.Error(err)
		}
		if err := submit(t, m, "4", sleep).Wait(t.Context()); err != nil {
			t.Errorf("when there is room again: %v", err)
		}
	})
}

func TestRetriesWaitAndTellOfTheLastFailure(t *testing.T) {
	around(t, with(retrypolicy.NewBuilder[any]().WithDelay(time.Minute).Build()), func(t *testing.T, m *taskmanager.TaskManager) {
		begin := time.Now()
		var at []time.Duration
		err := submit(t, m, "bad", func(context.Context) error {
			at = append(at, time.Since(begin))
			return errFailed
		}).Wait(t.Context())
		if !errors.Is(err, retrypolicy.ErrExceeded) || !errors.Is(err, errFailed) {
			t.Errorf("it ended with %v", err)
		}
		if diff := cmp.Diff([]time.Duration{0, time.Minute, 2 * time.Minute}, at); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
	})
}

func TestTimeoutEndsTheContextAndWaits(t *testing.T) {
	around(t, with(timeout.New[any](time.Minute)), func(t *testing.T, m *taskmanager.TaskManager) {
		returned := false
		err := submit(t, m, "slow", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Minute)
			returned = true
			return errFailed
		}).Wait(t.Context())
		if !errors.Is(err, timeout.ErrExceeded) || !returned {
			t.Errorf("returned: %t; it ended with %v", returned, err)
		}
	})
}

func TestPanicsCountWithThePolicies(t *testing.T) {
	breaker := circuitbreaker.NewBuilder[any]().WithFailureThreshold(1).Build()
	around(t, with(bulkhead.New[any](1), breaker), func(t *testing.T, m *taskmanager.TaskManager) {
		err := submit(t, m, "bad", func(context.Context) error { panic(errFailed) }).Wait(t.Context())
		var crash *taskmanager.PanicError
		if !errors.As(err, &crash) || !errors.Is(err, errFailed) || !strings.Contains(string(crash.Stack), "TestPanicsCount") {
			t.Errorf("it ended with %v", err)
		}
		err = submit(t, m, "next", func(context.Context) error { return nil }).Wait(t.Context())
		if !errors.Is(err, circuitbreaker.ErrOpen) { // and not bulkhead.ErrFull
			t.Errorf("the next task: %v", err)
		}
	})
}

func TestPanicsAreRetried(t *testing.T) {
	around(t, with(retrypolicy.NewWithDefaults[any]()), func(t *testing.T, m *taskmanager.TaskManager) {
		attempts := 0
		err := submit(t, m, "moody", func(context.Context) error {
			if attempts++; attempts == 1 {
				panic("moody")
			}
			return nil
		}).Wait(t.Context())
		if err != nil || attempts != 2 {
			t.Errorf("%d attempts, ended with %v", attempts, err)
		}
	})
}

func TestPanicsOfPoliciesReachTheManager(t *testing.T) {
	retries := retrypolicy.NewBuilder[any]().HandleIf(func(any, error) bool { panic("policy") }).Build()
	around(t, with(retries), func(t *testing.T, m *taskmanager.TaskManager) {
		err := submit(t, m, "task", func(context.Context) error { return nil }).Wait(t.Context())
		var crash *taskmanager.PanicError
		if !errors.As(err, &crash) || crash.Value != "policy" {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestGoexitGoesPastThePolicies(t *testing.T) {
	around(t, with(retrypolicy.NewWithDefaults[any]()), func(t *testing.T, m *taskmanager.TaskManager) {
		err := submit(t, m, "bad", func(context.Context) error { runtime.Goexit(); return nil }).Wait(t.Context())
		if !errors.Is(err, taskmanager.ErrGoexit) {
			t.Errorf("it ended with %v", err)
		}
		if err := submit(t, m, "next", func(context.Context) error { return nil }).Wait(t.Context()); err != nil {
			t.Errorf("the next task: %v", err)
		}
	})
}

// TestNotYetIsASuccessForThePolicies lets a task postpone itself more often than a retry policy and a
// circuit breaker accept failures, after one failure, which is retried.
func TestNotYetIsASuccessForThePolicies(t *testing.T) {
	fallbacks := 0
	noted := fallback.NewBuilderWithFunc(func(failsafego.Execution[any]) (any, error) { fallbacks++; return nil, nil }).Build()
	breaker := circuitbreaker.NewBuilder[any]().WithFailureThreshold(2).Build()
	around(t, with(noted, retrypolicy.NewWithDefaults[any](), breaker), func(t *testing.T, m *taskmanager.TaskManager) {
		begin := time.Now()
		var at []time.Duration
		err := submit(t, m, "polls", func(context.Context) error {
			at = append(at, time.Since(begin))
			switch len(at) {
			case 1:
				return errFailed
			case 6:
				return nil
			}
			return fmt.Errorf("no file: %w", taskmanager.NotYet(time.Minute))
		}).Wait(t.Context())
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
		if diff := cmp.Diff([]time.Duration{0, 0, time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute}, at); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if m := breaker.Metrics(); fallbacks != 0 || !breaker.IsClosed() || m.Successes() == 0 {
			t.Errorf("%d fallbacks, the breaker is %v after %d successes", fallbacks, breaker.State(), m.Successes())
		}
	})
}

// TestNotYetDoesNotHideAFailure joins it to a failure, and panics with it: the manager does not
// postpone these executions, so they are failures for the policies too.
func TestNotYetDoesNotHideAFailure(t *testing.T) {
	later := taskmanager.NotYet(time.Minute)
	for name, fn := range map[string]func(context.Context) error{
		"joined":          func(context.Context) error { return fmt.Errorf("both: %w", errors.Join(errFailed, later)) },
		"panic":           func(context.Context) error { panic(later) },
		"panic elsewhere": func(context.Context) error { return fmt.Errorf("of a task: %w", &taskmanager.PanicError{Value: later}) },
	} {
		breaker := circuitbreaker.NewBuilder[any]().WithFailureThreshold(1).Build()
		around(t, with(breaker), func(t *testing.T, m *taskmanager.TaskManager) {
			err := submit(t, m, "bad", fn).Wait(t.Context())
			if !errors.Is(err, later) || !breaker.IsOpen() {
				t.Errorf("%s: it ended with %v, the breaker is %v", name, err, breaker.State())
			}
		})
	}
}

// TestNotYetOfAnAttemptThatTimesOut: the failure is that of the policy, so the task is not postponed.
func TestNotYetOfAnAttemptThatTimesOut(t *testing.T) {
	around(t, with(timeout.New[any](time.Minute)), func(t *testing.T, m *taskmanager.TaskManager) {
		err := submit(t, m, "slow", func(ctx context.Context) error { <-ctx.Done(); return taskmanager.NotYet(time.Hour) }).Wait(t.Context())
		if !errors.Is(err, timeout.ErrExceeded) {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestHedgesDoNotRunTheTask(t *testing.T) {
	around(t, with(hedgepolicy.NewWithDelay[any](time.Second)), func(t *testing.T, m *taskmanager.TaskManager) {
		err := submit(t, m, "task", func(context.Context) error { t.Error("it ran"); return nil }).Wait(t.Context())
		if !errors.Is(err, failsafe.ErrGoroutine) {
			t.Errorf("it ended with %v", err)
		}
	})
}

// TestManyPolicies: the stack of an attempt is deep.
func TestManyPolicies(t *testing.T) {
	many := make([]failsafego.Policy[any], 50)
	for i := range many {
		many[i] = bulkhead.New[any](1)
	}
	around(t, with(many...), func(t *testing.T, m *taskmanager.TaskManager) {
		if err := submit(t, m, "task", func(context.Context) error { return nil }).Wait(t.Context()); err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestNilExecutor(t *testing.T) {
	_, err := taskmanager.Start(taskmanager.WithMiddleware(failsafe.Middleware[any](nil)))
	if err == nil || !strings.Contains(err.Error(), "failsafe: nil executor; make one with failsafe.With") {
		t.Errorf("Start: %v", err)
	}
}
