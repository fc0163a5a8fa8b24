package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestWaitEndsWithItsContext checks that a task continues when the context of its wait
// ends, even though the task that it waited for holds the only slot: only the waiting task
// can cancel it.
func TestWaitEndsWithItsContext(t *testing.T) {
	waits := map[string]func(ctx context.Context, m *taskmanager.TaskManager, child *taskmanager.Handle) error{
		"Handle.Wait": func(ctx context.Context, _ *taskmanager.TaskManager, child *taskmanager.Handle) error {
			return child.Wait(ctx)
		},
		"Group.Wait": func(ctx context.Context, m *taskmanager.TaskManager, child *taskmanager.Handle) error {
			g := m.Group(context.Background())
			defer g.Wait(context.Background()) //nolint:errcheck // only its end matters
			if err := g.Go("member", func(context.Context) error { return nil }, taskmanager.WithQueueTimeout(time.Hour)); err != nil {
				return err
			}
			defer child.Cancel()
			return g.Wait(ctx)
		},
		"Blocking": func(ctx context.Context, _ *taskmanager.TaskManager, _ *taskmanager.Handle) error {
			taskmanager.Blocking(ctx, func() { <-ctx.Done() })
			return ctx.Err()
		},
	}
	for name, waitFor := range waits {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1))
			begin := time.Now()
			parent := submitFunc(t, m, "parent", func(ctx context.Context) error {
				child, err := m.SubmitFunc(ctx, "child", untilCancelled)
				if err != nil {
					return err
				}
				defer child.Cancel()
				limited, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				return waitFor(limited, m, child)
			})
			if err := wait(t, parent); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s returned %v, want a DeadlineExceeded", name, err)
			}
			check.Equal(t, name+" took", time.Since(begin), time.Second)
		})
	}
}

// TestCancelledWaiterEnds ends a waiting task by Cancel or by its time limit, while it
// waits for another task or already for a slot. Afterwards the pool has no more workers
// than the maximum.
func TestCancelledWaiterEnds(t *testing.T) {
	for _, targetEnds := range []bool{false, true} {
		for _, limited := range []bool{false, true} {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1))
				target := submitFunc(t, m, "target", fn0, taskmanager.WithDelay(time.Hour))
				var opts []taskmanager.TaskOption
				if limited {
					opts = append(opts, taskmanager.WithTimeout(time.Second))
				}
				waiter := submitFunc(t, m, "waiter", func(ctx context.Context) error {
					if err := target.Wait(ctx); ctx.Err() == nil {
						return fmt.Errorf("went on without a slot, %w", err)
					}
					return ctx.Err()
				}, opts...)
				synctest.Wait()
				submitFunc(t, m, "busy", untilCancelled)
				synctest.Wait() // busy has the slot
				if targetEnds {
					target.Cancel()
				}
				synctest.Wait()
				check.Equal(t, "the waiter", waiter.Status().Status, taskmanager.Blocked)
				if limited {
					time.Sleep(time.Second)
				} else {
					waiter.Cancel()
				}
				synctest.Wait()
				if !isClosed(waiter.Done()) {
					t.Fatalf("target ended: %v, time limit: %v: the waiter is %q still", targetEnds, limited, waiter.Status().Status)
				}
				want := map[bool]error{false: taskmanager.ErrCancelled, true: taskmanager.ErrTimeout}[limited]
				if err := waiter.Err(); !errors.Is(err, want) {
					t.Errorf("the waiter ended with %v, want %v", err, want)
				}
				s := m.Snapshot()
				check.Equal(t, "workers and slots in use", []int{s.Workers, s.Busy, s.Lent}, []int{1, 1, 0})
			})
		}
	}
}

// TestTaskThatWaitsForItsSlotNoLongerWaitsForTheGroup: the group is over, and the task waits for
// a slot. A new member of the group may then wait for the task.
func TestTaskThatWaitsForItsSlotNoLongerWaitsForTheGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, other := start(t, taskmanager.WithWorkers(1, 1)), start(t)
		g := other.Group(t.Context())
		first, free := make(chan struct{}), make(chan struct{})
		check.Is(t, "Go", g.Go("first member", func(context.Context) error { <-first; return nil }), nil)
		waiter := submitFunc(t, m, "waiter", g.Wait)
		synctest.Wait()
		busy := submitFunc(t, m, "busy", func(context.Context) error { <-free; return nil })
		synctest.Wait() // busy has the slot
		close(first)
		synctest.Wait()
		check.Equal(t, "the waiter", waiter.Status().Status, taskmanager.Blocked)
		var got error
		check.Is(t, "Go", g.Go("second member", func(ctx context.Context) error {
			limited, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			got = waiter.Wait(limited)
			return nil
		}), nil)
		time.Sleep(time.Minute)
		close(free)
		check.Is(t, "the waiter", wait(t, waiter), nil)
		check.Is(t, "the wait of the second member", got, context.DeadlineExceeded)
		await(t, busy)
	})
}

// TestWaitsCutShortExceedTheMaximum checks that the pool exceeds its maximum after the
// contexts of waits have ended, until that many workers finish.
func TestWaitsCutShortExceedTheMaximum(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(2, 2))
		end := make(chan struct{})
		lasting := func(context.Context) error { <-end; return nil }
		for i := range 2 {
			submitFunc(t, m, fmt.Sprint("waiter", i), func(ctx context.Context) error {
				limited, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				taskmanager.Blocking(limited, func() { <-limited.Done() })
				return lasting(ctx)
			})
		}
		synctest.Wait()
		for i := range 4 {
			submitFunc(t, m, fmt.Sprint("task", i), lasting)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, want := range [][]int{{4, 4, 2}, {3, 3, 2}, {2, 2, 2}, {2, 2, 1}, {2, 2, 0}, {2, 1, 0}, {2, 0, 0}} {
			s := m.Snapshot()
			check.Equal(t, "workers, busy ones and queued tasks", []int{s.Workers, s.Busy, s.Queued}, want)
			if s.Busy > 0 {
				end <- struct{}{}
			}
			synctest.Wait()
		}
	})
}

// TestSubmitThatWouldDeadlockIsRefused submits a task to a group although the members wait
// for the task that holds the only place of its key.
func TestSubmitThatWouldDeadlockIsRefused(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Second} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(4, 4), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())))
			g := m.Group(t.Context())
			next := make(chan struct{})
			var refused, allowed error
			err := g.Go("member", func(context.Context) error {
				<-next
				allowed = g.Go("other key", fn0, taskmanager.WithKey("other"))
				refused = g.Go("same key", fn0, taskmanager.WithKey("k"), taskmanager.WithDelay(delay))
				return nil
			}, taskmanager.WithKey("x"))
			if err != nil {
				t.Fatal(err)
			}
			waiter := submitFunc(t, m, "waiter", g.Wait, taskmanager.WithKey("w"))
			holder := submitFunc(t, m, "holder", waiter.Wait, taskmanager.WithKey("k"))
			synctest.Wait()
			close(next)
			for _, h := range []*taskmanager.Handle{waiter, holder} {
				if err := wait(t, h); !errors.Is(err, taskmanager.ErrWouldDeadlock) {
					t.Errorf("%q ended with %v, want what its group tells: ErrWouldDeadlock", h.Name(), err)
				}
			}
			if allowed != nil || !errors.Is(refused, taskmanager.ErrWouldDeadlock) {
				t.Errorf("delay %v: the submits returned %v, %v; want nil and ErrWouldDeadlock", delay, allowed, refused)
			}
			await(t, submitFunc(t, m, "same key", fn0, taskmanager.WithKey("k")))
		})
	}
}

// TestNilContextBelongsToNoTask checks Blocking and FromContext with a nil context.
func TestNilContextBelongsToNoTask(t *testing.T) {
	called := false
	taskmanager.Blocking(nil, func() { called = true }) //nolint:staticcheck // the nil context is the point of the test
	if !called {
		t.Error("Blocking has not called the function")
	}
	if h, ok := taskmanager.FromContext(nil); h != nil || ok { //nolint:staticcheck // the nil context is the point of the test
		t.Errorf("FromContext(nil) is %v, %v", h, ok)
	}
}

// TestCircleThroughRoomInAGroup: a task waits for room in a group of which the only member waits
// for the task. The last wait of the two is refused.
func TestCircleThroughRoomInAGroup(t *testing.T) {
	for _, memberFirst := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(4, 4))
			submits, waits := make(chan struct{}), make(chan struct{})
			var submitErr, waitErr error
			h := submitFunc(t, m, "submitter", func(ctx context.Context) error {
				self, _ := taskmanager.FromContext(ctx)
				g := m.Group(t.Context(), taskmanager.WithGroupLimit(1), taskmanager.WithCollect())
				check.Is(t, "Go", g.Go("member", func(ctx context.Context) error {
					<-waits
					waitErr = self.Wait(ctx)
					return nil
				}), nil)
				<-submits
				submitErr = g.Go("more", fn0)
				return nil
			})
			first, second := submits, waits
			if memberFirst {
				first, second = waits, submits
			}
			synctest.Wait()
			close(first)
			synctest.Wait()
			close(second)
			check.Is(t, "the submitter", wait(t, h), nil)
			check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
			want := [2]error{nil, taskmanager.ErrWouldDeadlock}
			if memberFirst {
				want[0], want[1] = want[1], want[0]
			}
			check.Is(t, "the submit", submitErr, want[0])
			check.Is(t, "the wait", waitErr, want[1])
		})
	}
}
