package taskmanager_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// hostileError is an error all of whose methods panic, and that cannot be
// compared.
type hostileError struct{ _ []int }

func (hostileError) Error() string   { panic("Error") }
func (hostileError) Is(error) bool   { panic("Is") }
func (hostileError) As(any) bool     { panic("As") }
func (hostileError) Unwrap() []error { panic("Unwrap") }

// exitingError is an error whose methods end the goroutine that calls them.
type exitingError struct{}

func (exitingError) Error() string   { runtime.Goexit(); return "" }
func (exitingError) Is(error) bool   { runtime.Goexit(); return false }
func (exitingError) As(any) bool     { runtime.Goexit(); return false }
func (exitingError) Unwrap() []error { runtime.Goexit(); return nil }

// TestErrorsWhoseMethodsCrashDoNoHarm: nobody calls them before a task has ended.
func TestErrorsWhoseMethodsCrashDoNoHarm(t *testing.T) {
	for _, hostile := range []error{hostileError{}, exitingError{}} {
		for _, logger := range []taskmanager.Logger{nil, new(recorder)} {
			bubble(t, func(t *testing.T) { surviveErrors(t, hostile, logger) })
		}
	}
}

func surviveErrors(t *testing.T, hostile error, logger taskmanager.Logger) {
	m := start(t, taskmanager.WithLogger(logger), taskmanager.WithRestart(fixedDelay(time.Second)))
	fails := func(context.Context) error { return hostile }
	failsLate := func(ctx context.Context) error { <-ctx.Done(); return hostile }
	always := func(context.Context, error) bool { return true }
	plain := submitFunc(t, m, "plain", fails)
	cancelled := submitFunc(t, m, "cancelled", failsLate)
	late := submitFunc(t, m, "late", failsLate, taskmanager.WithTimeout(time.Second))
	panics := submitFunc(t, m, "panics", func(context.Context) error { panic(hostile) })
	restarts := submit(t, m, &task{name: "restarts", execute: fails, restart: always})
	exhausted := submit(t, m, &task{name: "exhausted", execute: fails, restart: always},
		taskmanager.WithRestart(restart.Never()))
	stopped := submit(t, m, &task{name: "stopped", execute: fails, restart: always})
	group := m.Group(t.Context())
	if err := group.Go("member", fails); err != nil {
		t.Fatal(err)
	}
	if err := group.Wait(t.Context()); err == nil {
		t.Error("the group has not failed")
	}
	time.Sleep(1500 * time.Millisecond) // they have restarted once, and wait again
	cancelled.Cancel()
	restarts.Cancel()
	for _, h := range []*taskmanager.Handle{plain, cancelled, late, panics, restarts, exhausted} {
		synctest.Wait()
		if !isClosed(h.Done()) || h.Err() == nil {
			t.Errorf("task %s has not ended, or without its failure", h.Name())
		}
	}
	synctest.Wait() // a task ends before its worker has come back from it
	if got := m.Snapshot(); got.Busy != 0 {
		t.Errorf("%d workers are busy with nothing", got.Busy)
	}
	stop(t, m)
	if !isClosed(stopped.Done()) {
		t.Error("Stop has left a task behind")
	}
}

// nosyPolicy asks the manager about its tasks.
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

// brokenContext panics when it is looked at.
type brokenContext struct{ context.Context }

func TestBrokenContextLeavesNoName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the broken context did not panic: the test shows nothing")
				}
			}()
			var broken *brokenContext
			_, err := m.SubmitFunc(broken, "a", fn0)
			t.Errorf("submit with a broken context returned %v", err)
		}()
		if err := wait(t, submitFunc(t, m, "a", fn0)); err != nil {
			t.Errorf("the next task of the name: %v", err)
		}
	})
}

// exitingContext ends the goroutine that wants to wait for its end.
type exitingContext struct{ context.Context }

func (exitingContext) Done() <-chan struct{} { runtime.Goexit(); return nil }

func TestContextThatCallsGoexitLeavesNoName(t *testing.T) {
	linked := taskmanager.WithLinkedContext()
	submits := map[string]func(m *taskmanager.TaskManager, ctx context.Context){
		"Submit": func(m *taskmanager.TaskManager, ctx context.Context) { _, _ = m.SubmitFunc(ctx, "a", fn0, linked) },
		"SubmitAll": func(m *taskmanager.TaskManager, ctx context.Context) {
			_, _ = m.SubmitAll(ctx, []taskmanager.Task{&task{name: "a"}, &task{name: "b"}}, linked)
		},
		"Group.Go": func(m *taskmanager.TaskManager, ctx context.Context) { _ = m.Group(ctx).Go("a", fn0) },
	}
	for name, submit := range submits {
		bubble(t, func(t *testing.T) {
			m := start(t)
			ended, survived := make(chan struct{}), false
			go func() {
				defer close(ended)
				submit(m, exitingContext{t.Context()})
				survived = true
			}()
			<-ended
			if survived {
				t.Errorf("%s has returned: the test shows nothing", name)
			}
			for _, free := range []string{"a", "b"} {
				await(t, submitFunc(t, m, free, fn0))
			}
		})
	}
}

// TestGroupSurvivesAContextThatCallsGoexit: nobody waits for the task that it has cost.
func TestGroupSurvivesAContextThatCallsGoexit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := start(t).Group(exitingContext{t.Context()})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = g.Go("a", fn0)
		}()
		<-ended
		if err := g.Wait(t.Context()); err != nil {
			t.Errorf("Wait returned %v", err)
		}
	})
}

// exitingScaler ends the goroutine that asks it.
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
		if got := m.Snapshot().Busy; got != 2 { // Demand stands in for the scaler
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
	if got := int64(heapInUse()) - int64(before); got > 20*generations {
		t.Errorf("%d generations of tasks hold %d bytes, want next to nothing", generations, got)
	}
}

// TestLoggerThatCallsGoexitLosesNoBatch: it is told of a task that a submit has dropped,
// when the tasks of that are in the queue.
func TestLoggerThatCallsGoexitLosesNoBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(4, taskmanager.DropOldest), taskmanager.WithLogger(new(exitingLogger)))
		gate := make(chan struct{})
		submitFunc(t, m, "busy", func(context.Context) error { <-gate; return nil })
		synctest.Wait()
		old := submitFunc(t, m, "old", fn0)
		tasks := []taskmanager.Task{&task{name: "a"}, &task{name: "b"}, &task{name: "c"}, &task{name: "d"}}
		handles, err := m.SubmitAll(t.Context(), tasks)
		if err != nil || !isClosed(old.Done()) {
			t.Fatalf("SubmitAll returned %v, and the old task has ended: %v", err, isClosed(old.Done()))
		}
		close(gate)
		for _, h := range handles {
			if err := wait(t, h); err != nil {
				t.Errorf("task %q: %v", h.Name(), err)
			}
		}
		synctest.Wait()
		check.Equal(t, "queued", m.Snapshot().Queued, 0)
	})
}

// TestContextsWithHostileCauses end what is linked to them all the same.
func TestContextsWithHostileCauses(t *testing.T) {
	for _, hostile := range []error{hostileError{}, exitingError{}} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 2), taskmanager.WithLimit(0, taskmanager.Block))
			ctx, cancel := context.WithCancelCause(t.Context())
			h, err := m.SubmitFunc(ctx, "linked", untilCancelled, taskmanager.WithLinkedContext())
			if err != nil {
				t.Fatal(err)
			}
			g := m.Group(ctx)
			if err := g.Go("member", untilCancelled); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = m.SubmitFunc(ctx, "blocked", fn0) }()
			synctest.Wait()
			check.Equal(t, "blocked", m.Snapshot().Blocked, 1)
			cancel(hostile)
			synctest.Wait()
			if !isClosed(h.Done()) || len(m.TaskStatus()) != 0 {
				t.Errorf("a cause of type %T: %v goes on", hostile, m.TaskStatus())
			}
		})
	}
}
