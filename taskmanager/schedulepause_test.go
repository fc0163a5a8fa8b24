package taskmanager_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestPauseSkipsWhatBecomesDue checks that a schedule continues with the next time of its timetable,
// and that RunNow works meanwhile.
func TestPauseSkipsWhatBecomesDue(t *testing.T) {
	for _, overlap := range overlaps {
		both(t, time.Second, func(t *testing.T, schedule maker) {
			log, m := newRunLog(), start(t)
			s := schedule(m, log.lasting("task", 0), taskmanager.WithOverlap(overlap))
			check.Equal(t, "paused at first", s.Paused(), false)
			s.Resume() // has no effect
			log.until(1.5)
			s.Pause()
			s.Pause()
			check.Equal(t, "paused", s.Paused(), true)
			log.until(3.25)
			check.Equal(t, "the next run", s.Next().Sub(log.since), 4*time.Second)
			check.Equal(t, "upcoming", s.Upcoming(1)[0].Sub(log.since), 4*time.Second)
			await(t, runNow(t, s))
			log.until(4.5)
			check.Equal(t, "skipped", s.Skipped(), 3)
			s.Resume()
			s.Resume()
			check.Equal(t, "paused after Resume", s.Paused(), false)
			log.until(6.5)
			check.Equal(t, "starts", log.starts(), seconds(1, 3.25, 5, 6))
			check.Equal(t, "skipped", s.Skipped(), 3)
		})
	}
}

// TestPauseKeepsRunsThatWait checks that runs that were due before the pause start after it.
func TestPauseKeepsRunsThatWait(t *testing.T) {
	for overlap, want := range map[taskmanager.Overlap]struct {
		starts  []time.Duration
		skipped int
	}{
		taskmanager.OverlapSkip:     {seconds(1, 6, 7), 4},           // 2, 3, 4, 5
		taskmanager.OverlapQueue:    {seconds(1, 5.5, 5.6, 6, 7), 2}, // 4, 5
		taskmanager.OverlapCoalesce: {seconds(1, 5.5, 6, 7), 3},      // one of 2 and 3, 4, 5
	} {
		both(t, time.Second, func(t *testing.T, schedule maker) {
			log, m := newRunLog(), start(t)
			s := schedule(m, log.lasting("task", 2250*time.Millisecond, 100*time.Millisecond), taskmanager.WithOverlap(overlap))
			log.until(3.1)
			s.Pause()
			log.until(5.5)
			check.Equal(t, "starts before Resume", log.starts(), seconds(1))
			s.Resume()
			log.until(7.5)
			check.Equal(t, "starts", log.starts(), want.starts)
			check.Equal(t, "skipped", s.Skipped(), want.skipped)
		})
	}
}

// TestResumeDuringARunWaitsForItsEnd resumes while a run is outstanding.
func TestResumeDuringARunWaitsForItsEnd(t *testing.T) {
	both(t, time.Second, func(t *testing.T, schedule maker) {
		log, m := newRunLog(), start(t)
		s := schedule(m, log.lasting("task", 4250*time.Millisecond, 0), taskmanager.WithOverlap(taskmanager.OverlapQueue))
		log.until(2.5)
		s.Pause()
		log.until(4.5)
		s.Resume()
		log.until(6.5)
		check.Equal(t, "starts", log.starts(), seconds(1, 5.25, 5.25, 6)) // those of 2 and 5
		check.Equal(t, "skipped", s.Skipped(), 2)
	})
}

// TestScheduleEndsDuringAPause checks that a schedule ends as it otherwise would, unless it keeps runs.
func TestScheduleEndsDuringAPause(t *testing.T) {
	both(t, time.Second, func(t *testing.T, schedule maker) {
		log, m := newRunLog(), start(t)
		s := schedule(m, log.lasting("task", 0), taskmanager.WithUntil(log.since.Add(3*time.Second)))
		log.until(1.5)
		s.Pause()
		log.until(3.5)
		wantEnded(t, "after its last time", m, s)
		check.Equal(t, "paused after the end", s.Paused(), false)
		s.Resume()
		s.Pause()
		check.Equal(t, "an ended schedule can be paused", s.Paused(), false)
		log.until(10)
		check.Equal(t, "starts", log.starts(), seconds(1))
		check.Equal(t, "skipped", s.Skipped(), 2)
	})
	both(t, time.Second, func(t *testing.T, schedule maker) {
		log, m := newRunLog(), start(t)
		s := schedule(m, log.lasting("task", 2250*time.Millisecond), taskmanager.WithOverlap(taskmanager.OverlapQueue),
			taskmanager.WithUntil(log.since.Add(3*time.Second)))
		log.until(3.1)
		s.Pause()
		log.until(10)
		wantOver(t, "after its last time", s)
		check.Equal(t, "the schedule keeps runs, and is live", isLive(m, s), true)
		s.Resume()
		log.until(30)
		wantEnded(t, "after its last run", m, s)
		check.Equal(t, "starts", log.starts(), seconds(1, 10, 12.25))
	})
}

// TestRunsLimitAndPause checks that what a pause skips does not count.
func TestRunsLimitAndPause(t *testing.T) {
	both(t, time.Second, func(t *testing.T, schedule maker) {
		log, m := newRunLog(), start(t)
		s := schedule(m, log.lasting("task", 0), taskmanager.WithRuns(2))
		log.until(1.5)
		s.Pause()
		log.until(4.5)
		s.Resume()
		log.until(10)
		check.Equal(t, "starts", log.starts(), seconds(1, 5))
		wantEnded(t, "after its last run", m, s)
	})
}

// TestPauseHoldsWhatBecomesDue uses a delay: what counts is when the run is due, not the time of the
// timetable.
func TestPauseHoldsWhatBecomesDue(t *testing.T) {
	both(t, time.Minute, func(t *testing.T, schedule maker) {
		jitter := func(d *rand.Rand) time.Duration { return time.Duration(d.Int64N(int64(time.Minute))) }
		random := rand.New(rand.NewPCG(6, 7))
		log, m := newRunLog(), start(t, taskmanager.WithRand(rand.NewPCG(6, 7)))
		s := schedule(m, log.lasting("task", 0), taskmanager.WithJitter(time.Minute))
		due := []time.Duration{time.Minute + jitter(random), 2*time.Minute + jitter(random), 3*time.Minute + jitter(random)}
		at := func(d time.Duration) { log.until(d.Seconds()) }
		at(due[0] - time.Millisecond) // after the time, before the run is due
		s.Pause()
		at(due[0] + time.Millisecond)
		s.Resume()
		at(2*time.Minute - time.Millisecond)
		s.Pause()
		at(due[1] - time.Millisecond)
		s.Resume()
		at(4 * time.Minute)
		check.Equal(t, "starts", log.starts(), due[1:])
		check.Equal(t, "skipped", s.Skipped(), 1)
	})
}

// TestManagerEndsWithAPausedSchedule checks that runs that wait for Resume hold up neither Stop nor Drain.
func TestManagerEndsWithAPausedSchedule(t *testing.T) {
	for name, end := range managerEnds {
		bubble(t, func(t *testing.T) {
			log, m := newRunLog(), start(t)
			s := every(t, m, time.Second, log.lasting("task", 2250*time.Millisecond), taskmanager.WithOverlap(taskmanager.OverlapQueue))
			log.until(3.1)
			s.Pause()
			log.until(4.5)
			if err := end(m); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			wantEnded(t, "after "+name, m, s)
			s.Resume()
			log.until(20)
			check.Equal(t, "starts", log.starts(), seconds(1))
		})
	}
}

// TestResumeObservesTheContext resumes a schedule whose context has ended a moment before.
func TestResumeObservesTheContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log, m := newRunLog(), start(t)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := m.Every(ctx, time.Second, log.lasting("task", 2250*time.Millisecond), taskmanager.WithOverlap(taskmanager.OverlapQueue))
		if err != nil {
			t.Fatal(err)
		}
		log.until(3.1)
		s.Pause()
		log.until(4.5)
		cancel()
		s.Resume()
		synctest.Wait()
		log.until(20)
		check.Equal(t, "starts", log.starts(), seconds(1))
		wantEnded(t, "after the end of its context", m, s)
	})
}
