package taskmanager_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// A task that is submitted while a worker is idle stays in the queue until that worker has
// woken up. With one processor the worker does not run before the submitter yields. So these
// tests see the state in which a woken worker waits for a busy processor.

// TestWokenWorkerHoldsNoTask checks that the first task is not reserved for the worker that
// it woke up: the first worker that is free takes it.
func TestWokenWorkerHoldsNoTask(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	bubble(t, func(t *testing.T) {
		const tasks = 50 // few enough to be submitted before the goroutine is preempted
		m := start(t, taskmanager.WithWorkers(2, 2))
		began := make(chan int, tasks)
		synctest.Wait()
		parent := submitFunc(t, m, "parent", func(ctx context.Context) error {
			for i := range tasks {
				if _, err := m.SubmitFunc(ctx, strconv.Itoa(i), func(context.Context) error {
					began <- i
					return nil
				}); err != nil {
					return err
				}
			}
			return nil
		})
		if err := wait(t, parent); err != nil {
			t.Fatal(err)
		}
		if err := m.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if first := <-began; first != 0 {
			t.Errorf("of %d tasks, number %d was the first to begin, want 0, which was submitted first", tasks, first)
		}
	})
}

// TestCancelBeforeTheWorkerHasCome cancels a task whose worker is waking up. The task is
// still queued, so it ends at once.
func TestCancelBeforeTheWorkerHasCome(t *testing.T) {
	beforeTheWorkerHasCome(t, func(m *taskmanager.TaskManager, task func(context.Context) error) bool {
		h := submitFunc(t, m, "a", task)
		h.Cancel()
		return errors.Is(h.Err(), taskmanager.ErrCancelled)
	})
}

// TestPauseBeforeTheWorkerHasCome pauses the manager while the worker of a task is waking
// up. The task must not start during the pause.
func TestPauseBeforeTheWorkerHasCome(t *testing.T) {
	beforeTheWorkerHasCome(t, func(m *taskmanager.TaskManager, task func(context.Context) error) bool {
		h := submitFunc(t, m, "a", task)
		m.Pause()
		synctest.Wait()
		held := !isClosed(h.Done())
		m.Resume()
		await(t, h)
		return held
	})
}

// beforeTheWorkerHasCome calls try on an idle manager, up to ten times until it succeeds.
// try may fail if the submitter is preempted and the worker runs early.
func beforeTheWorkerHasCome(t *testing.T, try func(m *taskmanager.TaskManager, task func(context.Context) error) bool) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(2, 2))
		for range 10 {
			synctest.Wait()
			if try(m, func(context.Context) error { return nil }) {
				return
			}
		}
		t.Error("a task was no longer queued right after it was submitted, each time")
	})
}
