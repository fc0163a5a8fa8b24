package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// bare returns the text of an error of the package as it is in the text of another one.
func bare(err error) string { return strings.TrimPrefix(err.Error(), "taskmanager: ") }

// TestErrorsHaveThePrefixOnce makes errors that wrap others of the package.
func TestErrorsHaveThePrefixOnce(t *testing.T) {
	ended := func(cause error) context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		return ctx
	}
	waitsForItself := func(ctx context.Context) error {
		self, _ := taskmanager.FromContext(ctx)
		return self.Wait(ctx)
	}
	const deadlock = "taskmanager: would deadlock: the task would wait for itself, directly or through other tasks, " +
		"or for room in its own manager; change what it waits for, or use another overflow policy or manager"
	tests := map[string]struct {
		call func(m *taskmanager.TaskManager) error
		want string
		is   error
		task string // the name in the TaskError; "": none
	}{
		"a context that has ended": {func(m *taskmanager.TaskManager) error {
			_, err := m.SubmitFunc(ended(taskmanager.ErrStopped), "a", fn0)
			return err
		}, `taskmanager: task "a": context canceled: the manager is stopped`, taskmanager.ErrStopped, "a"},
		"a deadline": {func(m *taskmanager.TaskManager) error {
			_, err := m.SubmitFunc(context.Background(), "a", fn0, taskmanager.WithDeadline(time.Now()))
			return err
		}, `taskmanager: task "a": the deadline of the task has passed`, taskmanager.ErrDeadlineExceeded, "a"},
		"a name that is taken": {func(m *taskmanager.TaskManager) error {
			_, err := m.SubmitFunc(context.Background(), "busy", fn0)
			return err
		}, `taskmanager: task "busy": a task of that name already exists`, taskmanager.ErrAlreadyExists, "busy"},
		"a cancelled wait for room": {func(m *taskmanager.TaskManager) error {
			time.AfterFunc(time.Second, func() { m.Cancel("a") })
			_, err := m.SubmitFunc(context.Background(), "a", fn0)
			return err
		}, `taskmanager: task "a": the task was cancelled: context canceled`, taskmanager.ErrCancelled, "a"},
		"a cancelled batch": {func(m *taskmanager.TaskManager) error {
			time.AfterFunc(time.Second, func() { m.Cancel("a") })
			_, err := m.SubmitAll(context.Background(), []taskmanager.Task{&task{name: "a"}, &task{name: "b"}})
			return err
		}, `taskmanager: submit 2 tasks: task "a": the task was cancelled: context canceled`, taskmanager.ErrCancelled, "a"},
		"a batch with a fault": {func(m *taskmanager.TaskManager) error {
			_, err := m.SubmitAll(context.Background(), []taskmanager.Task{&task{name: "a"}, nil})
			return err
		}, `taskmanager: SubmitAll: task 2: nil task; pass a Task or a function`, taskmanager.ErrNilTask, ""},
		"a wait": {func(m *taskmanager.TaskManager) error {
			h, _ := m.Lookup("busy")
			return h.Wait(ended(taskmanager.ErrStopped))
		}, `taskmanager: wait for "busy": context canceled: the manager is stopped`, taskmanager.ErrStopped, ""},
		"a deadlock": {func(m *taskmanager.TaskManager) error {
			h, _ := m.Lookup("busy")
			h.Cancel()
			g := m.Group(context.Background())
			_ = g.Go("a", waitsForItself)
			return g.Wait(context.Background())
		}, `taskmanager: task "a": wait for "a": ` + strings.TrimPrefix(deadlock, "taskmanager: "), taskmanager.ErrWouldDeadlock, "a"},
		"a wait for a group": {func(m *taskmanager.TaskManager) error {
			g := m.Group(context.Background())
			_ = g.Go("a", untilCancelled, taskmanager.WithDelay(time.Hour))
			return g.Wait(ended(taskmanager.ErrStopped))
		}, `taskmanager: wait for the group: context canceled: the manager is stopped`, taskmanager.ErrStopped, ""},
		"a group that has failed": {func(m *taskmanager.TaskManager) error {
			g := m.Group(context.Background())
			_ = g.Go("busy", fn0)
			return g.Go("b", fn0)
		}, `taskmanager: the group has failed: task "busy": a task of that name already exists`, taskmanager.ErrGroupFailed, ""},
		"a group in a group": {func(m *taskmanager.TaskManager) error {
			h, _ := m.Lookup("busy")
			h.Cancel()
			synctest.Wait()
			outer := m.Group(context.Background())
			_ = outer.Go("outer", func(ctx context.Context) error {
				inner := m.Group(ctx)
				_ = inner.Go("inner", fails)
				return inner.Wait(ctx)
			})
			return outer.Wait(context.Background())
		}, `taskmanager: task "outer": task "inner": failed`, errFailed, "outer"},
		"a task that is given up": {func(m *taskmanager.TaskManager) error {
			h, _ := m.Lookup("busy")
			h.Cancel()
			h, _ = m.SubmitFunc(context.Background(), "a", func(context.Context) error { return taskmanager.ErrQueueFull },
				taskmanager.WithRestart(restart.Never()))
			return h.Wait(context.Background())
		}, `taskmanager: the restart policy gave up after 1 failure in a row: the queue is full; try again later, or raise the limit`,
			taskmanager.ErrQueueFull, ""},
		"a linked task": {func(m *taskmanager.TaskManager) error {
			ctx, cancel := context.WithCancelCause(context.Background())
			h, _ := m.SubmitFunc(ctx, "a", fn0, taskmanager.WithDelay(time.Hour), taskmanager.WithLinkedContext())
			cancel(taskmanager.ErrStopped)
			return h.Wait(context.Background())
		}, `taskmanager: the task was cancelled: context canceled: context canceled: the manager is stopped`, taskmanager.ErrStopped, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.Block))
				submitFunc(t, m, "busy", untilCancelled)
				synctest.Wait()
				submitFunc(t, m, "waits", fn0)
				err := test.call(m)
				check.Equal(t, "the text", fmt.Sprint(err), test.want)
				check.Is(t, "the error", err, test.is)
				of, ok := errors.AsType[*taskmanager.TaskError](err)
				check.Equal(t, "there is a TaskError", ok, test.task != "")
				if ok {
					check.Equal(t, "the name", of.Name, test.task)
				}
			})
		})
	}
}

// TestGroupErrorsNameTheirTasks checks that each of the joined errors has the name of a task that
// failed or was refused, and matches the reason.
func TestGroupErrorsNameTheirTasks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		g := m.Group(t.Context(), taskmanager.WithCollect())
		for i, err := range []error{errFailed, nil, taskmanager.ErrQueueFull} {
			check.Is(t, "Go", g.Go(fmt.Sprint(i), func(context.Context) error { return err }, taskmanager.WithDelay(time.Second)), nil)
		}
		check.Is(t, "Go", g.Go("0", fn0), taskmanager.ErrAlreadyExists)
		joined, ok := g.Wait(t.Context()).(interface{ Unwrap() []error })
		if !ok {
			t.Fatal("Wait returned no joined error")
		}
		var got []string
		for _, err := range joined.Unwrap() {
			of := err.(*taskmanager.TaskError) //nolint:errorlint // it is not wrapped
			got = append(got, fmt.Sprint(of.Name, " ", of.Err))
		}
		check.Equal(t, "the errors", got, []string{
			"0 failed", "2 " + taskmanager.ErrQueueFull.Error(), "0 " + taskmanager.ErrAlreadyExists.Error(),
		})
	})
}

// TestTryVariantsDoNotWait fills the queue. TrySubmitFunc and TryAsync return at once.
func TestTryVariantsDoNotWait(t *testing.T) {
	for _, overflow := range []taskmanager.Overflow{taskmanager.Block, taskmanager.CallerRuns, taskmanager.Reject} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, overflow))
			number := func(context.Context) (int, error) { return 7, nil }
			busy := submitFunc(t, m, "busy", untilCancelled)
			f, err := taskmanager.TryAsync(t.Context(), m, "future", number)
			check.Is(t, "TryAsync with room", err, nil)
			began := time.Now()
			_, err = taskmanager.TryAsync(t.Context(), m, "a", number)
			check.Is(t, "TryAsync", err, taskmanager.ErrQueueFull)
			_, err = m.TrySubmitFunc(t.Context(), "b", fn0)
			check.Is(t, "TrySubmitFunc", err, taskmanager.ErrQueueFull)
			check.Equal(t, "the duration", time.Since(began), 0)
			busy.Cancel()
			got, err := f.Result(t.Context())
			check.Is(t, "Result", err, nil)
			check.Equal(t, "the result", got, 7)
			h, err := m.TrySubmitFunc(t.Context(), "b", fn0)
			check.Is(t, "TrySubmitFunc with room", err, nil)
			check.Is(t, "Wait", wait(t, h), nil)
		})
	}
	_, err := taskmanager.TryAsync[int](t.Context(), start(t), "a", nil)
	check.Is(t, "TryAsync without a function", err, taskmanager.ErrNilTask)
	_, err = taskmanager.TryAsync(t.Context(), nil, "a", func(context.Context) (int, error) { return 0, nil })
	check.Equal(t, "TryAsync without a manager", fmt.Sprint(err), "taskmanager: nil manager; Start makes one")
	_, err = start(t).TrySubmitFunc(t.Context(), "a", nil)
	check.Is(t, "TrySubmitFunc without a function", err, taskmanager.ErrNilTask)
}
