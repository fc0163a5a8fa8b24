package taskmanager

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/internal/delay"
	"github.com/seed56799101/taskmanager/internal/lazycontext"
	"github.com/seed56799101/taskmanager/taskmanager/internal/names"
)

// Handle is one submitted task. It is safe for concurrent use.
//
// It is all that the manager allocates for a task by itself: the context that the task is
// given and the channels are part of it, or made when somebody asks for them, and the
// entries in the queue and among the names are made many at once.
type Handle struct {
	// The first cache line is for submitters: the worker of a task that succeeds leaves
	// it alone, and so need not fetch it from another processor.
	m        *TaskManager
	name     string
	queuedAt time.Duration // since the manager's epoch
	firstCtx taskContext   // of the first execution

	mu            sync.Mutex // guards the rest
	state         state
	worker        int32       // that runs it, or ran it last; 0: none yet
	task          Task        // nil once it has ended, so that it can be collected
	place         place       // among the names; none once it has ended
	cfg           *taskConfig // nil: no options
	trouble       *trouble    // nil until it fails or is cancelled
	startedAt     time.Duration
	started, done chan struct{} // made on demand
}

// place is the place of a task among the names.
type place = names.Place[Handle]

// taskContext is the context of one execution. It knows the task.
type taskContext = lazycontext.Context[owner]

// owner is a handle as its contexts know it: with a method that is no concern of others.
type owner Handle

// Identity tells logs of the task.
func (o *owner) Identity() (task string, attempt int) {
	h := (*Handle)(o)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.name, h.attemptLocked()
}

// attemptLocked is the number of the present execution, from 1. mu is held.
func (h *Handle) attemptLocked() int {
	if r := h.retryLocked(); r != nil {
		return 1 + r.restarts
	}
	return 1
}

// ownerOf is the task whose context ctx is, or is derived from, or nil.
func ownerOf(ctx context.Context) *Handle { return (*Handle)(lazycontext.OwnerOf[owner](ctx)) }

// FromContext returns the handle of the task that was given ctx, or a context that
// ctx is derived from: false if there is none, or its execution is over.
func FromContext(ctx context.Context) (h *Handle, ok bool) {
	h = ownerOf(ctx)
	return h, h != nil
}

// alarms are what is to happen to tasks at a time; one timer serves all of a manager.
type (
	alarms = delay.Queue
	alarm  = delay.Entry
)

// trouble is what only tasks need that fail or are cancelled: a large part of what a task
// costs is its memory.
type trouble struct {
	err       error  // how the last execution, and in the end the task, ended
	cancelled error  // why it was cancelled; nil: it was not
	retry     *retry // nil until it restarts
}

// inTroubleLocked is where to note trouble. mu is held.
func (h *Handle) inTroubleLocked() *trouble {
	if h.trouble == nil {
		h.trouble = new(trouble)
	}
	return h.trouble
}

// failureLocked is how the last execution, and in the end the task, ended. mu is held.
func (h *Handle) failureLocked() error {
	if h.trouble == nil {
		return nil
	}
	return h.trouble.err
}

// cancelledLocked is why the task was cancelled, or nil. mu is held.
func (h *Handle) cancelledLocked() error {
	if h.trouble == nil {
		return nil
	}
	return h.trouble.cancelled
}

// noteCancelLocked notes why the task is cancelled, if it is the first time. mu is held.
func (h *Handle) noteCancelLocked(reason error) {
	if t := h.inTroubleLocked(); t.cancelled == nil {
		t.cancelled = reason
	}
}

// retryLocked is what is known of the restarts, or nil. mu is held.
func (h *Handle) retryLocked() *retry {
	if h.trouble == nil {
		return nil
	}
	return h.trouble.retry
}

// retry is what only tasks that restart need.
type retry struct {
	ctx      *taskContext // of the present execution
	entry    *alarm
	due      time.Duration   // when the restart was or will be, since the manager's epoch
	recent   []time.Duration // when restarts began, or are due, in the window of the policy, if it has one
	restarts int             // how often it was started again
	streak   int             // failures in a row
	previous time.Duration   // the last delay
	lastErr  error           // the last failure
	failed   context.Context // the values of the last execution, for observers
	over     func(error)     // tells observers that the wait is over; nil: nobody wants to know
}

// state is where a task is in its life. The transitions are made under the
// handle's mu, and each has one owner:
//
//	admitting → queued            the submitter, once a bounded pool has taken it
//	admitting → delayed           the submitter, where the task has to wait for its time
//	admitting, queued → claimed   the pool, as it pops the task
//	claimed → running → asking    the worker
//	asking → queued, delayed      the worker
//	delayed → queued              the timer
//	queued, delayed → ending      whoever cancels it
//	any other → ending            who owns it at that moment
//	ending → ended                the same
//
// So exactly one goroutine ends each task, and frees its name.
type state uint8

const (
	queued    state = iota // waits for a worker
	admitting              // is being submitted, and waits for room in a bounded pool
	claimed                // a worker has taken it off the queue
	running                // Execute was called
	asking                 // Execute has failed; Restart and the policy are asked
	delayed                // waits for the time of its start or restart
	ending                 // is being taken off the books
	ended
)

// closed is what Started and Done return when there is nothing to wait for.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Name is the task's name.
func (h *Handle) Name() string { return h.name }

// Started is closed when a worker takes the task for the first time, or when
// it has ended without that.
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

// Done is closed when the task has ended for good: it will not run again, Err
// is final and the name is free.
func (h *Handle) Done() <-chan struct{} {
	if done, _ := h.outcome(); done != nil {
		return done
	}
	return closed
}

// Err is how the task ended: nil while it has not, and if it did so without a
// failure. Otherwise it wraps what Execute returned last, a *PanicError or
// ErrGoexit, and with it ErrCancelled, ErrStopped, ErrGroupFailed, ErrTimeout,
// ErrQueueTimeout, ErrDeadlineExceeded, ErrDropped, ErrShed or ErrRestartsExhausted
// where that is the reason.
func (h *Handle) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state != ended {
		return nil
	}
	return h.failureLocked()
}

// Wait waits until the task has ended, and returns Err. If ctx ends first, the
// error says why; the task goes on.
//
// A task that waits for another one lends its worker's slot meanwhile, so that the
// other can run, however few workers there are; see Blocking. Where that does not
// help, because tasks would wait for each other, the error is ErrWouldDeadlock.
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

// outcome is how the task ended, or, while it has not, what is closed when it does.
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

// Cancel gives the task up. One that is queued or waits for its time ends at once.
// The context of one that is running is cancelled, with ErrCancelled as its
// cause, and the task ends when Execute returns, without a restart. Cancel does
// not wait, and does nothing to a task that has ended.
func (h *Handle) Cancel() { h.m.cancel(h, ErrCancelled) }

// Status is the task's status now, also after it has ended; a task that has
// ended is not asked for its progress and description any more. It calls those
// methods of the task, with no lock held.
func (h *Handle) Status() TaskStatus { return h.m.statusOf(h) }

// entryLocked is the task's place among those that wait for their time. h.mu is held.
func (h *Handle) entryLocked() *alarm {
	if r := h.retryLocked(); r != nil {
		return r.entry
	}
	return h.cfg.delayed.entry
}

// dueLocked is when a task that waits for its time will be queued, since the manager's
// epoch. h.mu is held.
func (h *Handle) dueLocked() time.Duration {
	if r := h.retryLocked(); r != nil {
		return r.due
	}
	return h.cfg.delayed.due
}

// ctxLocked is the context of the present execution. h.mu is held.
func (h *Handle) ctxLocked() *taskContext {
	if r := h.retryLocked(); r != nil {
		return r.ctx
	}
	return &h.firstCtx
}

// progress orders states by how far the task is: waiting for room, waiting, executing.
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
