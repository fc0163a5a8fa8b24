package taskmanager

import (
	"context"
	"fmt"
	"runtime/debug"
)

// Task is a named unit of work.
type Task interface {
	// Execute does the work. It should return soon after ctx is done, because the manager
	// cannot end it by force. ctx carries the values of the context of the submit, but
	// not its cancellation. It is done when the task is cancelled or exceeds a time
	// limit, when the manager stops, and after Execute has returned.
	Execute(ctx context.Context) error
	// Name returns the name of the task. It is called once, at the submit. While a task is
	// outstanding, a submit with the same name fails, or does what [WithRerun],
	// [WithReplace] or [WithDebounce] says.
	Name() string
}

// TaskWithProgress is an optional interface of a [Task] that reports its progress. Both
// methods are called for each request of the status, on the goroutine of the caller and
// while Execute runs. They must be safe for concurrent use. With [WithHistory], and for the
// runs of a [Schedule], they are also called once when the task ends after an execution.
type TaskWithProgress interface {
	Task
	// Progress returns the progress, on any scale. An error or a panic is reported in the
	// status and has no other effect.
	Progress() (float64, error)
	// Description says what the task does.
	Description() string
}

// RestartableTask is an optional interface of a [Task] that may run again.
type RestartableTask interface {
	Task
	// Restart reports whether the task wants to run again after the failure err: an
	// error, a panic or a Goexit. The restart policy then decides whether and when it
	// does; see [WithRestart]. Restart runs on the worker, after each failure. It is not
	// called for a task that was cancelled.
	Restart(ctx context.Context, err error) bool
}

// closure makes a function a Task without an allocation.
type closure func(ctx context.Context) error

// Execute calls the function.
func (c closure) Execute(ctx context.Context) error { return c(ctx) }

// Name is never called, because the manager has the name.
func (c closure) Name() string { return "" }

// nameOf calls the Name method of a task.
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

// progressOf returns the progress and the description of a task, or zero values if it
// does not report them.
func progressOf(t Task) (progress float64, description string, err error) {
	p, ok := t.(TaskWithProgress)
	if !ok {
		return 0, "", nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("taskmanager: the Progress or Description method of %T panicked: %w", t, recovered(v))
		}
	}()
	description = p.Description()
	progress, err = p.Progress()
	return progress, description, err
}

// recovered converts a value that recover returned to an error. The deferred function
// must call it, so that the stack is that of the panic.
func recovered(v any) *PanicError { return &PanicError{Value: v, Stack: debug.Stack()} }
