package taskmanager_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// fillUpInVain: when a task begins to wait for one that waits for room, the queue has a task
// that will make some. When that has run, the room goes to one that the limit of the key of
// the first holds back. It returns the errors of the submits, and that of the waiting task.
func fillUpInVain(t *testing.T, m *taskmanager.TaskManager, held ...taskmanager.TaskOption) map[string]error {
	t.Helper()
	errs := make(map[string]error)
	submits := make(map[string]chan error)
	submitLater := func(name, key string, opts ...taskmanager.TaskOption) {
		submits[name] = make(chan error, 1)
		go func() {
			_, err := m.SubmitFunc(context.Background(), name, fn0, append(opts, taskmanager.WithKey(key))...)
			submits[name] <- err
		}()
		synctest.Wait()
	}
	begin := make(chan struct{})
	root := submitFunc(t, m, "root", func(ctx context.Context) error {
		<-begin
		late, ok := m.Lookup("late")
		if !ok {
			return errFailed
		}
		return late.Wait(ctx)
	}, taskmanager.WithKey("k"))
	<-root.Started()
	m.Pause()
	submitLater("first", "other")
	submitLater("same key", "k", held...)
	submitLater("without a part in it", "another")
	submitLater("late", "other")
	close(begin)
	synctest.Wait()
	check.Equal(t, "submits that wait for room", m.Snapshot().Blocked, 3)
	m.Resume()
	time.Sleep(10 * time.Second)
	synctest.Wait()
	if isClosed(root.Done()) {
		errs["root"] = root.Err()
	}
	for name, done := range submits {
		select {
		case errs[name] = <-done:
		default:
			t.Errorf("the submit of %q hangs", name)
		}
	}
	return errs
}

// TestQueueThatFillsUpInVain is noticed, and one submit refused; whatever else goes on that
// has no part in it.
func TestQueueThatFillsUpInVain(t *testing.T) {
	for name, beside := range map[string]func(t *testing.T, m *taskmanager.TaskManager){
		"nothing": func(*testing.T, *taskmanager.TaskManager) {},
		"a task that runs": func(t *testing.T, m *taskmanager.TaskManager) {
			<-submitFunc(t, m, "daemon", untilCancelled, taskmanager.WithKey("d")).Started()
		},
		"a schedule": func(t *testing.T, m *taskmanager.TaskManager) {
			every(t, m, 20*time.Millisecond, &task{name: "over and over"})
		},
		"a task that restarts": func(t *testing.T, m *taskmanager.TaskManager) {
			submitFunc(t, m, "fails", func(context.Context) error { return errFailed }, taskmanager.WithKey("f"),
				taskmanager.WithRestart(restart.Constant(20*time.Millisecond)))
			synctest.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithLimit(1, taskmanager.Block),
					taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())))
				beside(t, m)
				errs := fillUpInVain(t, m)
				for name, want := range map[string]error{
					"root": taskmanager.ErrWouldDeadlock, "late": taskmanager.ErrWouldDeadlock,
					"first": nil, "same key": nil, "without a part in it": nil,
				} {
					if err := errs[name]; !errors.Is(err, want) || errors.Is(err, context.Canceled) {
						t.Errorf("%q: %v, want %v", name, err, want)
					}
				}
			})
		})
	}
}

// TestQueueThatHasRoomSomeDay: what waits there has a limit in time, so no submit is refused.
func TestQueueThatHasRoomSomeDay(t *testing.T) {
	for name, limit := range map[string]taskmanager.TaskOption{
		"a time limit": taskmanager.WithQueueTimeout(time.Second), "a deadline": nil, // by the clock of the bubble
	} {
		bubble(t, func(t *testing.T) {
			if limit == nil {
				limit = taskmanager.WithDeadline(time.Now().Add(time.Second))
			}
			m := start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithLimit(1, taskmanager.Block),
				taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())))
			for who, err := range fillUpInVain(t, m, limit) {
				if err != nil {
					t.Errorf("with %s: %q: %v", name, who, err)
				}
			}
		})
	}
}
