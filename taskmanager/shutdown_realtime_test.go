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
// the context ends, most of the work must be left for the background. The best of several
// attempts counts, since other programs take the processors away from the test.
func TestStopAndDrainOfManyTasksReturnInTime(t *testing.T) {
	for name, end := range map[string]func(*taskmanager.TaskManager, context.Context) error{
		"Stop":  (*taskmanager.TaskManager).Stop,
		"Drain": (*taskmanager.TaskManager).Drain,
	} {
		t.Run(name, func(t *testing.T) {
			var took, rest time.Duration
			for range 5 {
				if took, rest = endManyTasks(t, end); took <= rest {
					return
				}
			}
			t.Errorf("%s took %v with a context of 10ms, and the rest %v", name, took, rest)
		})
	}
}

// endManyTasks calls end with a context of ten milliseconds. It returns how long that took, and
// how long the manager then took to stop.
func endManyTasks(t *testing.T, end func(*taskmanager.TaskManager, context.Context) error) (took, rest time.Duration) {
	t.Helper()
	const tasks = 100_000
	m := start(t, taskmanager.WithWorkers(1, 1))
	release := make(chan struct{})
	busy := submitFunc(t, m, "busy", ignoresCancel(release))
	<-busy.Started()
	for i := range tasks {
		submitFunc(t, m, fmt.Sprint(i), fn0)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err := end(m, ctx)
	took = time.Since(begin)
	check.Is(t, "the error", err, context.DeadlineExceeded)
	if short, ok := errors.AsType[*taskmanager.DrainError](err); ok {
		check.Equal(t, "running", short.Running, []string{"busy"})
		if n := len(short.Cancelled) + short.More; n < tasks/2 || n > tasks {
			t.Errorf("%d tasks were cancelled, of %d", n, tasks)
		}
	}
	close(release)
	stop(t, m)
	rest = time.Since(begin) - took
	s := m.Snapshot()
	check.Equal(t, "tasks accounted for", s.Dropped+s.Completed, uint64(tasks+1))
	return took, rest
}
