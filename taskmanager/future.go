package taskmanager

import (
	"context"
	"errors"
)

// Future is the handle of a task that has a result. It is safe for concurrent use.
type Future[R any] struct {
	Handle

	fn    func(ctx context.Context) (R, error)
	value R // written by the execution, and final once the task has ended
}

// Async submits a function that returns a result, and returns the future of that. The
// rest is as with SubmitFunc. A future, and all that the manager needs for its task,
// is one allocation; whoever waits for it makes a second one.
func Async[R any](ctx context.Context, m *TaskManager, name string, fn func(ctx context.Context) (R, error), opts ...TaskOption) (*Future[R], error) {
	switch {
	case m == nil:
		return nil, errors.New("taskmanager: Async: nil manager; Start makes one")
	case fn == nil:
		return nil, ErrNilTask
	}
	f := &Future[R]{fn: fn}
	if err := m.submit(ctx, &f.Handle, name, (*call[R])(f), opts, mayWait); err != nil {
		return nil, err
	}
	return f, nil
}

// Result waits until the task has ended, and returns what the function returned. The
// errors are those of Wait; with one the result is the zero value.
func (f *Future[R]) Result(ctx context.Context) (R, error) {
	if err := f.Wait(ctx); err != nil {
		var none R
		return none, err
	}
	return f.value, nil
}

// call is a future as the task that it is, without the methods of a task being
// seen on the future.
type call[R any] Future[R]

// Execute calls the function.
func (c *call[R]) Execute(ctx context.Context) (err error) {
	c.value, err = c.fn(ctx)
	return err
}

// Name is never called.
func (c *call[R]) Name() string { return "" }

// forget lets go of the function, which may hold much that nobody needs any more.
func (c *call[R]) forget() { c.fn = nil }

// forgetful is a task that outlives its end, and holds on to something until then.
type forgetful interface{ forget() }
