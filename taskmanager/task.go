package taskmanager

import (
	"context"
	"fmt"
	"runtime/debug"
)

// Task is a piece of named work.
type Task interface {
	// Execute does the work. It should return soon after ctx is done: the
	// manager cannot end it by force. The context carries the values of the one
	// that the task was submitted with, but not its cancellation; it is done when
	// the task is cancelled or the manager stopped, and after Execute has
	// returned.
	Execute(ctx context.Context) error
	// Name is read once, at submit. No two outstanding tasks share a name.
	Name() string
}

// TaskWithProgress is an optional interface of a Task that can say how far it
// is. Both methods are called whenever somebody asks for the status, by that
// goroutine and while Execute runs, so they must be safe for concurrent use.
type TaskWithProgress interface {
	Task
	// Progress says how far the task is, on a scale of its own. An error, or a
	// panic, shows in the status and does no harm.
	Progress() (float64, error)
	// Description says what the task does.
	Description() string
}

// RestartableTask is an optional interface of a Task that may run again.
type RestartableTask interface {
	Task
	// Restart is asked after each failure (an error, a panic or a Goexit), and
	// given that failure: true means to run again, when the restart policy says.
	// It is not asked about a task that was cancelled.
	Restart(ctx context.Context, err error) bool
}

// closure makes a function a Task without an allocation. The manager knows its
// name.
type closure func(ctx context.Context) error

// Execute calls the function.
func (c closure) Execute(ctx context.Context) error { return c(ctx) }

// Name is never called.
func (c closure) Name() string { return "" }

// nameOf asks a task for its name.
func nameOf(t Task) (name string, err error) {
	if t == nil {
		return "", ErrNilTask
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("taskmanager: the Name method of %T panicked: %w", t, recovered(v))
		}
	}()
	return t.Name(), nil
}

// progressOf asks a task how far it is. Tasks that cannot tell are at 0.
func progressOf(t Task) (description string, progress float64, err error) {
	p, ok := t.(TaskWithProgress)
	if !ok {
		return "", 0, nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("taskmanager: the Progress or Description method of %T panicked: %w", t, recovered(v))
		}
	}()
	description = p.Description()
	progress, err = p.Progress()
	return description, progress, err
}

// recovered makes an error of what recover returned. It must be called by the
// deferred function, so that the stack is that of the panic.
func recovered(v any) *PanicError { return &PanicError{Value: v, Stack: debug.Stack()} }
