package taskmanager_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestCancelledAtTheBegin: a task that is cancelled at the last moment before its execution begins
// has never run, and its status says so.
func TestCancelledAtTheBegin(t *testing.T) {
	m := start(t, taskmanager.WithHistory(1))
	h, err := taskmanager.BeginCancelled(m, "a")
	if err != nil {
		t.Fatal(err)
	}
	check.Is(t, "the error of the task", wait(t, h), taskmanager.ErrCancelled)
	check.Equal(t, "the time of the begin", h.Status().StartedAt, time.Time{})
	check.Equal(t, "the time of the begin in the history", m.History()[0].StartedAt, time.Time{})
}

// TestCancelRightAfterASubmit: a task that is submitted while the only worker is idle, and
// cancelled at once, does not run and ends with ErrCancelled; or it runs, and its context ends.
func TestCancelRightAfterASubmit(t *testing.T) {
	for name, cancel := range map[string]func(m *taskmanager.TaskManager, h *taskmanager.Handle){
		"Cancel":             func(_ *taskmanager.TaskManager, h *taskmanager.Handle) { h.Cancel() },
		"Cancel, paused":     func(m *taskmanager.TaskManager, h *taskmanager.Handle) { m.Pause(); h.Cancel(); m.Resume() },
		"Cancel of its name": func(m *taskmanager.TaskManager, h *taskmanager.Handle) { m.Cancel(h.Name()) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithoutTelemetry())
				for i := range 1000 {
					synctest.Wait() // the worker is idle
					h := submitFunc(t, m, fmt.Sprint(i), untilCancelled)
					cancel(m, h)
					synctest.Wait()
					check.Is(t, "the error of the task", h.Err(), taskmanager.ErrCancelled)
				}
				check.Equal(t, "tasks that were cancelled", m.Counts().Cancelled, 1000)
			})
		})
	}
}
