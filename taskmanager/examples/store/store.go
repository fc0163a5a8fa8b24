package main

import (
	"context"
	"errors"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// Errors of a store. All others mean that the store could not be reached, and that nobody knows
// whether the call has had an effect.
var (
	errExists = errors.New("store: a task of that name is outstanding")
	errLost   = errors.New("store: the lease belongs to somebody else now")
)

// store is what an adapter needs of an engine. README.md says how to do it with PostgreSQL and with
// Redis. A store is safe for concurrent use, also by several processes.
//
// An outstanding task is one row, with the name as its primary key. So the row itself keeps the name
// unique, for as long as the task exists and no longer.
type store interface {
	// insert stores a task, which is due at once, or returns errExists.
	insert(ctx context.Context, name string) error

	// lease takes at most n tasks that are due and that no valid lease holds, those first that have
	// been due for longest. A lease is valid for the given time, and then another call may take the task.
	lease(ctx context.Context, n int, valid time.Duration) ([]lease, error)

	// renew makes leases valid for the given time from now, and returns those that are lost: their tasks
	// have other leases now, or are no longer outstanding.
	renew(ctx context.Context, ls []lease, valid time.Duration) (lost []lease, err error)

	// complete removes a task that has succeeded. It and the methods below return errLost, and change
	// nothing, if the lease is lost.
	complete(ctx context.Context, l lease) error

	// giveBack stores the history of a task that is to run again, and ends the lease. The task is due
	// after the delay of the history.
	giveBack(ctx context.Context, l lease, history restart.State) error

	// bury removes a task that has failed for good, and keeps the reason for those who look after it.
	bury(ctx context.Context, l lease, reason string) error
}

// lease is the right to run a task for a while.
type lease struct {
	name string
	// token differs between all leases of the store. A holder whose lease has run out cannot settle
	// the task of its successor, since the store compares tokens.
	token int64
	// history is what the last giveBack has stored.
	history restart.State
	// crashes is the number of leases that have run out since then: the task may have killed its
	// process each time.
	crashes int
}
