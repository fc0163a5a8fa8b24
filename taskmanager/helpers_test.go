package taskmanager_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errFailed = errors.New("failed")

// failer is the part of testing.TB that rapid.T has too.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

// start starts a manager and stops it when the test ends.
func start(t testing.TB, opts ...taskmanager.Option) *taskmanager.TaskManager {
	t.Helper()
	m, err := taskmanager.Start(opts...)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { stop(t, m) })
	return m
}

func stop(t failer, m *taskmanager.TaskManager) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func submit(t testing.TB, m *taskmanager.TaskManager, task taskmanager.Task, opts ...taskmanager.TaskOption) *taskmanager.Handle {
	t.Helper()
	h, err := m.Submit(context.Background(), task, opts...)
	if err != nil {
		t.Fatalf("Submit: %v", err)
	}
	return h
}

func submitFunc(t testing.TB, m *taskmanager.TaskManager, name string, fn func(context.Context) error, opts ...taskmanager.TaskOption) *taskmanager.Handle {
	t.Helper()
	h, err := m.SubmitFunc(context.Background(), name, fn, opts...)
	if err != nil {
		t.Fatalf("SubmitFunc(%q): %v", name, err)
	}
	return h
}

// wait waits until a task has ended and returns its error.
func wait(t testing.TB, h *taskmanager.Handle) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := h.Wait(ctx)
	if ctx.Err() != nil {
		t.Fatalf("task %q did not end: %v", h.Name(), err)
	}
	return err
}

// await waits until a task has ended, with or without an error.
func await(t testing.TB, h *taskmanager.Handle) {
	t.Helper()
	_ = wait(t, h)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// untilCancelled is a task function that returns when its context ends.
func untilCancelled(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// task is a Task, TaskWithProgress and RestartableTask made of functions. A nil function
// does nothing.
type task struct {
	name     string
	nameOf   func() string
	execute  func(context.Context) error
	restart  func(context.Context, error) bool
	progress func() (float64, error)
	describe func() string
}

func (t *task) Name() string {
	if t.nameOf != nil {
		return t.nameOf()
	}
	return t.name
}

func (t *task) Execute(ctx context.Context) error {
	if t.execute == nil {
		return nil
	}
	return t.execute(ctx)
}

func (t *task) Restart(ctx context.Context, err error) bool {
	return t.restart != nil && t.restart(ctx, err)
}

func (t *task) Progress() (float64, error) {
	if t.progress == nil {
		return 0, nil
	}
	return t.progress()
}

func (t *task) Description() string {
	if t.describe == nil {
		return ""
	}
	return t.describe()
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}
