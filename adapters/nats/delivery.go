package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// delivery is one delivery of a task to this process: from its arrival until it is settled, that is, until the
// server knows how it ended, or the worker has given up its lease.
type delivery struct {
	w         *Worker
	k         *kind
	source    *source
	msg       *natsgo.Msg
	seq       uint64    // of the task in the stream
	delivered uint64    // how often it has been delivered, from 1
	stored    time.Time // by the server's clock
	env       envelope
	fault     error // why env is not valid
	fresh     bool  // the first delivery of a task that has no history

	// Its goroutine owns these: the one that prepares it, then the worker that runs it, then the one that
	// settles it. Each hands over through the manager.
	hist               history
	rev                uint64 // of the stored history; 0: none is known
	read               bool   // whether the history was looked up
	slot               *slot  // of its key
	began              bool   // whether it has been executed
	ended              bool   // whether its context had ended when the execution returned
	stopped, cancelled bool   // whether the error of the handler itself says so, as that of another task may
	span               trace.SpanContext
	result             []byte

	progress atomic.Pointer[progress]

	// The mutex of the worker guards these.
	lease  lease
	ack    string              // the subject on which the delivery is settled
	handle *taskmanager.Handle // once it is submitted
	cause  error               // why it was cancelled by this package; the first reason counts
	lost   bool                // the lease is over, or given up: nothing is settled any more
	over   bool                // it is executed no more: its lease is kept for the settlement
	again  uint64              // the number of a further delivery that this one has taken over; see admit
	away   bool                // it is given back: this process does not have the task any more
	alone  bool                // it has the token of Client.alone

	// sealed is set before the delivery is given back: an extension of the lease that came later would
	// delay the next delivery. sending guards it and orders the messages about the delivery.
	sending sync.Mutex
	sealed  bool
}

// Times within which things happen at a delivery.
const (
	newerDelay  = 30 * time.Second // for tasks of a newer format
	decodeDelay = 5 * time.Second
	decodeTries = 3
	takenDelay  = 5 * time.Second // at most, if the name is taken in this process
	fullDelay   = 250 * time.Millisecond
	holdFor     = 250 * time.Millisecond // how long a task that is not due is held rather than given back, at most
)

// take handles a task that has arrived. It runs on the goroutine of the subscription, so it must not
// wait; what has to wait gets a goroutine.
func (w *Worker) take(d *delivery, polled bool) {
	d.env, d.fault = w.c.parse(d.msg.Subject, d.msg.Header)
	if d.fault == nil && d.env.Name == "" {
		d.fault = taskmanager.ErrEmptyName
	}
	if d.fault != nil {
		d.repairEnvelope()
	}
	simple := d.fault == nil && d.fresh && d.k.build == nil &&
		(d.k.keyLimit == 0 || d.env.Key == "") && d.env.NotBefore.IsZero() && d.env.Deadline.IsZero() && d.env.QueueTimeout == 0
	surplus := !polled && !w.hasRoom()
	why := w.admit(d)
	if why == adopted {
		return
	}
	if why == admitted && simple && !surplus {
		d.hist = d.hist.account(1, false, w.c.cfg.crashes)
		w.submit(d)
		return
	}
	w.transit.Add(1)
	w.spawn(func() {
		defer w.arrived()
		d.prepare(why, surplus)
	})
}

// arrived ends the transit of a delivery: it is submitted, or needs no room.
func (w *Worker) arrived() {
	w.transit.Add(-1)
	w.puller.signal()
}

// repairEnvelope sets what is needed to give a task back or to bury it that cannot be parsed.
func (d *delivery) repairEnvelope() {
	level, kind, name, err := d.w.c.parseSubject(d.msg.Subject)
	if err != nil || name == "" { // the consumer matches subjects of this form only, but their tokens may be wrong
		level, kind, name = Normal, d.k.name, d.msg.Subject
	}
	id := d.msg.Header.Get(headID)
	if id == "" {
		id = fmt.Sprintf("#%d", d.seq)
	}
	d.env = envelope{ID: id, Level: level, Kind: kind, Name: name}
}

// admission says what happens to a delivery that has arrived.
type admission int

const (
	admitted  admission = iota
	turnedOff           // the worker drains
	cancelled           // somebody has cancelled the task
	doubled             // this process still runs the task after an earlier delivery, whose lease is lost
	adopted             // an earlier delivery goes on with the lease of this one, which is over
)

// admit registers a delivery, whose lease is kept from now on.
//
// The server may deliver a task again that this process has: if the consumer was made again, or an
// acknowledgement is on its way. The delivery that is here goes on then, since what settles one settles the
// other too.
func (w *Worker) admit(d *delivery) admission {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := d.env.ID
	earlier := w.byID[id]
	_, marked := w.cancels[id]
	switch {
	case earlier == nil || earlier.away:
		w.byID[id] = d
	case earlier.seq == d.seq && !earlier.lost && !earlier.lease.over(time.Now()):
		earlier.again = max(earlier.again, d.delivered)
		earlier.ack = d.ack // a consumer that was made again does not know the other one
		earlier.lease.confirm(d.lease.from)
		return adopted
	}
	w.held[d] = struct{}{}
	switch {
	case w.draining:
		return turnedOff
	case marked:
		return cancelled
	case w.byID[id] != d:
		return doubled
	}
	return admitted
}

// prepare decides what happens to a delivery, on a goroutine of its own.
func (d *delivery) prepare(why admission, surplus bool) {
	w := d.w
	ctx := w.life
	if !d.learn(ctx) {
		return
	}
	delayed := !d.env.NotBefore.IsZero()
	back := d.hist.wentBack(d.delivered)
	d.hist = d.hist.account(d.delivered, delayed, w.c.cfg.crashes)
	if back {
		if err := d.writeHistory(ctx); err != nil {
			w.logs.errorf("count", "%s", crashesLost(d, err))
		}
	}
	now := w.c.clock.now()
	due := d.due()
	_, newer := errors.AsType[*versionError](d.fault)
	switch {
	case why == cancelled:
		d.finishCancelled(ctx, "cancelled before it ran")
	case newer:
		w.logs.errorf("version", "nats: task %s is given back: %s", quote(d.env.Name), clean(d.fault.Error(), errorLimit))
		d.giveBack(ctx, newerDelay)
	case d.hist.Dead != "":
		d.bury(ctx, d.hist.Dead)
	case d.fault != nil:
		d.undecodable(ctx, d.fault)
	case d.hist.Crashes >= w.c.cfg.crashes:
		d.bury(ctx, crashError(d.hist.Crashes).Error())
	case !d.env.Deadline.IsZero() && !now.Before(d.env.Deadline):
		d.bury(ctx, reasonDeadline)
	case d.patience(now) <= 0:
		d.bury(ctx, reasonQueueTimeout)
	case why == turnedOff, why == admitted && surplus && due.Sub(now) <= 0:
		d.giveBack(ctx, 0)
	case due.Sub(now) > d.holdable():
		d.postpone(ctx, due.Sub(now))
	case why == doubled:
		d.giveBack(ctx, d.takenWait())
	case !pause(ctx, due.Sub(now)):
		d.giveBack(ctx, due.Sub(w.c.clock.now()))
	default:
		d.start(ctx)
	}
}

// holdable returns how long a task that is not due is held, which spares giving it back.
func (d *delivery) holdable() time.Duration { return min(holdFor, d.w.c.cfg.lease/10) }

// takenWait returns how long to wait for the end of an earlier execution in this process.
func (d *delivery) takenWait() time.Duration { return min(takenDelay, d.w.c.cfg.lease/4) }

// due returns the time at which the task may run, on the server's clock.
func (d *delivery) due() time.Time {
	due := d.env.NotBefore
	if d.hist.NotBefore > 0 {
		due = later(due, time.Unix(0, d.hist.NotBefore))
	}
	return due
}

// waiting returns the time from which the wait of the task counts, on the server's clock: until its
// first execution, whatever it was given back for, it has waited since it was stored, or since it was due first.
func (d *delivery) waiting() time.Time {
	if d.hist.State.Attempts > 0 {
		return later(d.stored, d.due())
	}
	return later(d.stored, d.env.NotBefore)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// patience returns how long the task may still wait for its first start, and a positive number if it
// may wait for ever or has started.
func (d *delivery) patience(now time.Time) time.Duration {
	if d.env.QueueTimeout == 0 || d.hist.State.Attempts > 0 || d.env.NotBefore.After(now) {
		return time.Hour
	}
	return d.env.QueueTimeout - now.Sub(d.waiting())
}

// learn looks up the history of the task. It returns false if the delivery is over.
func (d *delivery) learn(ctx context.Context) bool {
	for wait := firstBackoff; ; wait = min(2*wait, mostBackoff) {
		if d.fresh {
			return true
		}
		err := d.readHistory(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, errSuperseded) {
			d.w.logs.errorf("read", "%s", clean(err.Error(), errorLimit))
		}
		// Without the history the task cannot run, since it may not be due, and cannot be given back, which
		// would count as a crash. So the lease is kept until the history is known.
		if errors.Is(err, errSuperseded) || d.gone() || !pause(ctx, wait) {
			d.w.release(d)
			return false
		}
	}
	if !d.gone() {
		return true
	}
	d.w.release(d)
	d.excuse(ctx)
	return false
}

// settleSubject returns the subject on which the delivery is settled.
func (d *delivery) settleSubject() string {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	return d.ack
}

// gone reports whether the lease is lost. It looks at the time: a process that was paused may come
// here before the regular check. Nothing is settled then, since another worker may have the task.
func (d *delivery) gone() bool {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	d.lost = d.lost || d.lease.over(time.Now())
	return d.lost
}

// stale handles a delivery that has waited for so long in a buffer, since the process was paused or the
// network was blocked, that its lease may be over. It is neither run nor given back: another worker may have the task.
func (w *Worker) stale(d *delivery) {
	if d.env, d.fault = w.c.parse(d.msg.Subject, d.msg.Header); d.fault != nil {
		return
	}
	w.logs.errorf("stale", "nats: task %s has arrived too late, so it is not run here", quote(d.env.Name))
	w.spawn(func() { d.excuse(w.life) })
}

// start takes a slot of the key, makes the task and submits it. A suspect waits for other suspects.
func (d *delivery) start(ctx context.Context) {
	if d.isSuspect() && !d.goAlone() {
		d.hist.Tries++
		d.giveBack(ctx, slotWait(d.hist.Tries))
		return
	}
	if d.k.keyLimit > 0 && d.env.Key != "" {
		if ok, err := d.takeSlot(ctx); !ok {
			d.waitForSlot(ctx, err)
			return
		}
	}
	d.w.submit(d)
}

// submit passes a delivery to the manager.
func (w *Worker) submit(d *delivery) {
	j := job{d: d}
	if d.k.build != nil {
		inner, err := d.k.build(d)
		if err != nil {
			d.undecodable(w.life, err)
			return
		}
		j.inner = inner
	}
	h, err := w.m.TrySubmit(d.context(), j, d.options()...)
	if err != nil {
		w.spawn(func() { d.refused(err) })
		return
	}
	w.mu.Lock()
	d.handle = h
	cause := d.cause
	w.mu.Unlock()
	if cause != nil {
		h.CancelCause(cause)
	}
}

// context returns the context of the submit: the span of the submitter is current in it, even if it
// is in another process, and the execution before is linked.
func (d *delivery) context() context.Context {
	ctx := context.WithValue(context.Background(), deliveryKey{}, d)
	if d.env.Trace != nil {
		ctx = propagator.Extract(ctx, carrier(d.env.Trace))
	}
	if d.hist.Trace != "" {
		ctx = observe.ContextWithPrevious(ctx, spanOf(d.hist.Trace))
	}
	return ctx
}

// options returns the options of the submit.
func (d *delivery) options() []taskmanager.TaskOption {
	opts := make([]taskmanager.TaskOption, 0, 6)
	opts = append(opts,
		taskmanager.WithOrigin(d.hist.origin(d.w.c.clock.toLocal(d.waiting()))),
		taskmanager.WithOnEnd(d.onEnd))
	if d.k.policy != nil {
		opts = append(opts, taskmanager.WithRestart(d.k.policy))
	}
	if d.env.Timeout > 0 {
		opts = append(opts, taskmanager.WithTimeout(d.env.Timeout))
	}
	if !d.env.Deadline.IsZero() {
		opts = append(opts, taskmanager.WithDeadline(d.w.c.clock.toLocal(d.env.Deadline)))
	}
	if d.env.QueueTimeout > 0 && d.hist.State.Attempts == 0 {
		opts = append(opts, taskmanager.WithQueueTimeout(max(d.patience(d.w.c.clock.now()), time.Millisecond)))
	}
	return opts
}

// refused handles a delivery that the manager did not accept.
func (d *delivery) refused(err error) {
	ctx := d.w.life
	switch {
	case errors.Is(err, taskmanager.ErrStopped):
		d.giveBack(ctx, 0)
	case errors.Is(err, taskmanager.ErrAlreadyExists): // an execution that has lost its lease, or a task of the program
		d.hist.Tries++
		d.hist.Err = clean(err.Error(), errorLimit)
		d.giveBack(ctx, d.takenWait())
	case errors.Is(err, taskmanager.ErrQueueFull):
		d.giveBack(ctx, fullDelay)
	case errors.Is(err, taskmanager.ErrDeadlineExceeded):
		d.bury(ctx, err.Error())
	default: // a method of a task of HandleTask failed
		d.undecodable(ctx, err)
	}
}

// begin is called when an execution begins.
func (d *delivery) begin(ctx context.Context) {
	d.began = true
	d.span = trace.SpanContextFromContext(ctx)
}

// returned is called when an execution has returned err.
func (d *delivery) returned(ctx context.Context, err error) {
	d.ended = ctx.Err() != nil
	d.stopped = errors.Is(err, taskmanager.ErrStopped)
	d.cancelled = errors.Is(err, taskmanager.ErrCancelled) || errors.Is(err, taskmanager.ErrReplaced)
}

// stop cancels the execution of a delivery for a reason.
func (d *delivery) stop(reason error) {
	d.w.mu.Lock()
	if d.cause == nil {
		d.cause = reason
	}
	h := d.handle
	d.w.mu.Unlock()
	if h != nil {
		h.CancelCause(reason)
	}
}
