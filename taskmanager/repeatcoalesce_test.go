package taskmanager_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// both calls a test for a schedule of Every and for one that follows the wall clock, with the same
// times.
func both(t *testing.T, interval time.Duration, test func(t *testing.T, schedule maker)) {
	t.Helper()
	t.Run("Every", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			test(t, func(m *taskmanager.TaskManager, task taskmanager.Task, opts ...taskmanager.TaskOption) *taskmanager.Schedule {
				return every(t, m, interval, task, opts...)
			})
		})
	})
	t.Run("Repeat", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			test(t, func(m *taskmanager.TaskManager, task taskmanager.Task, opts ...taskmanager.TaskOption) *taskmanager.Schedule {
				return repeat(t, m, onTheWallClock(interval), task, opts...)
			})
		})
	})
}

// TestCoalesceMakesUpForAllMissedRunsWithOne lets a run take 125 minutes at an interval of 10. One
// run follows it, and the eleven others are skipped.
func TestCoalesceMakesUpForAllMissedRunsWithOne(t *testing.T) {
	for overlap, want := range map[taskmanager.Overlap]struct{ follow, skipped int }{
		taskmanager.OverlapSkip:     {0, 12},
		taskmanager.OverlapQueue:    {12, 0},
		taskmanager.OverlapCoalesce: {1, 11},
	} {
		both(t, 10*time.Minute, func(t *testing.T, schedule maker) {
			log := newRunLog()
			s := schedule(start(t), log.lasting("task", 125*time.Minute, 0), taskmanager.WithOverlap(overlap))
			log.until(145 * 60)
			starts := slices.Concat(minutes(10), slices.Repeat(minutes(135), want.follow), minutes(140))
			check.Equal(t, "starts", log.starts(), starts)
			check.Equal(t, "skipped", s.Skipped(), want.skipped)
		})
	}
}

// minutes converts numbers of minutes to durations.
func minutes(m ...float64) []time.Duration {
	for i := range m {
		m[i] *= 60
	}
	return seconds(m...)
}

// TestARunThatMakesUpForOthersMayBeLongToo checks that it makes up only for what was due before it.
func TestARunThatMakesUpForOthersMayBeLongToo(t *testing.T) {
	both(t, time.Second, func(t *testing.T, schedule maker) {
		log := newRunLog()
		s := schedule(start(t), log.lasting("task", 2250*time.Millisecond, 2250*time.Millisecond, 0),
			taskmanager.WithOverlap(taskmanager.OverlapCoalesce))
		log.until(8.5)
		check.Equal(t, "starts", log.starts(), seconds(1, 3.25, 5.5, 6, 7, 8))
		check.Equal(t, "skipped", s.Skipped(), 2) // one of 2 and 3, one of 4 and 5
	})
}

// TestCoalesceOfRunsThatRestart counts the wait for a restart as a part of the run.
func TestCoalesceOfRunsThatRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := newRunLog()
		s := every(t, start(t), time.Second, &task{name: "restarts", execute: func(context.Context) error {
			if log.begin() == 1 {
				return errFailed
			}
			return nil
		}, restart: func(context.Context, error) bool { return true }},
			taskmanager.WithRestart(fixedDelay(3500*time.Millisecond)), taskmanager.WithOverlap(taskmanager.OverlapCoalesce))
		log.until(6.5)
		check.Equal(t, "starts", log.starts(), seconds(1, 4.5, 4.5, 5, 6))
		check.Equal(t, "skipped", s.Skipped(), 2)
	})
}

// TestCoalesceOfLateAlarms delays the alarms by a slow observer. One run makes up for those that became
// due while the first one was being submitted.
func TestCoalesceOfLateAlarms(t *testing.T) {
	both(t, time.Second, func(t *testing.T, schedule maker) {
		for _, method := range []string{"BeginSubmit", "EndSubmit"} {
			pause := 3500 * time.Millisecond
			m := start(t, taskmanager.WithObserver(submitListener(func(called, _ string) {
				if called == method {
					time.Sleep(pause)
					pause = 0
				}
			})))
			log := newRunLog()
			s := schedule(m, log.lasting("task", 250*time.Millisecond), taskmanager.WithOverlap(taskmanager.OverlapCoalesce))
			log.until(6.5)
			switch starts := log.starts(); method {
			case "BeginSubmit": // the first run starts at 4.5, and another one makes up for 2, 3 and 4
				check.Equal(t, "starts", starts, seconds(4.5, 4.75, 5, 6))
			default:
				check.Equal(t, "starts", starts, seconds(1, 4.5, 5, 6))
			}
			if skipped := s.Skipped(); skipped > 2 {
				t.Errorf("%s: %d skipped, want 2 at most", method, skipped)
			}
			s.Stop()
			log.until(7)
		}
	})
}

// TestCoalescedRunThatDoesNotStart lets another task have the name when the run that makes up for
// others should start. The schedule continues with the next time.
func TestCoalescedRunThatDoesNotStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := newRunLog()
		m := start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithLogger(new(recorder)))
		held := make(chan struct{})
		s := every(t, m, time.Second, &task{name: "task", execute: func(context.Context) error {
			if log.begin() == 1 {
				time.Sleep(2250 * time.Millisecond)
				defer func() { // when the run has ended, this goroutine or the schedule gets the name
					go func() {
						for {
							if _, err := m.SubmitFunc(t.Context(), "task", func(context.Context) error { time.Sleep(time.Second); return nil }); err == nil {
								close(held)
								return
							}
							time.Sleep(time.Millisecond)
						}
					}()
				}()
			}
			return nil
		}}, taskmanager.WithOverlap(taskmanager.OverlapCoalesce))
		<-held
		log.until(8.5)
		if got := len(log.starts()) + s.Skipped(); got != 8 {
			t.Errorf("%d runs and %d skipped, want 8 in all; starts %v", len(log.starts()), s.Skipped(), log.starts())
		}
		check.Equal(t, "the last start", log.starts()[len(log.starts())-1], 8*time.Second)
	})
}
