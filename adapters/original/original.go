// Package taskmanager runs programs that import github.com/plexsysio/taskmanager on
// github.com/seed56799101/taskmanager, without a change of their code.
//
// The module declares the path of the original, and its names are aliases of names in
// [github.com/seed56799101/taskmanager/taskmanager]. One line in the go.mod of a program
// replaces the original for the program and for all its dependencies:
//
//	replace github.com/plexsysio/taskmanager => github.com/seed56799101/taskmanager/adapters/original v0.1.0
//
// A later version of the module works as well. Then run "go mod tidy". The line is needed in
// the main module only; Go ignores the replace directives of dependencies. The program can
// import both paths: a [*TaskManager] of one is a *TaskManager of the other, and so are tasks
// and errors.
//
// # Differences from the original
//
// All exported names have the signatures of the original. The types have more fields and
// methods, such as [current.TaskManager.Submit], and a [WorkerStatus] can also be "blocked" or
// "finished". The behaviour is that of the taskmanager package, which documents it. In particular:
//
//   - A name is reserved until its task has ended, also while the task waits to restart.
//   - A task that finds no idle worker gets a new one at once, up to the maximum.
//   - A task that keeps failing restarts after growing delays, of at most 10 s.
//   - After Stop, Go and GoFunc return an error.
//   - A panic fails the task that panicked, and nothing else.
//
// A program written for [github.com/seed56799101/taskmanager/taskmanager] should import it
// directly: its constructor, [current.Start], has options and reports invalid arguments.
package taskmanager

import (
	"time"

	current "github.com/seed56799101/taskmanager/taskmanager"
)

type (
	// Task is a named piece of work; see [current.Task].
	Task = current.Task
	// TaskWithProgress is a Task that reports its progress; see [current.TaskWithProgress].
	TaskWithProgress = current.TaskWithProgress
	// RestartableTask is a Task that decides whether it runs again after a failure; see
	// [current.RestartableTask].
	RestartableTask = current.RestartableTask
	// Logger receives messages about the manager; see [current.Logger].
	Logger = current.Logger
	// TaskManager runs tasks on workers; see [current.TaskManager]. [New] makes one.
	TaskManager = current.TaskManager
	// TaskStatus describes an outstanding task; see [current.TaskStatus].
	TaskStatus = current.TaskStatus
	// WorkerInfo describes a worker; see [current.WorkerInfo].
	WorkerInfo = current.WorkerInfo
	// WorkerStatus is the state of a worker or a task; see [current.WorkerStatus].
	WorkerStatus = current.WorkerStatus
)

// The states of the original. See [WorkerStatus].
const (
	NotAssigned = current.NotAssigned
	Waiting     = current.Waiting
	Running     = current.Running
	Restarted   = current.Restarted
)

// ErrAlreadyExists is returned for a task whose name is taken; see
// [current.ErrAlreadyExists].
var ErrAlreadyExists = current.ErrAlreadyExists

// New starts a manager with minCount workers. More workers start under load, up to
// maxCount. An idle worker above the minimum exits after timeout. A nil log is silent.
//
// The original has no invalid arguments, so New neither fails nor panics. An argument that
// the manager does not accept becomes the nearest one that it does:
//
//   - a negative minCount becomes 0
//   - a maxCount below minCount becomes minCount, as the minimum is running from the start
//   - a maxCount below 1 becomes 1 if minCount is not positive, as no task would run otherwise
//   - minCount and maxCount are at most [current.NoMaximum], since workers have int32 numbers
//   - a timeout of 0 or less becomes 1 ns: a worker above the minimum exits as soon as it
//     finds no task
func New(minCount, maxCount int, timeout time.Duration, log Logger) *TaskManager {
	minimum := min(max(minCount, 0), current.NoMaximum)
	maximum := min(max(maxCount, minimum, 1), current.NoMaximum)
	return current.New(minimum, maximum, max(timeout, 1), log)
}
