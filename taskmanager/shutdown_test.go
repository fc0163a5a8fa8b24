package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// ignoresCancel returns a task function that returns when release is closed.
func ignoresCancel(release <-chan struct{}) func(context.Context) error {
	return func(context.Context) error { <-release; return nil }
}

// expired returns a context that has ended.
func expired(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestDrainTellsCancelledFromRunning checks that the error of a drain that is cut short does
// not say of a running task that it has ended, and that its text is right for one task.
func TestDrainTellsCancelledFromRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(2, 2))
		release := make(chan struct{})
		submitFunc(t, m, "stubborn", ignoresCancel(release))
		submitFunc(t, m, "good", untilCancelled)
		synctest.Wait()
		submitFunc(t, m, "queued", fn0)
		submitFunc(t, m, "delayed", fn0, taskmanager.WithDelay(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		// The first call is cut short when the second one has cancelled the tasks, and good has ended.
		first := make(chan error, 1)
		go func() { first <- m.Drain(ctx) }()
		synctest.Wait()
		_ = m.Drain(expired(t))
		synctest.Wait()
		time.Sleep(time.Second)
		short, ok := errors.AsType[*taskmanager.DrainError](<-first)
		if !ok {
			t.Fatal("Drain returned no DrainError")
		}
		want := taskmanager.DrainError{Cancelled: []string{"delayed", "good", "queued"}, Running: []string{"stubborn"}, Err: context.DeadlineExceeded}
		check.Equal(t, "the error", *short, want)
		check.Equal(t, "its text", short.Error(), `taskmanager: the drain was cut short, 3 tasks cancelled ("delayed", "good", "queued"), `+
			`1 still running ("stubborn"): context deadline exceeded`)
		close(release)
	})
}

// TestDrainErrorKnowsTasksThatAreAboutToRun checks that the error of a drain that is cut short
// does not say of a task which a worker has taken that it does not run. Stop may have so many
// tasks to cancel that the task begins first.
func TestDrainErrorKnowsTasksThatAreAboutToRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		hold := make(chan struct{})
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithObserver(beginRun(func(string) { <-hold })))
		submitFunc(t, m, "taken", fn0)
		submitFunc(t, m, "queued", fn0)
		synctest.Wait()
		short, ok := errors.AsType[*taskmanager.DrainError](m.Drain(expired(t)))
		if !ok {
			t.Fatal("Drain returned no DrainError")
		}
		want := taskmanager.DrainError{Cancelled: []string{"queued"}, Running: []string{"taken"}, Err: context.Canceled}
		check.Equal(t, "the error", *short, want)
		close(hold)
	})
}

// TestDrainErrorHasTasksThatWaitForAName checks that the error counts a task that waits behind
// another one, whether that one runs, has ended, or never ran.
func TestDrainErrorHasTasksThatWaitForAName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(2, 2))
		release, end := make(chan struct{}), make(chan struct{})
		submitFunc(t, m, "running", ignoresCancel(release))
		submitFunc(t, m, "ends", func(ctx context.Context) error { <-end; return ctx.Err() })
		synctest.Wait()
		kept := submitFunc(t, m, "running", fn0, taskmanager.WithRerun())
		submitFunc(t, m, "ends", fn0, taskmanager.WithReplace())
		submitFunc(t, m, "z", fn0)
		short, ok := errors.AsType[*taskmanager.DrainError](m.Drain(expired(t)))
		if !ok {
			t.Fatal("Drain returned no DrainError")
		}
		want := taskmanager.DrainError{Cancelled: []string{"ends", "running", "z"}, Running: []string{"ends", "running"}, Err: context.Canceled}
		check.Equal(t, "the error", *short, want)
		check.Is(t, "the task that waited", wait(t, kept), taskmanager.ErrStopped)
		close(end)
		synctest.Wait()
		short, _ = errors.AsType[*taskmanager.DrainError](m.Drain(expired(t)))
		want.Cancelled, want.Running = []string{"ends", "ends", "running", "z"}, []string{"running"}
		check.Equal(t, "the error, later", *short, want)
		close(release)
	})
}

// TestErrorsCountTasks checks the plural, the quotes and the limit of lists in errors.
func TestErrorsCountTasks(t *testing.T) {
	names := make([]string, 8000)
	for i := range names {
		names[i] = fmt.Sprintf("task %04d", i)
	}
	for text, err := range map[string]error{
		`taskmanager: not stopped yet, 0 tasks still running: failed`:                           &taskmanager.StopError{Err: errFailed},
		`taskmanager: not stopped yet, 1 task still running ("a, b"): failed`:                   &taskmanager.StopError{Running: []string{"a, b"}, Err: errFailed},
		`taskmanager: the drain was cut short, 1 task cancelled ("a"), 0 still running: failed`: &taskmanager.DrainError{Cancelled: []string{"a"}, Err: errFailed},
		`taskmanager: the drain was cut short, 5 tasks cancelled ("a" and 4 more), 0 still running: failed`: &taskmanager.DrainError{
			Cancelled: []string{"a"}, More: 4, Err: errFailed},
		`taskmanager: not stopped yet, 8000 tasks still running ("task 0000", "task 0001", "task 0002", "task 0003", "task 0004", ` +
			`"task 0005", "task 0006", "task 0007", "task 0008", "task 0009" and 7990 more): failed`: &taskmanager.StopError{Running: names, Err: errFailed},
	} {
		check.Equal(t, "text", err.Error(), text)
		check.Is(t, "Unwrap", err, errFailed)
	}
	long := &taskmanager.StopError{Running: []string{strings.Repeat("é", 1_000_000)}, Err: errFailed}
	if n := len(long.Error()); n > 1000 {
		t.Errorf("the text about a task with a long name has %d bytes", n)
	}
}

// TestDrainErrorNamesEightThousandTasks checks that the error has all names, and its text a few.
func TestDrainErrorNamesEightThousandTasks(t *testing.T) {
	const tasks = 8000
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		m.Pause()
		for i := range tasks {
			submitFunc(t, m, fmt.Sprint("task ", i), fn0)
		}
		short, _ := errors.AsType[*taskmanager.DrainError](m.Drain(expired(t)))
		check.Equal(t, "names and further tasks", [2]int{len(short.Cancelled), short.More}, [2]int{tasks, 0})
		if n := len(short.Error()); n > 1000 {
			t.Errorf("the text has %d bytes", n)
		}
	})
}

// TestDrainErrorCountsTasksBeyondItsNames checks the number of tasks whose names the error
// does not hold.
func TestDrainErrorCountsTasksBeyondItsNames(t *testing.T) {
	const tasks, names = 12_000, 10_000
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(2, 2))
		release := make(chan struct{})
		for i := range 2 {
			submitFunc(t, m, fmt.Sprint("stubborn ", i), ignoresCancel(release))
		}
		for i := range tasks {
			submitFunc(t, m, fmt.Sprint("task ", i), fn0)
		}
		synctest.Wait()
		short, _ := errors.AsType[*taskmanager.DrainError](m.Drain(expired(t)))
		check.Equal(t, "running", short.Running, []string{"stubborn 0", "stubborn 1"})
		check.Equal(t, "cancelled", len(short.Cancelled)+short.More, tasks)
		if n := len(short.Cancelled); n > names || n < names-2 {
			t.Errorf("the error has %d names, want %d without the running tasks", n, names)
		}
		close(release)
	})
}

// blockedObserver observes the pool. Its stop function blocks.
type blockedObserver struct {
	gate    chan struct{}
	stopped *int
}

func (o blockedObserver) ObservePool(observe.Pool) func() {
	return func() { *o.stopped++; <-o.gate }
}

// TestBlockedPoolObserverDoesNotBlockStop checks that Stop and Drain return when their context
// ends although an observer of the pool blocks, and that Stop waits for the observer later.
func TestBlockedPoolObserverDoesNotBlockStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := blockedObserver{make(chan struct{}), new(int)}
		m := start(t, taskmanager.WithObserver(o))
		for range 2 {
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			check.Is(t, "Stop", m.Stop(ctx), context.DeadlineExceeded)
			check.Is(t, "Drain", m.Drain(ctx), context.DeadlineExceeded)
			check.Equal(t, "time", time.Since(begin), time.Second)
			cancel()
		}
		check.Equal(t, "ended", isClosed(m.Done()), false)
		close(o.gate)
		stop(t, m)
		check.Equal(t, "calls of the observer", *o.stopped, 1)
	})
}

// stuckScaler is a scaler that waits at the gate once there is one.
type stuckScaler struct {
	mu   sync.Mutex
	gate chan struct{}
}

func (s *stuckScaler) Scale(now scale.Snapshot) scale.Decision {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return scale.Demand(1).Scale(now)
}

// TestBlockedScalerDoesNotBlockTheManager checks that no call but a submit that needs room
// waits for a scaler that blocks, and that Stop names it.
func TestBlockedScalerDoesNotBlockTheManager(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := new(stuckScaler)
		m := start(t, taskmanager.WithWorkers(0, 4), taskmanager.WithScaler(s))
		gate := make(chan struct{})
		s.mu.Lock()
		s.gate = gate
		s.mu.Unlock()
		over := make(chan struct{})
		go func() {
			defer close(over)
			m.Resume()
			check.Is(t, "Resize", m.Resize(1, 5), nil)
			submitFunc(t, m, "a", untilCancelled)
			submitFunc(t, m, "b", untilCancelled).Cancel()
			m.Close()
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			check.Is(t, "Drain", m.Drain(ctx), context.DeadlineExceeded)
			err := m.Stop(ctx)
			check.Is(t, "Stop", err, context.DeadlineExceeded)
			check.Equal(t, "time", time.Since(begin), time.Second)
			if stop, ok := errors.AsType[*taskmanager.StopError](err); ok {
				check.Equal(t, "what Stop waits for", stop.Calls, []string{"the scaler"})
			}
		}()
		time.Sleep(time.Minute)
		if !isClosed(over) {
			t.Error("a call waits for the scaler")
		}
		close(gate)
	})
}

// TestSnapshotAfterStop checks that tasks which Stop ended in the queue count as dropped, and
// not as withdrawn.
func TestSnapshotAfterStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		for i := range 64 {
			submitFunc(t, m, fmt.Sprint(i), untilCancelled)
		}
		submitFunc(t, m, "delayed", fn0, taskmanager.WithDelay(time.Hour))
		synctest.Wait()
		m.Cancel("63")
		stop(t, m)
		s := m.Snapshot()
		check.Equal(t, "submitted, failed, withdrawn, dropped", [4]uint64{s.Submitted, s.Failed, s.Withdrawn, s.Dropped}, [4]uint64{64, 1, 1, 62})
	})
}

// TestSnapshotTellsFailures checks that executions which return an error count as failed.
func TestSnapshotTellsFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithRestart(fixedDelay(0)), taskmanager.WithLimit(0, taskmanager.CallerRuns))
		fails := func(context.Context) error { return errFailed }
		synctest.Wait()
		await(t, submitFunc(t, m, "fails", fails))
		await(t, submitFunc(t, m, "panics", func(context.Context) error { panic(errFailed) }))
		await(t, submitFunc(t, m, "succeeds", fn0))
		runs := 0
		await(t, submit(t, m, &task{
			name:    "restarts",
			execute: func(context.Context) error { runs++; return map[int]error{1: errFailed}[runs] },
			restart: func(context.Context, error) bool { return true },
		}))
		release := make(chan struct{})
		submitFunc(t, m, "busy", ignoresCancel(release))
		await(t, submitFunc(t, m, "fails inline", fails))
		close(release)
		synctest.Wait()
		s := m.Snapshot()
		check.Equal(t, "started, completed, failed", [3]uint64{s.Started, s.Completed, s.Failed}, [3]uint64{7, 3, 4})
		check.Equal(t, "idle", s.Idle, s.Workers)
	})
}
