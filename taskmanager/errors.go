package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed56799101/taskmanager/scheduler"
)

var (
	// ErrAlreadyExists is returned for a task whose name another task holds that
	// is queued, running or waiting to restart. Go and GoFunc return it as it is,
	// so that it can be compared with ==; Submit and SubmitFunc wrap it, with the
	// name. Wait for the other task, or choose another name.
	ErrAlreadyExists = errors.New("taskmanager: a task of that name already exists")

	// ErrStopped is returned for a task that is offered to a stopped manager, and
	// is how a task ends that Stop dropped or interrupted.
	ErrStopped = errors.New("taskmanager: the manager is stopped")

	// ErrCancelled is how a task ends that was cancelled through its handle. It
	// matches context.Canceled.
	ErrCancelled = fmt.Errorf("taskmanager: the task was cancelled: %w", context.Canceled)

	// ErrQueueFull is returned when the limit leaves no room and the overflow
	// policy is Reject.
	ErrQueueFull = errors.New("taskmanager: the queue is full")

	// ErrRestartsExhausted is how a task ends that wanted to run again and whose
	// restart policy gave up. The last failure is wrapped beside it.
	ErrRestartsExhausted = errors.New("taskmanager: the restart policy gave up")

	// ErrNilTask is returned for a submit of no task.
	ErrNilTask = errors.New("taskmanager: nil task; pass a Task or a function")

	// ErrEmptyName is returned for a task without a name.
	ErrEmptyName = errors.New("taskmanager: empty name; every task needs one")

	// ErrNilContext is returned by calls that were given a nil context.
	ErrNilContext = errors.New("taskmanager: nil context; pass context.Background() if there is none")

	// ErrGoexit is how an execution ends that called runtime.Goexit, for instance
	// through the FailNow of a test.
	ErrGoexit = scheduler.ErrGoexit
)

// PanicError is how an execution ends that panicked: Value is what was passed
// to panic, Stack the stack of the goroutine at that moment.
type PanicError = scheduler.PanicError

// StopError is returned by Stop when its context ended before all tasks did.
type StopError struct {
	// Running has the names of the tasks that were still running, in order.
	Running []string
	// Err is why the context ended.
	Err error
}

// Error names the tasks.
func (e *StopError) Error() string {
	return fmt.Sprintf("taskmanager: not stopped yet, %d tasks still running [%s]: %v",
		len(e.Running), strings.Join(e.Running, ", "), e.Err)
}

// Unwrap returns the reason.
func (e *StopError) Unwrap() error { return e.Err }

// submitError says in this package's terms why the pool did not take a task.
func submitError(name string, err error) error {
	switch {
	case errors.Is(err, scheduler.ErrStopped):
		return ErrStopped
	case errors.Is(err, scheduler.ErrQueueFull):
		return ErrQueueFull
	default: // the context ended
		return fmt.Errorf("taskmanager: submit %q: %w", name, err)
	}
}
