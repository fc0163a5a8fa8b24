package taskmanager

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/internal/lazycontext"
	"github.com/seed56799101/taskmanager/taskmanager/internal/delay"
	"github.com/seed56799101/taskmanager/taskmanager/internal/names"
)

// Handle is a submitted task. It is safe for concurrent use.
type Handle struct {
	// A handle is the only allocation for a simple task. It contains the first context;
	// the channels are made on demand; entries of the queue and of the names are
	// allocated in blocks.
	//
	// The submitter writes the fields up to firstCtx, about one cache line, before the
	// worker sees the handle. The worker mostly writes the fields below, so that
	// submitter and worker, on different processors, compete less for a line.
	m        *TaskManager
	name     string
	queuedAt time.Duration // since the manager's epoch
	firstCtx taskContext   // of the first execution

	mu            sync.Mutex // guards the rest
	state         state
	begun         bool        // the execution has begun, or observers were told so
	observed      uint8       // the set of observers, by its id; set before the submit; 0: none
	worker        int32       // that runs the task, or ran it last; 0: none yet
	task          Task        // once it has ended, only its remains, so that the garbage collector frees it
	place         place       // in the table of names; zero once the task has ended
	cfg           *taskConfig // nil: no options, attributes or watcher
	trouble       *trouble    // nil until the task fails or is cancelled
	startedAt     time.Duration
	started, done chan struct{} // made on demand
}

// place is the entry of a task in the table of names.
type place = names.Place[Handle]

// taskContext is the context of one execution. It knows its task.
type taskContext = lazycontext.Context[owner]

// owner is a handle as the owner of its contexts. It keeps Identity out of the methods of
// Handle.
type owner Handle

// Identity returns the name of the task and the number of the execution, for logs.
func (o *owner) Identity() (task string, attempt int) {
	h := (*Handle)(o)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.name, h.attemptLocked()
}

// attemptLocked returns the number of the current execution, from 1. mu is held.
func (h *Handle) attemptLocked() int {
	if r := h.retryLocked(); r != nil {
		return 1 + r.restarts
	}
	return 1
}

// ownerOf returns the task whose context ctx is, or is derived from, or nil.
func ownerOf(ctx context.Context) *Handle { return (*Handle)(lazycontext.OwnerOf[owner](ctx)) }

// FromContext returns the handle of the task whose context ctx is, or is derived from. It
// reports false if there is no such task, or if the execution with that context is over.
func FromContext(ctx context.Context) (h *Handle, ok bool) {
	h = ownerOf(ctx)
	return h, h != nil
}

// alarms call functions when they are due. One timer serves all alarms of a manager.
type (
	alarms = delay.Queue
	alarm  = delay.Entry
)

// trouble holds the fields that only failed or cancelled tasks need, so that other tasks
// take less memory.
type trouble struct {
	err       error   // the error of the last execution and, at the end, of the task
	cancelled error   // the reason for the cancellation; nil: not cancelled
	how       outcome // of the end, if it does not follow from err and cancelled
	retry     *retry  // nil until the task restarts
}

// inTroubleLocked returns the trouble of the task to write to. mu is held.
func (h *Handle) inTroubleLocked() *trouble {
	if h.trouble == nil {
		h.trouble = new(trouble)
	}
	return h.trouble
}

// failureLocked returns the error of the last execution or, at the end, of the task. mu
// is held.
func (h *Handle) failureLocked() error {
	if h.trouble == nil {
		return nil
	}
	return h.trouble.err
}

// cancelledLocked returns the reason for the cancellation of the task, or nil. mu is
// held.
func (h *Handle) cancelledLocked() error {
	if h.trouble == nil {
		return nil
	}
	return h.trouble.cancelled
}

// noteCancelLocked notes the reason for a cancellation. Only the first one counts. mu is
// held.
func (h *Handle) noteCancelLocked(reason error) {
	if t := h.inTroubleLocked(); t.cancelled == nil {
		t.cancelled = reason
	}
}

// retryLocked returns the restarts of the task, or nil. mu is held.
func (h *Handle) retryLocked() *retry {
	if h.trouble == nil {
		return nil
	}
	return h.trouble.retry
}

// retry holds the fields that only restarted tasks need.
type retry struct {
	ctx      *taskContext // of the current execution
	entry    *alarm
	due      time.Duration   // when the last restart was or will be queued, since the epoch
	recent   []time.Duration // when restarts within the window of the policy began, or are due
	restarts int             // number of restarts
	streak   int             // failures in a row
	previous time.Duration   // the last delay
	lastErr  error           // the failure before the last restart
	failed   context.Context // values of the last execution's context, for observers
	over     func(error)     // tells observers that the wait is over; nil: no observers
}

// state is the phase of a task. All transitions are made with mu of the handle held. Each
// has one owner:
//
//	admitting → queued            the submitter, when a bounded pool has accepted the task
//	admitting → delayed           the submitter, if the task is not due yet
//	admitting, queued → claimed   the pool, when it takes the task from the queue
//	claimed → running → asking    the worker
//	asking → queued, delayed      the worker
//	delayed → queued              the timer
//	queued, delayed → ending      the goroutine that cancels the task
//	other states → ending         the owner of that state
//	ending → ended                the goroutine that made it ending
//
// Therefore exactly one goroutine ends each task and frees its name.
type state uint8

const (
	queued    state = iota // waits for a worker
	admitting              // is being submitted, and may wait for room
	claimed                // taken from the queue by the pool
	running                // Execute runs
	asking                 // Execute has failed; Restart and the policy decide
	delayed                // waits until it is due to start or restart
	ending                 // is about to end; nothing else changes it
	ended                  // Done is closed
)

// closed is the channel that Started and Done return when there is nothing to wait for.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Name returns the name of the task.
func (h *Handle) Name() string { return h.name }

// Started returns a channel that is closed when the task starts for the first time, or
// ends without having started.
func (h *Handle) Started() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.startedAt != 0 || h.state == ended {
		return closed
	}
	if h.started == nil {
		h.started = make(chan struct{})
	}
	return h.started
}

// Done returns a channel that is closed when the task has ended. It will not run again,
// [Handle.Err] is final, and the name is free.
func (h *Handle) Done() <-chan struct{} {
	if done, _ := h.outcome(); done != nil {
		return done
	}
	return closed
}

// Err returns the error of a task that has ended. It returns nil before the end, and if
// the last execution succeeded. Otherwise the error wraps what Execute returned last, a
// [*PanicError] or [ErrGoexit]; and the reason for the end, if there is another one:
// [ErrCancelled], [ErrStopped], [ErrGroupFailed], [ErrTimeout], [ErrQueueTimeout],
// [ErrDeadlineExceeded], [ErrDropped], [ErrShed] or [ErrRestartsExhausted].
func (h *Handle) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state != ended {
		return nil
	}
	return h.failureLocked()
}

// Wait waits until the task has ended and returns [Handle.Err]. If ctx ends first, Wait
// returns an error with the reason, and the task continues. The other errors are
// [ErrNilContext] and [ErrWouldDeadlock].
//
// If a task calls Wait, it lends its slot during the wait, so that the other task can run
// even on a single worker; see [Blocking]. If the two would wait for each other, directly
// or through further tasks, Wait returns ErrWouldDeadlock.
func (h *Handle) Wait(ctx context.Context) error {
	if ctx == nil {
		return ErrNilContext
	}
	done, err := h.outcome()
	if done == nil {
		return err
	}
	back, err := h.m.stepAside(ctx, h)
	if err != nil {
		return fmt.Errorf("taskmanager: wait for %q: %w", h.name, err)
	}
	defer back()
	select {
	case <-done:
		return h.Err()
	case <-ctx.Done():
		return fmt.Errorf("taskmanager: wait for %q: %w", h.name, cause.Of(ctx))
	}
}

// over reports whether the task has ended.
func (h *Handle) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state == ended
}

// outcome returns the error of a task that has ended, and for any other task a channel
// that is closed at its end.
func (h *Handle) outcome() (done <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state == ended {
		return nil, h.failureLocked()
	}
	if h.done == nil {
		h.done = make(chan struct{})
	}
	return h.done, nil
}

// Cancel cancels the task. A task that is queued or not yet due ends at once. If the task
// is running, its context ends with [ErrCancelled] as the cause, and the task ends when
// Execute returns. It does not restart. Cancel does not wait, and has no effect on a task
// that has ended.
func (h *Handle) Cancel() { h.m.cancel(h, ErrCancelled) }

// Status returns the status of the task, also after its end. It calls the methods of a
// [TaskWithProgress] on the calling goroutine, without a lock held; after the end of the
// task it does not call them.
func (h *Handle) Status() TaskStatus { return h.m.statusOf(h) }

// entryLocked returns the alarm of a delayed task. mu is held.
func (h *Handle) entryLocked() *alarm {
	if r := h.retryLocked(); r != nil {
		return r.entry
	}
	return h.cfg.delayed.entry
}

// dueLocked returns the time, since the manager's epoch, at which a delayed task will be
// queued. mu is held.
func (h *Handle) dueLocked() time.Duration {
	if r := h.retryLocked(); r != nil {
		return r.due
	}
	return h.cfg.delayed.due
}

// ctxLocked returns the context of the current execution. mu is held.
func (h *Handle) ctxLocked() *taskContext {
	if r := h.retryLocked(); r != nil {
		return r.ctx
	}
	return h.firstCtx.Current()
}

// progress orders tasks by how far they are: waiting for room, waiting to run, or
// further.
func (h *Handle) progress() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch h.state {
	case admitting:
		return 0
	case queued, delayed:
		return 1
	default:
		return 2
	}
}
