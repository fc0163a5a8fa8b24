package batch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// ItemError is the error of an item.
type ItemError struct {
	// Index is the position of the item in the sequence, counted from 0.
	Index int
	// Name is the name of its task.
	Name string
	// Err is the error of the task, or of its submit.
	Err error
}

// Error returns the text of the error, with the position and the name.
func (e *ItemError) Error() string {
	return fmt.Sprintf("taskmanager: item %d, task %q: %v", e.Index, e.Name, e.Err)
}

// Unwrap returns Err.
func (e *ItemError) Unwrap() error { return e.Err }

// Map runs fn for each item, as a task of m with the given name and a number, and yields the
// results in the order of the items. The contexts of the tasks carry the values of ctx. The package
// documentation describes when the batch ends, and its errors.
//
// Nothing happens until the result is ranged over, and each range is a batch of its own. If an
// argument is invalid, the only thing that it yields is an error.
func Map[T, R any](ctx context.Context, m *taskmanager.TaskManager, name string, items iter.Seq[T],
	fn func(ctx context.Context, item T) (R, error), opts ...Option,
) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		b, err := newBatch(ctx, m, name, items, fn, opts)
		if err != nil {
			var none R
			yield(none, err)
			return
		}
		b.run(items, yield)
	}
}

// ForEach runs fn for each item, as a task of m with the given name and a number, and waits
// until all tasks have ended. It is otherwise like [Map]. The error is that of the first item that
// failed; with [WithCollect], the errors of all items, joined in the order of the items.
func ForEach[T any](ctx context.Context, m *taskmanager.TaskManager, name string, items iter.Seq[T],
	fn func(ctx context.Context, item T) error, opts ...Option,
) error {
	type nothing struct{}
	var do func(ctx context.Context, item T) (nothing, error)
	if fn != nil {
		do = func(ctx context.Context, item T) (nothing, error) { return nothing{}, fn(ctx, item) }
	}
	var faults []error
	for _, err := range Map(ctx, m, name, items, do, opts...) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) == 1 {
		return faults[0]
	}
	return errors.Join(faults...)
}

// newBatch checks the arguments. The batch has not begun.
func newBatch[T, R any](ctx context.Context, m *taskmanager.TaskManager, name string, items iter.Seq[T],
	fn func(ctx context.Context, item T) (R, error), opts []Option,
) (*batch[T, R], error) {
	cfg, err := newConfig(m, opts)
	faults := []error{err}
	if ctx == nil {
		faults = append(faults, taskmanager.ErrNilContext)
	}
	if items == nil {
		faults = append(faults, errors.New("taskmanager: batch: nil sequence of items; slices.Values makes one"))
	}
	if fn == nil {
		faults = append(faults, taskmanager.ErrNilTask)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &batch[T, R]{
		ctx: ctx, m: m, name: name, fn: fn, cfg: cfg, cut: math.MaxInt,
		news: make(chan struct{}, 1), room: make(chan struct{}, 1), fed: make(chan struct{}),
	}, nil
}

// ended returns the error of a batch whose context has ended.
func ended(ctx context.Context) error { return fmt.Errorf("taskmanager: batch: %w", cause.Of(ctx)) }
