package taskmanager

import (
	"context"
	"errors"
)

// Future is the handle of a task that returns a result. [Async] makes one. It is safe for
// concurrent use.
type Future[R any] struct {
	Handle

	fn    func(ctx context.Context) (R, error)
	value R // written by each execution; final when the task has ended; zero if it has failed
}

// Async submits a function that returns a result, and returns a future for the result. It
// is otherwise like [TaskManager.SubmitFunc].
//
// The future and everything the manager needs for its task are one allocation. The first
// wait for it makes a second one, unless the task has ended. The manager keeps a future and its
// result reachable for 20 ms at most after the end of the task.
func Async[R any](ctx context.Context, m *TaskManager, name string, fn func(ctx context.Context) (R, error), opts ...TaskOption) (*Future[R], error) {
	return submitFuture(ctx, m, name, fn, opts, mayWait)
}

// TryAsync is [Async] without waiting, as [TaskManager.TrySubmit] is for [TaskManager.Submit].
func TryAsync[R any](ctx context.Context, m *TaskManager, name string, fn func(ctx context.Context) (R, error), opts ...TaskOption) (*Future[R], error) {
	return submitFuture(ctx, m, name, fn, opts, noWait)
}

func submitFuture[R any](ctx context.Context, m *TaskManager, name string, fn func(ctx context.Context) (R, error), opts []TaskOption, how admission) (*Future[R], error) {
	switch {
	case m == nil:
		return nil, errors.New("taskmanager: nil manager; Start makes one")
	case fn == nil:
		return nil, ErrNilTask
	}
	f := &Future[R]{fn: fn}
	f.init(m, name, (*call[R])(f))
	if err := m.submit(ctx, &f.Handle, opts, how); err != nil {
		return nil, err
	}
	return f, nil
}

// Result waits until the task has ended, and returns the result of its function. It returns
// the errors of [Handle.Wait]; with an error the result is the zero value.
func (f *Future[R]) Result(ctx context.Context) (R, error) {
	if err := f.Wait(ctx); err != nil {
		var none R
		return none, err
	}
	return f.value, nil
}

// call is a [Future] under another type, which implements Task. So a future is its own
// task, and its exported methods do not include Execute.
type call[R any] Future[R]

// Execute calls the function and stores its result.
func (c *call[R]) Execute(ctx context.Context) (err error) {
	c.value, err = c.fn(ctx)
	return err
}

// Name is never called: the manager knows the name.
func (c *call[R]) Name() string { return "" }

// forget drops the function when the task ends, and after a failure the value too. The caller
// keeps the future for the result, and the function may hold much memory.
func (c *call[R]) forget(err error) {
	c.fn = nil
	if err != nil {
		var none R
		c.value = none
	}
}

// forgetful is a task that stays reachable after its end and then drops what it no longer
// needs.
type forgetful interface{ forget(err error) }
