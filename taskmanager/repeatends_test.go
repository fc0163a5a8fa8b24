package taskmanager_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// timetable is a Timetable made of a function.
type timetable func(after time.Time) time.Time

func (f timetable) Next(after time.Time) time.Time { return f(after) }

// secondly returns a timetable with n times, a second apart. After those it returns the
// result of end.
func secondly(n int, end timetable) timetable {
	start := time.Now()
	return func(after time.Time) time.Time {
		passed := int(after.Sub(start) / time.Second)
		if passed >= n {
			return end(after)
		}
		return start.Add(time.Duration(passed+1) * time.Second)
	}
}

func noTime(time.Time) time.Time { return time.Time{} }

// badTimetables are the ways in which a timetable fails, and what the error says.
var badTimetables = map[string]struct {
	next timetable
	want error
	says string
}{
	"panics":        {func(time.Time) time.Time { panic(errFailed) }, errFailed, "panicked"},
	"says the past": {func(after time.Time) time.Time { return after.Add(-time.Hour) }, nil, "which is not later"},
	"says the same": {func(after time.Time) time.Time { return after }, nil, "which is not later"},
}

// wantOver checks that a schedule has ended.
func wantOver(t *testing.T, when string, s *taskmanager.Schedule) {
	t.Helper()
	if next := s.Next(); !next.IsZero() {
		t.Errorf("%s the next run is due at %v, want none", when, next)
	}
}

// TestScheduleEndsWithItsContext checks that an outstanding run continues when the context
// of its schedule ends, unless the run is linked to the context.
func TestScheduleEndsWithItsContext(t *testing.T) {
	for _, linked := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			m := start(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			log := newRunLog()
			var opts []taskmanager.TaskOption
			if linked {
				opts = append(opts, taskmanager.WithLinkedContext())
			}
			s, err := m.Every(ctx, time.Second, &task{name: "task", execute: func(ctx context.Context) error {
				if log.begin() < 2 {
					return nil
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(2 * time.Second):
					return nil
				}
			}}, opts...)
			if err != nil {
				t.Fatal(err)
			}
			log.until(2.5)
			h, _ := m.Lookup("task")
			cancel(errFailed)
			synctest.Wait()
			wantOver(t, "after the end of the context", s)
			check.Equal(t, "the run has ended", isClosed(h.Done()), linked)
			log.until(10)
			check.Equal(t, "starts", log.starts(), seconds(1, 2))
			switch err := wait(t, h); {
			case linked && (!errors.Is(err, taskmanager.ErrCancelled) || !errors.Is(err, errFailed)):
				t.Errorf("the linked run ended with %v, want ErrCancelled and why the context ended", err)
			case !linked && err != nil:
				t.Errorf("the run ended with %v, want nil", err)
			}
		})
	}
}

// TestStoppedScheduleBeginsNoRun checks that Stop also discards the runs that OverlapQueue
// has queued.
func TestStoppedScheduleBeginsNoRun(t *testing.T) {
	for _, overlap := range overlaps {
		bubble(t, func(t *testing.T) {
			m := start(t)
			log := newRunLog()
			s := every(t, m, time.Second, log.lasting("task", 10*time.Second), taskmanager.WithOverlap(overlap))
			log.until(4.5)
			h, _ := m.Lookup("task")
			s.Stop()
			s.Stop() // has no effect
			wantOver(t, "after Stop", s)
			if err := wait(t, h); err != nil {
				t.Errorf("the run that was outstanding ended with %v, want nil", err)
			}
			check.Equal(t, "the end of the run", time.Since(log.since), 11*time.Second)
			log.until(30)
			check.Equal(t, "starts", log.starts(), seconds(1))
		})
	}
}

// TestScheduleMayBeStoppedByItsOwnRun also stops a schedule from its timetable.
func TestScheduleMayBeStoppedByItsOwnRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		log, once := newRunLog(), newRunLog()
		var byRun, byTimetable atomic.Pointer[taskmanager.Schedule]
		byRun.Store(every(t, m, time.Second, &task{name: "run", execute: func(context.Context) error {
			if log.begin() == 2 {
				byRun.Load().Stop()
			}
			return nil
		}}))
		s, err := m.Repeat(t.Context(), timetable(func(after time.Time) time.Time {
			if s := byTimetable.Load(); s != nil {
				s.Stop()
			}
			return after.Add(time.Second)
		}), once.lasting("timetable", 0))
		if err != nil {
			t.Fatal(err)
		}
		byTimetable.Store(s)
		log.until(5)
		check.Equal(t, "starts", log.starts(), seconds(1, 2))
		check.Equal(t, "starts of the other", once.starts(), seconds(1)) // only the run that was due
		wantOver(t, "after Stop by a run,", byRun.Load())
		wantOver(t, "after Stop by the timetable,", s)
	})
}

// managerEnds are the ways in which a manager ends.
var managerEnds = map[string]func(m *taskmanager.TaskManager) error{
	"Stop":  func(m *taskmanager.TaskManager) error { return m.Stop(context.Background()) },
	"Drain": func(m *taskmanager.TaskManager) error { return m.Drain(context.Background()) },
}

// TestStopAndDrainOfTheManagerEndSchedules checks that no run starts after the call.
func TestStopAndDrainOfTheManagerEndSchedules(t *testing.T) {
	for name, end := range managerEnds {
		for _, overlap := range overlaps {
			bubble(t, func(t *testing.T) {
				m := start(t)
				log := newRunLog()
				// The task ignores its context, so Stop waits for it as Drain does.
				busy := every(t, m, time.Second, log.lasting("busy", 5*time.Second), taskmanager.WithOverlap(overlap))
				idle := every(t, m, time.Hour, &task{name: "idle"})
				log.until(2.5)
				if err := end(m); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				check.Equal(t, name+" returned after", time.Since(log.since), 6*time.Second)
				wantOver(t, "after "+name, busy)
				wantOver(t, "after "+name, idle)
				log.until(20)
				check.Equal(t, "starts", log.starts(), seconds(1))
				_, err := m.Every(t.Context(), time.Second, &task{name: "late"})
				if !errors.Is(err, taskmanager.ErrStopped) {
					t.Errorf("Every after %s returned %v, want ErrStopped", name, err)
				}
			})
		}
	}
}

// lockedQueue is a FIFO that stays in the Push of a task, and so keeps the lock of the pool.
type lockedQueue struct {
	queue.Queue[*taskmanager.Handle]
	in, out chan struct{} // closed by Push, and to end it
}

func (q lockedQueue) Push(h *taskmanager.Handle) {
	if h.Priority() == 1 {
		close(q.in)
		<-q.out
	}
	q.Queue.Push(h)
}

// TestRunThatWaitsIsNotSkippedByTheEndOfTheManager checks that a run that waits for its turn when the
// manager closes does not count as skipped, if the run before it ends after the names are closed and
// before Close has come to end the schedule. The lock of the pool holds up Close there.
func TestRunThatWaitsIsNotSkippedByTheEndOfTheManager(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := lockedQueue{queue.NewFIFO[*taskmanager.Handle](), make(chan struct{}), make(chan struct{})}
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(taskmanager.Custom(
			func() queue.Queue[*taskmanager.Handle] { return q })))
		release, ended := make(chan struct{}), make(chan struct{})
		run := &task{name: "task", execute: func(context.Context) error { <-release; return nil }}
		s := every(t, m, time.Second, run, taskmanager.WithOverlap(taskmanager.OverlapQueue),
			taskmanager.WithOnEnd(func(*taskmanager.Handle) { close(ended) }))
		time.Sleep(2500 * time.Millisecond) // one run is outstanding, and one waits
		go func() {
			_, _ = m.SubmitFunc(context.Background(), "locked", untilCancelled, taskmanager.WithPriority(1))
		}()
		<-q.in
		go m.Close()
		for closed := false; !closed; runtime.Gosched() {
			_, err := m.GoFunc("task", untilCancelled) // a name that is taken
			closed = errors.Is(err, taskmanager.ErrStopped)
		}
		close(release)
		<-ended
		close(q.out)
		stop(t, m)
		check.Equal(t, "skipped", s.Skipped(), 0)
	})
}

// TestTimetableWithAnEnd checks that the last run, including the queued ones, is run like
// the others, and that the schedule then ends.
func TestTimetableWithAnEnd(t *testing.T) {
	for overlap, want := range map[taskmanager.Overlap][]time.Duration{
		taskmanager.OverlapSkip:  seconds(1),
		taskmanager.OverlapQueue: seconds(1, 4.5, 8),
	} {
		bubble(t, func(t *testing.T) {
			logged := new(recorder)
			m := start(t, taskmanager.WithLogger(logged))
			log := newRunLog()
			s, err := m.Repeat(t.Context(), secondly(3, noTime), log.lasting("task", 3500*time.Millisecond), taskmanager.WithOverlap(overlap))
			if err != nil {
				t.Fatal(err)
			}
			log.until(3.5)
			wantOver(t, "after the last time", s)
			log.until(20)
			check.Equal(t, "starts", log.starts(), want)
			check.Equal(t, "skipped", s.Skipped(), 3-len(want))
			if text := logged.String(); strings.Contains(text, "error") {
				t.Errorf("the log is %q, want no error", text)
			}
		})
	}
	bubble(t, func(t *testing.T) {
		s, err := start(t).Repeat(t.Context(), timetable(noTime), &task{name: "never"})
		if err != nil {
			t.Fatal(err)
		}
		wantOver(t, "without any time,", s)
	})
}

// TestBadTimetableIsAnErrorOfRepeat checks that Repeat returns the error if the first call
// of Next fails.
func TestBadTimetableIsAnErrorOfRepeat(t *testing.T) {
	for name, bad := range badTimetables {
		bubble(t, func(t *testing.T) {
			m := start(t)
			s, err := m.Repeat(t.Context(), bad.next, &task{name: "task"})
			if s != nil || err == nil || bad.want != nil && !errors.Is(err, bad.want) {
				t.Fatalf("of a timetable that %s, Repeat returned %v, %v; want an error %v", name, s, err, bad.want)
			}
			if text := err.Error(); !strings.Contains(text, "timetable") || !strings.Contains(text, `"task"`) || !strings.Contains(text, bad.says) {
				t.Errorf("the error is %q; want it to name the timetable and the task, and to say %q", text, bad.says)
			}
		})
	}
}

// TestBadTimetableEndsTheSchedule lets a later call of Next fail. The error is logged. The
// run that is due at that moment is not affected.
func TestBadTimetableEndsTheSchedule(t *testing.T) {
	for name, bad := range badTimetables {
		bubble(t, func(t *testing.T) {
			logged := new(recorder)
			m := start(t, taskmanager.WithLogger(logged))
			log := newRunLog()
			s, err := m.Repeat(t.Context(), secondly(2, bad.next), log.lasting("task", 0))
			if err != nil {
				t.Fatal(err)
			}
			log.until(10)
			check.Equal(t, "starts", log.starts(), seconds(1, 2))
			wantOver(t, "of a timetable that "+name, s)
			if text := logged.String(); !strings.Contains(text, "error") || !strings.Contains(text, "timetable") ||
				!strings.Contains(text, `"task"`) || !strings.Contains(text, bad.says) {
				t.Errorf("the log is %q; want an error about the timetable of the task, which says %q", text, bad.says)
			}
			await(t, submitFunc(t, m, "task", fn0)) // the manager continues
		})
	}
}

// TestQueuedRunsSurviveABadTimetable checks that runs that are queued when the timetable
// fails still run.
func TestQueuedRunsSurviveABadTimetable(t *testing.T) {
	for name, bad := range badTimetables {
		bubble(t, func(t *testing.T) {
			log := newRunLog()
			s, err := start(t).Repeat(t.Context(), secondly(3, bad.next), log.lasting("task", 3500*time.Millisecond),
				taskmanager.WithOverlap(taskmanager.OverlapQueue))
			if err != nil {
				t.Fatal(err)
			}
			log.until(20)
			check.Equal(t, "starts", log.starts(), seconds(1, 4.5, 8))
			wantOver(t, "of a timetable that "+name, s)
		})
	}
}

// TestEndingManagerRefusesSchedules checks that a manager whose Stop or Drain waits for a
// task refuses new schedules, and that its schedules have ended already.
func TestEndingManagerRefusesSchedules(t *testing.T) {
	for name, end := range managerEnds {
		bubble(t, func(t *testing.T) {
			m := start(t)
			release := make(chan struct{})
			submitFunc(t, m, "busy", func(context.Context) error { <-release; return nil })
			early := every(t, m, time.Hour, &task{name: "early"})
			ended := make(chan error, 1)
			go func() { ended <- end(m) }()
			synctest.Wait()
			wantOver(t, "during "+name, early)
			if s, err := m.Every(t.Context(), time.Hour, &task{name: "late"}); s != nil || !errors.Is(err, taskmanager.ErrStopped) {
				t.Errorf("Every during %s returned %v, %v; want ErrStopped", name, s, err)
			}
			close(release)
			if err := <-ended; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// TestScheduleMadeByATaskEndsWithItsContext checks that a schedule that a task makes with
// its own context ends with the task.
func TestScheduleMadeByATaskEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(4, 4))
		log := newRunLog()
		var s *taskmanager.Schedule
		h := submitFunc(t, m, "parent", func(ctx context.Context) (err error) {
			s, err = m.Every(ctx, time.Second, log.lasting("child", 0))
			time.Sleep(2500 * time.Millisecond)
			return err
		})
		if err := wait(t, h); err != nil {
			t.Fatal(err)
		}
		log.until(10)
		check.Equal(t, "starts", log.starts(), seconds(1, 2))
		wantOver(t, "after the end of the task", s)
	})
}

// TestBadInputOfSchedules checks that each error matches the documented one and says what
// to do.
func TestBadInputOfSchedules(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		ended, cancel := context.WithCancelCause(t.Context())
		cancel(errFailed)
		ctx, fine, soon := t.Context(), &task{name: "fine"}, time.Now().Add(time.Minute)
		with := func(opts ...taskmanager.TaskOption) func() (*taskmanager.Schedule, error) {
			return func() (*taskmanager.Schedule, error) { return m.Every(ctx, time.Second, fine, opts...) }
		}
		plain := func(call func() error) func() (*taskmanager.Schedule, error) {
			return func() (*taskmanager.Schedule, error) { return nil, call() }
		}
		overlap := taskmanager.WithOverlap(taskmanager.OverlapQueue)
		tests := map[string]struct {
			call func() (*taskmanager.Schedule, error)
			want error // nil: any error
			says []string
		}{
			"no interval":       {func() (*taskmanager.Schedule, error) { return m.Every(ctx, 0, fine) }, nil, []string{"Every", "0s", "must be positive"}},
			"negative interval": {func() (*taskmanager.Schedule, error) { return m.Every(ctx, -1, fine) }, nil, []string{"-1ns", "must be positive"}},
			"nil timetable":     {func() (*taskmanager.Schedule, error) { return m.Repeat(ctx, nil, fine) }, nil, []string{"nil timetable", "Every makes one"}},
			"nil task": {
				func() (*taskmanager.Schedule, error) { return m.Every(ctx, time.Second, nil) },
				taskmanager.ErrNilTask, []string{"pass a Task"},
			},
			"empty name": {
				func() (*taskmanager.Schedule, error) { return m.Every(ctx, time.Second, &task{}) },
				taskmanager.ErrEmptyName, []string{"needs one"},
			},
			"nil context": {
				func() (*taskmanager.Schedule, error) { return m.Every(nil, time.Second, fine) }, //nolint:staticcheck // the fault is the test
				taskmanager.ErrNilContext, []string{"context.Background()"},
			},
			"context that has ended": {
				func() (*taskmanager.Schedule, error) { return m.Every(ended, time.Second, fine) },
				errFailed, []string{`"fine"`, "canceled"},
			},
			"Name that panics": {
				func() (*taskmanager.Schedule, error) {
					return m.Every(ctx, time.Second, &task{nameOf: func() string { panic(errFailed) }})
				},
				errFailed, []string{"Name"},
			},
			"WithDelay":       {with(taskmanager.WithDelay(time.Second)), nil, []string{"WithDelay", "are not allowed"}},
			"WithNotBefore":   {with(taskmanager.WithNotBefore(soon)), nil, []string{"WithNotBefore", "are not allowed"}},
			"WithDeadline":    {with(taskmanager.WithDeadline(soon)), nil, []string{"WithDeadline", "are not allowed"}},
			"nil option":      {with(nil, nil), nil, []string{"option 1 is nil", "option 2 is nil"}},
			"unknown overlap": {with(taskmanager.WithOverlap(7)), nil, []string{"WithOverlap", "7", "use OverlapSkip, OverlapQueue or OverlapCoalesce"}},
			"overlap of Submit": {plain(func() error {
				_, err := m.Submit(ctx, fine, overlap)
				return err
			}), nil, []string{"WithOverlap is for Every and Repeat"}},
			"overlap of TrySubmit": {plain(func() error {
				_, err := m.TrySubmit(ctx, fine, overlap)
				return err
			}), nil, []string{"WithOverlap is for Every and Repeat"}},
			"overlap of SubmitAll": {plain(func() error {
				_, err := m.SubmitAll(ctx, []taskmanager.Task{fine}, overlap)
				return err
			}), nil, []string{"WithOverlap is for Every and Repeat"}},
		}
		for name, test := range tests {
			s, err := test.call()
			if s != nil || err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%s: returned %v, %v; want an error %v", name, s, err, test.want)
				continue
			}
			if i := slices.IndexFunc(test.says, func(s string) bool { return !strings.Contains(err.Error(), s) }); i >= 0 {
				t.Errorf("%s: the error is %q, want it to say %q", name, err, test.says[i])
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		check.Equal(t, "submitted after nothing but faults", m.Snapshot().Submitted, 0)
	})
}
