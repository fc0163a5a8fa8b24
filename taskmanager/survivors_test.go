package taskmanager_test

// The tests in this file fail for changes of the code that no other test notices.

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestErrOfATaskThatWaitsForItsRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		h := submitFunc(t, m, "a", fails, taskmanager.WithRestart(fixedDelay(time.Hour)))
		synctest.Wait()
		check.Equal(t, "status", h.Status().Status, taskmanager.Restarted)
		check.Equal(t, "Err before the end", h.Err(), nil)
	})
}

func TestCancelOfAnEndedTaskLeavesNothing(t *testing.T) {
	m := start(t)
	ended := make([]*taskmanager.Handle, 100)
	for i := range ended {
		ended[i] = submitFunc(t, m, fmt.Sprint(i), fn0)
		await(t, ended[i])
	}
	i := 0
	allocs := testing.AllocsPerRun(len(ended)-1, func() { ended[i].Cancel(); i++ })
	check.Equal(t, "allocations of a Cancel after the end", allocs, 0.0)
}

func TestCancelEndsTheContextOfRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		h := submit(t, m, &task{name: "a", execute: fails, restart: func(ctx context.Context, _ error) bool {
			<-ctx.Done()
			check.Is(t, "the cause", context.Cause(ctx), taskmanager.ErrCancelled)
			return true
		}})
		synctest.Wait()
		h.Cancel()
		check.Is(t, "the error of the task", wait(t, h), taskmanager.ErrCancelled)
	})
}

func TestDroppedTaskLosesItsLastFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.DropOldest))
		h := submitFunc(t, m, "a", fails, taskmanager.WithRestart(fixedDelay(time.Second)))
		synctest.Wait()
		submitFunc(t, m, "blocker", func(context.Context) error { time.Sleep(time.Minute); return nil })
		time.Sleep(2 * time.Second) // the restart is due and queued
		submitFunc(t, m, "newer", fn0)
		err := wait(t, h)
		check.Is(t, "the error of the task", err, taskmanager.ErrDropped)
		check.Is(t, "the error of the task", err, errFailed)
	})
}

func TestCancelledTaskReportsItsCauseTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		h := submitFunc(t, m, "a", func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
		synctest.Wait()
		h.Cancel()
		if err := wait(t, h); err != taskmanager.ErrCancelled { //nolint:errorlint // nothing must be added
			t.Errorf("the task ended with %v, want ErrCancelled itself", err)
		}
	})
}

// TestLinkedTaskIsObservedAlthoughItDoesNotStart checks that observers are told of no execution
// after the end of the linked context.
func TestLinkedTaskIsObservedAlthoughItDoesNotStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithoutTelemetry(), taskmanager.WithObserver(
			beginRun(func(name string) { t.Errorf("an execution of %q has begun", name) })))
		ctx := newForeignContext()
		m.Pause()
		h, err := m.SubmitFunc(ctx, "a", fn0, taskmanager.WithLinkedContext())
		check.Equal(t, "Submit", err, nil)
		late := ctx.end()
		m.Resume()
		check.Is(t, "the error of the task", wait(t, h), taskmanager.ErrCancelled)
		late()
	})
}

func TestStopMakesAGroupFail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		g := m.Group(t.Context())
		for i := range 20 {
			check.Equal(t, "Go", g.Go(fmt.Sprint(i), fn0, taskmanager.WithDelay(time.Hour)), nil)
		}
		var members []*taskmanager.Handle
		for h := range m.Tasks() {
			members = append(members, h)
		}
		stop(t, m)
		for _, h := range members {
			if err := h.Err(); !errors.Is(err, taskmanager.ErrStopped) || errors.Is(err, taskmanager.ErrGroupFailed) {
				t.Errorf("task %q ended with %v, want ErrStopped", h.Name(), err)
			}
		}
	})
}

// TestFailedGroupStartsMembersToCancelThem checks that a group that fails cancels the waiting
// members before the running ones, whose workers would start them.
func TestFailedGroupStartsMembersToCancelThem(t *testing.T) {
	const running = 20
	for range 20 {
		m := start(t, taskmanager.WithWorkers(running+1, running+1))
		g := m.Group(t.Context())
		var begun atomic.Int32
		fail, ready := make(chan struct{}), make(chan struct{})
		check.Equal(t, "Go", g.Go("fails", func(context.Context) error { ready <- struct{}{}; <-fail; return errFailed }), nil)
		for i := range running {
			check.Equal(t, "Go", g.Go(fmt.Sprint("runs", i), func(ctx context.Context) error {
				ready <- struct{}{}
				return untilCancelled(ctx)
			}), nil)
		}
		for range running + 1 {
			<-ready
		}
		for i := range 5 * running {
			check.Equal(t, "Go", g.Go(fmt.Sprint("waits", i), func(context.Context) error { begun.Add(1); return nil }), nil)
		}
		close(fail)
		check.Is(t, "Wait", g.Wait(t.Context()), errFailed)
		check.Equal(t, "waiting members that began", begun.Load(), int32(0))
	}
}

// TestFailedGroupForgetsItsFailure checks that a group that has failed stays so, however often
// it is used.
func TestFailedGroupForgetsItsFailure(t *testing.T) {
	m := start(t)
	g := m.Group(t.Context())
	check.Equal(t, "Go", g.Go("a", fails), nil)
	for range 3 {
		check.Is(t, "Wait", g.Wait(t.Context()), errFailed)
		check.Is(t, "Go", g.Go("b", fn0), taskmanager.ErrGroupFailed)
	}
}

// TestCollectReportsTheEndOfItsContextOnce checks what Wait returns after the end of the group's
// context: each failure, and the end of the context, once.
func TestCollectReportsTheEndOfItsContextOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		g := m.Group(ctx, taskmanager.WithCollect())
		check.Equal(t, "Go", g.Go("fails", fails), nil)
		check.Equal(t, "Go", g.Go("ignores its context", func(context.Context) error { time.Sleep(time.Minute); return nil }), nil)
		synctest.Wait()
		ended := errors.New("ended")
		cancel(ended)
		synctest.Wait()
		err := g.Wait(t.Context())
		check.Is(t, "Wait", err, errFailed)
		check.Is(t, "Wait", err, ended)
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || len(joined.Unwrap()) != 2 {
			t.Errorf("Wait returned %v, want two errors", err)
		}
	})
}

// TestRoundBeginsDuringASubmit calls Wait, and then submits, while another submit has begun. The
// two submits are of the same round.
func TestRoundBeginsDuringASubmit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var g *taskmanager.ResultGroup[string]
		result := func(r string) func(context.Context) (string, error) {
			return func(context.Context) (string, error) { return r, nil }
		}
		m := start(t, taskmanager.WithQueue(taskmanager.Fair(func(key string) int {
			if key == "first" {
				_, err := g.Wait(t.Context())
				check.Equal(t, "Wait", err, nil)
				check.Equal(t, "Go", g.Go("second", result("second")), nil)
			}
			return 1
		})))
		g = taskmanager.NewResultGroup[string](t.Context(), m)
		check.Equal(t, "Go", g.Go("first", result("first"), taskmanager.WithKey("first")), nil)
		results, err := g.Wait(t.Context())
		check.Equal(t, "Wait", err, nil)
		check.Equal(t, "the results", results, []string{"first", "second"})
	})
}

// TestLateWaitEndsTheNextRound lets a Wait return late, because its task has to wait for its slot.
// It must not count as a Wait for the round that the group has by then, whose failures nobody has
// seen.
func TestLateWaitEndsTheNextRound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, other := start(t), start(t, taskmanager.WithWorkers(1, 1))
		g := m.Group(t.Context(), taskmanager.WithCollect())
		check.Equal(t, "Go", g.Go("first", func(context.Context) error { time.Sleep(time.Second); return errFailed }), nil)
		waiter := submitFunc(t, other, "waits", func(ctx context.Context) error { return g.Wait(ctx) })
		synctest.Wait()
		submitFunc(t, other, "has the slot", func(context.Context) error { time.Sleep(time.Minute); return nil })
		check.Is(t, "Wait", g.Wait(t.Context()), errFailed)
		unseen := errors.New("unseen")
		check.Equal(t, "Go", g.Go("second", func(context.Context) error { return unseen }), nil)
		check.Is(t, "the late Wait", wait(t, waiter), errFailed)
		check.Equal(t, "Go", g.Go("third", fn0), nil)
		check.Is(t, "Wait", g.Wait(t.Context()), unseen)
	})
}

// TestScheduleRunsAfterItsContextEndedDuringASubmit ends the context of a schedule while the
// submit of a run has not returned, although the run has ended. The runs that are queued do not
// start.
func TestScheduleRunsAfterItsContextEndedDuringASubmit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := newForeignContext()
		var runs, submits atomic.Int32
		var m *taskmanager.TaskManager
		late := func() {}
		m = start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithoutTelemetry(), taskmanager.WithObserver(
			submitListener(func(method, name string) {
				if method != "EndSubmit" {
					return
				}
				if submits.Add(1) == 2 {
					if h, ok := m.Lookup(name); ok {
						<-h.Done()
					}
					late = ctx.end()
				}
			})))
		hold := make(chan struct{})
		_, err := m.Every(ctx, time.Second, &task{name: "a", execute: func(context.Context) error {
			if runs.Add(1) == 1 {
				<-hold
			}
			return nil
		}}, taskmanager.WithOverlap(taskmanager.OverlapQueue))
		check.Equal(t, "Every", err, nil)
		time.Sleep(5500 * time.Millisecond)
		close(hold)
		time.Sleep(time.Minute)
		synctest.Wait()
		check.Equal(t, "runs", runs.Load(), int32(2))
		late()
	})
}
