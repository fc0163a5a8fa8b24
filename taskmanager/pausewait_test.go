package taskmanager_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestPauseWaitReturnsWhenNoTaskRuns checks the exact time, with tasks that run on a worker, have lent
// their slot, fail and wait for their restart, and wait in the queue.
func TestPauseWaitReturnsWhenNoTaskRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 3))
		begin := time.Now()
		submitFunc(t, m, "runs", func(context.Context) error { time.Sleep(3 * time.Second); return nil })
		submitFunc(t, m, "lends", func(ctx context.Context) error {
			taskmanager.Blocking(ctx, func() { time.Sleep(5 * time.Second) })
			return nil
		})
		runs := 0
		restarts := submitFunc(t, m, "restarts", func(context.Context) error {
			if runs++; runs == 1 {
				return errFailed
			}
			return nil
		}, taskmanager.WithRestart(fixedDelay(2*time.Second)))
		time.Sleep(time.Second)
		queued := submitFunc(t, m, "later", fn0, taskmanager.WithDelay(time.Second))
		check.Equal(t, "PauseWait", m.PauseWait(t.Context()), nil)
		check.Equal(t, "time", time.Since(begin), 5*time.Second)
		time.Sleep(time.Minute)
		check.Equal(t, "executions of the task that restarts", runs, 1)
		check.Equal(t, "status", queued.Status().Status, taskmanager.NotAssigned)
		m.Resume()
		await(t, queued)
		check.Equal(t, "the task that restarts", wait(t, restarts), nil)
	})
}

// TestPauseWaitOfATaskInItsSubmit checks that a task counts that runs inside its submit.
func TestPauseWaitOfATaskInItsSubmit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.CallerRuns))
		begin := time.Now()
		submitFunc(t, m, "busy", func(context.Context) error { time.Sleep(time.Second); return nil })
		synctest.Wait()
		go func() {
			_, _ = m.SubmitFunc(context.Background(), "inline", func(context.Context) error { time.Sleep(7 * time.Second); return nil })
		}()
		synctest.Wait()
		check.Equal(t, "inline", m.Snapshot().Inline, 1)
		check.Equal(t, "PauseWait", m.PauseWait(t.Context()), nil)
		check.Equal(t, "time", time.Since(begin), 7*time.Second)
	})
}

// TestEndsOfPauseWait checks how PauseWait ends while a task runs, and what is true afterwards.
func TestEndsOfPauseWait(t *testing.T) {
	late := errors.New("too late")
	for name, c := range map[string]struct {
		do     func(m *taskmanager.TaskManager, cancel context.CancelCauseFunc)
		is     error
		text   string
		paused bool
	}{
		"context": {func(_ *taskmanager.TaskManager, cancel context.CancelCauseFunc) { cancel(late) }, late, `1 task still running ("busy")`, true},
		"Resume":  {func(m *taskmanager.TaskManager, _ context.CancelCauseFunc) { m.Resume() }, nil, "call PauseWait again", false},
		"Close":   {func(m *taskmanager.TaskManager, _ context.CancelCauseFunc) { m.Close() }, taskmanager.ErrStopped, "", false},
		"Drain": {func(m *taskmanager.TaskManager, _ context.CancelCauseFunc) {
			go func() { _ = m.Drain(context.Background()) }()
		}, taskmanager.ErrStopped, "", false},
		"Stop": {func(m *taskmanager.TaskManager, _ context.CancelCauseFunc) { _ = m.Stop(cancelledContext()) }, taskmanager.ErrStopped, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1))
				submitFunc(t, m, "busy", func(context.Context) error { time.Sleep(time.Minute); return nil })
				queued := submitFunc(t, m, "queued", fn0)
				synctest.Wait()
				ctx, cancel := context.WithCancelCause(t.Context())
				begin, result := time.Now(), make(chan error, 1)
				go func() { result <- m.PauseWait(ctx) }()
				time.Sleep(time.Second)
				c.do(m, cancel)
				err := <-result
				check.Equal(t, "time", time.Since(begin), time.Second)
				if c.is != nil {
					check.Is(t, "PauseWait", err, c.is)
				}
				if err == nil || !strings.Contains(err.Error(), c.text) || !strings.HasPrefix(err.Error(), "taskmanager: ") {
					t.Errorf("PauseWait returned %v, want it to say %q", err, c.text)
				}
				time.Sleep(2 * time.Minute)
				check.Equal(t, "the queued task has not ended", !isClosed(queued.Done()), c.paused)
				if c.is == taskmanager.ErrStopped { //nolint:errorlint // the sentinel of the case
					<-m.Done()
					check.Is(t, "PauseWait afterwards", m.PauseWait(t.Context()), taskmanager.ErrStopped)
				}
			})
		})
	}
}

// TestPauseWaitDuringADrainHoldsNothingUp checks that a PauseWait of a manager that drains returns at
// once and does not keep the tasks from running.
func TestPauseWaitDuringADrainHoldsNothingUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		submitFunc(t, m, "busy", func(context.Context) error { time.Sleep(time.Minute); return nil })
		queued := submitFunc(t, m, "queued", fn0)
		begin := time.Now()
		m.Close()
		synctest.Wait()
		check.Is(t, "PauseWait", m.PauseWait(t.Context()), taskmanager.ErrStopped)
		check.Equal(t, "time", time.Since(begin), 0)
		<-m.Done()
		check.Equal(t, "error of the queued task", queued.Err(), nil)
		check.Equal(t, "time of the end", time.Since(begin), time.Minute)
	})
}

// TestPauseWaitByATask checks that a task must not wait for itself, with its own context or with
// another one, and that the manager is not paused then; and a nil context.
func TestPauseWaitByATask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		h := submitFunc(t, m, "a", func(ctx context.Context) error {
			check.Is(t, "PauseWait with the context of the task", m.PauseWait(ctx), taskmanager.ErrWouldDeadlock)
			check.Is(t, "PauseWait with another context", m.PauseWait(context.Background()), taskmanager.ErrWouldDeadlock)
			return nil
		})
		check.Equal(t, "the task", wait(t, h), nil)
		await(t, submitFunc(t, m, "b", fn0))                                       // not paused
		check.Is(t, "PauseWait(nil)", m.PauseWait(nil), taskmanager.ErrNilContext) //nolint:staticcheck // a nil context is under test

		other := start(t, taskmanager.WithWorkers(1, 1))
		h = submitFunc(t, other, "of another manager", func(ctx context.Context) error { return m.PauseWait(ctx) })
		check.Equal(t, "PauseWait by a task of another manager", wait(t, h), nil)
	})
}
