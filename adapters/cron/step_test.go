package cron_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/cron"
	"github.com/seed56799101/taskmanager/internal/clock/clocktest"
	"github.com/seed56799101/taskmanager/taskmanager"
)

const day = 24 * time.Hour

// TestScheduleFollowsTheClockThatIsSet sets the wall clock back or forward by a day. A schedule then
// neither waits for a day nor starts all runs of a day at once.
func TestScheduleFollowsTheClockThatIsSet(t *testing.T) {
	for _, step := range []time.Duration{day, -day} {
		for _, overlap := range []taskmanager.Overlap{taskmanager.OverlapSkip, taskmanager.OverlapQueue} {
			inBubble(t, func(t *testing.T, m *taskmanager.TaskManager) {
				task := new(clocked)
				if _, err := cron.Schedule(t.Context(), m, "*/5 * * * * *", task, taskmanager.WithOverlap(overlap)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(12 * time.Second)
				clocktest.Step(t, step)
				time.Sleep(14 * time.Second)
				synctest.Wait()
				want := []string{"1 00:00:05.000", "1 00:00:10.000", "1 00:00:15.000", "1 00:00:20.000", "1 00:00:25.000"}
				if step < 0 {
					want = append(want[:2], want[3:]...) // the schedule notices the step at 15 s
				}
				if diff := cmp.Diff(want, task.runs); diff != "" {
					t.Errorf("step %v, policy %v: runs (-want +got):\n%s", step, overlap, diff)
				}
			})
		}
	}
}

// TestFixedRateDoesNotFollowTheClock asks @every for the next time after times that time.Now returns
// when the wall clock was set meanwhile.
func TestFixedRateDoesNotFollowTheClock(t *testing.T) {
	times := parse(t, "@every 5s")
	first := times.Next(time.Now())
	for _, step := range []time.Duration{day, -day} {
		next := times.Next(clocktest.Stepped(first.Add(time.Second), step))
		if got := next.Sub(first); got != 5*time.Second {
			t.Errorf("step %v: the times are %v apart, want 5s", step, got)
		}
	}
}
