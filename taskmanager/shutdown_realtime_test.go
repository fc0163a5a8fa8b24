package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestStopAndDrainOfManyTasksReturnInTime stops a manager with very many queued tasks. When
// the context ends, most of the work must be left for the background.
func TestStopAndDrainOfManyTasksReturnInTime(t *testing.T) {
	const tasks = 100_000
	for name, end := range map[string]func(*taskmanager.TaskManager, context.Context) error{
		"Stop":  (*taskmanager.TaskManager).Stop,
		"Drain": (*taskmanager.TaskManager).Drain,
	} {
		t.Run(name, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1))
			release := make(chan struct{})
			submitFunc(t, m, "busy", ignoresCancel(release))
			for i := range tasks {
				submitFunc(t, m, fmt.Sprint(i), fn0)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			begin := time.Now()
			err := end(m, ctx)
			took := time.Since(begin)
			check.Is(t, name, err, context.DeadlineExceeded)
			if short, ok := errors.AsType[*taskmanager.DrainError](err); ok {
				check.Equal(t, "running", short.Running, []string{"busy"})
				if n := len(short.Cancelled) + short.More; n < tasks/2 || n > tasks {
					t.Errorf("%d tasks were cancelled, of %d", n, tasks)
				}
			}
			close(release)
			stop(t, m)
			if rest := time.Since(begin) - took; took > rest {
				t.Errorf("%s took %v with a context of 10ms, and the rest %v", name, took, rest)
			}
			s := m.Snapshot()
			check.Equal(t, "tasks accounted for", s.Dropped+s.Completed, uint64(tasks+1))
		})
	}
}
