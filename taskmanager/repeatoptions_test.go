package taskmanager_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// maker makes a schedule; see both.
type maker = func(m *taskmanager.TaskManager, task taskmanager.Task, opts ...taskmanager.TaskOption) *taskmanager.Schedule

// isLive reports whether the manager lists a schedule.
func isLive(m *taskmanager.TaskManager, s *taskmanager.Schedule) bool {
	return slices.Contains(slices.Collect(m.Schedules()), s)
}

// wantEnded checks that a schedule has ended and is not listed.
func wantEnded(t *testing.T, when string, m *taskmanager.TaskManager, s *taskmanager.Schedule) {
	t.Helper()
	wantOver(t, when, s)
	check.Equal(t, when+" the schedule is listed", isLive(m, s), false)
	check.Equal(t, when+" upcoming", len(s.Upcoming(3)), 0)
}

// TestUntilEndsASchedule checks that a run at the end date is the last one.
func TestUntilEndsASchedule(t *testing.T) {
	for _, end := range []time.Duration{3 * time.Second, 3*time.Second + 1, 4*time.Second - 1} {
		both(t, time.Second, func(t *testing.T, schedule maker) {
			log, m := newRunLog(), start(t)
			s := schedule(m, log.lasting("task", 0), taskmanager.WithUntil(log.since.Add(end)))
			log.until(2.5)
			check.Equal(t, "upcoming", len(s.Upcoming(10)), 1)
			log.until(3)
			wantEnded(t, "after the last run", m, s)
			log.until(10)
			check.Equal(t, "starts", log.starts(), seconds(1, 2, 3))
		})
	}
}

// TestUntilBeforeTheFirstRun also covers an end date in the past.
func TestUntilBeforeTheFirstRun(t *testing.T) {
	for _, end := range []time.Duration{time.Second - 1, -time.Hour} {
		both(t, time.Second, func(t *testing.T, schedule maker) {
			log, m := newRunLog(), start(t)
			opts := []taskmanager.TaskOption{taskmanager.WithUntil(log.since.Add(end))}
			if end < 0 {
				opts = append(opts, taskmanager.WithRunAtStart())
			}
			wantEnded(t, "at once", m, schedule(m, log.lasting("task", 0), opts...))
			log.until(10)
			check.Equal(t, "starts", log.starts(), seconds())
		})
	}
}

// TestRunsDueBeforeTheEndStartAfterIt checks that OverlapQueue and OverlapCoalesce make up for what
// was due in time, and for nothing else.
func TestRunsDueBeforeTheEndStartAfterIt(t *testing.T) {
	for overlap, want := range map[taskmanager.Overlap][]time.Duration{
		taskmanager.OverlapSkip:     seconds(1, 4),
		taskmanager.OverlapQueue:    seconds(1, 3.25, 5.5, 7.75),
		taskmanager.OverlapCoalesce: seconds(1, 3.25, 5.5),
	} {
		both(t, time.Second, func(t *testing.T, schedule maker) {
			log, m := newRunLog(), start(t)
			s := schedule(m, log.lasting("task", 2250*time.Millisecond), taskmanager.WithOverlap(overlap),
				taskmanager.WithUntil(log.since.Add(4500*time.Millisecond)))
			log.until(5)
			wantOver(t, "after the end date", s)
			check.Equal(t, "the schedule is live while a run is outstanding", isLive(m, s), true)
			log.until(20)
			wantEnded(t, "after the last run", m, s)
			check.Equal(t, "starts", log.starts(), want)
			check.Equal(t, "skipped", s.Skipped(), 4-len(want))
		})
	}
}

// TestLateAlarmsObserveTheEnd delays the alarms beyond the end date.
func TestLateAlarmsObserveTheEnd(t *testing.T) {
	for overlap, want := range map[taskmanager.Overlap]struct {
		starts  []time.Duration
		skipped int
	}{
		taskmanager.OverlapSkip:     {seconds(6.5), 2}, // 1, whose submit takes until 6.5, 2 and 3
		taskmanager.OverlapQueue:    {seconds(6.5, 6.75, 7), 0},
		taskmanager.OverlapCoalesce: {seconds(6.5, 6.75), 1},
	} {
		bubble(t, func(t *testing.T) {
			pause := 5500 * time.Millisecond
			m := start(t, taskmanager.WithObserver(submitListener(func(method, _ string) {
				if method == "BeginSubmit" {
					time.Sleep(pause)
					pause = 0
				}
			})))
			log := newRunLog()
			s := every(t, m, time.Second, log.lasting("task", 250*time.Millisecond), taskmanager.WithOverlap(overlap),
				taskmanager.WithUntil(log.since.Add(3500*time.Millisecond)))
			log.until(20)
			check.Equal(t, "starts", log.starts(), want.starts)
			check.Equal(t, "skipped", s.Skipped(), want.skipped)
		})
	}
}

// TestRunsLimitTheStarts checks that skipped runs and those of RunNow do not count.
func TestRunsLimitTheStarts(t *testing.T) {
	for overlap, want := range map[taskmanager.Overlap]struct {
		starts  []time.Duration
		skipped int
	}{
		taskmanager.OverlapSkip:     {seconds(1, 4, 7), 4},
		taskmanager.OverlapQueue:    {seconds(1, 3.25, 5.5), 2}, // 2 and 3 wait; 4 and 5 cannot start any more
		taskmanager.OverlapCoalesce: {seconds(1, 3.25, 5.5), 2},
	} {
		both(t, time.Second, func(t *testing.T, schedule maker) {
			log, m := newRunLog(), start(t)
			s := schedule(m, log.lasting("task", 2250*time.Millisecond), taskmanager.WithOverlap(overlap), taskmanager.WithRuns(3))
			check.Equal(t, "upcoming", len(s.Upcoming(10)), 3)
			log.until(3.5)
			if overlap == taskmanager.OverlapQueue {
				check.Equal(t, "upcoming with a run that waits", len(s.Upcoming(10)), 0)
			}
			log.until(7.5)
			wantOver(t, "after the last start", s)
			log.until(30)
			wantEnded(t, "after the last run", m, s)
			check.Equal(t, "starts", log.starts(), want.starts)
			check.Equal(t, "skipped", s.Skipped(), want.skipped)
		})
	}
	both(t, time.Second, func(t *testing.T, schedule maker) {
		log, m := newRunLog(), start(t, taskmanager.WithLogger(new(recorder)))
		s := schedule(m, log.lasting("task", 0), taskmanager.WithRuns(3))
		log.until(0.5)
		runNow(t, s)
		log.until(1.5)
		submitFunc(t, m, "task", func(context.Context) error { time.Sleep(time.Second); return nil }) // 2 is skipped
		log.until(20)
		check.Equal(t, "starts", log.starts(), seconds(0.5, 1, 3, 4))
		wantEnded(t, "after the last run", m, s)
	})
}

// TestRunAtStart checks that the further runs keep their times.
func TestRunAtStart(t *testing.T) {
	both(t, time.Second, func(t *testing.T, schedule maker) {
		log, m := newRunLog(), start(t)
		schedule(m, log.lasting("task", 0), taskmanager.WithRunAtStart())
		log.until(2.5)
		check.Equal(t, "starts", log.starts(), seconds(0, 1, 2))
	})
	bubble(t, func(t *testing.T) {
		log, m := newRunLog(), start(t)
		log.until(0.3)
		repeat(t, m, onTheWallClock(time.Second), log.lasting("between two times", 0), taskmanager.WithRunAtStart())
		log.until(2.5)
		check.Equal(t, "starts", log.starts(), seconds(0.3, 1, 2))
	})
	both(t, time.Second, func(t *testing.T, schedule maker) {
		log, m := newRunLog(), start(t)
		s := schedule(m, log.lasting("once", 0), taskmanager.WithRunAtStart(), taskmanager.WithRuns(1))
		log.until(5)
		check.Equal(t, "starts", log.starts(), seconds(0))
		wantEnded(t, "after the only run", m, s)
	})
	bubble(t, func(t *testing.T) {
		log, m := newRunLog(), start(t)
		s := repeat(t, m, timetable(noTime), log.lasting("no other time", 0), taskmanager.WithRunAtStart())
		log.until(5)
		check.Equal(t, "starts", log.starts(), seconds(0))
		wantEnded(t, "after the only run", m, s)
	})
}

// runNow calls RunNow and fails the test if that returns an error.
func runNow(t *testing.T, s *taskmanager.Schedule) *taskmanager.Handle {
	t.Helper()
	h, err := s.RunNow()
	if err != nil {
		t.Fatalf("RunNow: %v", err)
	}
	return h
}

// TestJitterDelaysEachRunAtRandom compares the starts with delays from an equal source.
func TestJitterDelaysEachRunAtRandom(t *testing.T) {
	both(t, time.Minute, func(t *testing.T, schedule maker) {
		const most = 50 * time.Second
		log, random := newRunLog(), rand.New(rand.NewPCG(1, 2))
		m := start(t, taskmanager.WithRand(rand.NewPCG(1, 2)))
		end := 20*time.Minute + 10*time.Second // shortens the last delay
		s := schedule(m, log.lasting("task", 0), taskmanager.WithRunAtStart(), taskmanager.WithJitter(most), taskmanager.WithUntil(log.since.Add(end)))
		var want []time.Duration
		for at := time.Duration(0); at <= end; at += time.Minute {
			want = append(want, at+time.Duration(random.Int64N(int64(min(most, end-at+1)))))
		}
		check.Equal(t, "the next run", s.Next().Sub(log.since), want[0])
		check.Equal(t, "the first two, without jitter", s.Upcoming(2), []time.Time{log.since, log.since.Add(time.Minute)})
		log.until(3600)
		check.Equal(t, "starts", log.starts(), want)
		check.Equal(t, "skipped", s.Skipped(), 0)
	})
}

// TestJitterKeepsTheOrderOfRuns uses delays of up to ten intervals. A run is due no earlier than the
// one before.
func TestJitterKeepsTheOrderOfRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log, random := newRunLog(), rand.New(rand.NewPCG(3, 4))
		m := start(t, taskmanager.WithRand(rand.NewPCG(3, 4)))
		s := repeat(t, m, onTheWallClock(time.Minute), log.lasting("task", 0), taskmanager.WithJitter(10*time.Minute),
			taskmanager.WithOverlap(taskmanager.OverlapQueue), taskmanager.WithRuns(50))
		var want []time.Duration
		before := time.Duration(0)
		for i := range 50 {
			before = max(before, time.Duration(i+1)*time.Minute+time.Duration(random.Int64N(int64(10*time.Minute))))
			want = append(want, before)
		}
		log.until(3600 * 2)
		check.Equal(t, "starts", log.starts(), want)
		check.Equal(t, "skipped", s.Skipped(), 0)
	})
}

// TestLateAlarmsWithJitter delays the alarms. OverlapQueue makes up for each run, and the later ones
// are in their own intervals again.
func TestLateAlarmsWithJitter(t *testing.T) {
	for seed := range uint64(20) {
		both(t, time.Second, func(t *testing.T, schedule maker) {
			pause := 3500 * time.Millisecond
			m := start(t, taskmanager.WithRand(rand.NewPCG(seed, 5)), taskmanager.WithObserver(submitListener(func(method, _ string) {
				if method == "BeginSubmit" {
					time.Sleep(pause)
					pause = 0
				}
			})))
			log := newRunLog()
			schedule(m, log.lasting("task", time.Millisecond), taskmanager.WithOverlap(taskmanager.OverlapQueue), taskmanager.WithJitter(900*time.Millisecond))
			log.until(10.95)
			starts := log.starts()
			check.Equal(t, "runs", len(starts), 10)
			for i, at := range starts {
				if late := at - time.Duration(i+1)*time.Second; late < 0 || i > 5 && late >= 900*time.Millisecond {
					t.Errorf("run %d starts %v after its time; starts %v", i+1, late, starts)
				}
			}
		})
	}
}

// panicky is a source of randomness that panics when calls is 0.
type panicky struct{ calls int }

func (p *panicky) Uint64() uint64 {
	if p.calls--; p.calls < 0 {
		panic(errFailed)
	}
	return 1
}

// TestSourceOfJitterThatPanics ends the schedule, as a bad timetable does.
func TestSourceOfJitterThatPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithRand(&panicky{}))
		s, err := m.Every(t.Context(), time.Second, &task{name: "task"}, taskmanager.WithJitter(time.Second))
		if s != nil || !errors.Is(err, errFailed) || !strings.Contains(err.Error(), "WithRand") {
			t.Errorf("Every returned %v, %v; want an error about WithRand", s, err)
		}
	})
	both(t, time.Second, func(t *testing.T, schedule maker) {
		log, logged := newRunLog(), new(recorder)
		m := start(t, taskmanager.WithRand(&panicky{3}), taskmanager.WithLogger(logged))
		s := schedule(m, log.lasting("task", 0), taskmanager.WithJitter(time.Second))
		log.until(10)
		check.Equal(t, "runs", len(log.starts()), 3)
		wantEnded(t, "after the panic", m, s)
		if text := logged.String(); !strings.Contains(text, "WithRand") || !strings.Contains(text, `"task"`) {
			t.Errorf("the log is %q, want it to name WithRand and the task", text)
		}
	})
}

// TestBadInputOfRepeatOptions checks that each error says what to do, and that other submits refuse
// the options.
func TestBadInputOfRepeatOptions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		fine := &task{name: "fine"}
		for says, bad := range map[string][]taskmanager.TaskOption{
			"WithUntil: the time is zero; leave the option out":   {taskmanager.WithUntil(time.Time{})},
			"WithRuns: the number of runs is 0; it must be 1":     {taskmanager.WithRuns(0)},
			"WithRuns: the number of runs is -1; it must be 1":    {taskmanager.WithRuns(-1)},
			"WithJitter: the delay is -1ns; it must not be":       {taskmanager.WithJitter(-1)},
			"WithJitter: the delay, 1.5s, exceeds the interval":   {taskmanager.WithJitter(1500 * time.Millisecond)},
			"WithOverlap: unknown policy 9; use OverlapSkip":      {taskmanager.WithOverlap(9)},
			"the interval, 1s; choose a smaller one\ntaskmanager": {taskmanager.WithJitter(time.Hour), taskmanager.WithDelay(1)},
		} {
			s, err := m.Every(t.Context(), time.Second, fine, bad...)
			if s != nil || err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "taskmanager: ") {
				t.Errorf("Every returned %v, %v; want an error that says %q", s, err, says)
			}
		}
		for name, option := range map[string]taskmanager.TaskOption{
			"WithUntil": taskmanager.WithUntil(time.Now()), "WithRuns": taskmanager.WithRuns(1), "WithRunAtStart": taskmanager.WithRunAtStart(),
			"WithJitter": taskmanager.WithJitter(1), "WithOverlap": taskmanager.WithOverlap(taskmanager.OverlapCoalesce),
		} {
			_, one := m.Submit(t.Context(), fine, option)
			_, all := m.SubmitAll(t.Context(), []taskmanager.Task{fine}, option)
			_, async := taskmanager.Async(t.Context(), m, "fine", func(context.Context) (int, error) { return 0, nil }, option)
			grouped := m.Group(t.Context()).Go("fine", fn0, option)
			for _, err := range []error{one, all, async, grouped} {
				if err == nil || !strings.Contains(err.Error(), name+" is for Every and Repeat") {
					t.Errorf("a submit with %s returned %v", name, err)
				}
			}
		}
		check.Equal(t, "submitted after nothing but faults", m.Snapshot().Submitted, 0)
	})
}

// TestTheLastOfEqualOptionsCounts gives each option twice.
func TestTheLastOfEqualOptionsCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := newRunLog()
		every(t, start(t), time.Second, log.lasting("task", 0), taskmanager.WithRuns(1), taskmanager.WithRuns(2),
			taskmanager.WithUntil(log.since), taskmanager.WithUntil(log.since.Add(time.Hour)),
			taskmanager.WithJitter(time.Hour), taskmanager.WithJitter(0))
		log.until(10)
		check.Equal(t, "starts", log.starts(), seconds(1, 2))
	})
}

// TestJitterOfATimeInTheFarFuture: the sum of the time until the run and its delay exceeds a Duration.
func TestJitterOfATimeInTheFarFuture(t *testing.T) {
	for _, at := range []time.Time{time.Date(2250, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2600, 1, 1, 0, 0, 0, 0, time.UTC)} {
		bubble(t, func(t *testing.T) {
			m, runs := start(t, taskmanager.WithRand(rand.NewPCG(1, 2))), 0
			tick := &task{name: "a", execute: func(context.Context) error { runs++; return nil }}
			_, err := m.Repeat(t.Context(), distant(at), tick, taskmanager.WithJitter(math.MaxInt64))
			check.Is(t, "Repeat", err, nil)
			_, err = m.Every(t.Context(), math.MaxInt64, &task{name: "b", execute: tick.execute}, taskmanager.WithJitter(time.Second))
			check.Is(t, "Every", err, nil)
			time.Sleep(time.Hour)
			check.Equal(t, "runs", runs, 0)
		})
	}
}

// distant is a timetable with one time.
type distant time.Time

func (d distant) Next(after time.Time) time.Time {
	if at := time.Time(d); after.Before(at) {
		return at
	}
	return time.Time{}
}
