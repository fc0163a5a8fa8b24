package taskmanager_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestManagerOutsideABubble: a program may have one manager for all, and tests of code that uses it
// in virtual time. Such a test may end tasks, as long as it does not wait for them.
func TestManagerOutsideABubble(t *testing.T) {
	for _, inside := range []bool{true, false} { // whether the first task ends in virtual time
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.Reject), taskmanager.WithoutTelemetry())
		end := func() {
			h := submitFunc(t, m, "a", fn0)
			_, err := m.SubmitFunc(context.Background(), "b", fn0)
			check.Is(t, "a submit without room", err, taskmanager.ErrQueueFull)
			h.Cancel()
			check.Is(t, "the error of the task", h.Err(), taskmanager.ErrCancelled)
		}
		m.Pause()
		if !inside {
			end()
		}
		synctest.Test(t, func(*testing.T) { end() })
		end()
		synctest.Test(t, func(*testing.T) { end() })
		m.Resume()
		await(t, submitFunc(t, m, "c", fn0))
	}
}
