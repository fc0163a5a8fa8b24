package taskmanager_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/clock"
	"github.com/seed56799101/taskmanager/internal/clock/clocktest"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// ago checks a displayed time against the wall clock.
func ago(t *testing.T, what string, got time.Time, want time.Duration) {
	t.Helper()
	check.Equal(t, what+" is ago", clock.Now().Sub(got), want)
}

// TestDisplayedTimesAreThoseOfTheWallClock sets the wall clock and checks all times that a manager
// displays: of what began before the step and after it.
func TestDisplayedTimesAreThoseOfTheWallClock(t *testing.T) {
	for _, step := range []time.Duration{day, -day} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithHistory(10))
			release := make(chan struct{})
			running := submitFunc(t, m, "running", func(context.Context) error { <-release; return nil })
			queued := submitFunc(t, m, "queued", fn0)
			delayed := submitFunc(t, m, "delayed", fn0, taskmanager.WithDelay(time.Hour))
			time.Sleep(10 * time.Minute)
			clocktest.Step(t, step)
			late := submitFunc(t, m, "late", fn0)
			ago(t, "StartedAt of a task that started before", running.Status().StartedAt, 10*time.Minute)
			ago(t, "QueuedAt of a task that was queued before", queued.Status().QueuedAt, 10*time.Minute)
			ago(t, "QueuedAt of a task that was queued after", m.TaskStatus()["late"].QueuedAt, 0)
			ago(t, "DueAt", delayed.Status().DueAt, -50*time.Minute)
			ago(t, "Now of the pool", m.Snapshot().Now, 0)
			time.Sleep(time.Minute)
			close(release)
			await(t, late)
			clocktest.Step(t, -3*step)
			time.Sleep(time.Minute)
			for i, h := range m.History() {
				ago(t, "EndedAt of "+h.Name, h.EndedAt, time.Minute)
				ago(t, "StartedAt of "+h.Name, h.StartedAt, []time.Duration{12, 1, 1}[i]*time.Minute)
				ago(t, "QueuedAt of "+h.Name, h.QueuedAt, []time.Duration{12, 12, 2}[i]*time.Minute)
			}
			check.Equal(t, "tasks that have ended", len(m.History()), 3)
		})
	}
}

// TestDecisionsAndFailuresHaveTheTimeOfTheWallClock checks what user code gets to decide by.
func TestDecisionsAndFailuresHaveTheTimeOfTheWallClock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var failed, asked time.Time
		policy := restart.Func(func(f restart.Failure) (time.Duration, bool) { failed = f.Now; return 0, false })
		m := start(t, taskmanager.WithWorkers(0, 2), taskmanager.WithRestart(policy), taskmanager.WithRestartPlain(),
			taskmanager.WithScaler(scalerFunc(func(s scale.Snapshot) scale.Decision {
				ago(t, "Now of the scaler", s.Now, 0)
				asked = time.Now()
				return scale.Decision{Target: 1}
			})))
		time.Sleep(time.Minute)
		clocktest.Step(t, day)
		first := submitFunc(t, m, "first", func(context.Context) error { time.Sleep(time.Second); return errFailed })
		submitFunc(t, m, "second", fn0) // finds no idle worker
		synctest.Wait()
		check.Equal(t, "the scaler was asked", time.Since(asked), 0)
		await(t, first)
		ago(t, "Now of the failure", failed, 0)
		time.Sleep(time.Minute)
		clocktest.Step(t, -3*day)
		for _, d := range m.Decisions() {
			ago(t, "the decision", d.At, 2*time.Minute+time.Second)
		}
		check.Equal(t, "decisions", len(m.Decisions()), 1)
	})
}

// scalerFunc is a scaler that needs the time.
type scalerFunc func(scale.Snapshot) scale.Decision

func (f scalerFunc) Scale(s scale.Snapshot) scale.Decision { return f(s) }
func (scalerFunc) NeedsTime() bool                         { return true }

// TestStepsNeverReorderDeadlines queues tasks with and without deadlines, before and after the wall
// clock is set. They run in the order of the time that was left to each.
func TestStepsNeverReorderDeadlines(t *testing.T) {
	for _, step := range []time.Duration{day, -day} {
		bubble(t, func(t *testing.T) {
			const horizon = time.Hour
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(taskmanager.Deadline(horizon)))
			m.Pause()
			var mu sync.Mutex
			var order []int
			add := func(dueMinutes int) {
				var opts []taskmanager.TaskOption
				if left := time.Duration(dueMinutes)*time.Minute - timePassed(); left != horizon {
					opts = append(opts, taskmanager.WithDeadline(clock.Now().Add(left)))
				}
				submitFunc(t, m, strconv.Itoa(dueMinutes), func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, dueMinutes)
					return nil
				}, opts...)
			}
			add(60) // has no deadline
			add(59)
			add(75)
			add(200)
			time.Sleep(10 * time.Minute)
			clocktest.Step(t, step)
			add(70) // has no deadline
			add(61)
			add(74)
			add(199)
			add(12)
			m.Resume()
			synctest.Wait()
			check.Equal(t, "order", order, []int{12, 59, 60, 61, 70, 74, 75, 199, 200})
		})
	}
}

// timePassed returns the time since the start of the bubble.
func timePassed() time.Duration { return time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) }

// TestNotBeforeAndDeadlineAreFixedAtTheSubmit sets the wall clock after the submit. The options
// then hold on the monotonic clock.
func TestNotBeforeAndDeadlineAreFixedAtTheSubmit(t *testing.T) {
	for _, step := range []time.Duration{day, -day} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(2, 2))
			log := newRunLog()
			clocktest.Step(t, 5*step) // before the submit: the options mean the wall clock of the submit
			waits := submit(t, m, log.lasting("waits", 0), taskmanager.WithNotBefore(clock.Now().Add(time.Hour)))
			limited := submitFunc(t, m, "limited", untilCancelled, taskmanager.WithDeadline(clock.Now().Add(2*time.Hour)))
			_, err := m.SubmitFunc(t.Context(), "late", fn0, taskmanager.WithDeadline(clock.Now().Add(-time.Second)))
			check.Is(t, "the submit of a late task", err, taskmanager.ErrDeadlineExceeded)
			time.Sleep(10 * time.Minute)
			clocktest.Step(t, step)
			ago(t, "DueAt", waits.Status().DueAt, -50*time.Minute)
			time.Sleep(50*time.Minute - time.Second)
			await(t, waits)
			check.Equal(t, "starts", log.starts(), []time.Duration{time.Hour})
			time.Sleep(time.Hour - time.Second)
			if err := wait(t, limited); !errors.Is(err, taskmanager.ErrDeadlineExceeded) {
				t.Errorf("the task ended with %v, want ErrDeadlineExceeded", err)
			}
			check.Equal(t, "the deadline came after", time.Since(log.since), 2*time.Hour)
		})
	}
}

// TestEqualDeadlinesRunInTheOrderOfTheirSubmits uses the real clocks. Each deadline is converted
// to the monotonic clock by itself.
func TestEqualDeadlinesRunInTheOrderOfTheirSubmits(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(taskmanager.Deadline(0)))
	m.Pause()
	deadline := time.Now().Round(0).Add(time.Hour)
	var order []int
	for i := range 1000 {
		submitFunc(t, m, strconv.Itoa(i), func(context.Context) error { order = append(order, i); return nil }, taskmanager.WithDeadline(deadline))
	}
	m.Resume()
	if err := m.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(order) {
		t.Errorf("tasks with one deadline ran in the order %v", order)
	}
}
