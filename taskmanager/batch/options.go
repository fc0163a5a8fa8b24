package batch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/internal/hooks"
)

// Option configures a batch. The With functions of this package make options. If an option is given
// twice, the last one wins.
type Option func(c *config) error

// config is the result of the options.
type config struct {
	inFlight int // 0: the default
	collect  bool
	progress func(done int)
	options  []taskmanager.TaskOption // of the tasks
}

// WithInFlight limits the number of items in flight to n, which must be positive. An item is in
// flight from the moment at which it is read until its result is passed to the loop. So the batch
// reads at most n items ahead of the loop, and at most n of its tasks are outstanding.
//
// A larger number keeps the workers busy when some items take much longer than others, or when the
// loop is slow at times. A smaller one takes less memory, and less of the manager's queue. By
// default there are twice as many as the manager's maximum of workers when the batch starts,
// but at least 16 and at most 1000. If the manager has a limit, and its overflow policy refuses or
// drops tasks, there are not more than the limit, so that an otherwise idle manager has room for all
// of them. (Not the limit and the number of workers: a worker is free a moment after its task has
// ended, when the next item may have been submitted already. With a limit of 0 this
// happens too, so choose another limit for batches.)
func WithInFlight(n int) Option {
	return func(c *config) error {
		c.inFlight = n
		if n < 1 {
			return fmt.Errorf("taskmanager: batch.WithInFlight: the number is %d; it must be positive", n)
		}
		return nil
	}
}

// WithCollect makes the batch continue when an item fails. [Map] yields a result or an error for each
// item, and [ForEach] returns all errors, joined in the order of the items.
func WithCollect() Option {
	return func(c *config) error {
		c.collect = true
		return nil
	}
}

// WithProgress makes the batch call a function with the number of items that have ended, with or
// without an error. These need not be the first ones: an item counts when it ends, even if
// the result of an earlier one is not available.
//
// The calls come one at a time, on the goroutines that end the items, which are mostly workers. The
// numbers increase. While a call is in progress, further ends are only counted, so a slow function
// misses numbers, but not the last one. All calls have returned when the batch ends. The function
// holds up its goroutine, so it must not wait for tasks or for the batch. It must not call
// [runtime.Goexit], for example by t.FailNow of a test, which ends the process.
func WithProgress(report func(done int)) Option {
	return func(c *config) error {
		c.progress = report
		if report == nil {
			return errors.New("taskmanager: batch.WithProgress: the function is nil")
		}
		return nil
	}
}

// WithTaskOptions sets options for the tasks of all items, such as [taskmanager.WithTimeout] or
// [taskmanager.WithKey]. [taskmanager.WithUniqueName] is always set.
func WithTaskOptions(opts ...taskmanager.TaskOption) Option {
	opts = slices.Clone(opts)
	return func(c *config) error {
		c.options = opts
		return nil
	}
}

// newConfig applies the options. The error joins all faults.
func newConfig(m *taskmanager.TaskManager, opts []Option) (c config, err error) {
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("taskmanager: batch option %d is nil", i+1))
			continue
		}
		faults = append(faults, o(&c))
	}
	if m == nil {
		faults = append(faults, errors.New("taskmanager: batch: nil manager; taskmanager.Start makes one"))
	}
	if err := errors.Join(faults...); err != nil {
		return c, err
	}
	if c.inFlight == 0 {
		c.inFlight = defaultInFlight(hooks.Capacity(m))
	}
	c.options = append([]taskmanager.TaskOption{taskmanager.WithUniqueName()}, c.options...)
	return c, nil
}

const (
	leastInFlight = 16
	mostInFlight  = 1000
)

// defaultInFlight returns the default of WithInFlight for a manager.
func defaultInFlight(workers, waiting int) int {
	n := max(leastInFlight, 2*min(workers, mostInFlight/2))
	if waiting >= 0 {
		n = min(n, max(1, waiting))
	}
	return n
}
