package main

import (
	"context"
	"errors"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// Errors of a store. Any other error means that the store could not be reached: the call may or may
// not have had an effect.
var (
	errExists = errors.New("store: a task of that name is outstanding")
	errLost   = errors.New("store: the lease belongs to somebody else now")
)

// store is what an adapter needs of an engine. README.md has it for PostgreSQL and Redis. A store
// is safe for concurrent use, also by several processes.
//
// An outstanding task is one row, with the name as its primary key. So the row itself keeps the
// name unique, for as long as the task exists and no longer.
type store interface {
	// insert stores a task, or returns errExists. The task is due at the given time, and at once if that
	// has passed or is zero.
	insert(ctx context.Context, t task, due time.Time) error

	// remove cancels a task, whether a lease holds it or not, and reports whether there was one. The
	// holder of the lease learns it from renew.
	remove(ctx context.Context, name string) (found bool, err error)

	// lease takes at most n tasks of the kinds that are due and have no valid lease, in the order in which
	// they became due. A lease is valid for the given time. After that, another call may take the task.
	// Tasks of other kinds stay, for processes that handle them.
	lease(ctx context.Context, kinds []string, n int, valid time.Duration) ([]lease, error)

	// renew extends leases to the given time from now, and returns the lost ones: their tasks have other
	// leases now, or are no longer outstanding.
	renew(ctx context.Context, ls []lease, valid time.Duration) (lost []lease, err error)

	// complete removes a task that has succeeded. It and the methods below return errLost, and change
	// nothing, if the lease is lost.
	complete(ctx context.Context, l lease) error

	// giveBack stores the history of a task that is to run again, and ends the lease. The task is due
	// after the delay of the history.
	giveBack(ctx context.Context, l lease, history restart.State) error

	// bury removes a task that has failed for good, and keeps it with the reason as a dead letter.
	bury(ctx context.Context, l lease, reason string) error
}

// task is what is to be done.
type task struct {
	// name is unique among the outstanding tasks.
	name string
	// kind selects the handler.
	kind string
	// payload is the input of the handler.
	payload []byte
}

// lease is the right to run a task for a while.
type lease struct {
	task
	// token is unique among all leases of the store. The store compares it, so a worker whose lease has
	// expired cannot settle the task.
	token int64
	// history is what the last giveBack has stored. Before the first one, it has only the time at which
	// the task was due.
	history restart.State
	// crashes is the number of leases that have expired since then: the task may have killed its process
	// each time.
	crashes int
}
