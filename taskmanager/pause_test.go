package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestPausedTimeUsesUpNoQueueTimeout checks that the tasks of a paused manager keep what is left
// of their queue timeouts, including those that are submitted during the pause, and those
// whose submits wait for room.
func TestPausedTimeUsesUpNoQueueTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(2, taskmanager.Block))
		submitFunc(t, m, "busy", untilCancelled)
		begin := time.Now()
		ended := make(chan string, 3)
		add := func(name string) {
			h, err := m.SubmitFunc(context.Background(), name, fn0, taskmanager.WithQueueTimeout(3*time.Second))
			if err == nil {
				err = h.Wait(context.Background())
			}
			ended <- fmt.Sprintf("%s after %v: %v", name, time.Since(begin), errors.Is(err, taskmanager.ErrQueueTimeout))
		}
		go add("before")
		time.Sleep(time.Second)
		m.Pause()
		time.Sleep(time.Minute)
		go add("during")
		synctest.Wait()
		go add("waits for room")
		time.Sleep(time.Minute)
		if len(ended) > 0 {
			t.Errorf("during the pause: %v", <-ended)
		}
		m.Resume()
		var got []string
		for range 3 {
			got = append(got, <-ended)
		}
		slices.Sort(got) // two of them end at the same time
		check.Equal(t, "ends", got, []string{"before after 2m3s: true", "during after 2m4s: true", "waits for room after 2m4s: true"})
	})
}

// TestQueueTimeoutDuringADrain checks that a queue timeout runs during a drain, also if the drain
// has ended a pause: it is a limit that the submitter has set.
func TestQueueTimeoutDuringADrain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		submitFunc(t, m, "busy", func(context.Context) error { time.Sleep(time.Hour); return nil })
		h := submitFunc(t, m, "impatient", fn0, taskmanager.WithQueueTimeout(time.Second))
		m.Pause()
		time.Sleep(time.Minute)
		if err := m.Drain(t.Context()); err != nil {
			t.Errorf("Drain returned %v", err)
		}
		check.Is(t, "Err", h.Err(), taskmanager.ErrQueueTimeout)
	})
}

// TestCoDelRunsAllAfterAPauseAndDuringADrain checks that a manager sheds nothing that waited only
// for the end of a pause, and nothing at all once it drains.
func TestCoDelRunsAllAfterAPauseAndDuringADrain(t *testing.T) {
	for name, test := range map[string]struct {
		takes time.Duration // the time of a task
		drain bool
	}{
		"pause": {time.Millisecond, false},
		"drain": {10 * time.Millisecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const tasks = 130 // the last ones start after an interval of 100 ms
				m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(taskmanager.CoDel(taskmanager.CoDelConfig{})))
				m.Pause()
				for i := range tasks {
					submitFunc(t, m, fmt.Sprint(i), func(context.Context) error { time.Sleep(test.takes); return nil })
				}
				time.Sleep(time.Minute)
				if test.drain {
					if err := m.Drain(t.Context()); err != nil {
						t.Errorf("Drain returned %v", err)
					}
				} else {
					m.Resume()
					if err := m.WaitIdle(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				s := m.Snapshot()
				check.Equal(t, "completed and shed", []uint64{s.Completed, s.Shed}, []uint64{tasks, 0})
			})
		})
	}
}
