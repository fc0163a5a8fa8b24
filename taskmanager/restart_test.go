package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// counted returns a function that fails n times, and counts its calls.
func counted(n int, runs *int) func(context.Context) error {
	return func(context.Context) error {
		if *runs++; *runs <= n {
			return errFailed
		}
		return nil
	}
}

// TestPlainTasksRestartWhenAsked checks that functions, and tasks without a Restart method,
// restart if they have a policy of their own or the manager has WithRestartPlain.
func TestPlainTasksRestartWhenAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		constant := restart.Constant(time.Second)
		silent := start(t, taskmanager.WithRestart(constant))
		all := start(t, taskmanager.WithRestart(constant), taskmanager.WithRestartPlain())
		for name, test := range map[string]struct {
			m    *taskmanager.TaskManager
			opts []taskmanager.TaskOption
			want int
		}{
			"not asked":                 {silent, nil, 1},
			"policy of the task":        {silent, []taskmanager.TaskOption{taskmanager.WithRestart(constant)}, 4},
			"all of the manager":        {all, nil, 4},
			"none of the task":          {all, []taskmanager.TaskOption{taskmanager.WithRestart(restart.Never())}, 1},
			"only so often":             {all, []taskmanager.TaskOption{taskmanager.WithRestart(restart.MaxAttempts(2, constant))}, 2},
			"only for errors of a kind": {all, []taskmanager.TaskOption{taskmanager.WithRestart(restart.When(func(err error) bool { return !errors.Is(err, errFailed) }, constant))}, 1},
		} {
			runs := 0
			h, err := test.m.SubmitFunc(t.Context(), name, counted(3, &runs), test.opts...)
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			err = wait(t, h)
			if runs != test.want || (err == nil) != (runs == 4) || time.Since(begin) != time.Duration(runs-1)*time.Second {
				t.Errorf("%s: %d runs in %v, ended with %v; want %d, a second apart", name, runs, time.Since(begin), err, test.want)
			}
		}
	})
}

// TestPolicyOfATaskWins checks that the policy of a task overrides that of the manager, and
// that the Restart method of the task is still called.
func TestPolicyOfATaskWins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithRestart(restart.Never()))
		runs := 0
		h := submit(t, m, &task{
			name:    "a",
			execute: func(context.Context) error { runs++; return errFailed },
			restart: func(context.Context, error) bool { return runs < 3 },
		}, taskmanager.WithRestart(restart.Constant(time.Second)))
		if err := wait(t, h); !errors.Is(err, errFailed) || errors.Is(err, taskmanager.ErrRestartsExhausted) || runs != 3 {
			t.Errorf("%d runs, ended with %v; want 3, until the task wanted no more", runs, err)
		}
	})
}

// TestIntensityOfAManager checks that no task restarts more than three times in any ten
// seconds, and that the restarts of each task are counted separately.
func TestIntensityOfAManager(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const restarts, window = 3, 10 * time.Second
		m := start(t, taskmanager.WithWorkers(4, 4), taskmanager.WithRestartPlain(),
			taskmanager.WithRestart(restart.Intensity(restarts, window, restart.Constant(time.Second))))
		begins := make([][]time.Time, 4)
		handles := make([]*taskmanager.Handle, 4)
		for i := range handles {
			handles[i] = submitFunc(t, m, fmt.Sprint("every ", i, " seconds"), func(context.Context) error {
				begins[i] = append(begins[i], time.Now())
				time.Sleep(time.Duration(i) * time.Second)
				if len(begins[i]) == 12 {
					return nil
				}
				return errFailed
			})
		}
		for i, h := range handles {
			err := wait(t, h)
			exhausted := errors.Is(err, taskmanager.ErrRestartsExhausted)
			// A restart every i+1 seconds exceeds the intensity up to i = 2: when the
			// fourth one is due, after 12 s, three restarts lie in the last ten seconds.
			if want := i <= 2; exhausted != want {
				t.Errorf("the task that runs for %d s ended with %v after %d runs; given up: want %v", i, err, len(begins[i]), want)
			}
			for n := restarts + 1; n < len(begins[i]); n++ {
				if d := begins[i][n].Sub(begins[i][n-restarts]); d < window {
					t.Errorf("the task that runs for %d s restarted %d times in %v", i, restarts+1, d)
				}
			}
		}
	})
}

// TestBudgetOfAManager checks that the restarts remain a fraction of the tasks even if
// every execution fails.
func TestBudgetOfAManager(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithRestartPlain(),
			taskmanager.WithRestart(restart.Budget(0.1, 5, restart.Constant(0))))
		const tasks = 1000
		runs, refused := 0, 0
		for i := range tasks {
			h := submitFunc(t, m, fmt.Sprint(i), func(context.Context) error { runs++; return errFailed })
			if err := wait(t, h); errors.Is(err, taskmanager.ErrRestartsExhausted) {
				refused++
			}
		}
		if restarts := runs - tasks; restarts < tasks/10 || restarts > tasks/10+5 || refused != tasks {
			t.Errorf("%d restarts for %d tasks, of which %d were given up; want 100 to 105, and all", restarts, tasks, refused)
		}
	})
}

// TestSameRandomSourceSameDelays checks that restarts have the same delays with the same
// source of randomness.
func TestSameRandomSourceSameDelays(t *testing.T) {
	run := func(seed uint64) (begins []time.Duration) {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithRand(rand.NewPCG(seed, 0)), taskmanager.WithRestartPlain())
			begin := time.Now()
			await(t, submitFunc(t, m, "a", func(context.Context) error {
				begins = append(begins, time.Since(begin))
				if len(begins) == 8 {
					return nil
				}
				return errFailed
			}))
		})
		return begins
	}
	one, again, other := run(1), run(1), run(2)
	check.Equal(t, "the times of the second run", again, one)
	if fmt.Sprint(one) == fmt.Sprint(other) {
		t.Errorf("another seed gives the same times, %v", one)
	}
}

// TestDefaultPolicyLimitsTheRestartRate checks that a task that always fails at once
// restarts at most 20 times in its first second.
func TestDefaultPolicyLimitsTheRestartRate(t *testing.T) {
	for seed := range uint64(20) {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithRand(rand.NewPCG(seed, 0)), taskmanager.WithRestartPlain())
			runs := 0
			h := submitFunc(t, m, "a", func(context.Context) error { runs++; return errFailed })
			time.Sleep(time.Second)
			synctest.Wait()
			if runs < 2 || runs > 21 {
				t.Errorf("%d runs in the first second, want 2 to 21", runs)
			}
			h.Cancel()
		})
	}
}

// hostilePolicy is a policy that panics when Start or a submit asks it.
type hostilePolicy struct{}

func (hostilePolicy) Next(restart.Failure) (time.Duration, bool) { return 0, true }
func (hostilePolicy) Window() time.Duration                      { panic("window") }

// TestBadPoliciesAreErrors covers the policies of a manager and of a task.
func TestBadPoliciesAreErrors(t *testing.T) {
	m := start(t)
	for name, test := range map[string]struct {
		policy restart.Policy
		want   string
	}{
		"nil":              {nil, "the policy is nil"},
		"negative delay":   {restart.Constant(-1), "-1ns"},
		"no window":        {restart.Intensity(1, 0, nil), "window"},
		"inner one":        {restart.MaxAttempts(3, restart.Constant(-1)), "-1ns"},
		"one that panics":  {hostilePolicy{}, "panicked: window"},
		"share above all":  {restart.Budget(2, 1, nil), "share"},
		"function missing": {restart.Func(nil), "nil"},
	} {
		_, err := taskmanager.Start(taskmanager.WithRestart(test.policy))
		_, taskErr := m.SubmitFunc(t.Context(), "a", fn0, taskmanager.WithRestart(test.policy))
		for _, err := range []error{err, taskErr} {
			if err == nil || !strings.Contains(err.Error(), "WithRestart") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: the error is %v; want one of WithRestart that says %q", name, err, test.want)
			}
		}
	}
	if _, err := taskmanager.Start(taskmanager.WithRand(nil)); err == nil || !strings.Contains(err.Error(), "WithRand") {
		t.Errorf("WithRand(nil): %v, want an error", err)
	}
}

// TestDecisionsAreLogged checks that some decisions are logged, but not all.
func TestDecisionsAreLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(recorder)
		m := start(t, taskmanager.WithLogger(log), taskmanager.WithWorkers(1, 100), taskmanager.WithIdleTimeout(time.Second))
		for round := range 3 {
			for i := range 50 {
				submitFunc(t, m, fmt.Sprint(round, i), func(context.Context) error { time.Sleep(time.Second); return nil })
			}
			time.Sleep(4 * time.Second)
		}
		ds := m.Decisions()
		if len(ds) < 10 || ds[len(ds)-1].Target != 1 {
			t.Errorf("%d decisions are remembered, the last %+v; want many, the last for the minimum", len(ds), ds[len(ds)-1])
		}
		lines := strings.Count(log.String(), "workers wanted")
		if lines < 1 || lines > 2 { // at most one in ten seconds
			t.Errorf("%d lines of decisions were logged in twelve seconds, want 1 or 2:\n%s", lines, log)
		}
	})
}

// TestIntensityCountsFromTheStart checks that a restart that had to wait for a worker
// counts from when it began, not from when it was due.
func TestIntensityCountsFromTheStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithRestart(restart.Never()))
		policy := taskmanager.WithRestart(restart.Intensity(1, 10*time.Second, restart.Constant(time.Second)))
		begin := time.Now()
		var begins []time.Duration
		h, err := m.SubmitFunc(t.Context(), "a", func(context.Context) error {
			begins = append(begins, time.Since(begin))
			return errFailed
		}, policy)
		if err != nil {
			t.Fatal(err)
		}
		submitFunc(t, m, "long", func(context.Context) error { time.Sleep(12 * time.Second); return nil })
		if err := wait(t, h); !errors.Is(err, taskmanager.ErrRestartsExhausted) {
			t.Errorf("the task ended with %v, want ErrRestartsExhausted", err)
		}
		check.Equal(t, "begins", begins, []time.Duration{0, 12 * time.Second})
	})
}

// slowScaler is a scaler that sleeps while tasks are queued.
type slowScaler struct{}

func (slowScaler) Scale(s scale.Snapshot) scale.Decision {
	if s.Queued > 0 {
		time.Sleep(time.Hour)
	}
	return scale.Decision{Target: 1, Reason: "slow"}
}

// TestStopReturnsInTime checks that Stop heeds its context although the timer of delayed
// tasks is blocked.
func TestStopReturnsInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 2), taskmanager.WithScaler(slowScaler{}))
		submitFunc(t, m, "busy", untilCancelled)
		time.Sleep(2 * time.Hour)
		submit(t, m, &task{name: "late"}, taskmanager.WithDelay(time.Second))
		time.Sleep(2 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := m.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("Stop returned %v after %v, want DeadlineExceeded after a second", err, time.Since(begin))
		}
		if err := m.Stop(context.Background()); err != nil {
			t.Errorf("Stop with time enough returned %v", err)
		}
	})
}

// TestFailuresDoNotCopyTheTimesOfRestarts checks that a failure under Intensity costs the same however
// many restarts are in the window, and that the memory follows the number in the window.
func TestFailuresDoNotCopyTheTimesOfRestarts(t *testing.T) {
	const window = 1000
	r := new(taskmanager.RestartTimes)
	for now := time.Duration(1); now <= 100*window; now++ {
		r.Add(now)
		before := r.Last()
		if n := r.Since(now - window); n != int(min(now, window)) {
			t.Fatalf("at %d there are %d restarts in the window", now, n)
		}
		if r.Last() != before {
			t.Fatalf("at %d the failure copied the times of the restarts", now)
		}
		if r.Room() > 4*window {
			t.Fatalf("at %d there is room for %d restarts, with %d in the window", now, r.Room(), window)
		}
	}
}
