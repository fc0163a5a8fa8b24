package taskmanager_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestInlineTaskOfAGoroutine checks that a task that runs in a submit of a goroutine of
// another task lends the slot of that task while it waits. The pool does not know the
// goroutine; the context of the submit leads to the task.
func TestInlineTaskOfAGoroutine(t *testing.T) {
	for _, other := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			full := taskmanager.WithLimit(1, taskmanager.CallerRuns)
			m := start(t, taskmanager.WithWorkers(1, 1), full)
			inlines := m
			if other { // the inline task belongs to another manager than its submitter
				inlines = start(t, taskmanager.WithWorkers(1, 1), full)
				submitFunc(t, inlines, "running", untilCancelled)
				synctest.Wait()
				submitFunc(t, inlines, "fill", fn0)
			}
			root := submitFunc(t, m, "root", func(ctx context.Context) error {
				queued, err := m.SubmitFunc(ctx, "queued", fn0)
				if err != nil {
					return err
				}
				failed := make(chan error)
				go func() {
					inline, err := inlines.SubmitFunc(ctx, "inline", queued.Wait)
					if err == nil {
						err = inline.Err()
					}
					failed <- err
				}()
				return <-failed
			})
			if err := wait(t, root); err != nil {
				t.Errorf("another manager: %t: %v", other, err)
			}
		})
	}
}

// TestInlineTaskWaitsForItsBatch checks that an inline task can wait for a task of its
// batch that is queued, and not for one that runs after it in the same submit.
func TestInlineTaskWaitsForItsBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.CallerRuns))
		submitFunc(t, m, "running", func(context.Context) error { time.Sleep(time.Second); return nil })
		synctest.Wait()
		var queuedErr, laterErr error
		_, err := m.SubmitAll(context.Background(), []taskmanager.Task{
			&task{name: "queued"},
			&task{name: "inline", execute: func(ctx context.Context) error {
				queued, _ := m.Lookup("queued")
				queuedErr = queued.Wait(ctx)
				later, _ := m.Lookup("later")
				laterErr = later.Wait(ctx)
				return nil
			}},
			&task{name: "later"},
		})
		check.Is(t, "SubmitAll", err, nil)
		check.Is(t, "wait for the queued task", queuedErr, nil)
		check.Is(t, "wait for the later task", laterErr, taskmanager.ErrWouldDeadlock)
	})
}

// TestRestartOfAnInlineTask checks that the execution after a restart, which runs on a
// worker, does not wait on behalf of the submitter, even if the submit has not returned.
func TestRestartOfAnInlineTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := slowLogger{new(recorder)} // the submit logs the restart before it returns
		m := start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithLimit(1, taskmanager.CallerRuns), taskmanager.WithLogger(log))
		root := make(chan *taskmanager.Handle, 1)
		var childErr error
		h := submitFunc(t, m, "root", func(ctx context.Context) error {
			self := <-root
			submitFunc(t, m, "running", func(context.Context) error { time.Sleep(time.Millisecond); return nil })
			synctest.Wait()
			submitFunc(t, m, "queued", fn0)
			executions := 0
			submitFunc(t, m, "inline", func(ctx context.Context) error {
				if executions++; executions == 1 {
					return errFailed
				}
				child := submitFunc(t, m, "child", func(ctx context.Context) error {
					time.Sleep(time.Second / 2) // the submit has not returned
					childErr = self.Wait(ctx)
					return nil
				})
				waited := make(chan error)
				go func() { waited <- child.Wait(ctx) }() // known by its context only
				return <-waited
			}, taskmanager.WithRestart(restart.MaxAttempts(2, restart.Constant(0))))
			time.Sleep(10 * time.Second)
			check.Equal(t, "lent slots, of the inline task and its child", m.Snapshot().Lent, 2)
			status := m.TaskStatus()
			check.Equal(t, "root and inline task", []taskmanager.WorkerStatus{status["root"].Status, status["inline"].Status},
				[]taskmanager.WorkerStatus{taskmanager.Running, taskmanager.Blocked})
			return nil
		})
		root <- h
		check.Is(t, "the root", wait(t, h), nil)
		if err := m.WaitIdle(t.Context()); err != nil {
			t.Error(err)
		}
		check.Is(t, "the wait for the root", childErr, nil)
	})
}

// slowLogger takes a second for each message.
type slowLogger struct{ *recorder }

func (l slowLogger) Infof(format string, args ...any) {
	time.Sleep(time.Second)
	l.recorder.Infof(format, args...)
}
