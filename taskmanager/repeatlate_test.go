package taskmanager_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestLateAlarmsLoseNoRun delays the alarms of a schedule by a slow observer of its first run. Runs
// that became due meanwhile are skipped and counted, or run afterwards.
func TestLateAlarmsLoseNoRun(t *testing.T) {
	for overlap, want := range map[taskmanager.Overlap]struct {
		starts  []time.Duration
		skipped int
	}{
		taskmanager.OverlapSkip:  {seconds(4.5, 5, 6), 3},
		taskmanager.OverlapQueue: {seconds(4.5, 4.75, 5, 5.25, 5.5, 6), 0},
	} {
		bubble(t, func(t *testing.T) {
			pause := 3500 * time.Millisecond
			m := start(t, taskmanager.WithObserver(submitListener(func(method, _ string) {
				if method == "BeginSubmit" {
					time.Sleep(pause)
					pause = 0
				}
			})))
			log := newRunLog()
			s := every(t, m, time.Second, log.lasting("task", 250*time.Millisecond), taskmanager.WithOverlap(overlap))
			log.until(6.5)
			check.Equal(t, "starts", log.starts(), want.starts)
			check.Equal(t, "skipped", s.Skipped(), want.skipped)
		})
	}
}

// TestSlowTimetableDelaysNoOtherTask checks that other tasks are on time while a timetable
// is slow, that its own runs are late but not lost, and that Stop waits for the timetable.
func TestSlowTimetableDelaysNoOtherTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		log, slow := newRunLog(), newRunLog()
		release := make(chan struct{})
		start := time.Now()
		times := timetable(func(after time.Time) time.Time {
			switch next := after.Add(time.Second); next.Sub(start) {
			case 2 * time.Second:
				time.Sleep(2500 * time.Millisecond)
				return next
			case 6 * time.Second:
				<-release
				return next
			default:
				return next
			}
		})
		if _, err := m.Repeat(t.Context(), times, slow.lasting("slow", 0), taskmanager.WithOverlap(taskmanager.OverlapQueue)); err != nil {
			t.Fatal(err)
		}
		s := every(t, m, time.Second, log.lasting("every", 0))
		delayed := submitFunc(t, m, "delayed", fn0, taskmanager.WithDelay(time.Second))
		log.until(1.5)
		check.Equal(t, "the delayed task", delayed.Status().Status, taskmanager.Finished)
		log.until(5.5)
		check.Equal(t, "starts", log.starts(), seconds(1, 2, 3, 4, 5))
		check.Equal(t, "skipped", s.Skipped(), 0)
		check.Equal(t, "late starts", slow.starts(), seconds(1, 3.5, 3.5, 4, 5))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop returned %v while a timetable was asked, want DeadlineExceeded", err)
		}
		close(release)
		stop(t, m)
		check.Equal(t, "late starts", slow.starts(), seconds(1, 3.5, 3.5, 4, 5))
	})
}

// TestQueuedRunsSurviveASkippedRun lets another task have the name while runs are queued.
// At most one of them may be skipped.
func TestQueuedRunsSurviveASkippedRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithLogger(new(recorder)))
		log := newRunLog()
		s := every(t, m, time.Second, log.lasting("task", 50*time.Second+time.Second/4, 0), taskmanager.WithOverlap(taskmanager.OverlapQueue))
		log.until(1)
		first, _ := m.Lookup("task")
		<-first.Done()
		for { // the next run competes for the name
			_, err := m.SubmitFunc(t.Context(), "task", func(context.Context) error { time.Sleep(500 * time.Millisecond); return nil })
			if err == nil {
				break
			}
			runtime.Gosched()
		}
		log.until(60.5)
		if runs, skipped := len(log.starts()), s.Skipped(); runs+skipped != 60 || skipped > 1 {
			t.Errorf("%d runs and %d skipped, want 60 in all and at most one skipped", runs, skipped)
		}
	})
}

// laggard is a timetable of a fixed rate whose Next is slow.
type laggard struct{ interval, takes time.Duration }

func (l laggard) Next(after time.Time) time.Time {
	time.Sleep(l.takes)
	return after.Add(l.interval)
}

// TestTimetableSlowerThanItsTimes uses a timetable whose Next takes longer than the
// interval. The runs are then as far apart as the calls, and Stop waits for at most one
// call.
func TestTimetableSlowerThanItsTimes(t *testing.T) {
	for _, overlap := range overlaps {
		bubble(t, func(t *testing.T) {
			m := start(t)
			log := newRunLog()
			s, err := m.Repeat(t.Context(), laggard{time.Second, 2 * time.Second}, log.lasting("task", 0), taskmanager.WithOverlap(overlap))
			if err != nil {
				t.Fatal(err)
			}
			log.until(3600)
			if n := len(log.starts()); n < 1700 || n > 1900 {
				t.Errorf("%v: %d runs in an hour, want about one in two seconds", overlap, n)
			}
			s.Stop()
			begin := time.Now()
			stop(t, m)
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("%v: Stop took %v", overlap, took)
			}
		})
	}
}

// TestLastRunIsNotLost lets the last run become due at the moment at which the previous run
// ends.
func TestLastRunIsNotLost(t *testing.T) {
	for _, overlap := range overlaps {
		bubble(t, func(t *testing.T) {
			m := start(t)
			for i := range 200 {
				log := newRunLog()
				s, err := m.Repeat(t.Context(), secondly(2, noTime), log.lasting("task", time.Second), taskmanager.WithOverlap(overlap))
				if err != nil {
					t.Fatal(err)
				}
				log.until(10)
				if n := len(log.starts()) + s.Skipped(); n != 2 {
					t.Fatalf("%v, schedule %d: %d runs and skipped ones, want 2", overlap, i, n)
				}
			}
		})
	}
}
