package taskmanager_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// states are the counts by state.
type states struct{ Running, Delayed, Restarting, Queued uint64 }

// statesOf returns the counts of a manager by state. It checks that they add up.
func statesOf(t failer, m *taskmanager.TaskManager) states {
	t.Helper()
	c := m.Counts()
	s := states{c.Running, c.Delayed, c.Restarting, c.Queued}
	if sum := s.Running + s.Delayed + s.Restarting + s.Queued; sum != c.Outstanding() || sum > c.Accepted ||
		max(s.Running, s.Delayed, s.Restarting, s.Queued) > sum {
		t.Errorf("the counts by state, %+v, do not add up to those that are outstanding, %d of %d", s, c.Outstanding(), c.Accepted)
	}
	return s
}

// listed returns the counts by state according to the status of each task.
func listed(m *taskmanager.TaskManager) (s states) {
	for h := range m.Tasks() {
		switch p := h.Peek(); {
		case p.Status == taskmanager.Running, p.Status == taskmanager.Blocked:
			s.Running++
		case p.DueAt.IsZero():
			s.Queued++
		case p.Status == taskmanager.Restarted:
			s.Restarting++
		default:
			s.Delayed++
		}
	}
	return s
}

// TestCountsByState follows tasks through each state, and compares the counts with the statuses.
func TestCountsByState(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(3, taskmanager.Block), taskmanager.WithRestart(fixedDelay(time.Minute)))
		want := func(when string, want states) {
			t.Helper()
			synctest.Wait()
			check.Equal(t, when, statesOf(t, m), want)
			check.Equal(t, when+", by status", listed(m), want)
		}
		want("at the start", states{})
		failing := submit(t, m, &task{
			name:    "fails",
			execute: func(context.Context) error { return errFailed },
			restart: func(context.Context, error) bool { return true },
		})
		want("with a failure", states{Restarting: 1})
		later := submit(t, m, &task{name: "later"}, taskmanager.WithDelay(time.Hour))
		due := submit(t, m, &task{name: "due", execute: untilCancelled}, taskmanager.WithDelay(time.Second))
		want("with delays", states{Restarting: 1, Delayed: 2})
		waits := submitFunc(t, m, "waits", func(ctx context.Context) error {
			taskmanager.Blocking(ctx, func() { <-ctx.Done() })
			return nil
		})
		busy := submitFunc(t, m, "busy", untilCancelled)
		want("with a task that has lent its slot", states{Restarting: 1, Delayed: 2, Running: 2})
		time.Sleep(time.Second)
		for i := range 2 {
			submitFunc(t, m, strconv.Itoa(i), untilCancelled)
		}
		var room sync.WaitGroup
		room.Go(func() { submitFunc(t, m, "needs room", untilCancelled) })
		want("with a full queue", states{Restarting: 1, Delayed: 1, Running: 2, Queued: 4})
		time.Sleep(time.Minute)
		want("when the restart is due", states{Delayed: 1, Running: 2, Queued: 5})
		for _, h := range []*taskmanager.Handle{failing, later, due, waits, busy} {
			h.Cancel()
		}
		want("after cancellations", states{Running: 1, Queued: 2})
		room.Wait()
		submit(t, m, &task{name: "later"}, taskmanager.WithDelay(time.Hour))
		stop(t, m)
		want("after Stop", states{})
	})
}

// TestCountsByStateOfDelaysThatStopEnds: Stop ends tasks that are delayed, also such as are submitted
// meanwhile.
func TestCountsByStateOfDelaysThatStopEnds(t *testing.T) {
	m := start(t)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				_, err := m.SubmitFunc(t.Context(), strconv.Itoa(g)+"/"+strconv.Itoa(i), fn0, taskmanager.WithDelay(time.Hour))
				if errors.Is(err, taskmanager.ErrStopped) {
					return
				}
			}
		})
	}
	for statesOf(t, m).Delayed < 1000 {
	}
	stop(t, m)
	all.Wait()
	check.Equal(t, "after Stop", statesOf(t, m), states{})
}

// waitingEnd is an observer that waits at the end of a task.
type waitingEnd struct{ wait func() }

func (o waitingEnd) TaskEnded(context.Context, observe.End) { o.wait() }

// TestCountsByStateBesideUserCode: neither an observer of ends nor a logger changes the counts while
// it keeps the end of a task from being complete, or its worker from the next one.
func TestCountsByStateBesideUserCode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var open atomic.Bool
		slow := func() {
			for !open.Load() {
				time.Sleep(time.Second)
			}
		}
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithObserver(waitingEnd{slow}), taskmanager.WithoutTelemetry())
		submitFunc(t, m, "running", untilCancelled)
		synctest.Wait()
		h := submitFunc(t, m, "queued", fn0)
		go h.Cancel()
		synctest.Wait()
		check.Equal(t, "while the end of a queued task is observed", statesOf(t, m), states{Running: 1, Queued: 1})
		open.Store(true)
		stop(t, m)

		m = start(t, taskmanager.WithWorkers(1, 1))
		submitFunc(t, m, "a", fn0, taskmanager.WithOnEnd(func(*taskmanager.Handle) { time.Sleep(30 * time.Second) }))
		submitFunc(t, m, "b", fn0)
		synctest.Wait()
		check.Equal(t, "while a function is called after the end", statesOf(t, m), states{Queued: 1})
	})
}

// TestCountsByStateWhileTheyChange: the counts add up to those that are outstanding at any moment,
// and in the end agree with the statuses.
func TestCountsByStateWhileTheyChange(t *testing.T) {
	const goroutines, each = 4, 300
	m := start(t, taskmanager.WithWorkers(0, 3), taskmanager.WithRestart(fixedDelay(50*time.Microsecond)), taskmanager.WithRestartPlain())
	var stopped atomic.Bool
	var looking, submitting sync.WaitGroup
	looking.Go(func() {
		for !stopped.Load() {
			statesOf(t, m)
		}
	})
	for g := range goroutines {
		submitting.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(g)))
			for i := range each {
				fails := random.IntN(3)
				h := submitFunc(t, m, strconv.Itoa(g)+"/"+strconv.Itoa(i), func(context.Context) error {
					if fails--; fails >= 0 {
						return errFailed
					}
					return nil
				}, taskmanager.WithDelay(time.Duration(random.IntN(3))*40*time.Microsecond))
				if random.IntN(3) == 0 {
					h.Cancel()
				}
			}
		})
	}
	submitting.Wait()
	kept := submitFunc(t, m, "kept", fn0, taskmanager.WithDelay(time.Hour))
	for h := range m.Tasks() {
		if h != kept {
			_ = wait(t, h)
		}
	}
	stopped.Store(true)
	looking.Wait()
	check.Equal(t, "in the end", statesOf(t, m), states{Delayed: 1})
	check.Equal(t, "in the end, by status", listed(m), states{Delayed: 1})
}

// TestCountsByStateOfTasksBehindOthers: a task that waits behind another one of its name is queued,
// and delayed only once it has the name.
func TestCountsByStateOfTasksBehindOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		want := func(when string, want states) {
			t.Helper()
			synctest.Wait()
			check.Equal(t, when, statesOf(t, m), want)
		}
		first := submitFunc(t, m, "a", untilCancelled)
		synctest.Wait()
		behind := submitFunc(t, m, "a", untilCancelled, taskmanager.WithRerun(), taskmanager.WithDelay(time.Hour))
		want("with a task behind it", states{Running: 1, Queued: 1})
		check.Equal(t, "tasks on pages", pages(t, m, taskmanager.Filter{}), []string{"a"})
		behind.Cancel()
		want("without it", states{Running: 1})
		behind = submitFunc(t, m, "a", untilCancelled, taskmanager.WithRerun(), taskmanager.WithDelay(time.Hour))
		first.Cancel()
		want("when it has the name", states{Delayed: 1})
		check.Equal(t, "status on the page", behind.Peek().DueAt.IsZero(), false)
		time.Sleep(time.Hour)
		want("when it is due", states{Running: 1})
		behind.Cancel()
		want("after its end", states{})
	})
}
