package taskmanager_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/clock/clocktest"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestSchedulesListsLiveOnes checks the order, and that schedules that have ended or never began
// are left out.
func TestSchedulesListsLiveOnes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		for range m.Schedules() {
			t.Error("a new manager has a schedule")
		}
		log := newRunLog()
		b := every(t, m, time.Second, log.lasting("b", 0))
		first := every(t, m, time.Hour, log.lasting("a", 0))
		second := every(t, m, time.Minute, log.lasting("a", 0))
		repeat(t, m, timetable(noTime), log.lasting("never", 0))
		stopped := every(t, m, time.Minute, log.lasting("stopped", 0))
		stopped.Stop()
		insideNext := -1
		_, err := m.Repeat(t.Context(), timetable(func(time.Time) time.Time {
			insideNext = 0
			for range m.Schedules() {
				insideNext++
			}
			panic(errFailed)
		}), log.lasting("fails", 0))
		check.Is(t, "Repeat", err, errFailed)
		check.Equal(t, "schedules while another one begins", insideNext, 3)

		list := []*taskmanager.Schedule{}
		for s := range m.Schedules() {
			list = append(list, s)
			if s == first {
				second.Stop() // the body may call the manager
			}
		}
		if len(list) != 3 || list[0] != first || list[1] != second || list[2] != b {
			t.Errorf("the schedules are %v, want a, a and b, the older a first", list)
		}
		for s := range m.Schedules() {
			check.Equal(t, "the first name", s.Name(), "a")
			break
		}
		check.Equal(t, "the second one, which was stopped, is listed", isLive(m, second), false)
		stop(t, m)
		for s := range m.Schedules() {
			t.Errorf("after Stop there is %v", s)
		}
	})
}

// described is a timetable with a text.
type described struct {
	timetable
	text func() string
}

func (d described) String() string { return d.text() }

// TestStringDescribesTheTimetable covers texts that are not fit for a page.
func TestStringDescribesTheTimetable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		check.Equal(t, "Every", every(t, m, 10*time.Minute, &task{name: "a"}).String(), "every 10m0s")
		for want, times := range map[string]taskmanager.Timetable{
			"taskmanager_test.timetable":   onTheWallClock(time.Second),
			"at noon":                      described{onTheWallClock(time.Second), func() string { return "at noon" }},
			"taskmanager_test.described":   described{onTheWallClock(time.Second), func() string { panic(errFailed) }},
			"*taskmanager_test.described":  &described{onTheWallClock(time.Second), func() string { return "" }},
			"bad \uFFFD text":              described{onTheWallClock(time.Second), func() string { return "bad \xff\xfe text" }},
			strings.Repeat("x", 253) + "…": described{onTheWallClock(time.Second), func() string { return strings.Repeat("x", 1<<20) }},
		} {
			s := repeat(t, m, times, &task{name: "b"})
			check.Equal(t, "String", s.String(), want)
			s.Stop()
			check.Equal(t, "String after the end", s.String(), want)
		}
	})
}

// TestUpcomingAsksTheTimetable covers the bounds, and timetables that end or fail.
func TestUpcomingAsksTheTimetable(t *testing.T) {
	both(t, time.Second, func(t *testing.T, schedule maker) {
		log, m := newRunLog(), start(t)
		s := schedule(m, log.lasting("task", 0))
		for n, want := range map[int]int{-1: 0, 0: 0, 1: 1, 7: 7, 1000: 1000, 1001: 1000, math.MaxInt32: 1000} {
			list := s.Upcoming(n)
			check.Equal(t, "upcoming", len(list), want)
			for i, at := range list {
				check.Equal(t, "upcoming", at, log.since.Add(time.Duration(i+1)*time.Second))
			}
		}
		log.until(3.5)
		check.Equal(t, "upcoming, later", s.Upcoming(2), []time.Time{log.since.Add(4 * time.Second), log.since.Add(5 * time.Second)})
		check.Equal(t, "Next agrees", s.Next(), s.Upcoming(1)[0])
		s.Stop()
		check.Equal(t, "upcoming after the end", len(s.Upcoming(5)), 0)
	})
	for _, bad := range badTimetables {
		bubble(t, func(t *testing.T) {
			s := repeat(t, start(t), secondly(3, bad.next), newRunLog().lasting("task", 0))
			check.Equal(t, "times before the fault", len(s.Upcoming(10)), 3)
			check.Equal(t, "the schedule goes on", s.Next().IsZero(), false)
		})
	}
}

// TestUpcomingHoldsNoLock blocks Upcoming in its timetable. The runs and the other methods go on.
func TestUpcomingHoldsNoLock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log, release := newRunLog(), make(chan struct{})
		last := log.since.Add(time.Hour)
		s := repeat(t, start(t), timetable(func(after time.Time) time.Time {
			if !after.Before(last) {
				<-release
			}
			return after.Add(time.Minute)
		}), log.lasting("task", 0))
		got := make(chan int)
		go func() { got <- len(s.Upcoming(61)) }()
		log.until(150)
		check.Equal(t, "the next run", s.Next().Sub(log.since), 3*time.Minute)
		check.Equal(t, "starts", log.starts(), minutes(1, 2))
		close(release)
		check.Equal(t, "upcoming", <-got, 61)
	})
}

// TestUpcomingTimesAreThoseOfTheWallClock sets the clock. Every shows the same moments as other times.
func TestUpcomingTimesAreThoseOfTheWallClock(t *testing.T) {
	both(t, time.Hour, func(t *testing.T, schedule maker) {
		log := newRunLog()
		s := schedule(start(t), log.lasting("task", 0))
		fixed := s.String() == "every 1h0m0s"
		clocktest.Step(t, 30*time.Minute)
		log.until(60)
		for i, at := range s.Upcoming(3) {
			want := log.since.Add(time.Duration(i+1) * time.Hour)
			if fixed {
				want = want.Add(30 * time.Minute)
			}
			check.Equal(t, "upcoming", at, want)
		}
	})
}

// TestLastRunIsTheRecordOfTheHistory compares the two, for runs that end in various ways.
func TestLastRunIsTheRecordOfTheHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithHistory(1))
		log := newRunLog()
		var asked atomic.Int32
		s := every(t, m, time.Minute, &task{
			name: "task",
			execute: func(context.Context) error {
				time.Sleep(time.Second)
				switch log.begin() {
				case 1:
					return errFailed
				case 2:
					panic(errFailed)
				}
				return nil
			},
			restart:  func(context.Context, error) bool { return false },
			progress: func() (float64, error) { asked.Add(1); return 0.5, nil },
			describe: func() string { return "half" },
		}, taskmanager.WithKey("acme"))
		if r, ok := s.LastRun(); ok {
			t.Errorf("before the first run LastRun returned %+v", r)
		}
		log.until(60.5)
		if r, ok := s.LastRun(); ok {
			t.Errorf("during the first run LastRun returned %+v", r)
		}
		for i := range 3 {
			log.until(float64(60*(i+1) + 2))
			r, ok := s.LastRun()
			check.Equal(t, "LastRun has a record", ok, true)
			history := m.History()
			check.Equal(t, "LastRun", r, history[len(history)-1])
			check.Equal(t, "its end", r.EndedAt.Sub(log.since), time.Duration(i+1)*time.Minute+time.Second)
			check.Equal(t, "its error", errors.Is(r.LastError, errFailed), i < 2)
			check.Equal(t, "its progress", r.Progress, 0.5)
			check.Equal(t, "calls of Progress", int(asked.Load()), i+1)
		}
		clocktest.Step(t, day)
		s.Stop()
		r, ok := s.LastRun()
		check.Equal(t, "LastRun after the end", ok, true)
		check.Equal(t, "its end on the new clock", r.EndedAt.Sub(log.since), 3*time.Minute+time.Second+day)
	})
}

// TestLastRunNeedsNoHistory also checks a run that ends without having started, and one of RunNow.
func TestLastRunNeedsNoHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		log := newRunLog()
		s := every(t, m, time.Minute, log.lasting("task", 0))
		m.Pause()
		log.until(61)
		m.Cancel("task")
		r, _ := s.LastRun()
		check.Is(t, "the cancelled run", r.LastError, taskmanager.ErrCancelled)
		check.Equal(t, "it started", r.StartedAt.IsZero(), true)
		m.Resume()
		await(t, runNow(t, s))
		r, _ = s.LastRun()
		check.Equal(t, "RunNow: the error", r.LastError, nil)
		check.Equal(t, "RunNow: the status", r.Status, taskmanager.Finished)
		check.Equal(t, "the history", len(m.History()), 0)
	})
}

// TestRunNowStartsARunBesideTheTimetable checks that the overlap policy decides about what becomes due
// before it ends.
func TestRunNowStartsARunBesideTheTimetable(t *testing.T) {
	for overlap, want := range map[taskmanager.Overlap]struct {
		starts  []time.Duration
		skipped int
	}{
		taskmanager.OverlapSkip:     {seconds(0.5, 3, 4), 2},
		taskmanager.OverlapQueue:    {seconds(0.5, 2.5, 2.5, 3, 4), 0},
		taskmanager.OverlapCoalesce: {seconds(0.5, 2.5, 3, 4), 1},
	} {
		both(t, time.Second, func(t *testing.T, schedule maker) {
			log := newRunLog()
			s := schedule(start(t), log.lasting("task", 2*time.Second, 0), taskmanager.WithOverlap(overlap))
			log.until(0.5)
			h := runNow(t, s)
			log.until(1.5)
			_, err := s.RunNow()
			check.Is(t, "RunNow during a run", err, taskmanager.ErrAlreadyExists)
			if !strings.Contains(err.Error(), `"task"`) {
				t.Errorf("the error is %q, want it to name the task", err)
			}
			check.Equal(t, "the end of the run", wait(t, h), nil)
			log.until(4.5)
			check.Equal(t, "starts", log.starts(), want.starts)
			check.Equal(t, "skipped", s.Skipped(), want.skipped)
		})
	}
}

// TestRunNowIsRefused covers the states in which it cannot start a run.
func TestRunNowIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		logged := new(recorder)
		m := start(t, taskmanager.WithWorkers(4, 4), taskmanager.WithLogger(logged))
		ctx, cancel := context.WithCancel(t.Context())
		ended, err := m.Every(ctx, time.Hour, &task{name: "ended"})
		if err != nil {
			t.Fatal(err)
		}
		cancel() // its goroutine need not have run
		_, err = ended.RunNow()
		check.Is(t, "RunNow after the end of the context", err, taskmanager.ErrScheduleEnded)

		s := every(t, m, time.Hour, &task{name: "task"})
		release := make(chan struct{})
		submitFunc(t, m, "task", func(context.Context) error { <-release; return nil })
		_, err = s.RunNow()
		check.Is(t, "RunNow while another task has the name", err, taskmanager.ErrAlreadyExists)
		check.Equal(t, "skipped", s.Skipped(), 0)
		check.Equal(t, "the log", logged.String(), "")
		close(release)
		synctest.Wait()
		check.Equal(t, "the run", wait(t, runNow(t, s)), nil)

		last := every(t, m, time.Hour, &task{name: "last"}, taskmanager.WithRuns(1))
		time.Sleep(2 * time.Hour)
		_, err = last.RunNow()
		check.Is(t, "RunNow after the last run", err, taskmanager.ErrScheduleEnded)
		s.Stop()
		_, err = s.RunNow()
		check.Is(t, "RunNow after Stop", err, taskmanager.ErrScheduleEnded)
		if !strings.Contains(err.Error(), `"task"`) {
			t.Errorf("the error is %q, want it to name the task", err)
		}
		inTime := every(t, m, time.Hour, &task{name: "in time"})
		stop(t, m)
		_, err = inTime.RunNow()
		check.Is(t, "RunNow of a manager that has stopped", err, taskmanager.ErrStopped)
	})
}

// TestRunNowIsQueuedBeyondTheLimit uses a manager without room.
func TestRunNowIsQueuedBeyondTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := crowded(t, taskmanager.Reject)
		s := every(t, m, time.Hour, &task{name: "extra"})
		h := runNow(t, s)
		check.Equal(t, "queued", m.Snapshot().Queued, 2)
		m.Cancel("running")
		check.Equal(t, "the run", wait(t, h), nil)
	})
}

// TestRunNowFromARunOfTheSchedule returns an error, and does not block.
func TestRunNowFromARunOfTheSchedule(t *testing.T) {
	bubble(t, func(t *testing.T) {
		schedules := make(chan *taskmanager.Schedule, 1)
		result := make(chan error)
		schedules <- every(t, start(t), time.Second, &task{name: "task", execute: func(context.Context) error {
			_, err := (<-schedules).RunNow()
			result <- err
			return nil
		}}, taskmanager.WithRuns(1))
		check.Is(t, "RunNow", <-result, taskmanager.ErrAlreadyExists)
	})
}

// slowSubmit is an observer that holds up the first submit until it is closed.
type slowSubmit struct {
	held, until chan struct{} // held is closed when the submit is held up
	later       atomic.Bool
}

func (*slowSubmit) BeginSubmit(_, onto context.Context, _ observe.Submission) context.Context {
	return onto
}

func (o *slowSubmit) EndSubmit(context.Context, observe.Submission, error) {
	if !o.later.Swap(true) {
		close(o.held)
		<-o.until
	}
}

// TestRunNowAtTheEndOfARun calls RunNow at the end of a run whose submit has not returned. That run is
// not outstanding any more. If it was the last one, the schedule has ended.
func TestRunNowAtTheEndOfARun(t *testing.T) {
	for runs, want := range map[int]error{1: taskmanager.ErrScheduleEnded, 3: nil} {
		bubble(t, func(t *testing.T) {
			o := &slowSubmit{held: make(chan struct{}), until: make(chan struct{})}
			m := start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithObserver(o))
			schedules := make(chan *taskmanager.Schedule, 1)
			log, begin := []time.Duration{}, time.Now()
			s := every(t, m, time.Second, &task{name: "task"}, taskmanager.WithRuns(runs), taskmanager.WithOnEnd(func(*taskmanager.Handle) {
				if log = append(log, time.Since(begin)); len(log) > 1 {
					return
				}
				<-o.held // or the submit of RunNow may be the first to be held up
				_, err := (<-schedules).RunNow()
				check.Is(t, "RunNow", err, want)
				time.Sleep(100 * time.Millisecond)
				close(o.until)
			}))
			schedules <- s
			time.Sleep(10 * time.Second)
			synctest.Wait()
			times := map[int][]time.Duration{1: seconds(1), 3: seconds(1, 1, 2, 3)}
			check.Equal(t, "times of the ends", log, times[runs])
			check.Equal(t, "skipped", s.Skipped(), 0)
		})
	}
}
