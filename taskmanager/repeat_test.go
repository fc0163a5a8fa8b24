package taskmanager_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// runLog records when runs begin, relative to when it was made.
type runLog struct {
	since time.Time

	mu sync.Mutex
	at []time.Duration
}

func newRunLog() *runLog { return &runLog{since: time.Now()} }

// begin records a run and returns the number of runs so far.
func (l *runLog) begin() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = append(l.at, time.Since(l.since))
	return len(l.at)
}

func (l *runLog) starts() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]time.Duration{}, l.at...)
}

// lasting returns a task whose runs take the given times, in order. All further runs take
// the last of these times.
func (l *runLog) lasting(name string, lengths ...time.Duration) *task {
	return &task{name: name, execute: func(context.Context) error {
		n := l.begin()
		time.Sleep(lengths[min(n, len(lengths))-1])
		return nil
	}}
}

// seconds converts numbers of seconds to durations.
func seconds(s ...float64) []time.Duration {
	out := []time.Duration{}
	for _, x := range s {
		out = append(out, time.Duration(x*float64(time.Second)))
	}
	return out
}

// every calls Every and fails the test if that returns an error.
func every(t *testing.T, m *taskmanager.TaskManager, interval time.Duration, task taskmanager.Task,
	opts ...taskmanager.TaskOption,
) *taskmanager.Schedule {
	t.Helper()
	s, err := m.Every(t.Context(), interval, task, opts...)
	if err != nil {
		t.Fatalf("Every: %v", err)
	}
	return s
}

// until sleeps until s seconds have passed since the log was made.
func (l *runLog) until(s float64) {
	time.Sleep(time.Duration(s*float64(time.Second)) - time.Since(l.since))
	synctest.Wait()
}

// TestEveryKeepsItsRate checks that the first run starts after one interval, and that all
// runs start at multiples of the interval, however long they take.
func TestEveryKeepsItsRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		log := newRunLog()
		s := every(t, m, time.Second, log.lasting("rate", 700*time.Millisecond, 300*time.Millisecond, 2500*time.Millisecond, 0))
		check.Equal(t, "the first run is due", s.Next().Sub(log.since), time.Second)
		log.until(9.5)
		check.Equal(t, "starts", log.starts(), seconds(1, 2, 3, 6, 7, 8, 9))
		check.Equal(t, "skipped", s.Skipped(), 2)
		check.Equal(t, "the next run is due", s.Next().Sub(log.since), 10*time.Second)
	})
}

// TestEveryWithALongInterval uses an interval that is longer than an alarm sleeps at a
// time.
func TestEveryWithALongInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		log := newRunLog()
		const interval = 25*time.Hour + 1
		every(t, m, interval, log.lasting("daily", 0))
		time.Sleep(3 * interval)
		synctest.Wait()
		check.Equal(t, "starts", log.starts(), []time.Duration{interval, 2 * interval, 3 * interval})
	})
}

// TestOverlapQueueRunsEveryDueRun checks that runs that became due during a long run follow
// it at once, and that later runs start at multiples of the interval again.
func TestOverlapQueueRunsEveryDueRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		log := newRunLog()
		s := every(t, m, time.Second, log.lasting("late", 3500*time.Millisecond, 250*time.Millisecond),
			taskmanager.WithOverlap(taskmanager.OverlapQueue))
		log.until(7.5)
		check.Equal(t, "starts", log.starts(), seconds(1, 4.5, 4.75, 5, 5.25, 6, 7))
		check.Equal(t, "skipped", s.Skipped(), 0)
	})
}

// TestRestartingRunIsOutstanding checks that a run that waits for its restart delays the
// next run.
func TestRestartingRunIsOutstanding(t *testing.T) {
	for overlap, want := range map[taskmanager.Overlap][]time.Duration{
		taskmanager.OverlapSkip:  seconds(1, 3.5, 4, 5),
		taskmanager.OverlapQueue: seconds(1, 3.5, 3.5, 3.5, 4, 5),
	} {
		bubble(t, func(t *testing.T) {
			m := start(t)
			log := newRunLog()
			s := every(t, m, time.Second, &task{name: "restarts", execute: func(context.Context) error {
				if log.begin() == 1 {
					return errFailed
				}
				return nil
			}, restart: func(context.Context, error) bool { return true }}, taskmanager.WithRestart(fixedDelay(2500*time.Millisecond)), taskmanager.WithOverlap(overlap))
			log.until(2.5)
			check.Equal(t, "status between the runs", m.TaskStatus()["restarts"].Status, taskmanager.Restarted)
			log.until(5.5)
			check.Equal(t, "starts", log.starts(), want)
			skipped := 0
			if overlap == taskmanager.OverlapSkip {
				skipped = 2
			}
			check.Equal(t, "skipped", s.Skipped(), skipped)
		})
	}
}

// TestFailedRunsDoNotEndASchedule covers each kind of failure.
func TestFailedRunsDoNotEndASchedule(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		log := newRunLog()
		every(t, m, time.Second, &task{name: "fails", execute: func(ctx context.Context) error {
			switch log.begin() {
			case 1:
				return errFailed
			case 2:
				panic(errFailed)
			case 3:
				m.Cancel("fails")
				return context.Cause(ctx)
			}
			return nil
		}})
		log.until(5.5)
		check.Equal(t, "starts", log.starts(), seconds(1, 2, 3, 4, 5))
	})
}

// TestNameIsFreeBetweenRuns lets another task have the name when a run is due. The run is
// skipped and logged, and the next one runs.
func TestNameIsFreeBetweenRuns(t *testing.T) {
	for _, overlap := range overlaps {
		bubble(t, func(t *testing.T) {
			log, logged := newRunLog(), new(recorder)
			m := start(t, taskmanager.WithLogger(logged))
			s := every(t, m, time.Second, log.lasting("name", 0), taskmanager.WithOverlap(overlap))
			log.until(1.5)
			if h, ok := m.Lookup("name"); ok {
				t.Errorf("between runs the name is that of %v", h.Status())
			}
			h := submitFunc(t, m, "name", func(context.Context) error { time.Sleep(2 * time.Second); return nil })
			log.until(3.4)
			check.Equal(t, "skipped", s.Skipped(), 2)
			if text := logged.String(); strings.Count(text, "error") != 2 || strings.Count(text, `"name"`) < 2 ||
				!strings.Contains(text, "skipped") || !strings.Contains(text, "already exists") {
				t.Errorf("the log is %q; want it to report twice that a run of %q is skipped, and why", text, "name")
			}
			if err := wait(t, h); err != nil {
				t.Errorf("the other task ended with %v", err)
			}
			log.until(5.5)
			check.Equal(t, "starts", log.starts(), seconds(1, 4, 5))
		})
	}
}

// TestQueuedRunIsOutstanding checks that runs are skipped while a run waits for a worker.
func TestQueuedRunIsOutstanding(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		log := newRunLog()
		s := every(t, m, time.Second, log.lasting("queued", 0))
		m.Pause()
		log.until(3.5)
		check.Equal(t, "queued", m.Snapshot().Queued, 1)
		m.Resume()
		log.until(4.5)
		check.Equal(t, "starts", log.starts(), seconds(3.5, 4))
		check.Equal(t, "skipped", s.Skipped(), 2)
	})
}

// TestOptionsHoldForEachRun checks a time limit, a key under Fair, a description, and the
// values of the context.
func TestOptionsHoldForEachRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithQueue(taskmanager.Fair(nil)), taskmanager.WithHistory(10))
		keys := []string{}
		values := []any{}
		body := &task{name: "limited", execute: func(ctx context.Context) error {
			h, _ := taskmanager.FromContext(ctx)
			keys = append(keys, h.Key())
			values = append(values, ctx.Value(ctxKey{}))
			return untilCancelled(ctx)
		}}
		begin := time.Now()
		s, err := m.Every(context.WithValue(t.Context(), ctxKey{}, "value"), 2*time.Second, body, taskmanager.WithKey("acme"),
			taskmanager.WithTimeout(500*time.Millisecond), taskmanager.WithDescription("what it does"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Second)
		synctest.Wait()
		check.Equal(t, "keys", keys, []string{"acme", "acme", "acme"})
		check.Equal(t, "values", values, []any{"value", "value", "value"})
		check.Equal(t, "skipped", s.Skipped(), 0)
		for i, r := range m.History() {
			if !errors.Is(r.LastError, taskmanager.ErrTimeout) || r.Description != "what it does" {
				t.Errorf("run %d: %q ended with %v, want %q and ErrTimeout", i+1, r.Description, r.LastError, "what it does")
			}
			check.Equal(t, "end of a run", r.EndedAt.Sub(begin), time.Duration(2*i+2)*time.Second+500*time.Millisecond)
		}
		check.Equal(t, "runs that have ended", len(m.History()), 3)
	})
}

// TestQueueTimeoutHoldsForEachRun checks that the queue timeout starts again for each run.
func TestQueueTimeoutHoldsForEachRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithHistory(10), taskmanager.WithWorkers(1, 1))
		submitFunc(t, m, "busy", untilCancelled)
		log := newRunLog()
		s := every(t, m, time.Second, log.lasting("waits", 0), taskmanager.WithQueueTimeout(300*time.Millisecond))
		log.until(3.5)
		ends := []time.Duration{}
		for _, r := range m.History() {
			ends = append(ends, r.EndedAt.Sub(log.since))
			if !errors.Is(r.LastError, taskmanager.ErrQueueTimeout) {
				t.Errorf("a run ended with %v, want ErrQueueTimeout", r.LastError)
			}
		}
		check.Equal(t, "ends", ends, seconds(1.3, 2.3, 3.3))
		check.Equal(t, "skipped", s.Skipped(), 0)
	})
}

// TestEveryIsQueuedBeyondTheLimit checks that, under each policy, a run is queued although
// the limit is reached, and that no task is dropped, refused, or run by a submitter.
func TestEveryIsQueuedBeyondTheLimit(t *testing.T) {
	for _, overflow := range []taskmanager.Overflow{
		taskmanager.Block, taskmanager.Reject, taskmanager.DropNewest, taskmanager.DropOldest, taskmanager.DropWorst, taskmanager.CallerRuns,
	} {
		bubble(t, func(t *testing.T) {
			logged := new(recorder)
			m := crowded(t, overflow, taskmanager.WithLogger(logged))
			log := newRunLog()
			s := every(t, m, time.Second, log.lasting("extra", 0))
			log.until(1.5)
			got := m.Snapshot()
			if got.Queued != 2 || got.Blocked != 0 || got.Dropped != 0 || got.Inline != 0 {
				t.Errorf("%v: after a run beyond the limit %+v; want 2 queued, and nothing blocked, dropped or inline", overflow, got)
			}
			m.Cancel("running")
			log.until(2.5)
			check.Equal(t, "starts", log.starts(), seconds(1.5, 2))
			check.Equal(t, "skipped", s.Skipped(), 0)
			if text := logged.String(); strings.Contains(text, "skipped") || strings.Contains(text, "dropped") {
				t.Errorf("%v: the log is %q", overflow, text)
			}
		})
	}
}

// TestScheduleStartsAreThoseOfTheModel compares the starts of runs of random length with a
// model.
func TestScheduleStartsAreThoseOfTheModel(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		interval := time.Duration(rapid.IntRange(1, 5).Draw(t, "interval")) * time.Millisecond
		// The extra microsecond ensures that no run ends when another one is due.
		lengths := []time.Duration{}
		for _, ms := range rapid.SliceOfN(rapid.IntRange(0, 12), 1, 20).Draw(t, "lengths") {
			lengths = append(lengths, time.Duration(ms)*time.Millisecond+time.Microsecond)
		}
		horizon := time.Duration(rapid.IntRange(1, 100).Draw(t, "horizon"))*time.Millisecond + 500*time.Microsecond
		overlap := rapid.SampledFrom([]taskmanager.Overlap{taskmanager.OverlapSkip, taskmanager.OverlapQueue}).Draw(t, "overlap")

		want, skipped, free := []time.Duration{}, 0, time.Duration(0)
		for tick := interval; tick < horizon; tick += interval {
			if tick < free && overlap == taskmanager.OverlapSkip {
				skipped++
				continue
			}
			begin := max(tick, free)
			if begin < horizon {
				want = append(want, begin)
			}
			free = begin + lengths[min(len(want), len(lengths))-1]
		}
		rapid.SyncTest(t, func(t *rapid.T) {
			m, err := taskmanager.Start(taskmanager.WithWorkers(1, 2))
			if err != nil {
				t.Fatal(err)
			}
			defer stop(t, m)
			log := newRunLog()
			s, err := m.Every(context.Background(), interval, log.lasting("task", lengths...), taskmanager.WithOverlap(overlap))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(horizon)
			s.Stop()
			time.Sleep(time.Second) // there must be no further run
			if diff := cmp.Diff(want, log.starts()); diff != "" {
				t.Errorf("starts (-want +got):\n%s", diff)
			}
			if got := s.Skipped(); got != skipped {
				t.Errorf("%d runs were skipped, want %d", got, skipped)
			}
		})
	})
}
