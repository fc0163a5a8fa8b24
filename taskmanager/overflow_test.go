package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// crowded starts a manager whose limit is reached: it has one worker, which runs the task
// "running", and one task in the queue, "queued".
func crowded(t *testing.T, overflow taskmanager.Overflow, opts ...taskmanager.Option) *taskmanager.TaskManager {
	t.Helper()
	m := start(t, append(opts, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, overflow))...)
	submitFunc(t, m, "running", untilCancelled)
	synctest.Wait()
	submitFunc(t, m, "queued", fn0)
	return m
}

// TestDroppedTasks checks that the handle of a dropped task returns ErrDropped, that its
// name is free, that its Started channel is closed, and that the log has a message.
func TestDroppedTasks(t *testing.T) {
	for _, test := range []struct {
		overflow taskmanager.Overflow
		queue    taskmanager.Discipline
		dropped  string
	}{
		{taskmanager.DropNewest, taskmanager.FIFO(), "new"},
		{taskmanager.DropOldest, taskmanager.FIFO(), "first"},
		{taskmanager.DropOldest, taskmanager.LIFO(), "first"},
		{taskmanager.DropOldest, taskmanager.Priority(0), "first"},
		{taskmanager.DropWorst, taskmanager.FIFO(), "new"},
		{taskmanager.DropWorst, taskmanager.LIFO(), "first"},
		{taskmanager.DropWorst, taskmanager.Priority(0), "second"}, // it has the lowest level
		{taskmanager.DropWorst, taskmanager.Deadline(time.Hour), "new"},
		{taskmanager.DropWorst, taskmanager.Fair(nil), "second"}, // its key has two queued tasks
	} {
		bubble(t, func(t *testing.T) {
			log := new(recorder)
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(2, test.overflow),
				taskmanager.WithQueue(test.queue), taskmanager.WithLogger(log))
			submitFunc(t, m, "running", untilCancelled)
			synctest.Wait()
			handles := map[string]*taskmanager.Handle{}
			for _, x := range []struct {
				name, key string
				priority  int
			}{{"first", "k", 2}, {"second", "k", 0}, {"new", "new", 1}} {
				handles[x.name] = submit(t, m, &task{name: x.name, execute: untilCancelled},
					taskmanager.WithKey(x.key), taskmanager.WithPriority(x.priority))
			}
			for name, h := range handles {
				if dropped := isClosed(h.Done()); dropped != (name == test.dropped) || dropped != isClosed(h.Started()) {
					t.Errorf("%v over %d: %q ended: %v, want %q only", test.overflow, m.Snapshot().Queued, name, dropped, test.dropped)
				}
			}
			if err := handles[test.dropped].Err(); !errors.Is(err, taskmanager.ErrDropped) {
				t.Errorf("%q ended with %v, want ErrDropped", test.dropped, err)
			}
			if text := log.String(); !strings.Contains(text, fmt.Sprintf("%q", test.dropped)) || !strings.Contains(text, "dropped") {
				t.Errorf("the log is %q; want it to name %q", text, test.dropped)
			}
			if _, err := m.GoFunc("running", fn0); !errors.Is(err, taskmanager.ErrAlreadyExists) {
				t.Errorf("the name of the task that runs: %v", err)
			}
			if _, err := m.GoFunc(test.dropped, fn0); err != nil {
				t.Errorf("the name of the dropped task is not free: %v", err)
			}
		})
	}
}

// TestGoOfADroppedTask checks that the channel is closed, since the task will never start.
func TestGoOfADroppedTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := crowded(t, taskmanager.DropNewest)
		started, err := m.GoFunc("new", fn0)
		if err != nil || !isClosed(started) {
			t.Errorf("GoFunc returned %v, and its channel is closed: %v; want nil and true", err, isClosed(started))
		}
	})
}

// TestShedTasks checks the same as TestDroppedTasks for tasks that the discipline sheds.
func TestShedTasks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(recorder)
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(taskmanager.CoDel(taskmanager.CoDelConfig{})),
			taskmanager.WithLogger(log))
		work := func(context.Context) error { time.Sleep(30 * time.Millisecond); return nil }
		var handles []*taskmanager.Handle
		for i := range 20 {
			handles = append(handles, submitFunc(t, m, fmt.Sprint("task ", i), work))
		}
		started, err := m.GoFunc("last", work)
		if err != nil {
			t.Fatal(err)
		}
		<-started
		shed := 0
		for i, h := range handles {
			switch err := wait(t, h); {
			case errors.Is(err, taskmanager.ErrShed):
				shed++
				if text := log.String(); shed == 1 && !strings.Contains(text, fmt.Sprintf("%q", h.Name())) {
					t.Errorf("the log does not tell of %q:\n%s", h.Name(), text)
				}
				if _, err := m.GoFunc(h.Name(), fn0); err != nil {
					t.Errorf("the name of the shed task is not free: %v", err)
				}
			case err != nil:
				t.Errorf("task %d ended with %v", i, err)
			}
		}
		// CoDel sees the first waits at 0 ms. So it detects the overload after its interval,
		// at about 120 ms, and sheds all tasks that are left.
		if shed < 10 || shed > 15 {
			t.Errorf("%d of 20 tasks were shed, want some 13", shed)
		}
	})
}

// TestATaskDoesNotWaitForRoomInItsOwnManager checks that each kind of submit returns
// ErrWouldDeadlock at once, that the name is free again, and that the manager continues.
func TestATaskDoesNotWaitForRoomInItsOwnManager(t *testing.T) {
	ways := map[string]func(ctx context.Context, m *taskmanager.TaskManager) error{
		"Submit": func(ctx context.Context, m *taskmanager.TaskManager) error {
			_, err := m.Submit(ctx, &task{name: "nested"})
			return err
		},
		"Submit with another context": func(_ context.Context, m *taskmanager.TaskManager) error {
			_, err := m.Submit(context.Background(), &task{name: "nested"})
			return err
		},
		"Go": func(_ context.Context, m *taskmanager.TaskManager) error {
			_, err := m.Go(&task{name: "nested"})
			return err
		},
		"a goroutine of its own": func(ctx context.Context, m *taskmanager.TaskManager) error {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			result := make(chan error)
			go func() {
				_, err := m.SubmitFunc(ctx, "nested", fn0)
				result <- err
			}()
			return <-result
		},
	}
	for way, nested := range ways {
		t.Run(way, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.Block))
				release := make(chan struct{})
				outer := submitFunc(t, m, "outer", func(ctx context.Context) error {
					<-release
					return nested(ctx, m)
				})
				synctest.Wait()
				queued := submitFunc(t, m, "queued", fn0)
				close(release)
				if err := wait(t, outer); !errors.Is(err, taskmanager.ErrWouldDeadlock) {
					t.Errorf("the submit inside the task returned %v, want ErrWouldDeadlock", err)
				}
				if err := wait(t, queued); err != nil {
					t.Errorf("the queued task ended with %v", err)
				}
				await(t, submitFunc(t, m, "nested", fn0)) // the name is free again
			})
		})
	}
}

// TestATaskMayWaitForRoomElsewhere checks that a task may wait for room in another manager,
// even if a task of that manager has submitted it.
func TestATaskMayWaitForRoomElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		one := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.Block))
		two := start(t, taskmanager.WithWorkers(1, 1))
		full, release := make(chan struct{}), make(chan struct{})
		submitFunc(t, one, "outer", func(ctx context.Context) error {
			_, err := two.SubmitFunc(ctx, "stage 2", func(ctx context.Context) error {
				<-full
				_, err := one.SubmitFunc(ctx, "stage 3", fn0)
				return err
			})
			<-release
			return err
		})
		synctest.Wait()
		submitFunc(t, one, "queued", fn0)
		close(full)
		synctest.Wait()
		if s := two.TaskStatus()["stage 2"]; s.Status != taskmanager.Running || one.Snapshot().Blocked != 1 {
			t.Errorf("stage 2 is %v with %d submits waiting; want it to wait for room", s.Status, one.Snapshot().Blocked)
		}
		close(release)
		synctest.Wait()
		if left := len(two.TaskStatus()) + len(one.TaskStatus()); left != 0 {
			t.Errorf("%d tasks are left, want none", left)
		}
	})
}

// TestCallerRunsNestedTasks checks that a task that submits to its own full manager runs
// the new task itself, to any depth.
func TestCallerRunsNestedTasks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const depth = 1000
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.CallerRuns))
		ran := 0
		var descend func(level int) func(context.Context) error
		descend = func(level int) func(context.Context) error {
			return func(ctx context.Context) error {
				ran++
				if level == depth {
					return nil
				}
				h, err := m.SubmitFunc(ctx, fmt.Sprint("level ", level+1), descend(level+1))
				if err != nil {
					return err
				}
				return h.Err()
			}
		}
		if err := wait(t, submitFunc(t, m, "level 1", descend(1))); err != nil || ran != depth {
			t.Errorf("%d of %d levels ran, and the first ended with %v", ran, depth, err)
		}
	})
}

// TestCallerRuns checks that a task that its submitter runs is a task like others. It is
// Running, without a worker; its crash does not affect the submitter; it may restart, then
// on a worker; and Stop cancels and names it.
func TestCallerRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := crowded(t, taskmanager.CallerRuns)
		for name, work := range map[string]func(context.Context) error{
			"panics": func(context.Context) error { panic("crash") },
			"exits":  func(context.Context) error { runtime.Goexit(); return nil },
		} {
			h := submitFunc(t, m, name, work)
			if !isClosed(h.Done()) || h.Err() == nil {
				t.Errorf("the task that %s: done %v with %v; want it ended with the crash", name, isClosed(h.Done()), h.Err())
			}
		}
		runs := 0
		restarts := submit(t, m, &task{
			name:    "restarts",
			execute: func(context.Context) error { runs++; return errFailed },
			restart: func(context.Context, error) bool { return runs < 2 },
		})
		if isClosed(restarts.Done()) || runs != 1 {
			t.Errorf("the task that restarts has ended: %v after %d runs; want it queued after one", isClosed(restarts.Done()), runs)
		}
		release := make(chan struct{})
		go func() {
			_, _ = m.SubmitFunc(context.Background(), "stubborn", func(context.Context) error { <-release; return nil })
		}()
		synctest.Wait()
		if s := m.TaskStatus()["stubborn"]; s.Status != taskmanager.Running || s.Worker != 0 {
			t.Errorf("the status is %v on worker %d; want Running on none", s.Status, s.Worker)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := m.Stop(ctx)
		if stop, ok := errors.AsType[*taskmanager.StopError](err); !ok || len(stop.Running) != 1 || stop.Running[0] != "stubborn" {
			t.Errorf("Stop returned %v; want it to name the task that its submitter runs, and no other", err)
		}
		close(release)
	})
}

// TestADisciplineThatPanics checks that a panic in Push ends the task that was pushed and
// no other task.
func TestADisciplineThatPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(recorder)
		m := start(t, taskmanager.WithLogger(log), taskmanager.WithQueue(taskmanager.Custom(queue.Priority(
			func(h *taskmanager.Handle) int {
				if h.Key() == "bad" {
					panic("discipline")
				}
				return 0
			}, 0))))
		bad := submit(t, m, &task{name: "unlucky"}, taskmanager.WithKey("bad"))
		if p, ok := errors.AsType[*taskmanager.PanicError](wait(t, bad)); !ok || p.Value != "discipline" {
			t.Errorf("the task ended with %v, want the panic", bad.Err())
		}
		if text := log.String(); !strings.Contains(text, `"unlucky"`) {
			t.Errorf("the log is %q; want it to name the task", text)
		}
		for _, name := range []string{"unlucky", "other"} {
			if err := wait(t, submitFunc(t, m, name, fn0)); err != nil {
				t.Errorf("%q ended with %v", name, err)
			}
		}
	})
}

// TestNextTaskOfAKeyRunsAfterACancelledOneIsShed checks that a shed task frees the place of
// its key even if the task had been cancelled before.
func TestNextTaskOfAKeyRunsAfterACancelledOneIsShed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.CoDel(taskmanager.CoDelConfig{}))))
		work := func(context.Context) error { time.Sleep(150 * time.Millisecond); return nil }
		var handles []*taskmanager.Handle
		for i, key := range []string{"1", "2", "3", "k", "k"} {
			h := submit(t, m, &task{name: fmt.Sprint(i), execute: work}, taskmanager.WithKey(key))
			handles = append(handles, h)
		}
		time.Sleep(200 * time.Millisecond)
		handles[3].Cancel()
		time.Sleep(time.Minute)
		if !isClosed(handles[4].Done()) {
			t.Errorf("the last task waits still, beside an idle worker: %+v", m.Snapshot())
		}
	})
}

// TestContextOfAnEndedTask checks that a submit with the context of an ended task is not
// taken for a submit by that task.
func TestContextOfAnEndedTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.Block))
		var kept context.Context
		await(t, submitFunc(t, m, "first", func(ctx context.Context) error { kept = context.WithoutCancel(ctx); return nil }))
		submitFunc(t, m, "second", func(context.Context) error { time.Sleep(time.Second); return nil })
		if _, err := m.SubmitFunc(kept, "third", fn0); err != nil {
			t.Errorf("a submit with the context of a task that has ended: %v", err)
		}
	})
}
