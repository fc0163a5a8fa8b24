package taskmanager_test

import (
	"testing"
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
