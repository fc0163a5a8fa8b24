// Package hooks has what package taskmanager offers to packages batch and simulate, and does not export.
// Package taskmanager, which they import, sets the variables when it is initialised.
//
// The types of package taskmanager cannot be named here. A manager is a *taskmanager.TaskManager, a
// handle a *taskmanager.Handle, a task a taskmanager.Task, and options are a
// *[]taskmanager.TaskOption.
package hooks

import (
	"context"

	"github.com/seed56799101/taskmanager/scheduler"
)

// Watcher is told that a task has ended.
type Watcher interface {
	// Ended is called when the task has ended and its name is free, on the goroutine that ended it
	// and without a lock. If a submit fails, Ended may have been called before it returns. It must
	// not panic.
	Ended(err error)
	// Items returns the items of which the task is one. The result is always the same.
	Items() *Items
}

// Items are the items of a batch, which are tasks.
type Items struct {
	Manager any
	// Outstanding yields the handles of the items that were prepared and may not have ended. It is
	// called with locks of the manager held, so it must not wait for a lock that is held while a
	// function of this package is called.
	Outstanding func(yield func(handle any) bool)
}

// Watched is a part of a task that has a watcher.
type Watched struct{ Watcher }

// The functions.
var (
	// Prepare makes a zero handle that of a task that is not submitted yet. From then on the task can
	// be cancelled, and its handle waited for.
	Prepare func(ctx context.Context, manager, handle any, name string, task any, w *Watched, options any) error
	// Launch submits a prepared task, once. It waits for room as a submit does.
	Launch func(ctx context.Context, handle any) error
	// Cancel cancels a task that was prepared, for the given reason.
	Cancel func(handle any, reason error)

	// Need notes that the task for which the caller acts cannot end before the items, until over is
	// called. There must be no item yet. Then the manager refuses waits by which an item would wait for the
	// task. It returns nil if the caller acts for no task. It takes some microseconds.
	Need func(ctx context.Context, items *Items) (over func())
	// Lend lends the slot of the task for which the caller acts, until back is called.
	Lend func(ctx context.Context, manager any) (back func())
	// Patient returns a context for Launch, on a goroutine that does not act for a task by itself. If
	// ctx is the context of a task of the manager, Launch waits for room nevertheless, since the task
	// lends its slot meanwhile.
	Patient func(ctx context.Context) context.Context

	// Simulated returns an option, a taskmanager.Option, for a simulator. The manager then has the timers
	// that timer makes: three, made when it starts, in the same order each time. It calls settle, which may
	// wait until all other goroutines wait, before it asks its scaler.
	Simulated func(timer func(ring func()) scheduler.Timer, settle func()) (option any)

	// Capacity returns the maximum of workers, and how many tasks may wait before the overflow policy
	// refuses or drops some. A negative number means that it does not.
	Capacity func(manager any) (workers, waiting int)
)
