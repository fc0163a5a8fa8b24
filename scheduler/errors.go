package scheduler

import (
	"errors"
	"fmt"

	"github.com/seed56799101/taskmanager/internal/text"
)

var (
	// ErrStopped is returned by submits to a pool that drains or has stopped. Such a pool
	// never accepts items again.
	ErrStopped = errors.New("scheduler: the pool is stopped")

	// ErrQueueFull is returned by a submit to a full pool if it must not wait for room.
	// Try again later, wait with [Pool.Submit], or raise [Config].Limit.
	ErrQueueFull = errors.New("scheduler: the queue is full; try again later, or raise the limit")

	// ErrWouldDeadlock is returned to an item that would wait for itself: by a submit to its own
	// pool when the pool is full under [Block], since the item occupies a worker itself, and by
	// [Pool.WaitIdle] and [Pool.PauseWait] of its own pool. For submits, use [Pool.TrySubmit],
	// another overflow policy, or one pool per stage of the work.
	ErrWouldDeadlock = errors.New("scheduler: an item must not wait for its own pool, neither for room in a full queue nor until the pool is idle; " +
		"use TrySubmit, another overflow policy, or another pool")

	// ErrDropped is the reason reported to [Config].Dropped for an item that was given up
	// because the queue was full.
	ErrDropped = errors.New("scheduler: dropped, as the queue was full")

	// ErrShed is the reason reported to [Config].Dropped for an item that its queue gave up
	// because it had waited too long.
	ErrShed = errors.New("scheduler: shed by the queue")

	// ErrNilContext is returned by calls with a nil context.
	ErrNilContext = errors.New("scheduler: nil context; pass context.Background() if there is none")

	// ErrGoexit is reported to [Config].Crashed for an item that called [runtime.Goexit],
	// for example through FailNow of a test.
	ErrGoexit error = goexitError{}
)

type goexitError struct{}

func (goexitError) Error() string { return "the work called runtime.Goexit" }

// ErrorType returns the error.type attribute for telemetry.
func (goexitError) ErrorType() string { return "goexit" }

// PanicError is the error of an item that panicked.
type PanicError struct {
	Value any    // argument of panic
	Stack []byte // stack trace of the goroutine that panicked
}

// Error returns the text of the value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panicked: %v", e.Value) }

// Unwrap returns Value if it is an error, and nil otherwise.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ErrorType returns the error.type attribute for telemetry.
func (*PanicError) ErrorType() string { return "panic" }

// BatchError is the error of a [Pool.SubmitAll] that ended early.
type BatchError struct {
	Admitted int   // number of items, from the first on, that the pool has accepted
	Err      error // why it accepted no more
}

// Error returns the number of accepted items and the reason.
func (e *BatchError) Error() string {
	return fmt.Sprintf("scheduler: batch cut short after %s: %v", text.Count(e.Admitted, "item"), e.Err)
}

// Unwrap returns Err.
func (e *BatchError) Unwrap() error { return e.Err }
