package observe

import (
	"context"
	"time"
)

// Observer receives the events of a manager. It implements one or more of [SubmitObserver],
// [RunObserver], [RestartObserver], [EndObserver], [PoolObserver] and [DecisionObserver]; later
// versions may add interfaces.
//
// The manager calls an observer synchronously and holds no lock: the submitter or the worker
// waits for the call to return. The methods must return quickly and be safe for concurrent use.
// A panic is logged and does not affect the task. A method must not call [runtime.Goexit].
//
// In the context of an event of a task, taskmanager.FromContext finds that task until the method
// returns, so an observer can read its key, its priority and its status. In BeginSubmit that is the
// context onto; caller leads to the task that submits, if there is one.
type Observer any

// Task identifies a task to observers. The texts are those of the program: they may be long and need
// not be valid UTF-8.
type Task struct {
	Manager string // the name of the manager; may be empty
	Name    string // unique among outstanding tasks
	Kind    string // the sort of task; a program has few kinds and many names
}

// SubmitObserver observes submits.
type SubmitObserver interface {
	// BeginSubmit is called before a task is submitted. caller is the context passed to the
	// submit; if a task submits this one, it is that task's. onto carries the values of caller,
	// or, if caller is the context of a task, of the context with which that task was submitted.
	// BeginSubmit returns onto or a context derived from it; the executions of the task carry its
	// values.
	BeginSubmit(caller, onto context.Context, s Submission) context.Context
	// EndSubmit is called when the submit returns err. ctx carries the values of the result of the
	// last call of BeginSubmit for this submit; with several observers, that of the last observer.
	// By then the task may already be running or have ended. A submit with taskmanager.WithRerun
	// for which another task runs ends without an error, and adds no task; ctx then leads to that
	// other task.
	EndSubmit(ctx context.Context, s Submission, err error)
}

// Submission describes the submit of a task.
type Submission struct {
	Task

	// Scheduled is true for a run of a schedule. The context of such a submit is the one with
	// which the schedule was made.
	Scheduled bool
	// Elsewhere is true for a task that a store or a queue outside has kept, where it was
	// submitted; see taskmanager.WithOrigin. The current span in the context, which may come from
	// another process, is that of the submit.
	Elsewhere bool
}

// RunObserver observes executions.
type RunObserver interface {
	// BeginRun is called before an execution. It returns ctx or a context derived from it; the
	// execution carries its values. A context that is not derived from ctx hides the values
	// that other observers added.
	BeginRun(ctx context.Context, r Run) context.Context
	// EndRun is called once for each BeginRun, also after a panic or [runtime.Goexit] in the
	// execution. ctx carries the values of the result of the last call of BeginRun for this
	// execution; with several observers, that of the last observer.
	EndRun(ctx context.Context, r Run, result Result)
}

// Run describes one execution of a task.
type Run struct {
	Task

	Attempt int           // the number of the execution, from 1
	Worker  int32         // the number of the worker; 0: the submitter runs the task
	Waited  time.Duration // the time in the queue before this execution

	// Previous is the result of BeginRun for the previous execution of the task in this manager.
	// It is nil for the first one.
	Previous context.Context
}

// Outcome is how an execution or a task ended.
type Outcome string

// The outcomes of executions and tasks. An execution that the end of the manager cancelled is
// Cancelled, and its task Stopped. An execution that exceeded a time limit is a Failure of type
// [TypeTimeout], and its task TimedOut.
const (
	Success   Outcome = "success"
	Failure   Outcome = "failure"
	Cancelled Outcome = "cancelled" // by the user, the group or the end of the manager
)

// Postponed is the outcome of an execution that returned taskmanager.NotYet: the task runs again
// later. It is no failure. Only executions have it.
const Postponed Outcome = "postponed"

// Further outcomes, which only tasks have.
const (
	Stopped  Outcome = "stopped"   // cancelled by the end of the manager
	TimedOut Outcome = "timed_out" // exceeded a limit: of an execution, of the wait, or the deadline
	Dropped  Outcome = "dropped"   // given up by the overflow policy or by the queue
	Shed     Outcome = "shed"      // given up by the discipline, having waited for too long

	HandedOver Outcome = "handed_over" // to be run again by the store that keeps the task; see taskmanager.WithOrigin
)

// Result describes the end of an execution.
type Result struct {
	Outcome Outcome
	Err     error         // returned by the execution, or made of its panic or Goexit
	Type    string        // for a Failure: TypePanic, TypeGoexit, TypeTimeout, or empty
	Stack   []byte        // the stack of a panic
	Took    time.Duration // the duration of the execution
}

// RestartObserver observes the waits between a failure and the next execution.
type RestartObserver interface {
	// BeginRestart is called when a failed task begins to wait for its restart. ctx carries the
	// values that all executions of the task carry.
	BeginRestart(ctx context.Context, r Restart) context.Context
	// EndRestart is called once for each BeginRestart: with a nil error when the task is queued
	// again, or with the reason why it will not run again. ctx carries the values of the result of
	// the last call of BeginRestart for this wait; with several observers, that of the last
	// observer.
	EndRestart(ctx context.Context, r Restart, err error)
}

// Restart describes the wait between a failure and the next execution.
type Restart struct {
	Task

	Attempt int             // the number of the execution that failed
	Delay   time.Duration   // as returned by the restart policy
	Err     error           // the failure
	Type    string          // as in Result
	Failed  context.Context // the result of BeginRun for the execution that failed
}

// EndObserver observes the ends of tasks, also of those that never ran.
type EndObserver interface {
	// TaskEnded is called exactly once for each task whose submit succeeds, just before its end
	// becomes visible: its name is still taken, and its Done channel open. It is not called for
	// a refused task. A task may end before its submit returns. ctx carries the values of its
	// last execution or, if it ended while it waited to run, those that all its executions
	// would have carried.
	TaskEnded(ctx context.Context, e End)
}

// End describes the end of a task.
type End struct {
	Task

	Outcome  Outcome
	Err      error  // the error of the task; nil after a Success
	Type     string // TypePanic, TypeGoexit, TypeTimeout, or empty
	Attempts int    // the number of executions that began, also elsewhere; 0: the task never ran

	// Waiting means that the task ended while it waited for a worker, to become due for the
	// first time, or after a Postponed execution. [RestartObserver] covers the wait for a restart.
	Waiting bool
	Waited  time.Duration // if Waiting, how long it had waited
}
