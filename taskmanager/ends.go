package taskmanager

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/seed56799101/taskmanager/observe"
)

// Counts holds the numbers of tasks since the start of a manager, by their outcome, and of the
// outstanding tasks by their state. Each accepted task is outstanding, and counts under exactly
// one state, or has ended, and counts under exactly one outcome. A task counts before its end
// becomes visible, so a goroutine that knows of the end finds it counted.
type Counts struct {
	// Accepted is the number of tasks whose submit succeeded. A submit that is under way,
	// for example one that waits for room, counts until it is refused.
	Accepted uint64 `json:"accepted"`
	// Succeeded is the number of tasks that ended without an error.
	Succeeded uint64 `json:"succeeded"`
	// Failed is the number of tasks whose last execution failed: with an error, a panic or
	// a Goexit. A crash counts as a failure even if the task had been cancelled.
	Failed uint64 `json:"failed"`
	// Cancelled is the number of tasks that were cancelled: by name, by handle, by a linked
	// context or by their group.
	Cancelled uint64 `json:"cancelled"`
	// Stopped is the number of tasks that Stop, or a Drain that was cut short, cancelled.
	Stopped uint64 `json:"stopped"`
	// TimedOut is the number of tasks that exceeded a limit: of [WithTimeout] in their last
	// execution, of [WithQueueTimeout], or of [WithDeadline].
	TimedOut uint64 `json:"timed_out"`
	// Dropped is the number of tasks that the overflow policy dropped, or that the
	// discipline failed to queue.
	Dropped uint64 `json:"dropped"`
	// Shed is the number of tasks that the discipline gave up, having waited for too long.
	Shed uint64 `json:"shed"`
	// HandedOver is the number of tasks that ended with a [*HandedOver].
	HandedOver uint64 `json:"handed_over"`

	// Running is the number of tasks that a worker or their submitter runs, with those that are
	// [Blocked].
	Running uint64 `json:"running"`
	// Delayed is the number of tasks that wait for their first time, or to run again after [NotYet];
	// see [WithDelay].
	Delayed uint64 `json:"delayed"`
	// Restarting is the number of tasks that wait out the delay of a restart. If a restart has no
	// delay, or it has passed, the task is queued.
	Restarting uint64 `json:"restarting"`
	// Queued is the number of the other outstanding tasks: they wait for a worker, for room in the
	// queue, or behind another task of their name; see [WithRerun].
	Queued uint64 `json:"queued"`
}

// Ended returns the number of tasks that have ended.
func (c Counts) Ended() uint64 {
	return c.Succeeded + c.Failed + c.Cancelled + c.Stopped + c.TimedOut + c.Dropped + c.Shed + c.HandedOver
}

// Outstanding returns the number of tasks that have not ended: the sum of Running, Delayed,
// Restarting and Queued.
func (c Counts) Outstanding() uint64 { return c.Accepted - c.Ended() }

// Counts returns the numbers of accepted tasks and of their outcomes, and those of outstanding
// tasks by state. The first ones are exact, and never decrease, except for Accepted; see there.
// While tasks are submitted, change their state or end, the numbers may be of slightly different
// moments, but none is negative, and those by state add up to Outstanding. Counts takes constant
// time, however many tasks there are.
func (m *TaskManager) Counts() Counts {
	// In this order, so that no task is counted as ended or refused and not as added.
	sums := m.ends.sums()
	refused := m.refused.Load()
	c := Counts{
		Accepted:  m.names.Added() - refused,
		Succeeded: sums[outcomeSuccess],
		Failed:    sums[outcomeFailure],
		Cancelled: sums[outcomeCancelled],
		Stopped:   sums[outcomeStopped],
		TimedOut:  sums[outcomeTimedOut],
		Dropped:   sums[outcomeDropped],
		Shed:      sums[outcomeShed],

		HandedOver: sums[outcomeHandedOver],
	}
	m.countStates(&c)
	return c
}

// countStates sets the numbers of outstanding tasks by state. They are of other moments than their
// sum, which limits them.
//
// Only tasks that are delayed are counted one by one, since the delay is rare and dear anyway. The
// pool knows how many run. A worker may be busy for a task that has ended, with its logger for
// example; so the tasks in the queue, which the pool knows too, limit those that run.
func (m *TaskManager) countStates(c *Counts) {
	delays, restarts, pool := m.postponed.Load(), m.restarting.Load(), m.pool.Snapshot()
	rest := c.Outstanding()
	take := func(n int64) (taken uint64) {
		taken = min(uint64(max(n, 0)), rest)
		rest -= taken
		return taken
	}
	c.Delayed, c.Restarting = take(delays), take(restarts)
	waiting := take(int64(pool.Queued + pool.Blocked))
	c.Running = take(int64(pool.Busy + pool.Inline + pool.Lent))
	c.Queued = waiting + rest
}

// delayLocked makes the task wait for its time. A task behind another one of its name, whose state is
// delayed too, does not count. The lock of h is held.
func (h *Handle) delayLocked() {
	h.word.Set(delayed)
	h.delaysLocked().Add(1)
}

// endDelayLocked notes that the task no longer waits for its time, before its state changes. The lock
// of h is held.
func (h *Handle) endDelayLocked() { h.delaysLocked().Add(-1) }

// delaysLocked returns the number of tasks that wait as h does.
func (h *Handle) delaysLocked() *atomic.Int64 {
	if r := h.retryLocked(); r != nil && r.restarting {
		return &h.m.restarting
	}
	return &h.m.postponed
}

// outcome is how a task ends.
type outcome uint8

const (
	outcomeUnknown outcome = iota // follows from the error and the cancellation of the task
	outcomeSuccess
	outcomeFailure
	outcomeCancelled
	outcomeStopped
	outcomeTimedOut
	outcomeDropped
	outcomeShed
	outcomeHandedOver

	outcomes // the number of outcomes
)

// outcomeNames are the outcomes for observers.
var outcomeNames = [outcomes]observe.Outcome{
	outcomeSuccess:   observe.Success,
	outcomeFailure:   observe.Failure,
	outcomeCancelled: observe.Cancelled,
	outcomeStopped:   observe.Stopped,
	outcomeTimedOut:  observe.TimedOut,
	outcomeDropped:   observe.Dropped,
	outcomeShed:      observe.Shed,

	outcomeHandedOver: observe.HandedOver,
}

// tally counts ends by outcome. A worker adds to a part of its own, so that workers do not
// exchange cache lines.
type tally struct {
	parts [tallyParts]struct {
		n [outcomes]atomic.Uint64
		_ [128 - 8*outcomes]byte // no two parts on one pair of cache lines
	}
}

// tallyParts is the number of workers that can end tasks without contention.
const tallyParts = 32

// add counts an end on the given worker.
func (t *tally) add(worker int32, how outcome) {
	t.parts[uint32(worker)%tallyParts].n[how].Add(1) //nolint:gosec // any part will do
}

// sums returns the numbers of ends by outcome.
func (t *tally) sums() (sums [outcomes]uint64) {
	for i := range t.parts {
		for how := range sums {
			sums[how] += t.parts[i].n[how].Load()
		}
	}
	return sums
}

// outcomeLocked returns how a task ends that ends with err. The lock of h must be held.
func (h *Handle) outcomeLocked(err error) outcome {
	if err == nil {
		return outcomeSuccess
	}
	t := h.trouble
	switch {
	case t == nil:
		return outcomeFailure
	case t.how != outcomeUnknown && t.how != outcomeTimedOut:
		return t.how
	case t.cancelled == nil && t.how == outcomeTimedOut:
		return outcomeTimedOut
	case t.cancelled == nil:
		return outcomeFailure
	case exactly(t.cancelled, ErrStopped):
		return outcomeStopped
	case exactly(t.cancelled, ErrQueueTimeout), exactly(t.cancelled, ErrDeadlineExceeded):
		return outcomeTimedOut
	}
	return outcomeCancelled
}

// noteOutcomeLocked notes how a task ends if the pool gives it up or refuses it. The lock of h
// must be held.
func (h *Handle) noteOutcomeLocked(reason error) {
	how := outcomeDropped
	switch {
	case exactly(reason, ErrStopped):
		how = outcomeStopped
		h.noteCancelLocked(reason) // its group asks for that
	case exactly(reason, ErrShed):
		how = outcomeShed
	}
	h.inTroubleLocked().how = how
}

// noteFailureLocked notes the error of an execution, and what it means for the outcome of
// the task, unless the task restarts. late says that it exceeded [WithTimeout]. The lock of h
// must be held.
func (h *Handle) noteFailureLocked(err error, late bool) {
	t := h.inTroubleLocked()
	t.err, t.how = err, outcomeUnknown
	switch {
	case t.cancelled != nil && crashed(err):
		t.how = outcomeFailure // it may be a bug in how the task handles cancellation
	case late:
		t.how = outcomeTimedOut
	}
}

// report records that an accepted task ends with err, and tells observers. The caller owns the
// state of the task.
func (m *TaskManager) report(h *Handle, err error) {
	if err != nil { // otherwise Counts could have another outcome, after a cancellation during the reports
		h.word.Lock()
		h.inTroubleLocked().reported = true
		h.word.Unlock()
	}
	m.record(h, err)
	waited := m.restartOver(h, err)
	if h.word.Observers() != 0 {
		m.observeTaskEnd(h, err, waited)
	}
}

// observeTaskEnd tells observers that an accepted task ends with err. The caller owns the
// state of the task. waited says that the task ends while it waits for its restart, which
// observers of restarts know.
func (m *TaskManager) observeTaskEnd(h *Handle, err error, waited bool) {
	h.word.Lock()
	e := observe.End{
		Task: m.subjectLocked(h), Err: err, Outcome: outcomeNames[h.outcomeLocked(err)],
		Attempts: h.attemptLocked(), Type: h.endTypeLocked(err),
	}
	if !h.word.Begun() {
		e.Attempts--
		e.Waiting = !waited
	}
	if e.Waiting {
		e.Waited = m.now() - h.queuedAt
	}
	values := h.ctxLocked().Lazy().Values()
	h.word.Unlock()
	set := m.observersOf(h)
	if set.end == nil {
		return
	}
	set.inform(values, h, func(values context.Context) context.Context {
		for _, o := range set.end {
			m.tell(userCall{taskEndedCall, o, h.name}, func() { o.TaskEnded(values, e) })
		}
		return values
	})
}

// endTypeLocked returns the type of the error with which a task ends, for observers. The lock of h
// must be held.
func (h *Handle) endTypeLocked(err error) string {
	switch how := h.outcomeLocked(err); how {
	case outcomeTimedOut:
		return observe.TypeTimeout
	case outcomeFailure:
		last := h.failureLocked()
		if _, panicked := last.(*PanicError); panicked { //nolint:errorlint // made by the pool, never wrapped
			return observe.TypePanic
		}
		if exactly(last, ErrGoexit) {
			return observe.TypeGoexit
		}
	case outcomeDropped:
		if _, panicked := errors.AsType[*PanicError](err); panicked { // of the discipline
			return observe.TypePanic
		}
	}
	return ""
}
