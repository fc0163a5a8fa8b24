package taskmanager_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/clock"
	"github.com/seed56799101/taskmanager/internal/clock/clocktest"
	"github.com/seed56799101/taskmanager/taskmanager"
)

const day = 24 * time.Hour

// onTheWallClock is a timetable of the multiples of an interval on the wall clock, as of a
// cron expression.
func onTheWallClock(interval time.Duration) timetable {
	return func(after time.Time) time.Time { return after.Truncate(interval).Add(interval) }
}

// repeat calls Repeat and fails the test if that returns an error.
func repeat(t *testing.T, m *taskmanager.TaskManager, times taskmanager.Timetable, task taskmanager.Task,
	opts ...taskmanager.TaskOption,
) *taskmanager.Schedule {
	t.Helper()
	s, err := m.Repeat(t.Context(), times, task, opts...)
	if err != nil {
		t.Fatalf("Repeat: %v", err)
	}
	return s
}

var overlaps = []taskmanager.Overlap{taskmanager.OverlapSkip, taskmanager.OverlapQueue, taskmanager.OverlapCoalesce}

// wantNext checks the time of the next run, as seen on the wall clock.
func wantNext(t *testing.T, what string, s *taskmanager.Schedule, want time.Duration) {
	t.Helper()
	check.Equal(t, what+": the next run is due in", s.Next().Sub(clock.Now()), want)
}

// TestClockSetBackDoesNotStallASchedule sets the wall clock back by a day. The runs go on.
func TestClockSetBackDoesNotStallASchedule(t *testing.T) {
	for _, overlap := range overlaps {
		bubble(t, func(t *testing.T) {
			log := newRunLog()
			s := repeat(t, start(t), onTheWallClock(5*time.Second), log.lasting("task", 0), taskmanager.WithOverlap(overlap))
			log.until(11)
			clocktest.Step(t, -day)
			log.until(32)
			check.Equal(t, "starts", log.starts(), seconds(5, 10, 20, 25, 30)) // 15 notices the step
			check.Equal(t, "skipped", s.Skipped(), 0)
			wantNext(t, "after the step", s, 3*time.Second)
		})
	}
}

// TestClockSetForwardCausesNoBurst sets the wall clock forward by a day, over 17,280 times. One
// run starts for them all.
func TestClockSetForwardCausesNoBurst(t *testing.T) {
	for _, overlap := range overlaps {
		bubble(t, func(t *testing.T) {
			log := newRunLog()
			s := repeat(t, start(t), onTheWallClock(5*time.Second), log.lasting("task", 0), taskmanager.WithOverlap(overlap))
			log.until(11)
			clocktest.Step(t, day+2*time.Second)
			log.until(24)
			check.Equal(t, "starts", log.starts(), seconds(5, 10, 15, 18, 23))
			check.Equal(t, "skipped", s.Skipped(), 0)
			wantNext(t, "after the step", s, 4*time.Second)
		})
	}
}

// TestClockSetForwardOverARunStartsItOnce lets the wall clock jump over the time of a run that is
// due hours later, as after the suspension of a machine.
func TestClockSetForwardOverARunStartsItOnce(t *testing.T) {
	for _, overlap := range overlaps {
		bubble(t, func(t *testing.T) {
			log := newRunLog()
			s := repeat(t, start(t), onTheWallClock(8*time.Hour), log.lasting("backup", 0), taskmanager.WithOverlap(overlap))
			log.until(3600.5)
			clocktest.Step(t, 20*time.Hour)
			log.until(3661)
			if runs := log.starts(); len(runs) != 1 || runs[0] < time.Hour {
				t.Errorf("%v: a minute after the step the starts are %v, want one", overlap, runs)
			}
			wantNext(t, "after the step", s, 3*time.Hour-61*time.Second)
			time.Sleep(3 * time.Hour)
			synctest.Wait()
			check.Equal(t, "runs at the next time", len(log.starts()), 2)
		})
	}
}

// TestClockSetForwardMovesALaterRun lets the wall clock jump, but not over the time of the run. The
// schedule is on time although it slept when the clock was set.
func TestClockSetForwardMovesALaterRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := newRunLog()
		repeat(t, start(t), onTheWallClock(8*time.Hour), log.lasting("backup", 0))
		log.until(3600)
		clocktest.Step(t, 5*time.Hour)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		check.Equal(t, "starts", log.starts(), []time.Duration{3 * time.Hour})
	})
}

// TestRunsDueDuringARunSurviveAStep checks that OverlapQueue makes up for the runs that became due
// while a run was outstanding, and only for one of those over which the clock jumped.
func TestRunsDueDuringARunSurviveAStep(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := newRunLog()
		repeat(t, start(t), onTheWallClock(5*time.Second), log.lasting("task", 17*time.Second, 0), taskmanager.WithOverlap(taskmanager.OverlapQueue))
		log.until(16) // 10 and 15 wait
		clocktest.Step(t, day)
		log.until(31)
		check.Equal(t, "starts", log.starts(), seconds(5, 22, 22, 22, 25, 30)) // 20, which notices the step, waited too
	})
}

// TestStepWhileATimetableIsAsked sets the wall clock while Next computes a time.
func TestStepWhileATimetableIsAsked(t *testing.T) {
	for _, step := range []time.Duration{day, -day} {
		for _, overlap := range overlaps {
			bubble(t, func(t *testing.T) {
				log := newRunLog()
				calls := 0
				slow := timetable(func(after time.Time) time.Time {
					if calls++; calls == 3 {
						time.Sleep(2 * time.Second)
						clocktest.Step(t, step)
					}
					return onTheWallClock(5 * time.Second)(after)
				})
				s := repeat(t, start(t), slow, log.lasting("task", 0), taskmanager.WithOverlap(overlap))
				log.until(101)
				if runs := len(log.starts()); runs < 7 || runs > 21 { // a step back is noticed within a minute
					t.Errorf("step %v, %v: %d runs in 101 s, want about one in 5 s: %v", step, overlap, runs, log.starts())
				}
				wantNext(t, "after the step", s, 4*time.Second)
			})
		}
	}
}

// TestSmallChangesOfTheWallClockRepeatNoRun moves the wall clock as a time service does.
func TestSmallChangesOfTheWallClockRepeatNoRun(t *testing.T) {
	for _, overlap := range overlaps {
		bubble(t, func(t *testing.T) {
			log := newRunLog()
			s := repeat(t, start(t), onTheWallClock(5*time.Second), log.lasting("task", 0), taskmanager.WithOverlap(overlap))
			log.until(7)
			clocktest.Step(t, -900*time.Millisecond)
			log.until(11)
			clocktest.Step(t, -900*time.Millisecond)
			log.until(17)
			clocktest.Step(t, 900*time.Millisecond)
			log.until(26)
			check.Equal(t, "starts", log.starts(), seconds(5, 10.9, 16.8, 21.8, 25.9))
			check.Equal(t, "skipped", s.Skipped(), 0)
		})
	}
}

// TestEveryDoesNotFollowTheWallClock sets the wall clock. The rate stays the same, and Next is a time
// on the new wall clock.
func TestEveryDoesNotFollowTheWallClock(t *testing.T) {
	for _, step := range []time.Duration{day, -day} {
		for _, overlap := range overlaps {
			bubble(t, func(t *testing.T) {
				log := newRunLog()
				s := every(t, start(t), 5*time.Second, log.lasting("task", 0), taskmanager.WithOverlap(overlap))
				log.until(11)
				clocktest.Step(t, step)
				wantNext(t, "after the step", s, 4*time.Second)
				log.until(23)
				check.Equal(t, "starts", log.starts(), seconds(5, 10, 15, 20))
				wantNext(t, "later", s, 2*time.Second)
			})
		}
	}
}

// TestClockSetBackDuringNextDoesNotStallASchedule sets the wall clock back by a day between the
// reading from which the timetable computes a run and its return.
func TestClockSetBackDuringNextDoesNotStallASchedule(t *testing.T) {
	for _, overlap := range overlaps {
		bubble(t, func(t *testing.T) {
			log, times, asked := newRunLog(), onTheWallClock(90*time.Second), 0
			s := repeat(t, start(t), timetable(func(after time.Time) time.Time {
				if asked++; asked == 1 {
					clocktest.Step(t, -day)
				}
				return times(after)
			}), log.lasting("task", 0), taskmanager.WithOverlap(overlap))
			log.until(191) // the schedule reads the wall clock every minute
			check.Equal(t, "starts", log.starts(), seconds(90, 180))
			wantNext(t, "after the step", s, 79*time.Second)
		})
	}
}

// TestStepsCauseNeitherStallsNorBursts sets the wall clock at random.
func TestStepsCauseNeitherStallsNorBursts(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		interval := time.Duration(rapid.IntRange(1, 100).Draw(t, "interval")) * time.Second
		overlap := rapid.SampledFrom(overlaps).Draw(t, "overlap")
		length := time.Duration(rapid.IntRange(0, 200).Draw(t, "length")) * time.Second
		type change struct{ after, step int } // seconds
		var changes []change
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			step := rapid.OneOf(rapid.IntRange(-5, 5), rapid.IntRange(-100_000, 100_000)).Draw(t, "step")
			changes = append(changes, change{rapid.IntRange(0, 300).Draw(t, "after"), step})
		}
		rapid.SyncTest(t, func(t *rapid.T) {
			m, err := taskmanager.Start()
			if err != nil {
				t.Fatal(err)
			}
			defer stop(t, m)
			log := newRunLog()
			s, err := m.Repeat(context.Background(), onTheWallClock(interval), log.lasting("task", length, 0), taskmanager.WithOverlap(overlap))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range changes {
				time.Sleep(time.Duration(c.after) * time.Second)
				clocktest.Step(t, time.Duration(c.step)*time.Second)
			}
			time.Sleep(time.Minute + interval + length)
			synctest.Wait()
			if left := s.Next().Sub(clock.Now()); left <= 0 || left > interval {
				t.Errorf("the next run is due in %v, at an interval of %v", left, interval)
			}
			runs, most := len(log.starts())+s.Skipped(), int(time.Since(log.since)/interval)+1+2*len(changes)
			if runs > most {
				t.Errorf("%d runs in %v, want %d at most", runs, time.Since(log.since), most)
			}
		})
	})
}
