package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestWaitsOfUnrelatedManagersShareNoLock has tasks wait for each other while the waits of
// another manager are locked, as they are during a search.
func TestWaitsOfUnrelatedManagersShareNoLock(t *testing.T) {
	busy, m := start(t), start(t, taskmanager.WithWorkers(3, 3))
	await(t, submitFunc(t, busy, "task", fn0))
	unlock := taskmanager.LockWaits(busy)
	defer unlock()
	handle := make(chan *taskmanager.Handle, 1)
	var errs [2]error
	begun := make(chan struct{})
	first := submitFunc(t, m, "first", func(ctx context.Context) error {
		second := <-handle
		close(begun)
		errs[0] = second.Wait(ctx)
		return nil
	})
	second := submitFunc(t, m, "second", func(ctx context.Context) error {
		<-begun
		errs[1] = first.Wait(ctx)
		return nil
	})
	handle <- second
	await(t, first)
	await(t, second)
	if !errors.Is(errors.Join(errs[:]...), taskmanager.ErrWouldDeadlock) {
		t.Errorf("two tasks that wait for each other got %v and %v, want one ErrWouldDeadlock", errs[0], errs[1])
	}
}

// TestManagersShareALockOnlyWhileTheirTasksWaitForEachOther: the waits of managers have a common
// lock from the first wait between them to the end of all their waits.
func TestManagersShareALockOnlyWhileTheirTasksWaitForEachOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var m []*taskmanager.TaskManager
		var c []*crowd
		for range 4 {
			m = append(m, start(t, taskmanager.WithWorkers(4, 4)))
			c = append(c, newCrowd(t, m[len(m)-1], 2, nil))
		}
		ends := map[[2]int]func(){} // of waits
		wait := func(from, to int) {
			c[from].orders[0] <- func(ctx context.Context) {
				ctx, ends[[2]int{from, to}] = context.WithCancel(ctx)
				check.Is(t, "a wait", c[to].handles[1].Wait(ctx), context.Canceled)
			}
			synctest.Wait()
		}
		end := func(from, to int) {
			ends[[2]int{from, to}]()
			synctest.Wait()
		}
		shared := func(when string, want ...int) {
			t.Helper()
			var got []int
			for i := range m {
				if i > 0 && taskmanager.ShareWaits(m[0], m[i]) {
					got = append(got, i)
				}
			}
			check.Equal(t, "managers that share the lock of the first one "+when, got, want)
		}
		shared("at first")
		wait(1, 2)
		shared("after a wait between others")
		wait(0, 0)
		shared("after a wait of its own")
		end(0, 0)
		wait(0, 1)
		shared("after a wait for one of them", 1, 2)
		end(1, 2)
		shared("while its task waits", 1, 2)
		end(0, 1)
		shared("after the end of all waits")
		wait(3, 0)
		shared("after a wait of the last one", 3)
		end(3, 0)
		for i := range m {
			c[i].end(t)
			check.Equal(t, "waits left", taskmanager.WaitsLeft(m[i]), 0)
		}
	})
}

// TestManagersJoinAndSeparateConcurrently has tasks of several managers wait for each other for
// short times, at once. There is never a circle, except the waits of tasks for themselves.
func TestManagersJoinAndSeparateConcurrently(t *testing.T) {
	const managers, tasks, waits = 4, 6, 30
	bubble(t, func(t *testing.T) {
		var m []*taskmanager.TaskManager
		for range managers {
			m = append(m, start(t, taskmanager.WithWorkers(tasks, tasks)))
		}
		handles := make([]*taskmanager.Handle, managers*tasks)
		ready := make(chan struct{})
		for i := range handles {
			handles[i] = submitFunc(t, m[i%managers], fmt.Sprint(i), func(ctx context.Context) error {
				random := rand.New(rand.NewPCG(1, uint64(i)))
				<-ready
				for range waits {
					other := i + random.IntN(len(handles)-i)
					limited, cancel := context.WithTimeout(ctx, time.Duration(1+random.IntN(3))*time.Millisecond)
					err, want := handles[other].Wait(limited), context.DeadlineExceeded
					cancel()
					switch {
					case other == i:
						check.Is(t, "the wait of a task for itself", err, taskmanager.ErrWouldDeadlock)
					case err != nil:
						check.Is(t, "the wait of a task", err, want)
					}
					if random.IntN(4) == 0 {
						time.Sleep(time.Millisecond) // so that sometimes no task waits
					}
				}
				return nil
			})
		}
		close(ready)
		for _, h := range handles {
			check.Is(t, h.Name(), wait(t, h), nil)
		}
		for i := range m {
			check.Equal(t, "waits left", taskmanager.WaitsLeft(m[i]), 0)
		}
	})
}
