package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestDrainForgetsWhatAConcurrentStopCancels checks that Stop records the names of the tasks
// before it cancels them: a concurrent Drain reads them as soon as the last task has ended.
// With many tasks, a Stop that records them afterwards is too late.
func TestDrainForgetsWhatAConcurrentStopCancels(t *testing.T) {
	const tasks = 20_000
	m := start(t, taskmanager.WithWorkers(1, 1))
	for i := range tasks {
		submitFunc(t, m, fmt.Sprint("task", i), fn0, taskmanager.WithDelay(time.Hour))
	}
	drained := make(chan error)
	go func() { drained <- m.Drain(context.Background()) }()
	for {
		_, err := m.GoFunc("late", fn0)
		if errors.Is(err, taskmanager.ErrStopped) {
			break // the drain has begun
		}
	}
	stop(t, m)
	err := <-drained
	short, ok := errors.AsType[*taskmanager.DrainError](err)
	if !ok {
		t.Fatalf("Drain returned %v, want a *DrainError", err)
	}
	if got := len(short.Cancelled) + short.More; got < tasks || got > tasks+1 { // with or without the last "late"
		t.Errorf("Drain names %d cancelled tasks, want %d", got, tasks)
	}
	check.Is(t, "Drain", err, taskmanager.ErrStopped)
}

// slowContext is a context whose Done method blocks.
type slowContext struct {
	context.Context
	hold chan struct{}
}

func (c slowContext) Done() <-chan struct{} {
	<-c.hold
	return c.Context.Done()
}

// TestStopLeavesATaskThatIsBeingSubmitted checks that Stop waits for the end of a task whose
// submit has reserved the name and has not reached the pool.
func TestStopLeavesATaskThatIsBeingSubmitted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		hold := make(chan struct{})
		submitted := make(chan error, 1)
		go func() {
			_, err := m.SubmitFunc(slowContext{t.Context(), hold}, "a", fn0, taskmanager.WithLinkedContext())
			submitted <- err
		}()
		synctest.Wait()
		h, ok := m.Lookup("a")
		check.Equal(t, "the task is outstanding", ok, true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := m.Stop(ctx)
		if _, ok := errors.AsType[*taskmanager.StopError](err); !ok {
			t.Errorf("Stop returned %v while a task is outstanding, want a *StopError", err)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- m.Stop(t.Context()) }()
		synctest.Wait()
		check.Equal(t, "Stop has returned", len(stopped), 0)
		close(hold)
		check.Equal(t, "Stop in the end", <-stopped, nil)
		check.Is(t, "the error of the task", h.Err(), taskmanager.ErrStopped)
		check.Is(t, "the submit", <-submitted, taskmanager.ErrStopped)
	})
}
