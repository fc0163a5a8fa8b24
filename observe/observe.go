package observe

import (
	"context"
	"time"
)

// Observer is told what happens to the tasks of a manager. It implements one or more of
// SubmitObserver, RunObserver, RestartObserver and PoolObserver, and is not called for
// what it does not implement; more such interfaces may come. Calls are made by whoever
// does the work, at that moment, and with no lock held: they must be quick, and safe for
// concurrent use.
type Observer any

// Task is a task of which something is told.
type Task struct {
	Manager string // the name of its manager; may be empty
	Name    string // of the task, which no other outstanding one has
	Kind    string // what sort of task it is; there are few kinds and many names
}

// SubmitObserver is told of submits.
type SubmitObserver interface {
	// BeginSubmit is called before a task is submitted. caller is the context of the
	// submit. The executions of the task get the values of what is returned, which is onto
	// or derived from it: caller again, unless that is a task's own.
	BeginSubmit(caller, onto context.Context, s Submission) context.Context
	// EndSubmit is called when the submit returns err, with what BeginSubmit has
	// returned. The task may have begun to run by then, and have ended.
	EndSubmit(ctx context.Context, s Submission, err error)
}

// Submission is the submit of a task.
type Submission struct {
	Task

	// Scheduled says that it is a run of a schedule, whose caller has long gone.
	Scheduled bool
}

// RunObserver is told of executions.
type RunObserver interface {
	// BeginRun is called before an execution, which gets the values of what is
	// returned: ctx, or derived from it. (One that is not would take from the observers
	// that were called before what they have noted in it.)
	BeginRun(ctx context.Context, r Run) context.Context
	// EndRun is called once for each BeginRun, with what that, or the last observer's, has
	// returned, whether the execution has returned, panicked or called runtime.Goexit.
	EndRun(ctx context.Context, r Run, result Result)
}

// Run is one execution of a task.
type Run struct {
	Task

	Attempt int           // the number of the execution, from 1
	Worker  int32         // that runs it; 0: its submitter does
	Waited  time.Duration // for a worker, since it was queued last

	// Previous is what BeginRun has returned for the execution before, or nil.
	Previous context.Context
}

// Outcome is how an execution ended.
type Outcome string

// The outcomes.
const (
	Success   Outcome = "success"
	Failure   Outcome = "failure"
	Cancelled Outcome = "cancelled" // by a user, a group, or the end of the manager
)

// Result is the end of an execution.
type Result struct {
	Outcome Outcome
	Err     error         // what it returned, or how it crashed
	Type    string        // of a Failure: panic, goexit, timeout, or empty for other errors
	Stack   []byte        // of a panic
	Took    time.Duration // the execution
}

// RestartObserver is told of restarts.
type RestartObserver interface {
	// BeginRestart is called when a task that has failed is to run again. ctx is what
	// the executions are derived from.
	BeginRestart(ctx context.Context, r Restart) context.Context
	// EndRestart is called once for each BeginRestart, with what that has returned:
	// when the task is queued again, or, with the reason, is given up instead.
	EndRestart(ctx context.Context, r Restart, err error)
}

// Restart is the time between the failure of a task and its next execution's turn.
type Restart struct {
	Task

	Attempt int             // the number of the execution that failed
	Delay   time.Duration   // that the restart policy wants
	Err     error           // the failure
	Type    string          // as in Result
	Failed  context.Context // what BeginRun has returned for the execution that failed
}

// PoolObserver looks at the pool of workers of a manager.
type PoolObserver interface {
	// ObservePool is called when the manager starts, and stop when it has stopped.
	ObservePool(p Pool) (stop func())
}

// Pool is the pool of workers of a manager.
type Pool struct {
	Manager string           // the name of the manager; may be empty
	State   func() PoolState // its state now; safe for concurrent use
}

// PoolState is the state of a pool.
type PoolState struct {
	Queued, Limit        int   // tasks that wait, and how many may; -1: any number
	Busy, Idle, Lent     int   // workers that run a task, that wait for one, whose task waits
	Desired, Min, Max    int   // how many the scaler wants, and its bounds
	Increases, Decreases int64 // decisions of the scaler so far
}
