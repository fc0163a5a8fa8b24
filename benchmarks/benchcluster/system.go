package main

import (
	"context"
	"errors"
)

// system is a queue of tasks with an empty store. It is safe for concurrent use.
type system interface {
	// submit stores a task that does nothing. The name must be unique while the task is outstanding.
	submit(ctx context.Context, name string) error

	// submitAll stores tasks at once, all or none, or returns errNoBatches.
	submitAll(ctx context.Context, names []string) error

	// work starts a worker that runs at most slots tasks at a time, and calls ran in each. Besides
	// the kind of the tasks it serves so many kinds without tasks.
	work(ctx context.Context, slots, idleKinds int, ran func()) (stop func() error, err error)

	// outstanding returns how many tasks have neither succeeded nor failed.
	outstanding(ctx context.Context) (int, error)

	// messages returns a count that grows with the messages that the program sends to the server.
	messages(ctx context.Context) (int64, error)

	close() error
}

var errNoBatches = errors.New("the queue has no batches")

// contender is a queue with settings.
type contender struct {
	name       string
	durability durability
	open       func(ctx context.Context) (system, error)
}

// durability is what a power loss destroys of the tasks that were accepted.
type durability string

const (
	synced  durability = "nothing is lost"
	delayed durability = "at most about a second is lost"
)
