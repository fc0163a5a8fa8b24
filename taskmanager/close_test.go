package taskmanager_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestCloseRunsWhatIsAccepted checks that Close returns at once and refuses new tasks; that
// queued, delayed and restarting tasks run, and a submit that waits for room gets it; and that
// the manager ends with the last task.
func TestCloseRunsWhatIsAccepted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(2, taskmanager.Block), taskmanager.WithRestart(fixedDelay(time.Minute)))
		m.Pause() // which Close ends
		runs := 0
		handles := []*taskmanager.Handle{
			submit(t, m, &task{
				name:    "restarts",
				execute: func(context.Context) error { runs++; return map[int]error{1: errFailed}[runs] },
				restart: func(context.Context, error) bool { return true },
			}),
			submitFunc(t, m, "delayed", fn0, taskmanager.WithDelay(time.Hour)),
			submitFunc(t, m, "queued", fn0),
		}
		waits := make(chan error, 1)
		go func() {
			h, err := m.SubmitFunc(context.Background(), "waits for room", fn0)
			handles = append(handles, h)
			waits <- err
		}()
		s, err := m.Every(t.Context(), time.Minute, &task{name: "every"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()

		begin := time.Now()
		m.Close()
		m.Close()
		check.Equal(t, "time", time.Since(begin), 0)
		_, err = m.SubmitFunc(t.Context(), "late", fn0)
		check.Is(t, "SubmitFunc", err, taskmanager.ErrStopped)
		m.Pause()
		synctest.Wait()
		check.Is(t, "the submit that waited for room", <-waits, nil)
		check.Equal(t, "the next run of the schedule", s.Next(), time.Time{})
		check.Equal(t, "ended", isClosed(m.Done()), false)
		<-m.Done()
		check.Equal(t, "time until the end", time.Since(begin), time.Hour)
		for _, h := range handles {
			if !isClosed(h.Done()) || h.Err() != nil {
				t.Errorf("task %q has ended: %v, with %v", h.Name(), isClosed(h.Done()), h.Err())
			}
		}
		check.Equal(t, "workers", len(m.Status()), 0)
		check.Is(t, "Resize", m.Resize(1, 2), taskmanager.ErrStopped)
	})
}

// TestCloseOfAnIdleManager checks that the workers exit without a further call, so that a
// manager that is closed and forgotten leaves no goroutine.
func TestCloseOfAnIdleManager(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, err := taskmanager.Start(taskmanager.WithWorkers(3, 3))
		if err != nil {
			t.Fatal(err)
		}
		m.Close()
		synctest.Wait()
		check.Equal(t, "ended", isClosed(m.Done()), true)
	})
}

// TestCloseByATask checks that a task may close its own manager.
func TestCloseByATask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		submitted := make(chan struct{})
		submitFunc(t, m, "closes", func(context.Context) error { <-submitted; m.Close(); return nil })
		queued := submitFunc(t, m, "queued", fn0)
		close(submitted)
		<-m.Done()
		check.Equal(t, "the queued task has ended", isClosed(queued.Done()), true)
		check.Is(t, "the queued task", queued.Err(), nil)
	})
}

// TestCallsAfterClose checks that Drain waits for what Close left, and that Stop cuts it short.
func TestCallsAfterClose(t *testing.T) {
	takes := func(d time.Duration) func(context.Context) error {
		return func(ctx context.Context) error {
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		h := submitFunc(t, m, "task", takes(time.Hour))
		begin := time.Now()
		m.Close()
		check.Is(t, "Drain", m.Drain(t.Context()), nil)
		check.Equal(t, "time", time.Since(begin), time.Hour)
		check.Is(t, "the task", h.Err(), nil)
		m.Close()
		check.Is(t, "Drain", m.Drain(t.Context()), nil)
	})
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		h, queued := submitFunc(t, m, "task", takes(time.Hour)), submitFunc(t, m, "queued", fn0)
		synctest.Wait()
		m.Close()
		begin := time.Now()
		check.Is(t, "Stop", m.Stop(t.Context()), nil)
		check.Equal(t, "time", time.Since(begin), 0)
		check.Is(t, "the task", h.Err(), taskmanager.ErrStopped)
		check.Is(t, "the queued task", queued.Err(), taskmanager.ErrStopped)
	})
}

// TestCloseDrainAndStopAtOnce checks that Close, Drain and Stop may be called at the same time.
func TestCloseDrainAndStopAtOnce(t *testing.T) {
	for range 50 {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(2, 2))
			for i := range 10 {
				submitFunc(t, m, fmt.Sprint(i), untilCancelled)
			}
			for range 3 {
				go m.Close()
				go func() { _ = m.Drain(context.Background()) }()
				go func() { _ = m.Stop(context.Background()) }()
			}
			<-m.Done()
			check.Equal(t, "tasks and workers", len(m.TaskStatus())+len(m.Status()), 0)
		})
	}
}
