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

// What is submitted while a worker is idle is queued until that worker has come, and then
// is like other tasks that are queued. On one processor it does not come before whoever
// submits gives way, so these tests see what the milliseconds are like in which a woken
// worker waits for a busy processor.

// TestWokenWorkerHoldsNoTask: the first of many tasks is not bound to the worker that was
// woken for it, so that whoever comes first begins with it.
func TestWokenWorkerHoldsNoTask(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	bubble(t, func(t *testing.T) {
		const tasks = 50 // in less time than a goroutine may run for
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

// TestCancelBeforeTheWorkerHasCome: a task whose worker is on its way is queued, and so
// ends at once when it is cancelled.
func TestCancelBeforeTheWorkerHasCome(t *testing.T) {
	beforeTheWorkerHasCome(t, func(m *taskmanager.TaskManager, task func(context.Context) error) bool {
		h := submitFunc(t, m, "a", task)
		h.Cancel()
		return errors.Is(h.Err(), taskmanager.ErrCancelled)
	})
}

// TestPauseBeforeTheWorkerHasCome: a task whose worker is on its way has not begun, and so
// does not while the manager is paused.
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

// beforeTheWorkerHasCome tries something on an idle manager. It may fail a few times, as the
// submitter may be interrupted and the worker come after all, but not each time.
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
