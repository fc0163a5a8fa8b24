package scheduler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// HandOver as a Config.Limit lets nothing wait: an item is taken only when a
// worker is free for it.
const HandOver = -1

// DefaultIdleTimeout is how long a worker above the minimum stays idle before
// it leaves, unless configured otherwise.
const DefaultIdleTimeout = 10 * time.Second

// Config describes a Pool. The zero value of each field means its default;
// impossible values are errors, which NewPool reports all together.
type Config[T any] struct {
	// Min workers run at once and always. The default is 0. Those above it have a goroutine
	// only from their first item on.
	Min int
	// Max is the most workers that run at once. The default is GOMAXPROCS, or
	// Min if that is more.
	Max int
	// IdleTimeout is how long a worker above Min, and above what the scaler
	// asks for, stays idle before it leaves. The default is DefaultIdleTimeout.
	IdleTimeout time.Duration
	// Queue makes the discipline that orders what waits. The default is
	// queue.NewFIFO. The pool calls it once and owns what it returns. Of its methods
	// only Push may panic, which drops the item: a panic of another one leaves the
	// pool locked, or ends the process if it comes to a worker. None may call
	// runtime.Goexit, which ends the process too.
	Queue queue.Factory[T]
	// Scaler says how many workers there should be. The default is scale.Demand(1).
	// It must not be shared with another pool, since it may keep state.
	Scaler scale.Scaler[scale.Snapshot]
	// Limit is the most items that wait beyond those for which a worker is
	// free. The default, 0, is no limit; HandOver lets none wait, but for one that
	// a queue turns out to hold back. Items that are held back use up the limit,
	// however many workers are free.
	Limit int
	// Overflow says what Submit does at the Limit. The default is Block.
	Overflow Overflow

	// Withdrawn, if set, reports whether an item was given up after it was
	// submitted; see Pool.Withdraw. The pool passes over such items. It is called
	// while the pool is locked: it must be quick and must not call the pool.
	Withdrawn func(item T) bool
	// Claim, if set, is called in place of Withdrawn when an item leaves the
	// queue, or is run or dropped without having been there. It reports false for an
	// item that was withdrawn; once it has reported true, the item can be withdrawn no
	// more. Set it where items may be withdrawn at any time, so that of a worker and a
	// withdrawal exactly one gets the item. The same rules hold as for Withdrawn.
	Claim func(item T) bool
	// Dropped, if set, is told of each item that the pool took and will never
	// run, and why: ErrStopped, ErrDropped, ErrShed, or a crash if the queue
	// panicked in Push. It is called without a lock held, on the goroutine of
	// whoever submits or otherwise calls the pool, of a worker, which it keeps from
	// going on, or one of its own. The default
	// logs panics with slog's default logger; the rest shows in the Snapshot.
	Dropped func(item T, reason error)
	// Inside, if set, reports whether the context given to a submit belongs to an
	// item of this pool, which then must not wait for room under Block. The pool
	// itself knows its workers; this is for goroutines that an item has started.
	// It is asked only when a submit would wait.
	Inside func(ctx context.Context) bool
	// TrackCallers has the pool know its workers by their goroutines, for Callers. It
	// costs some two microseconds for each worker that is started, and nothing for
	// an item.
	TrackCallers bool
	// Decided, if set, is told of each decision of the scaler that changes the
	// target, by whoever has asked it, and without a lock.
	Decided func(Decided)
	// Crashed is told when running an item ended in a panic (a *PanicError) or
	// in runtime.Goexit (ErrGoexit), on the goroutine that crashed. The worker
	// goes on either way. The default logs the error with slog's default
	// logger.
	Crashed func(worker int32, item T, err error)
}

// withDefaults returns the configuration with its defaults filled in, or every
// fault that it has.
func (c Config[T]) withDefaults() (Config[T], error) {
	if c.Max == 0 {
		c.Max = max(runtime.GOMAXPROCS(0), c.Min)
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = DefaultIdleTimeout
	}
	if c.Queue == nil {
		c.Queue = queue.NewFIFO[T]
	}
	if c.Scaler == nil {
		c.Scaler = scale.Demand(1)
	}
	if c.Crashed == nil {
		c.Crashed = logCrash[T]
	}
	if c.Dropped == nil {
		c.Dropped = logPanics[T]
	}
	if withdrawn := c.Withdrawn; c.Claim == nil && withdrawn != nil {
		c.Claim = func(item T) bool { return !withdrawn(item) }
	}
	var faults []error
	if err := validWorkers(c.Min, c.Max); err != nil {
		faults = append(faults, err)
	}
	if c.IdleTimeout < 0 {
		faults = append(faults, fmt.Errorf("scheduler: the idle timeout is %v; it must be positive", c.IdleTimeout))
	}
	if c.Limit < HandOver {
		faults = append(faults, fmt.Errorf("scheduler: the limit is %d; it must be positive, 0 for none, or HandOver", c.Limit))
	}
	if !c.Overflow.Valid() {
		faults = append(faults, fmt.Errorf("scheduler: unknown overflow policy %v; use one of the constants, Block to CallerRuns", c.Overflow))
	}
	if c.Overflow != Block && c.Limit == 0 {
		faults = append(faults, errors.New("scheduler: an overflow policy without a limit has no effect; set Limit"))
	}
	return c, errors.Join(faults...)
}

// validWorkers checks the bounds on the number of workers.
func validWorkers(minimum, maximum int) error {
	switch {
	case minimum < 0:
		return fmt.Errorf("scheduler: the minimum of workers is %d; it must be 0 or more", minimum)
	case maximum < 1:
		return fmt.Errorf("scheduler: the maximum of workers is %d; it must be 1 or more", maximum)
	case minimum > maximum:
		return fmt.Errorf("scheduler: the minimum of workers, %d, exceeds the maximum, %d", minimum, maximum)
	case maximum > math.MaxInt32:
		return fmt.Errorf("scheduler: the maximum of workers is %d; it must be at most %d", maximum, math.MaxInt32)
	}
	return nil
}
