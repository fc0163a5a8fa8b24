package taskmanager

import (
	"context"
	"fmt"
	"strings"

	"github.com/seed56799101/taskmanager/scheduler"
)

var (
	// ErrAlreadyExists is returned for a task whose name another task holds that
	// is queued, running or waiting to restart. Go and GoFunc return it as it is,
	// so that it can be compared with ==; Submit and SubmitFunc wrap it, with the
	// name. Wait for the other task, or choose another name.
	ErrAlreadyExists = newError("already_exists", "taskmanager: a task of that name already exists")

	// ErrStopped is returned for a task that is offered to a stopped manager, and
	// is how a task ends that Stop dropped or interrupted.
	ErrStopped = newError("stopped", "taskmanager: the manager is stopped")

	// ErrCancelled is how a task ends that was cancelled by name, through its handle,
	// or by the end of the context to which it is linked. It matches
	// context.Canceled.
	ErrCancelled = newError("cancelled", "taskmanager: the task was cancelled: context canceled", context.Canceled)

	// ErrQueueFull is returned when the limit leaves no room and the overflow
	// policy is Reject; by TrySubmit also under Block and CallerRuns; by SubmitAll for
	// more tasks than there could ever be room for; and while the manager is paused,
	// under CallerRuns.
	ErrQueueFull = newError("queue_full", "taskmanager: the queue is full; try again later, or raise the limit")

	// ErrWouldDeadlock is returned to a task that would wait for itself: for a task
	// that waits for it, however many there are in between; for a task that may not
	// run before it has ended, by LimitByKey; until its own manager has nothing to do;
	// or, with the overflow policy Block, for room in its own manager, which it
	// takes up itself. For the last there are other policies, or a manager for each
	// stage of the work. A task is known by its goroutine, and by its context. It is
	// also returned by the submit to a group of a task that LimitByKey would never let
	// run, since those who wait for the group take up the limit; and by one that waits for
	// room while all that could make some waits, in the end, for its task.
	ErrWouldDeadlock = newError("would_deadlock", "taskmanager: would deadlock: a task must not wait for what waits for it, "+
		"nor for room in its own manager; use another overflow policy, or another manager")

	// ErrDropped is how a task ends that the overflow policy gave up.
	ErrDropped = newError("dropped", "taskmanager: dropped, as the queue was full")

	// ErrShed is how a task ends that the discipline gave up, because it had
	// waited for too long.
	ErrShed = newError("shed", "taskmanager: shed, having waited for too long")

	// ErrRestartsExhausted is how a task ends that wanted to run again and whose
	// restart policy gave up. The last failure is wrapped beside it.
	ErrRestartsExhausted = newError("restarts_exhausted", "taskmanager: the restart policy gave up")

	// ErrNilTask is returned for a submit of no task.
	ErrNilTask = newError("invalid", "taskmanager: nil task; pass a Task or a function")

	// ErrEmptyName is returned for a task without a name.
	ErrEmptyName = newError("invalid", "taskmanager: empty name; every task needs one")

	// ErrNilContext is returned by calls that were given a nil context.
	ErrNilContext = newError("invalid", "taskmanager: nil context; pass context.Background() if there is none")

	// ErrGoexit is how an execution ends that called runtime.Goexit, for instance
	// through the FailNow of a test.
	ErrGoexit = scheduler.ErrGoexit
)

// mark is an error of this package that programs compare others with.
type mark struct {
	kind, text string
	is         []error // what it matches beside itself
}

func newError(kind, text string, is ...error) error { return &mark{kind, text, is} }

// Error is the text.
func (e *mark) Error() string { return e.text }

// Unwrap returns what else it matches.
func (e *mark) Unwrap() []error { return e.is }

// ErrorType is what telemetry calls it.
func (e *mark) ErrorType() string { return e.kind }

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

// DrainError is returned by Drain when its context ended, or somebody called Stop, before
// all tasks had ended.
type DrainError struct {
	// Cancelled has the names of the tasks that were cancelled then, in order.
	Cancelled []string
	// Err is why the context ended, or ErrStopped.
	Err error
}

// Error names the tasks.
func (e *DrainError) Error() string {
	return fmt.Sprintf("taskmanager: the drain was cut short, %d tasks cancelled [%s]: %v",
		len(e.Cancelled), strings.Join(e.Cancelled, ", "), e.Err)
}

// Unwrap returns the reason.
func (e *DrainError) Unwrap() error { return e.Err }

// translations are the pool's errors in this package's terms.
var translations = map[error]error{
	scheduler.ErrStopped:       ErrStopped,
	scheduler.ErrQueueFull:     ErrQueueFull,
	scheduler.ErrWouldDeadlock: ErrWouldDeadlock,
	scheduler.ErrDropped:       ErrDropped,
	scheduler.ErrShed:          ErrShed,
}

// submitError says in this package's terms why the pool did not take a task, or gave it
// up. Other errors say why the context ended, or that a custom discipline panicked.
func submitError(name string, err error) error {
	if ours := translated(err); ours != nil {
		return ours
	}
	return fmt.Errorf("taskmanager: submit %q: %w", name, err)
}

// batchError is submitError for tasks that were submitted together.
func batchError(handles []*Handle, err error) error {
	if len(handles) == 1 {
		return submitError(handles[0].name, err)
	}
	if ours := translated(err); ours != nil {
		return ours
	}
	return fmt.Errorf("taskmanager: submit %d tasks: %w", len(handles), err)
}

// translated is the error of this package for an error of the pool, or nil.
func translated(err error) error {
	for theirs, ours := range translations {
		if exactly(err, theirs) || exactly(err, ours) {
			return ours
		}
	}
	return nil
}

// exactly reports whether err is target itself, and not an error that wraps it. The
// target is comparable, so the comparison cannot panic.
func exactly(err, target error) bool {
	return err == target //nolint:errorlint // identity is meant
}
