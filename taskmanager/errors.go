package taskmanager

import (
	"context"
	"fmt"

	"github.com/seed56799101/taskmanager/internal/text"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/taskmanager/internal/names"
)

var (
	// ErrAlreadyExists is returned for a task whose name belongs to a task that is
	// queued, running or waiting to restart. Wait for that task, choose another name, or use
	// [WithRerun], [WithReplace] or [WithDebounce].
	// [TaskManager.Go] and [TaskManager.GoFunc] return it unwrapped, so that it can be
	// compared with ==; other calls return it in a [*TaskError].
	ErrAlreadyExists = newError("already_exists", "taskmanager: a task of that name already exists")

	// ErrStopped is returned for a task that is submitted to a manager that drains or has
	// stopped. It is also the error of a task that Stop dropped or interrupted.
	ErrStopped = newError("stopped", "taskmanager: the manager is stopped")

	// ErrCancelled is the error of a task that was cancelled by name, through its handle,
	// or by the end of a linked context. It matches [context.Canceled].
	ErrCancelled = newError("cancelled", "taskmanager: the task was cancelled: context canceled", context.Canceled)

	// ErrReplaced is the error of a task that a later submit of its name has replaced; see
	// [WithReplace] and [WithDebounce]. It matches [context.Canceled].
	ErrReplaced = newError("replaced", "taskmanager: a later submit of that name replaced the task: context canceled", context.Canceled)

	// ErrQueueFull is returned if there is no room for a task: under [Reject], also that of
	// [WithKeyQueueLimit]; by [TaskManager.TrySubmit] also under [Block] and [CallerRuns];
	// by [TaskManager.SubmitAll] for more tasks than could ever have room; and under
	// CallerRuns while the manager is paused.
	ErrQueueFull = newError("queue_full", "taskmanager: the queue is full; try again later, or raise the limit")

	// ErrWouldDeadlock is returned to a task that would wait for itself:
	//
	//   - by a wait for a task that waits for it, directly or through other tasks, or that
	//     waits for its name; see [WithRerun];
	//   - by a wait for a task that cannot run before it ends, because of [LimitByKey],
	//     [LimitBy] or [Resources];
	//   - by [TaskManager.WaitIdle], [TaskManager.PauseWait] and [TaskManager.Drain] of its own
	//     manager;
	//   - by a submit to its own manager that would wait for room under [Block], because
	//     the task occupies room itself. Use another overflow policy, or a manager for
	//     each stage of the work.
	//
	// A submit to a [Group] returns it if LimitByKey would never let the task run,
	// because tasks that wait for the group use up the limit.
	//
	// The manager recognises a task by its goroutine, and on other goroutines by its
	// context. For cycles that are not detected, see Concurrency in the package
	// documentation.
	ErrWouldDeadlock = newError("would_deadlock", "taskmanager: would deadlock: the task would wait for itself, directly or through other tasks, "+
		"or for room in its own manager; change what it waits for, or use another overflow policy or manager")

	// ErrDropped is the error of a task that the overflow policy dropped.
	ErrDropped = newError("dropped", "taskmanager: dropped, as the queue was full")

	// ErrShed is the error of a task that the discipline gave up because it had waited
	// too long.
	ErrShed = newError("shed", "taskmanager: shed, having waited for too long")

	// ErrRestartsExhausted is the error of a task whose restart policy gave up. The error
	// of the task also wraps the last failure.
	ErrRestartsExhausted = newError("restarts_exhausted", "taskmanager: the restart policy gave up")

	// ErrScheduleEnded is returned by [Schedule.RunNow] of a schedule that has ended.
	ErrScheduleEnded = newError("schedule_ended", "taskmanager: the schedule has ended; make a new one with Every or Repeat")

	// ErrNilTask is returned by a submit of a nil task or function.
	ErrNilTask = newError("invalid", "taskmanager: nil task; pass a Task or a function")

	// ErrEmptyName is returned by a submit of a task with an empty name, without [WithUniqueName].
	ErrEmptyName = newError("invalid", "taskmanager: empty name; every task needs one")

	// ErrNilContext is returned by calls with a nil context.
	ErrNilContext = newError("invalid", "taskmanager: nil context; pass context.Background() if there is none")

	// ErrGoexit is the error of an execution that called [runtime.Goexit], for example
	// through FailNow of a test.
	ErrGoexit = scheduler.ErrGoexit
)

// mark is a sentinel error of this package.
type mark struct {
	kind, text string
	is         []error // further errors that it matches
}

func newError(kind, text string, is ...error) error { return &mark{kind, text, is} }

// Error returns the text.
func (e *mark) Error() string { return e.text }

// Unwrap returns the further errors that e matches.
func (e *mark) Unwrap() []error { return e.is }

// ErrorType returns the error.type attribute for telemetry.
func (e *mark) ErrorType() string { return e.kind }

// PanicError is the error of an execution that panicked. It holds the value and the stack
// trace of the panic.
type PanicError = scheduler.PanicError

// StopError is returned by [TaskManager.Stop] if its context ended before the manager did.
type StopError struct {
	// Running holds the names of the tasks that were still running, sorted. A task also
	// counts as running while an observer or the logger is called for it.
	Running []string
	// Calls describes the calls of observers, of the logger, of timetables, of functions of
	// [WithOnEnd] and of the scaler that had not returned, sorted, for example: BeginRun of the
	// observer *app.Audit for task "a".
	Calls []string
	// Err is the reason why the context ended.
	Err error
}

// Error returns the number and some names of the running tasks, some of the calls that have
// not returned, and the reason.
func (e *StopError) Error() string {
	calls := ""
	if len(e.Calls) > 0 {
		calls = fmt.Sprintf(", waiting for %s", text.List(e.Calls, 0))
	}
	return fmt.Sprintf("taskmanager: not stopped yet, %s still running%s%s: %v",
		text.Count(len(e.Running), "task"), listed(e.Running, 0), calls, bare(e.Err))
}

// Unwrap returns Err.
func (e *StopError) Unwrap() error { return e.Err }

// DrainError is returned by [TaskManager.Drain] if its context ended, or if Stop was
// called, before all tasks had ended.
type DrainError struct {
	// Cancelled holds the names of the tasks that were cancelled and do not run: they have
	// ended, or end without having started. It is sorted and has at most 10,000 names. It has the name
	// of a task that waited behind another one, which may be in it or in Running too; see [WithRerun].
	Cancelled []string
	// More is the number of further such tasks, whose names are not in Cancelled.
	More int
	// Running holds the names of the tasks that were cancelled and still run, or are about to:
	// a worker has taken them. It is sorted.
	Running []string
	// Err is the reason why the context ended, or [ErrStopped].
	Err error
}

// Error returns the numbers and some names of the cancelled tasks and of those that still
// run, and the reason.
func (e *DrainError) Error() string {
	return fmt.Sprintf("taskmanager: the drain was cut short, %s cancelled%s, %d still running%s: %v",
		text.Count(len(e.Cancelled)+e.More, "task"), listed(e.Cancelled, e.More), len(e.Running), listed(e.Running, 0), bare(e.Err))
}

// Unwrap returns Err.
func (e *DrainError) Unwrap() error { return e.Err }

// any reports whether e is about any task.
func (e *DrainError) any() bool { return len(e.Cancelled)+e.More+len(e.Running) > 0 }

// listed returns a list of names in parentheses, or nothing.
func listed(names []string, further int) string {
	if len(names) == 0 {
		return ""
	}
	return " (" + text.Names(names, further) + ")"
}

// translations maps errors of the pool to errors of this package.
var translations = map[error]error{
	scheduler.ErrStopped:       ErrStopped,
	scheduler.ErrQueueFull:     ErrQueueFull,
	scheduler.ErrWouldDeadlock: ErrWouldDeadlock,
	scheduler.ErrDropped:       ErrDropped,
	scheduler.ErrShed:          ErrShed,
}

// submitError returns the error for a task that the pool refused or dropped with err. An
// error without a translation is the reason why the context ended, or the panic of a
// custom discipline.
func submitError(name string, err error) error {
	if ours := translated(err); ours != nil {
		return ours
	}
	return taskError(name, err)
}

// batchError is submitError for tasks that were submitted together.
func batchError(handles []*Handle, err error) error {
	if len(handles) == 1 {
		return submitError(handles[0].name, err)
	}
	if ours := translated(err); ours != nil {
		return ours
	}
	return fmt.Errorf("taskmanager: submit %s: %w", text.Count(len(handles), "task"), bare(err))
}

// translated returns the error of this package for an error of the pool, or nil.
func translated(err error) error {
	if full, ok := err.(*keyFullError); ok { //nolint:errorlint // made by this package, never wrapped
		return full
	}
	for theirs, ours := range translations {
		if exactly(err, theirs) || exactly(err, ours) {
			return ours
		}
	}
	return nil
}

// nameError returns the error of this package for an error of the table of names.
func nameError(name string, err error) error {
	if nameTaken(err) {
		return taskError(name, ErrAlreadyExists)
	}
	return ErrStopped
}

// nameTaken reports whether err, of the table of names, says that a task has the name.
func nameTaken(err error) bool { return exactly(err, names.ErrTaken) }

// exactly reports whether err is target itself, not an error that wraps it. It calls no
// method of err. target is comparable, so the comparison cannot panic.
func exactly(err, target error) bool {
	return err == target //nolint:errorlint // identity is meant
}
