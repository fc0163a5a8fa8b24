package taskmanager_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestNoMaximumAndNoIdleTimeout runs a thousand tasks at once, in each manager that takes the two
// constants, and lets the workers be idle for years.
func TestNoMaximumAndNoIdleTimeout(t *testing.T) {
	check.Equal(t, "NoIdleTimeout", taskmanager.NoIdleTimeout, scheduler.NoIdleTimeout)
	check.Equal(t, "NoMaximum", taskmanager.NoMaximum, scheduler.NoMaximum)
	bubble(t, func(t *testing.T) {
		for name, m := range map[string]*taskmanager.TaskManager{
			"Start": start(t, taskmanager.WithWorkers(0, taskmanager.NoMaximum), taskmanager.WithIdleTimeout(taskmanager.NoIdleTimeout)),
			"New":   taskmanager.New(0, taskmanager.NoMaximum, taskmanager.NoIdleTimeout, nil),
		} {
			const n = 1000
			for i := range n {
				submitFunc(t, m, strconv.Itoa(i), func(context.Context) error { time.Sleep(time.Second); return nil })
			}
			synctest.Wait()
			check.Equal(t, name+": busy", m.Snapshot().Busy, n)
			time.Sleep(10 * 365 * day)
			synctest.Wait()
			check.Equal(t, name+": idle", m.Snapshot().Idle, n)
			if err := m.Resize(0, taskmanager.NoMaximum); err != nil {
				t.Errorf("%s: Resize: %v", name, err)
			}
			stop(t, m)
		}
	})
}
