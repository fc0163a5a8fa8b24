package taskmanager_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/clock/clocktest"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestCoalesceSurvivesAStep checks that the run that makes up for others also makes up for those over
// which the clock jumps.
func TestCoalesceSurvivesAStep(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := newRunLog()
		s := repeat(t, start(t), onTheWallClock(5*time.Second), log.lasting("task", 17*time.Second, 0),
			taskmanager.WithOverlap(taskmanager.OverlapCoalesce))
		log.until(16)
		clocktest.Step(t, day)
		log.until(31)
		check.Equal(t, "starts", log.starts(), seconds(5, 22, 25, 30))
		check.Equal(t, "skipped", s.Skipped(), 2) // two of 10, 15, and 20, which notices the step
	})
}

// TestEndDateFollowsTheWallClock sets the clock by a time that does not reach the end.
func TestEndDateFollowsTheWallClock(t *testing.T) {
	for step, want := range map[time.Duration][]time.Duration{
		20 * time.Second:  seconds(10, 20),             // the clock is at 40 then, and at 42 two seconds later
		-20 * time.Second: seconds(10, 30, 40, 50, 60), // 20, which notices the step, is at 0 then
	} {
		bubble(t, func(t *testing.T) {
			log, m := newRunLog(), start(t)
			s := repeat(t, m, onTheWallClock(10*time.Second), log.lasting("task", 0), taskmanager.WithUntil(log.since.Add(42*time.Second)))
			log.until(12)
			clocktest.Step(t, step)
			log.until(200)
			check.Equal(t, "starts", log.starts(), want)
			wantEnded(t, "after the end date", m, s)
		})
	}
}

// TestClockSetForwardOverTheEnd checks that no run makes up for those that the clock jumped over.
func TestClockSetForwardOverTheEnd(t *testing.T) {
	for _, overlap := range overlaps {
		bubble(t, func(t *testing.T) {
			log, m := newRunLog(), start(t)
			s := repeat(t, m, onTheWallClock(10*time.Second), log.lasting("task", 0), taskmanager.WithOverlap(overlap),
				taskmanager.WithUntil(log.since.Add(time.Hour)))
			log.until(12)
			clocktest.Step(t, day)
			log.until(21)
			check.Equal(t, "starts", log.starts(), seconds(10))
			wantEnded(t, "after the end date", m, s)
			check.Equal(t, "skipped", s.Skipped(), 0)
		})
	}
}

// TestEveryEndsOnTheMonotonicClock sets the clock in both directions.
func TestEveryEndsOnTheMonotonicClock(t *testing.T) {
	for _, step := range []time.Duration{day, -day} {
		bubble(t, func(t *testing.T) {
			clocktest.Step(t, 3*step) // before the call: the option means the wall clock of the call
			log, m := newRunLog(), start(t)
			s := every(t, m, 10*time.Second, log.lasting("task", 0), taskmanager.WithUntil(log.since.Add(3*step+42*time.Second)),
				taskmanager.WithJitter(time.Nanosecond))
			log.until(12)
			clocktest.Step(t, step)
			log.until(200)
			check.Equal(t, "starts", log.starts(), seconds(10, 20, 30, 40))
			wantEnded(t, "after the end date", m, s)
		})
	}
}

// jittered starts a schedule with a run every 8 hours on the wall clock, and with delays of less than
// an hour. It returns the first delay, which is at least half an hour, and the source of the next one.
func jittered(t *testing.T, overlap taskmanager.Overlap) (log *runLog, s *taskmanager.Schedule, first time.Duration, random *rand.Rand) {
	t.Helper()
	for seed := uint64(0); first < 30*time.Minute; seed++ {
		random = rand.New(rand.NewPCG(seed, 0))
		first = time.Duration(random.Int64N(int64(time.Hour)))
		if first >= 30*time.Minute {
			log = newRunLog()
			m := start(t, taskmanager.WithRand(rand.NewPCG(seed, 0)))
			s = repeat(t, m, onTheWallClock(8*time.Hour), log.lasting("backup", 0), taskmanager.WithOverlap(overlap), taskmanager.WithJitter(time.Hour))
		}
	}
	return log, s, first, random
}

// TestClockSetDuringTheDelayOfARun sets the clock while the run of 8:00 waits. It starts once.
func TestClockSetDuringTheDelayOfARun(t *testing.T) {
	const atEight = 8 * time.Hour
	for _, overlap := range overlaps {
		for _, step := range []time.Duration{time.Hour, 20 * time.Hour, -2 * time.Minute} {
			bubble(t, func(t *testing.T) {
				log, s, _, random := jittered(t, overlap)
				time.Sleep(atEight + 10*time.Minute)
				clocktest.Step(t, step)
				time.Sleep(time.Minute)
				synctest.Wait()
				starts := log.starts()
				if len(starts) != 1 || starts[0] < atEight+10*time.Minute {
					t.Fatalf("step %v: a minute after the step the starts are %v, want one", step, starts)
				}
				delay := time.Duration(random.Int64N(int64(time.Hour)))
				shown := atEight + 11*time.Minute + step
				next := shown.Truncate(8*time.Hour) + 8*time.Hour + delay
				wantNext(t, "after the step", s, next-shown)
				time.Sleep(next - shown)
				synctest.Wait()
				check.Equal(t, "the second start", log.starts()[1:], []time.Duration{atEight + 11*time.Minute + next - shown})
				check.Equal(t, "skipped", s.Skipped(), 0)
			})
		}
		bubble(t, func(t *testing.T) { // the clock shows 8:00 again
			log, s, _, random := jittered(t, overlap)
			time.Sleep(atEight + 10*time.Minute)
			clocktest.Step(t, -2*time.Hour)
			time.Sleep(5 * time.Hour)
			synctest.Wait()
			again := time.Duration(random.Int64N(int64(time.Hour)))
			check.Equal(t, "starts", log.starts(), []time.Duration{atEight + 2*time.Hour + again})
			check.Equal(t, "skipped", s.Skipped(), 0)
		})
	}
}

// TestSmallChangesDuringTheDelayOfARun moves the wall clock as a time service does. The run moves with it.
func TestSmallChangesDuringTheDelayOfARun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log, _, first, _ := jittered(t, taskmanager.OverlapQueue)
		time.Sleep(8*time.Hour + 10*time.Minute)
		clocktest.Step(t, -900*time.Millisecond)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		check.Equal(t, "starts", log.starts(), []time.Duration{8*time.Hour + first + 900*time.Millisecond})
	})
}

// TestPausedScheduleFollowsTheWallClock lets the clock jump during a pause.
func TestPausedScheduleFollowsTheWallClock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := newRunLog()
		s := repeat(t, start(t), onTheWallClock(10*time.Second), log.lasting("task", 0))
		log.until(12)
		s.Pause()
		clocktest.Step(t, day+4*time.Second)
		log.until(21) // 20, which notices the step, is skipped; the clock shows 24 then
		s.Resume()
		wantNext(t, "after Resume", s, 5*time.Second)
		log.until(27)
		check.Equal(t, "starts", log.starts(), seconds(10, 26))
		check.Equal(t, "skipped", s.Skipped(), 1)
	})
}
