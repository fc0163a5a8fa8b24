package scheduler

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// HandOver as [Config].Limit lets no item wait: an item is accepted only if a worker is free
// for it.
const HandOver = -1

// DefaultIdleTimeout is the default of [Config].IdleTimeout.
const DefaultIdleTimeout = 10 * time.Second

// NoIdleTimeout as [Config].IdleTimeout lets idle workers stay until the pool ends, is resized
// below their number, or the scaler makes a Firm decision.
const NoIdleTimeout = time.Duration(math.MaxInt64)

// NoMaximum as [Config].Max lets the pool have as many workers as the scaler asks for. Scalers
// that ask for the maximum or for a part of it, scale.Fixed(0) and scale.Step, need a real one.
const NoMaximum = math.MaxInt32

// Config configures a [Pool]. The zero value of a field means its default. [NewPool] reports
// all invalid values at once.
type Config[T any] struct {
	// Min is the number of workers that run from the start and always. The default is 0.
	// Other workers start with their first item.
	Min int
	// Max is the largest number of workers, up to [NoMaximum]. The default is GOMAXPROCS,
	// or Min if that is larger.
	Max int
	// IdleTimeout is the time after which an idle worker exits, if there are more than Min
	// workers and more than the scaler asks for. A worker that the scaler keeps may exit
	// up to a minute after the scaler would let it go, since the scaler is asked less and
	// less often while nothing happens. The default is [DefaultIdleTimeout]; with
	// [NoIdleTimeout] no worker exits for being idle.
	IdleTimeout time.Duration
	// Queue makes the discipline that orders the waiting items. The default is
	// queue.NewFIFO. The pool calls it once and owns the queue. A panic in Push drops the
	// item. The other methods must not panic, and no method may call runtime.Goexit; see
	// the trust boundary in the package documentation.
	Queue queue.Factory[T]
	// Scaler decides how many workers there are. The default is scale.Demand(1). Scalers
	// keep state, so each pool needs its own.
	Scaler scale.Scaler[scale.Snapshot]
	// Times makes the pool measure the times in its Snapshot, even if the scaler does not read
	// them (see scale.Timed): OldestWait, and the integrals and sums. Each item then takes two
	// readings of the clock more, and the pool takes its items without the shortcuts for the
	// default queue. DESIGN.md has the cost.
	Times bool
	// Limit is the largest number of items that wait, besides items for which a worker is
	// free. The default, 0, means no limit. [HandOver] lets no item wait, except for one
	// that the queue holds back. Items that the queue holds back always count. Items whose
	// submitters wait for room, under [Block], do not count.
	Limit int
	// Overflow decides what a submit does when the pool is full. The default is [Block]. It
	// requires a Limit.
	Overflow Overflow

	// Crashed is called when an item has ended in a panic, with a [*PanicError], or in
	// runtime.Goexit, with [ErrGoexit]. It runs on the goroutine that crashed, without a
	// lock held. The default logs the error with slog's default logger.
	Crashed func(worker int32, item T, err error)
	// Dropped is called for each item that the pool accepted and will never run, with the
	// reason: [ErrStopped], [ErrDropped], [ErrShed], or a *PanicError if the queue
	// panicked in Push. It runs on a worker, on the goroutine of a caller of the pool, or
	// on a goroutine of its own, without a lock held. The default logs panics with slog's
	// default logger. The other reasons are counted in the Snapshot.
	Dropped func(item T, reason error)
	// Decided is called for each decision of the scaler that changes the target, on the
	// goroutine that asked the scaler, without a lock held. Calls may overlap and come out of
	// order; the numbers of the decisions tell the order. The first call may come before
	// NewPool has returned. The default does nothing.
	Decided func(Decided)

	// Hooks serve frameworks built on the pool.
	Hooks Hooks[T]
}

// withDefaults returns the configuration with defaults filled in, and an error for each
// invalid value.
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
	if withdrawn := c.Hooks.Withdrawn; c.Hooks.Claim == nil && withdrawn != nil {
		c.Hooks.Claim = func(item T) bool { return !withdrawn(item) }
	}
	var faults []error
	if err := validWorkers(c.Min, c.Max); err != nil {
		faults = append(faults, err)
	}
	if c.IdleTimeout < 0 {
		faults = append(faults, fmt.Errorf("scheduler: the idle timeout is %v; it must be positive, and there is NoIdleTimeout", c.IdleTimeout))
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

// validWorkers returns an error if the bounds on the number of workers are invalid.
func validWorkers(minimum, maximum int) error {
	switch {
	case minimum < 0:
		return fmt.Errorf("scheduler: the minimum of workers is %d; it must be 0 or more", minimum)
	case maximum < 1:
		return fmt.Errorf("scheduler: the maximum of workers is %d; it must be 1 or more", maximum)
	case minimum > maximum:
		return fmt.Errorf("scheduler: the minimum of workers, %d, exceeds the maximum, %d", minimum, maximum)
	case maximum > NoMaximum:
		return fmt.Errorf("scheduler: the maximum of workers is %d; it must be at most %d, which is NoMaximum", maximum, NoMaximum)
	}
	return nil
}
