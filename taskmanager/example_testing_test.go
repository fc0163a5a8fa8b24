package taskmanager_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// poller is the code under test, which uses a manager.
func poller(m *taskmanager.TaskManager, interval time.Duration, poll func()) (*taskmanager.Handle, error) {
	return m.SubmitFunc(context.Background(), "poller", func(ctx context.Context) error {
		ticks := time.NewTicker(interval)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				poll()
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// TestExampleInVirtualTime shows how to test code that uses a manager. In a bubble of
// testing/synctest an hour passes at once, and synctest.Wait returns when all goroutines
// in the bubble are blocked.
func TestExampleInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Start and stop the manager inside the bubble, so that its goroutines belong to
		// the bubble, use its time, and end before the test does.
		m, err := taskmanager.Start(taskmanager.WithWorkers(1, 4))
		if err != nil {
			t.Fatal(err)
		}
		polls := 0
		h, err := poller(m, time.Minute, func() { polls++ })
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait() // without it, the 60th poll and the next line race
		if polls != 60 {
			t.Errorf("%d polls in an hour, want 60", polls)
		}
		h.Cancel()
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
