package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// limitsOfKeys gives key "one" a limit of 1, "two" of 2, and other keys no limit.
func limitsOfKeys(key string) int { return map[string]int{"one": 1, "two": 2}[key] }

// TestLimitByKeyLimitsEachKey checks how many tasks of a key run at once, on 5 workers.
func TestLimitByKeyLimitsEachKey(t *testing.T) {
	constant := func(n int) func(string) int { return func(string) int { return n } }
	for name, test := range map[string]struct {
		discipline taskmanager.Discipline
		want       map[string]int // by key; "" is no key
	}{
		"a number": {taskmanager.LimitByKey(2, taskmanager.FIFO()), map[string]int{"": 5, "one": 2, "two": 2, "other": 2}},
		"a function": {
			taskmanager.LimitByKeyFunc(limitsOfKeys, taskmanager.FIFO()),
			map[string]int{"": 5, "one": 1, "two": 2, "other": 5},
		},
		"a function that limits tasks without a key": {
			taskmanager.LimitByKeyFunc(constant(3), taskmanager.FIFO()),
			map[string]int{"": 3, "one": 3, "two": 3, "other": 3},
		},
		"two functions": {
			taskmanager.LimitByKeyFunc(limitsOfKeys, taskmanager.LimitByKeyFunc(constant(3), taskmanager.FIFO())),
			map[string]int{"": 3, "one": 1, "two": 2, "other": 3},
		},
		"a function inside of a number": {
			taskmanager.LimitByKey(1, taskmanager.LimitByKeyFunc(limitsOfKeys, taskmanager.LIFO())),
			map[string]int{"": 5, "one": 1, "two": 1, "other": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				got := map[string]int{}
				for key := range test.want {
					m := start(t, taskmanager.WithWorkers(5, 5), taskmanager.WithQueue(test.discipline))
					for i := range 9 {
						submitFunc(t, m, fmt.Sprint(i), untilCancelled, taskmanager.WithKey(key))
					}
					synctest.Wait()
					got[key] = m.Snapshot().Busy
				}
				check.Equal(t, "tasks that run at once", got, test.want)
			})
		})
	}
}

// TestLimitByKeyFuncDeadlocks checks that a wait for a task of the same key is refused only if
// the limit of that key holds the task back.
func TestLimitByKeyFuncDeadlocks(t *testing.T) {
	for key, want := range map[string]error{
		"": nil, "other": nil, "two": nil, "one": taskmanager.ErrWouldDeadlock,
	} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithQueue(taskmanager.LimitByKeyFunc(limitsOfKeys, taskmanager.FIFO())))
			outer := submitFunc(t, m, "outer", func(ctx context.Context) error {
				inner, err := m.SubmitFunc(ctx, "inner", fn0, taskmanager.WithKey(key))
				if err != nil {
					return err
				}
				return inner.Wait(ctx)
			}, taskmanager.WithKey(key))
			if err := wait(t, outer); !errors.Is(err, want) {
				t.Errorf("key %q: the wait returned %v, want %v", key, err, want)
			}
		})
	}
}

// TestEndThatFreesATaskAndQueuesAnother ends a task whose key holds another task back and whose name
// a third one waits for. The worker can only take one of the two, so the pool must grow.
func TestEndThatFreesATaskAndQueuesAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 2), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())))
		release := make(chan struct{})
		submitFunc(t, m, "first", func(context.Context) error { <-release; return nil }, taskmanager.WithKey("key"))
		held := submitFunc(t, m, "held", untilCancelled, taskmanager.WithKey("key"))
		synctest.Wait() // the first task runs, so the next one is its successor
		again := submitFunc(t, m, "first", untilCancelled, taskmanager.WithRerun())
		close(release)
		synctest.Wait()
		if got := []taskmanager.WorkerStatus{held.Peek().Status, again.Peek().Status}; got[0] != taskmanager.Running || got[1] != taskmanager.Running {
			t.Errorf("the held task and the one that waited for the name are %v, want both running on two workers", got)
		}
	})
}
