package taskmanager_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// poller is code of yours that uses a manager.
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

// TestExampleInVirtualTime shows how to test code that uses a manager: in a
// bubble of testing/synctest an hour passes at once, and synctest.Wait returns
// when every worker is at rest.
func TestExampleInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Start the manager inside the bubble and stop it there, so that its
		// workers live in the bubble's time and are gone when the test ends.
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
		synctest.Wait() // without it, the 60th poll and this line race
		if polls != 60 {
			t.Errorf("%d polls in an hour, want 60", polls)
		}
		h.Cancel()
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
