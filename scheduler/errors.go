package scheduler

import (
	"errors"
	"fmt"
)

var (
	// ErrStopped is returned for work offered to a pool that drains or has been
	// stopped. Such a pool never takes work again; make a new one.
	ErrStopped = errors.New("scheduler: the pool is stopped")

	// ErrQueueFull is returned when a bounded pool has no room and may not
	// wait. Try again later, wait with Submit, or raise the limit.
	ErrQueueFull = errors.New("scheduler: the queue is full; try again later, or raise the limit")

	// ErrWouldDeadlock is returned to an item that submits to its own pool when
	// that is full and would have it wait for room, which it takes up itself. Use
	// TrySubmit, another overflow policy, or a pool for each stage of the work.
	ErrWouldDeadlock = errors.New("scheduler: the queue is full, and an item must not wait for room in its own pool; " +
		"use TrySubmit, another overflow policy, or another pool")

	// ErrDropped is the reason given to Config.Dropped for an item that was given
	// up because the queue was full.
	ErrDropped = errors.New("scheduler: dropped, as the queue was full")

	// ErrShed is the reason given to Config.Dropped for an item that its
	// queue gave up because it had waited too long.
	ErrShed = errors.New("scheduler: shed by the queue")

	// ErrNilContext is returned by calls that were given a nil context.
	ErrNilContext = errors.New("scheduler: nil context; pass context.Background() if there is none")

	// ErrGoexit is how an execution ends that called runtime.Goexit, for
	// instance through the FailNow of a test.
	ErrGoexit error = goexitError{}
)

type goexitError struct{}

// Error is the text.
func (goexitError) Error() string { return "scheduler: the work called runtime.Goexit" }

// ErrorType is what telemetry calls it.
func (goexitError) ErrorType() string { return "goexit" }

// PanicError is how an execution ends that panicked.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // the stack of the goroutine that panicked
}

// Error gives the value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("scheduler: panicked: %v", e.Value) }

// Unwrap returns the value if it is an error, so that errors.Is and errors.As
// see it.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ErrorType is what telemetry calls it.
func (*PanicError) ErrorType() string { return "panic" }

// BatchError tells how far a SubmitAll came that was cut short.
type BatchError struct {
	Admitted int   // how many items, from the first on, the pool has taken
	Err      error // why it took no more
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("scheduler: batch cut short after %d items: %v", e.Admitted, e.Err)
}

// Unwrap returns the reason.
func (e *BatchError) Unwrap() error { return e.Err }
