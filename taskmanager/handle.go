package taskmanager

import (
	"context"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/internal/lazycontext"
	"github.com/seed56799101/taskmanager/taskmanager/internal/delay"
	"github.com/seed56799101/taskmanager/taskmanager/internal/names"
	"github.com/seed56799101/taskmanager/taskmanager/internal/stateword"
)

// Handle is a submitted task. It is safe for concurrent use.
type Handle struct {
	// A handle is the only allocation for a simple task. It contains the first context;
	// the channels are made on demand; entries of the queue and of the names are
	// allocated in blocks.
	//
	// It is exactly two cache lines, 128 bytes, which is also a size class of Go's allocator. The
	// submitter writes both before any other goroutine knows the handle. A worker, on
	// another processor, needs only the second one to claim, run and end a simple task, so one
	// line moves between processors for each task. See layout.go, which asserts that.

	// The first line, for the submitter, and for tasks that are not simple.
	m             *TaskManager
	name          string
	queuedAt      time.Duration // since the manager's epoch
	cfg           *taskConfig   // nil: no options, attributes or watcher
	trouble       *trouble      // nil until the task fails or is cancelled; with extras of word set
	started, done chan struct{} // made on demand; with extras of word set

	// The second line, for the worker.
	word      stateword.Word   // guards the fields that change
	worker    int32            // that runs the task, or ran it last; 0: none yet
	startedAt time.Duration    // since the epoch; 0: not yet
	place     names.Place      // in the table of names
	task      Task             // once it has ended, only its remains, so that the garbage collector frees it
	firstCtx  lazycontext.Core // the context of the first execution, which is a firstContext
}

// alarms call functions when they are due. One timer serves all alarms of a manager.
type (
	alarms = delay.Queue
	alarm  = delay.Entry
)

// trouble holds the fields that only failed or cancelled tasks need, so that other tasks
// take less memory.
type trouble struct {
	err       error       // the error of the last execution and, at the end, of the task
	cancelled error       // the reason for the cancellation; nil: not cancelled
	how       outcome     // of the end, if it does not follow from err and cancelled
	reported  bool        // the outcome is decided, for reports of the end: a cancellation comes too late
	retry     *retry      // nil until the task runs again, unless it has run elsewhere
	line      *succession // nil unless a task waits behind this one, or this one has waited behind another
}

// inTroubleLocked returns the trouble of the task to write to. The lock is held.
func (h *Handle) inTroubleLocked() *trouble {
	if h.trouble == nil {
		h.trouble = new(trouble)
		h.word.MarkExtras()
	}
	return h.trouble
}

// failureLocked returns the error of the last execution or, at the end, of the task. The lock
// is held.
func (h *Handle) failureLocked() error {
	if h.trouble == nil {
		return nil
	}
	return h.trouble.err
}

// cancelledLocked returns the reason for the cancellation of the task, or nil. The lock is
// held.
func (h *Handle) cancelledLocked() error {
	if h.trouble == nil {
		return nil
	}
	return h.trouble.cancelled
}

// noteCancelLocked notes the reason for a cancellation. Only the first one counts. The lock is
// held.
func (h *Handle) noteCancelLocked(reason error) {
	if t := h.inTroubleLocked(); t.cancelled == nil && !t.reported {
		t.cancelled = reason
	}
}

// retryLocked returns what is known of earlier executions of the task, or nil. The lock is held.
func (h *Handle) retryLocked() *retry {
	if h.trouble == nil {
		return nil
	}
	return h.trouble.retry
}

// retry holds the fields that only tasks need that run more than once, here or elsewhere.
type retry struct {
	ctx        *laterContext // of the current execution; nil: that is the first one here
	entry      *alarm
	due        time.Duration   // when the current execution was or will be queued, since the epoch
	recent     []time.Duration // when restarts within the window of the policy began, or are due
	elsewhere  int             // number of executions in other managers
	restarts   int             // number of restarts
	postponed  int             // number of executions that returned NotYet
	restarting bool            // the current execution is a restart
	streak     int             // failures in a row
	previous   time.Duration   // the last delay before a restart
	lastErr    error           // the failure before the last restart; nil: none
	last       context.Context // values of the last execution's context, for observers
	over       func(error)     // tells observers that the wait for a restart is over; nil: no observers
}

// The states of a task.
const (
	queued    = stateword.Queued
	admitting = stateword.Admitting
	claimed   = stateword.Claimed
	running   = stateword.Running
	asking    = stateword.Asking
	delayed   = stateword.Delayed
	ending    = stateword.Ending
	ended     = stateword.Ended
)

// ranLocked returns the worker that runs the task or ran it last, and the time at which that
// execution began, or zeros if the task has never run. In the state claimed, both fields belong
// to the worker, unless the task has restarted; see begin. The lock is held.
func (h *Handle) ranLocked() (worker int32, began time.Duration) {
	if h.word.State() == claimed && h.retryLocked() == nil {
		return 0, 0
	}
	return h.worker, h.startedAt
}

// closed is the channel that Started and Done return when there is nothing to wait for.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Name returns the name of the task.
func (h *Handle) Name() string { return h.name }

// Kind returns the kind of the task: that of [WithKind], or else of [TaskWithKind], or else a default;
// see there.
func (h *Handle) Kind() string {
	h.word.Lock()
	defer h.word.Unlock()
	return h.kindLocked()
}

// Started returns a channel that is closed when the task starts for the first time, or
// ends without having started.
func (h *Handle) Started() <-chan struct{} {
	made := h.spareChannel()
	h.word.Lock()
	defer h.word.Unlock()
	if _, began := h.ranLocked(); began != 0 || h.word.State() == ended {
		return closed
	}
	return h.channelLocked(&h.started, made)
}

// spareChannel returns a channel for channelLocked, unless the task probably needs none. It is
// made without the lock, because the pool may wait for the lock when it claims the task.
func (h *Handle) spareChannel() chan struct{} {
	if s := h.word.State(); s == ended || s == running || h.word.Extras() {
		return nil
	}
	return make(chan struct{})
}

// channelLocked returns the channel in a field of h. If there is none, it sets the field to
// spare or, if that is nil, to a new channel. The lock is held.
func (h *Handle) channelLocked(field *chan struct{}, spare chan struct{}) chan struct{} {
	if *field == nil {
		if spare == nil {
			spare = make(chan struct{})
		}
		*field = spare
		h.word.MarkExtras()
	}
	return *field
}

// Done returns a channel that is closed when the task has ended. It will not run again,
// [Handle.Err] is final, and the name is free or has passed to the task that waited for it.
func (h *Handle) Done() <-chan struct{} {
	if done, _ := h.outcome(); done != nil {
		return done
	}
	return closed
}

// Err returns the error of a task that has ended. It returns nil before the end, and if
// the last execution succeeded. Otherwise the error wraps what Execute returned last, a
// [*PanicError] or [ErrGoexit]; and the reason for the end, if there is another one:
// [ErrCancelled], [ErrReplaced], [ErrStopped], [ErrGroupFailed], [ErrTimeout],
// [ErrQueueTimeout], [ErrDeadlineExceeded], [ErrDropped], [ErrShed] or
// [ErrRestartsExhausted].
func (h *Handle) Err() error {
	h.word.Lock()
	defer h.word.Unlock()
	if h.word.State() != ended {
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
		return fmt.Errorf("taskmanager: wait for %q: %w", h.name, bare(err))
	}
	defer back()
	select {
	case <-done:
		return h.Err()
	case <-ctx.Done():
		return fmt.Errorf("taskmanager: wait for %q: %w", h.name, bare(cause.Of(ctx)))
	}
}

// over reports whether the task has ended.
func (h *Handle) over() bool { return h.word.Over() }

// moved is called by the table of names when the place of the task changes. It returns false
// if the task has ended, and left the table with its old place.
func (h *Handle) moved(to names.Place) bool {
	h.word.Lock()
	defer h.word.Unlock()
	if h.word.State() == ended {
		return false
	}
	h.place = to
	return true
}

// outcome returns the error of a task that has ended, and for any other task a channel
// that is closed at its end.
func (h *Handle) outcome() (done <-chan struct{}, err error) {
	if h.word.OverWithoutExtras() { // the usual case, in which the cache line is only read
		return nil, nil
	}
	made := h.spareChannel()
	h.word.Lock()
	defer h.word.Unlock()
	if h.word.State() == ended {
		return nil, h.failureLocked()
	}
	return h.channelLocked(&h.done, made), nil
}

// Cancel cancels the task. A task that is queued or not yet due ends at once. If the task
// is running, its context ends with [ErrCancelled] as the cause, and the task ends when
// Execute returns. It does not restart. Cancel does not wait, and has no effect on a task
// that has ended.
func (h *Handle) Cancel() { h.m.cancel(h, ErrCancelled) }

// entryLocked returns the alarm of a delayed task. The lock is held.
func (h *Handle) entryLocked() *alarm {
	if r := h.retryLocked(); r != nil {
		return r.entry
	}
	return h.cfg.delayed.entry
}

// dueLocked returns the time, since the manager's epoch, at which a delayed task will be
// queued, or zero for a task that only waits behind another one. The lock is held.
func (h *Handle) dueLocked() time.Duration {
	if r := h.retryLocked(); r != nil {
		return r.due
	}
	if h.cfg == nil || h.cfg.delayed == nil {
		return 0
	}
	return h.cfg.delayed.due
}

// stage orders tasks by how far they are: waiting for room, waiting to run, or
// further.
func (h *Handle) stage() int {
	switch h.word.State() {
	case admitting:
		return 0
	case queued, delayed:
		return 1
	default:
		return 2
	}
}
