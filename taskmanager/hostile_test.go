package taskmanager_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// incomparable is an error whose comparison with == panics.
type incomparable []string

func (e incomparable) Error() string { return strings.Join(e, ", ") }

// TestErrorsThatCannotBeCompared checks that tasks may fail with such errors.
func TestErrorsThatCannotBeCompared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithRestart(fixedDelay(time.Second)))
		fails := func(context.Context) error { return incomparable{"no name", "no age"} }
		plain := submitFunc(t, m, "plain", fails)
		panics := submitFunc(t, m, "panics", func(context.Context) error { panic(fails(nil)) })
		again := submitFunc(t, m, "again", fails, taskmanager.WithRestart(restart.Constant(time.Second)))
		late := submitFunc(t, m, "late", func(ctx context.Context) error { <-ctx.Done(); return fails(ctx) }, taskmanager.WithTimeout(time.Second))
		group := m.Group(t.Context())
		if err := group.Go("member", fails); err != nil {
			t.Fatal(err)
		}
		if err := group.Wait(t.Context()); err == nil {
			t.Error("the group has not failed")
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		linked, err := m.SubmitFunc(ctx, "linked", fails, taskmanager.WithLinkedContext(), taskmanager.WithDelay(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond)
		again.Cancel() // it has failed twice with equal errors
		cancel(incomparable{"over"})
		for _, h := range []*taskmanager.Handle{plain, panics, again, late, linked} {
			synctest.Wait()
			if e, ok := errors.AsType[incomparable](h.Err()); !isClosed(h.Done()) || !ok || len(e) == 0 {
				t.Errorf("task %s ended with %v, want its failure", h.Name(), h.Err())
			}
		}
	})
}

// nosyPolicy is a restart policy that calls the manager.
type nosyPolicy struct{ m **taskmanager.TaskManager }

func (p nosyPolicy) ResetAfter() time.Duration { p.ask(); return time.Minute }

func (p nosyPolicy) Next(f restart.Failure) (time.Duration, bool) {
	p.ask()
	return 0, f.Attempt < 5
}

func (p nosyPolicy) ask() {
	if *p.m != nil {
		(*p.m).TaskStatus()
	}
}

func TestPolicyMayCallTheManager(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var m *taskmanager.TaskManager
		m = start(t, taskmanager.WithRestart(nosyPolicy{&m}))
		h := submit(t, m, &task{
			name:    "a",
			execute: func(context.Context) error { return errFailed },
			restart: func(context.Context, error) bool { return true },
		})
		if err := wait(t, h); !errors.Is(err, taskmanager.ErrRestartsExhausted) {
			t.Errorf("ended with %v, want ErrRestartsExhausted", err)
		}
	})
}

// exitingScaler is a scaler that calls runtime.Goexit.
type exitingScaler struct{}

func (exitingScaler) Scale(scale.Snapshot) scale.Decision {
	runtime.Goexit()
	return scale.Decision{}
}

func TestScalerThatCallsGoexitLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 2), taskmanager.WithIdleTimeout(time.Second),
			taskmanager.WithScaler(exitingScaler{}), taskmanager.WithRestart(fixedDelay(time.Second)))
		for _, name := range []string{"a", "b"} {
			submitFunc(t, m, name, untilCancelled)
		}
		queued := submitFunc(t, m, "queued", fn0)
		runs := 0
		submit(t, m, &task{
			name:    "again",
			execute: func(context.Context) error { runs++; return errFailed },
			restart: func(context.Context, error) bool { return runs < 3 },
		})
		queued.Cancel()
		if !isClosed(queued.Done()) {
			t.Error("the cancelled task has not ended")
		}
		synctest.Wait()
		if got := m.Snapshot().Busy; got != 2 { // Demand replaces the scaler
			t.Errorf("%d tasks run, want 2", got)
		}
	})
}

func TestTaskThatSubmitsItsSuccessorKeepsNoAncestors(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1))
	const generations = 100_000
	finished := make(chan struct{})
	var next func(left int) func(context.Context) error
	next = func(left int) func(context.Context) error {
		return func(ctx context.Context) error {
			if left == 0 {
				close(finished)
				<-ctx.Done()
				return nil
			}
			_, err := m.SubmitFunc(ctx, string(rune('a'+left%2)), next(left-1))
			return err
		}
	}
	before := heapInUse()
	submitFunc(t, m, "first", next(generations))
	<-finished
	if got := heapInUse() - before; got > 20*generations {
		t.Errorf("%d generations of tasks hold %d bytes, want next to nothing", generations, got)
	}
}
