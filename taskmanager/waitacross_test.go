package taskmanager_test

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

// TestCirclesOfWaitsAcrossManagers: of rings of tasks, each task in another manager, in which
// all tasks begin to wait at once, exactly one task of each ring is refused.
func TestCirclesOfWaitsAcrossManagers(t *testing.T) {
	const managers, rings = 5, 20
	bubble(t, func(t *testing.T) {
		var m []*taskmanager.TaskManager
		for range managers {
			m = append(m, start(t, taskmanager.WithWorkers(0, rings)))
		}
		ready := make(chan struct{})
		var refused [rings]atomic.Int32
		for r := range rings {
			ring := make([]*taskmanager.Handle, 2+r%(managers-1))
			for i := range ring {
				ring[i] = submitFunc(t, m[(i+r)%managers], fmt.Sprint("ring ", r), func(ctx context.Context) error {
					<-ready
					err := ring[(i+1)%len(ring)].Wait(ctx)
					if errors.Is(err, taskmanager.ErrWouldDeadlock) {
						refused[r].Add(1)
						return nil
					}
					return err
				})
			}
		}
		synctest.Wait()
		close(ready)
		for _, m := range m {
			check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		}
		for r := range refused {
			check.Equal(t, fmt.Sprintf("refused tasks of ring %d", r), refused[r].Load(), 1)
		}
	})
}

// TestCirclesThroughWaitsFromBeforeTheManagersMet: tasks of two managers wait in circles that lead
// through waits that began while each manager had a wait graph of its own. The graph of b, which has
// fewer waits, moves into that of a.
func TestCirclesThroughWaitsFromBeforeTheManagersMet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ma := start(t, taskmanager.WithWorkers(9, 9))
		mb := start(t, taskmanager.WithWorkers(9, 9), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())))
		a := newCrowd(t, ma, 5, nil)
		b := newCrowd(t, mb, 4, func(i int) []taskmanager.TaskOption {
			return []taskmanager.TaskOption{taskmanager.WithKey(fmt.Sprint(i))}
		})
		g := mb.Group(t.Context())
		check.Is(t, "Go", g.Go("held back by b3", fn0, taskmanager.WithKey("3")), nil)
		wait := func(of *crowd, i int, on func(context.Context) error, want error) {
			t.Helper()
			of.orders[i] <- func(ctx context.Context) { check.Is(t, fmt.Sprint("a wait of task ", i), on(ctx), want) }
			synctest.Wait()
		}
		wait(b, 0, b.handles[1].Wait, nil)
		wait(b, 2, g.Wait, nil)
		for i := range 3 {
			wait(a, i, a.handles[3].Wait, nil)
		}
		wait(b, 1, a.handles[0].Wait, nil) // the managers meet
		wait(a, 3, b.handles[0].Wait, taskmanager.ErrWouldDeadlock)
		wait(a, 4, b.handles[2].Wait, nil)
		wait(b, 3, a.handles[4].Wait, taskmanager.ErrWouldDeadlock)
		for _, c := range []*crowd{a, b} {
			for _, orders := range c.orders {
				close(orders)
			}
		}
		check.Is(t, "WaitIdle", errors.Join(ma.WaitIdle(t.Context()), mb.WaitIdle(t.Context())), nil)
	})
}

// TestInlineTaskOfAnotherManagerInACircle checks circles of waits in which a task takes part
// that runs in the submit of a task of another manager. The pool of that manager knows only
// the submitting task, for whose goroutine the inline task runs.
func TestInlineTaskOfAnotherManagerInACircle(t *testing.T) {
	for _, depth := range []int{1, 2} { // with 2, the innermost task belongs to the first manager again
		bubble(t, func(t *testing.T) {
			free := start(t)
			var got error
			fullManagers(t, 2, func(ctx context.Context, m []*taskmanager.TaskManager) {
				_, err := m[1].SubmitFunc(ctx, "inline", func(ctx context.Context) error {
					self, _ := taskmanager.FromContext(ctx)
					circle := func(ctx context.Context) error {
						other := submitFunc(t, free, "other", self.Wait)
						synctest.Wait()
						limited, cancel := context.WithTimeout(ctx, 10*time.Second)
						defer cancel()
						if depth == 1 { // wait for a task of the manager that knows the root
							known := submitFunc(t, m[0], "known", other.Wait, taskmanager.WithDelay(time.Second))
							other = known
						}
						got = other.Wait(limited)
						return nil
					}
					if depth == 1 {
						return circle(ctx)
					}
					_, err := m[0].SubmitFunc(ctx, "innermost", circle)
					return err
				})
				check.Is(t, "SubmitFunc", err, nil)
			})
			check.Is(t, fmt.Sprintf("the wait of the innermost of %d", depth), got, taskmanager.ErrWouldDeadlock)
		})
	}
}

// TestInlineTaskBelongsToTheManagersOfAllSubmitters checks that a task that runs inside submits
// of tasks of other managers does not wait until one of these managers is idle, on its own
// goroutine or on one that is known by its context only.
func TestInlineTaskBelongsToTheManagersOfAllSubmitters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		idle := start(t)
		fullManagers(t, 3, func(ctx context.Context, m []*taskmanager.TaskManager) {
			_, err := m[1].SubmitFunc(ctx, "inside the root", func(ctx context.Context) error {
				_, err := m[2].SubmitFunc(ctx, "innermost", func(ctx context.Context) error {
					for _, own := range []bool{true, false} {
						var got []error
						ask := func() {
							for _, m := range append(m, idle) {
								got = append(got, m.WaitIdle(ctx))
							}
						}
						if own {
							ask()
						} else {
							done := make(chan struct{})
							go func() { defer close(done); ask() }()
							<-done
						}
						for i := range m {
							check.Is(t, fmt.Sprintf("WaitIdle of manager %d, own goroutine: %t", i, own), got[i], taskmanager.ErrWouldDeadlock)
						}
						check.Is(t, "WaitIdle of another manager", got[len(m)], nil)
					}
					return nil
				})
				return err
			})
			check.Is(t, "SubmitFunc", err, nil)
		})
	})
}
