package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestTryGoDoesNotWait tries to submit to a full group and to a full manager. That is no failure of
// the group, and leaves no gap in the results.
func TestTryGoDoesNotWait(t *testing.T) {
	number := func(i int) func(context.Context) (int, error) {
		return func(context.Context) (int, error) { time.Sleep(time.Second); return i, nil }
	}
	tests := map[string]struct {
		manager []taskmanager.Option
		group   []taskmanager.GroupOption
	}{
		"full group":                     {nil, []taskmanager.GroupOption{taskmanager.WithGroupLimit(1)}},
		"full group that collects":       {nil, []taskmanager.GroupOption{taskmanager.WithGroupLimit(1), taskmanager.WithCollect()}},
		"full manager, Block":            {[]taskmanager.Option{taskmanager.WithLimit(0, taskmanager.Block)}, nil},
		"full manager, Reject":           {[]taskmanager.Option{taskmanager.WithLimit(0, taskmanager.Reject)}, nil},
		"full manager, CallerRuns":       {[]taskmanager.Option{taskmanager.WithLimit(0, taskmanager.CallerRuns)}, nil},
		"full manager, collects":         {[]taskmanager.Option{taskmanager.WithLimit(0, taskmanager.Block)}, []taskmanager.GroupOption{taskmanager.WithCollect()}},
		"as many as a key may have wait": {[]taskmanager.Option{taskmanager.WithKeyQueueLimit(1, taskmanager.Reject)}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, append(test.manager, taskmanager.WithWorkers(1, 1))...)
				g := taskmanager.NewResultGroup[int](t.Context(), m, test.group...)
				n := 1
				if strings.Contains(name, "key") {
					n = 2
				}
				var want []int
				began := time.Now()
				for round := range 3 {
					for i := range n {
						check.Is(t, "TryGo with room", g.TryGo(fmt.Sprint(round, i), number(len(want)), taskmanager.WithKey("k")), nil)
						want = append(want, len(want))
						synctest.Wait()
					}
					for range 2 {
						check.Is(t, "TryGo without room", g.TryGo("refused", number(-1), taskmanager.WithKey("k")), taskmanager.ErrQueueFull)
					}
					check.Equal(t, "the time", time.Since(began), time.Duration(round*n)*time.Second)
					time.Sleep(time.Duration(n) * time.Second)
					synctest.Wait()
				}
				results, err := g.Wait(t.Context())
				check.Is(t, "Wait", err, nil)
				check.Equal(t, "the results", results, want)
			})
		})
	}
}

// TestOtherErrorsOfTryGoAreFailures includes a task that returns ErrQueueFull.
func TestOtherErrorsOfTryGoAreFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		for want, try := range map[error]func(g *taskmanager.Group) error{
			taskmanager.ErrEmptyName: func(g *taskmanager.Group) error { return g.TryGo("", fn0) },
			taskmanager.ErrNilTask:   func(g *taskmanager.Group) error { return g.TryGo("a", nil) },
			taskmanager.ErrQueueFull: func(g *taskmanager.Group) error {
				check.Is(t, "TryGo", g.TryGo("a", func(context.Context) error { return taskmanager.ErrQueueFull }), nil)
				return g.Wait(t.Context())
			},
			taskmanager.ErrNilContext: func(g *taskmanager.Group) error {
				return g.GoContext(nil, "a", fn0) //nolint:staticcheck // the nil context is the point of the test
			},
		} {
			g := m.Group(t.Context())
			check.Is(t, "the error", try(g), want)
			check.Is(t, "Wait", g.Wait(t.Context()), want)
			check.Is(t, "a later submit", g.TryGo("b", fn0), taskmanager.ErrGroupFailed)
		}
	})
}

// TestGoContextGivesUp ends the context of a GoContext that waits for room, in the group or in the
// manager. The group continues.
func TestGoContextGivesUp(t *testing.T) {
	for name, collect := range map[string]bool{"group": false, "manager": false, "group, collects": true, "manager, collects": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inManager := strings.HasPrefix(name, "manager")
				limit := 1
				opts := []taskmanager.Option{taskmanager.WithWorkers(1, 1)}
				if inManager {
					opts, limit = append(opts, taskmanager.WithLimit(0, taskmanager.Block)), 5
				}
				groupOpts := []taskmanager.GroupOption{taskmanager.WithGroupLimit(limit)}
				if collect {
					groupOpts = append(groupOpts, taskmanager.WithCollect())
				}
				m := start(t, opts...)
				g := taskmanager.NewResultGroup[int](context.WithValue(t.Context(), key("of"), "the group"), m, groupOpts...)
				lasts := func(ctx context.Context) (int, error) {
					check.Equal(t, "the value of the context", ctx.Value(key("of")), any("the group"))
					time.Sleep(time.Minute)
					return 7, ctx.Err()
				}
				for i := range 3 { // the end of ctx does not end the task
					ctx, cancel := context.WithTimeoutCause(context.WithValue(t.Context(), key("of"), "the wait"), time.Second, errFailed)
					began := time.Now()
					check.Is(t, "GoContext with room", g.GoContext(ctx, fmt.Sprint("accepted", i), lasts), nil)
					err := g.GoContext(ctx, "given up", lasts)
					check.Is(t, "GoContext", err, errFailed)
					check.Is(t, "GoContext", err, context.DeadlineExceeded)
					check.Equal(t, "the duration", time.Since(began), time.Second)
					check.Is(t, "GoContext with a context that has ended", g.GoContext(ctx, "late", lasts), errFailed)
					cancel()
					if !inManager { // otherwise the worker is busy with the next step
						check.Equal(t, "the error says what was waited for", strings.Contains(err.Error(), "wait for room in the group"), true)
					}
					time.Sleep(2 * time.Minute)
				}
				results, err := g.Wait(t.Context())
				check.Is(t, "Wait", err, nil)
				check.Equal(t, "the results", results, []int{7, 7, 7})
			})
		})
	}
}

// TestGoContextFailsWithItsGroup ends the context of the group, and cancels the task, during the wait
// for room of a GoContext.
func TestGoContextFailsWithItsGroup(t *testing.T) {
	for _, limit := range []int{1, 5} { // the wait is in the group, or in the manager
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.Block))
			ctx, end := context.WithCancelCause(t.Context())
			g := m.Group(ctx, taskmanager.WithGroupLimit(limit))
			check.Is(t, "Go", g.Go("a", untilCancelled), nil)
			synctest.Wait()
			time.AfterFunc(time.Second, func() { end(errFailed) })
			err := g.GoContext(t.Context(), "b", fn0)
			// In the manager, the end of the other task may make room first. The new one then ends at once.
			check.Equal(t, "the error", err == nil && limit == 5 || errors.Is(err, errFailed) || errors.Is(err, taskmanager.ErrGroupFailed), true)
			check.Is(t, "Wait", g.Wait(t.Context()), errFailed)
		})
	}
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.Block))
		g := m.Group(t.Context())
		check.Is(t, "Go", g.Go("a", untilCancelled), nil)
		synctest.Wait()
		time.AfterFunc(time.Second, func() { m.Cancel("b") })
		check.Is(t, "GoContext", g.GoContext(t.Context(), "b", fn0), taskmanager.ErrCancelled)
		check.Is(t, "Wait", g.Wait(t.Context()), taskmanager.ErrCancelled)
	})
}

// TestGoContextIsRecognised waits for room on goroutines that have the context of a task in one of
// the two ways, and are waits of the task.
func TestGoContextIsRecognised(t *testing.T) {
	for _, which := range []string{"context of the wait", "context of the group"} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(4, 4))
			root := submitFunc(t, m, "root", func(ctx context.Context) error {
				groupCtx, waitCtx := t.Context(), ctx
				if which == "context of the group" {
					groupCtx, waitCtx = ctx, t.Context()
				}
				self, _ := taskmanager.FromContext(ctx)
				g := m.Group(groupCtx, taskmanager.WithGroupLimit(1), taskmanager.WithCollect())
				check.Is(t, "Go", g.Go("member", self.Wait), nil)
				synctest.Wait()
				var other sync.WaitGroup
				other.Go(func() {
					check.Is(t, which, g.GoContext(waitCtx, "refused", fn0), taskmanager.ErrWouldDeadlock)
				})
				other.Wait()
				return nil
			})
			await(t, root)
		})
	}
}

// TestGroupContextEnds ends a group in all ways. Its context ends with the same cause as the tasks.
func TestGroupContextEnds(t *testing.T) {
	for how, end := range map[string]func(g *taskmanager.Group, fail func(), endContext func()){
		"failure": func(_ *taskmanager.Group, fail, _ func()) { fail() },
		"Cancel":  func(g *taskmanager.Group, _, _ func()) { g.Cancel() },
		"context": func(_ *taskmanager.Group, _, endContext func()) { endContext() },
	} {
		for _, early := range []bool{true, false} {
			t.Run(fmt.Sprint(how, " early ", early), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					m := start(t, taskmanager.WithWorkers(2, 2))
					ctx, endContext := context.WithCancelCause(context.WithValue(t.Context(), key("of"), "the group"))
					g := m.Group(ctx)
					if early {
						check.Is(t, "the context of a new group", g.Context().Err(), nil)
					}
					var cause error
					check.Is(t, "Go", g.Go("observes", func(ctx context.Context) error {
						<-ctx.Done()
						cause = context.Cause(ctx)
						return ctx.Err()
					}), nil)
					failing := make(chan struct{})
					check.Is(t, "Go", g.Go("fails", func(ctx context.Context) error {
						select {
						case <-failing:
							return errFailed
						case <-ctx.Done():
							return ctx.Err()
						}
					}), nil)
					synctest.Wait()
					end(g, func() { close(failing) }, func() { endContext(errFailed) })
					err := g.Wait(t.Context())
					own := g.Context()
					check.Equal(t, "the context has ended", isClosed(own.Done()), true)
					check.Is(t, "its cause", context.Cause(own), cause)
					check.Equal(t, "its value", own.Value(key("of")), any("the group"))
					check.Equal(t, "the next call returns the same", g.Context() == own, true)
					want := errFailed
					if how == "Cancel" {
						want = taskmanager.ErrCancelled
					}
					check.Is(t, "Wait", err, want)
				})
			})
		}
	}
	bubble(t, func(t *testing.T) {
		m := start(t)
		g := m.Group(t.Context(), taskmanager.WithCollect())
		for range 2 {
			check.Is(t, "Go", g.Go("a", fails), nil)
			check.Is(t, "Wait", g.Wait(t.Context()), errFailed)
			check.Is(t, "the context after a failure and Wait", g.Context().Err(), nil)
		}
		g = m.Group(nil) //nolint:staticcheck // the nil context is the point of the test
		check.Is(t, "the context of a group without one", context.Cause(g.Context()), taskmanager.ErrNilContext)
		check.Is(t, "SetLimit", g.SetLimit(1), taskmanager.ErrNilContext)
		check.Is(t, "TryGo", g.TryGo("a", fn0), taskmanager.ErrNilContext)
		check.Is(t, "GoContext", g.GoContext(t.Context(), "a", fn0), taskmanager.ErrNilContext)
		check.Equal(t, "Done", isClosed(g.Done()), true)
		g.Cancel()
	})
}

// TestGroupCancel cancels a group with tasks in all states, and submits that wait for room.
func TestGroupCancel(t *testing.T) {
	for _, collect := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1))
			opts := []taskmanager.GroupOption{taskmanager.WithGroupLimit(3)}
			if collect {
				opts = append(opts, taskmanager.WithCollect())
			}
			g := m.Group(t.Context(), opts...)
			var members []*taskmanager.Handle
			for name, opts := range map[string][]taskmanager.TaskOption{"runs": nil, "queued": nil, "delayed": {taskmanager.WithDelay(time.Hour)}} {
				check.Is(t, "Go", g.Go(name, untilCancelled, opts...), nil)
				h, _ := m.Lookup(name)
				members = append(members, h)
				synctest.Wait()
			}
			waits := waitInLine(g, "waits", fn0)
			g.Cancel()
			check.Is(t, "the submit that waits", <-waits, taskmanager.ErrGroupFailed)
			err := g.Wait(t.Context())
			check.Is(t, "Wait", err, taskmanager.ErrCancelled)
			check.Is(t, "Wait", err, context.Canceled)
			check.Equal(t, "Wait with the errors of the tasks", errors.Is(err, taskmanager.ErrGroupFailed), collect)
			for _, h := range members {
				check.Is(t, h.Name(), h.Err(), taskmanager.ErrGroupFailed)
				check.Equal(t, h.Name()+" was cancelled by the user", errors.Is(h.Err(), taskmanager.ErrCancelled), false)
			}
			g.Cancel()
			check.Is(t, "a later submit", g.Go("late", fn0), taskmanager.ErrGroupFailed)
			check.Is(t, "a later TryGo", g.TryGo("late", fn0), taskmanager.ErrGroupFailed)
			check.Equal(t, "the text", strings.Count(g.Go("late", fn0).Error(), "taskmanager: "), 1)
		})
	}
}

// TestCancelOfAGroupAtRest cancels a group in which nothing is outstanding. The Waits for the tasks
// before do not return the cancellation, later ones do.
func TestCancelOfAGroupAtRest(t *testing.T) {
	for range 20 {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(2, 2))
			g := taskmanager.NewResultGroup[int](t.Context(), m)
			check.Is(t, "Go", g.Go("a", func(context.Context) (int, error) { time.Sleep(time.Second); return 7, nil }), nil)
			var waits sync.WaitGroup
			for range 3 {
				waits.Go(func() {
					results, err := g.Wait(t.Context())
					check.Is(t, "Wait", err, nil)
					check.Equal(t, "the results", results, []int{7})
					g.Cancel()
				})
			}
			waits.Wait()
			_, err := g.Wait(t.Context())
			check.Is(t, "a Wait after Cancel", err, taskmanager.ErrCancelled)
		})
	}
	bubble(t, func(t *testing.T) { // what no Wait has returned is not lost
		g := taskmanager.NewResultGroup[int](t.Context(), start(t), taskmanager.WithCollect())
		check.Is(t, "Go", g.Go("a", func(context.Context) (int, error) { return 0, errFailed }), nil)
		check.Is(t, "Go", g.Go("b", func(context.Context) (int, error) { return 7, nil }), nil)
		<-g.Done()
		g.Cancel()
		results, err := g.Wait(t.Context())
		check.Is(t, "Wait", err, taskmanager.ErrCancelled)
		check.Is(t, "Wait", err, errFailed)
		check.Equal(t, "the results", results, []int{0, 7})
	})
	bubble(t, func(t *testing.T) { // after a failure it has no effect
		g := start(t).Group(t.Context())
		check.Is(t, "Go", g.Go("a", fails), nil)
		check.Is(t, "Wait", g.Wait(t.Context()), errFailed)
		g.Cancel()
		check.Is(t, "Wait", g.Wait(t.Context()), errFailed)
	})
}

// TestGroupDone uses a group twice.
func TestGroupDone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(2, 2))
		g := m.Group(t.Context(), taskmanager.WithGroupLimit(1))
		check.Equal(t, "Done of a new group", isClosed(g.Done()), true)
		for range 2 {
			began := time.Now()
			lasts := func(context.Context) error { time.Sleep(time.Second); return nil }
			check.Is(t, "Go", g.Go("a", lasts), nil)
			done := g.Done()
			waits := waitInLine(g, "b", lasts)
			check.Equal(t, "Done while a task runs", isClosed(done), false)
			<-done
			check.Is(t, "the submit that waited", <-waits, nil)
			check.Equal(t, "the duration", time.Since(began), 2*time.Second)
			check.Is(t, "Wait", g.Wait(t.Context()), nil)
			check.Equal(t, "the duration", time.Since(began), 2*time.Second)
		}
	})
}
