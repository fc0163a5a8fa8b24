package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Why a task is dead that was not run.
var (
	reasonDeadline     = "nats: not run in time: " + taskmanager.ErrDeadlineExceeded.Error()
	reasonQueueTimeout = "nats: not run in time: " + taskmanager.ErrQueueTimeout.Error()
)

// The texts that settle a delivery.
var (
	ackMark  = []byte("+ACK")
	termMark = []byte("+TERM")
)

const (
	// mostDelay bounds the delays that the server is asked for. A task that is delivered before it is due is
	// given back again.
	mostDelay = 365 * 24 * time.Hour
	// settleTimeout bounds each request that settles a delivery.
	settleTimeout = 5 * time.Second
	// settlePatience is how long something is tried that settles a delivery, while the server is away or
	// servers elect a leader. refusedPatience is the same for a server that refuses it. That one is short: a
	// server that is full may have no room until just these tasks are removed.
	settlePatience  = time.Minute
	refusedPatience = 10 * time.Second
)

// insist calls fn, which does no harm twice, until it succeeds, or there is no hope. The lease is extended
// meanwhile. The error is ErrLeaseLost if the task may belong to another worker.
func (d *delivery) insist(ctx context.Context, fn func(ctx context.Context) error) error {
	began := time.Now()
	for wait := firstBackoff; ; wait = min(2*wait, mostBackoff) {
		if d.gone() {
			return ErrLeaseLost
		}
		err := fn(ctx)
		if err == nil {
			return nil
		}
		patience := refusedPatience
		if transient(err) || notEnabled(err) || errors.Is(err, context.DeadlineExceeded) {
			patience = settlePatience
		}
		if time.Since(began)+wait > patience || !pause(ctx, wait) {
			return err
		}
	}
}

// onEnd is called by the manager when the task has ended here, on the goroutine of the worker as a
// rule, which must not wait.
func (d *delivery) onEnd(h *taskmanager.Handle) {
	w := d.w
	w.ends.mu.Lock()
	w.ends.list = append(w.ends.list, end{d, h.Err()})
	first := len(w.ends.list) == 1
	w.ends.mu.Unlock()
	if first {
		select {
		case w.ends.ready <- struct{}{}:
		default:
		}
	}
}

// end is a task that has ended here with an error or nil.
type end struct {
	d   *delivery
	err error
}

// settleEnds settles what ends, until stop is closed and all has ended.
func (w *Worker) settleEnds(stop <-chan struct{}) {
	var spare []end
	for {
		select {
		case <-w.ends.ready:
		case <-stop:
			return
		}
		w.ends.mu.Lock()
		list := w.ends.list
		w.ends.list = spare[:0]
		w.ends.mu.Unlock()
		for _, e := range list {
			e.d.settle(e.err)
		}
		clear(list)
		spare = list
	}
}

// settle tells the server how a task has ended here. It must not wait.
func (d *delivery) settle(err error) {
	w := d.w
	w.mu.Lock()
	if _, held := w.held[d]; held { // it was not given up
		w.ended++
	}
	d.over = true
	d.lost = d.lost || d.lease.over(time.Now())
	lost, cause := d.lost, d.cause
	w.mu.Unlock()
	if !lost && err == nil && d.env.Result == 0 && d.rev == 0 && d.slot == nil {
		if !w.puller.hold(d) {
			d.acknowledge()
		}
		return
	}
	w.spawn(func() { d.conclude(w.life, err, lost, cause) })
}

// acknowledge removes the task from the stream. It is repeated until the server has confirmed it: an
// acknowledgement that is lost would mean another execution.
func (d *delivery) acknowledge() {
	d.w.asks.send(&natsgo.Msg{Subject: d.settleSubject(), Data: ackMark}, settleTimeout, func(answer *natsgo.Msg) {
		if answer != nil {
			d.w.release(d)
		} else {
			d.w.spawn(func() { d.remove(d.w.life, ackMark) })
		}
	})
}

// conclude settles a delivery on a goroutine of its own.
func (d *delivery) conclude(ctx context.Context, err error, lost bool, cause error) {
	again, restarts := err.(*taskmanager.HandedOver) //nolint:errorlint // one that a handler has wrapped is not of this task
	_, unreadable := errors.AsType[*decodeError](err)
	switch {
	case lost:
		d.w.release(d)
		d.excuse(ctx)
	case err == nil:
		d.storeOutcome(ctx, outcome{Out: d.result})
		d.remove(ctx, ackMark)
	case restarts:
		d.handOver(ctx, again.State)
	case d.cancelledBy(err) && errors.Is(cause, ErrDraining), d.interrupted(err):
		if d.began {
			d.hist.State.Attempts++
		}
		d.giveBack(ctx, 0)
	case !d.began && (errors.Is(err, taskmanager.ErrDropped) || errors.Is(err, taskmanager.ErrShed)):
		d.giveBack(ctx, time.Second)
	case d.cancelledBy(err), errors.Is(err, taskmanager.ErrCancelled) && errors.Is(cause, taskmanager.ErrCancelled):
		d.finishCancelled(ctx, err.Error())
	case unreadable:
		d.undecodable(ctx, err)
	default:
		d.bury(ctx, err.Error())
	}
}

// cancelledBy reports whether err means that the task was cancelled here, and not that the handler
// returned the error of another task.
func (d *delivery) cancelledBy(err error) bool {
	is := errors.Is(err, taskmanager.ErrCancelled) || errors.Is(err, taskmanager.ErrReplaced)
	return is && (!d.began || d.ended || !d.cancelled)
}

// interrupted reports whether err means that the end of the manager ended the task.
func (d *delivery) interrupted(err error) bool {
	return errors.Is(err, taskmanager.ErrStopped) && (!d.began || d.ended || !d.stopped)
}

// handOver gives a task back that is to run again.
func (d *delivery) handOver(ctx context.Context, s restart.State) {
	now := d.w.c.clock.now()
	d.hist.State, d.hist.Crashes, d.hist.Tries, d.hist.Decodes = s, 0, 0, 0
	d.hist.Err = s.LastError
	d.hist.Trace = traceparent(d.span)
	d.hist.NotBefore = unixNano(now.Add(s.Delay))
	d.nak(ctx, s.Delay)
}

// giveBack gives a task back as it is, for a later delivery.
func (d *delivery) giveBack(ctx context.Context, delay time.Duration) {
	if delay > 0 {
		d.hist.NotBefore = unixNano(d.w.c.clock.now().Add(delay))
	}
	d.nak(ctx, delay)
}

// postpone gives a task back that is not due. At its first delivery, a task that was stored with a
// delay needs no record for that: see crashesSince.
func (d *delivery) postpone(ctx context.Context, delay time.Duration) {
	if d.delivered > 1 || d.rev > 0 || d.env.NotBefore.IsZero() {
		d.nak(ctx, delay)
		return
	}
	d.sendNak(ctx, delay)
	d.w.release(d)
}

// nak stores the history and gives the delivery back. The order matters: a delivery that is given
// back without a record counts as a crash. So it tries for some time if the server is full, or away: not for
// long, since the program may be about to end.
func (d *delivery) nak(ctx context.Context, delay time.Duration) {
	defer d.w.release(d)
	superseded := false
	short, stop := context.WithTimeout(ctx, refusedPatience)
	err := d.insist(short, func(ctx context.Context) error {
		err := d.writeHistory(ctx)
		if superseded = errors.Is(err, errSuperseded); superseded {
			return nil
		}
		return err
	})
	stop()
	switch {
	case superseded: // the message does not exist any more
	case err == nil:
		d.sendNak(ctx, delay)
	case errors.Is(err, ErrLeaseLost):
		d.w.release(d)
		d.excuse(ctx)
	default:
		d.w.logs.errorf("nak", "nats: task %s cannot be given back, so it runs when its lease has ended: %s", quote(d.env.Name), clean(err.Error(), errorLimit))
	}
}

// sendNak asks the server to deliver the task again after a delay. It is sent once: a second one
// could take the task away from the next worker.
func (d *delivery) sendNak(ctx context.Context, delay time.Duration) {
	d.sending.Lock()
	d.sealed = true
	d.sending.Unlock()
	d.w.mu.Lock()
	_, marked := d.w.cancels[d.env.ID]
	d.away = !marked
	d.w.mu.Unlock()
	switch {
	case d.gone():
		return
	case marked: // Cancel was told that this process has the task
		d.finishCancelled(ctx, "cancelled while it was given back")
		return
	}
	// A delay, even of 0, is stored with the consumer and so survives a restart of the server or a new
	// leader. Without one, the task would wait for the end of its lease after that.
	body := `-NAK {"delay": ` + strconv.FormatInt(int64(min(max(0, delay), mostDelay)), 10) + `}`
	if err := d.settleCall(ctx, []byte(body)); err != nil {
		d.w.logs.errorf("nak", "nats: the server has not confirmed that task %s is given back: %s", quote(d.env.Name), clean(err.Error(), errorLimit))
	}
}

// settleCall sends a message about the delivery and waits for the confirmation.
func (d *delivery) settleCall(ctx context.Context, body []byte) error {
	answered := make(chan bool, 1)
	d.w.asks.send(&natsgo.Msg{Subject: d.settleSubject(), Data: body}, settleTimeout, func(m *natsgo.Msg) { answered <- m != nil })
	select {
	case ok := <-answered:
		if !ok {
			return natsgo.ErrTimeout
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// remove removes a task that has ended, and its history. The message does no harm twice, so it is
// repeated until it is confirmed. If the lease is lost before, the task belongs to another worker,
// and so does its history.
func (d *delivery) remove(ctx context.Context, mark []byte) {
	defer d.w.release(d)
	err := d.insist(ctx, func(ctx context.Context) error { return d.settleCall(ctx, mark) })
	if err == nil {
		d.dropHistory(ctx)
		return
	}
	d.w.logs.errorf("end", "nats: task %s has ended, but the server did not confirm it, so it may run again: %s", quote(d.env.Name), clean(err.Error(), errorLimit))
	d.w.release(d)
	d.excuse(ctx)
}

// finishCancelled removes a task that was cancelled.
func (d *delivery) finishCancelled(ctx context.Context, text string) {
	d.storeOutcome(ctx, outcome{Err: clean(text, errorLimit), Cancelled: true})
	d.remove(ctx, termMark)
}

// undecodable gives a task back whose payload cannot be read: another version of the program may
// be able to. After some attempts it is dead.
func (d *delivery) undecodable(ctx context.Context, err error) {
	d.hist.Decodes++
	d.hist.Err = clean(err.Error(), errorLimit)
	if d.hist.Decodes > decodeTries {
		d.bury(ctx, fmt.Sprintf("%v (%d attempts, in case another worker could)", err, d.hist.Decodes))
		return
	}
	d.giveBack(ctx, decodeDelay)
}

// bury makes a dead letter of the task and removes it.
func (d *delivery) bury(ctx context.Context, reason string) {
	reason = clean(reason, errorLimit)
	err := d.insist(ctx, func(ctx context.Context) error { return d.storeDead(ctx, reason) })
	if d.gone() { // another worker may run it
		d.w.release(d)
		d.excuse(ctx)
		return
	}
	if err != nil {
		d.w.logs.errorf("bury", "nats: store the dead letter of task %s: %s", quote(d.env.Name), clean(err.Error(), errorLimit))
		d.hist.Dead = reason
		d.giveBack(ctx, decodeDelay)
		return
	}
	d.w.logs.errorf("dead "+d.k.name, "nats: task %s of kind %s is dead: %s", quote(d.env.Name), quote(d.k.name), reason)
	d.storeOutcome(ctx, outcome{Err: reason})
	d.remove(ctx, termMark)
}

// storeDead stores the dead letter of the task of a delivery.
func (d *delivery) storeDead(ctx context.Context, reason string) error {
	attempts := d.hist.State.Attempts
	if d.began {
		attempts++
	}
	return d.w.storeDead(ctx, deadTask{env: d.env, header: d.msg.Header, data: d.msg.Data, seq: d.seq, attempts: attempts, reason: reason})
}

// deadTask is what becomes a dead letter.
type deadTask struct {
	env      envelope
	header   natsgo.Header
	data     []byte
	seq      uint64 // of the task in the stream
	attempts int
	reason   string
}

// storeDead stores a dead letter.
func (w *Worker) storeDead(ctx context.Context, t deadTask) error {
	m := &natsgo.Msg{Subject: w.c.deadSubject(t.env.Kind, t.env.Name), Data: t.data, Header: natsgo.Header{}}
	for k, v := range t.header {
		if !strings.HasPrefix(k, "Nats-") {
			m.Header[k] = v
		}
	}
	m.Header.Set(headLevel, t.env.Level.token())
	m.Header.Set(headDeadReason, t.reason)
	m.Header.Set(headDeadAttempts, strconv.Itoa(t.attempts))
	m.Header.Set(headDeadProcess, w.id)
	// The same for each attempt to store this dead letter, and another one if the task is retried and dies again.
	m.Header.Set(headMsgID, "dead-"+t.env.ID+"-"+strconv.FormatUint(t.seq, 10))
	ctx, stop := context.WithTimeout(ctx, settleTimeout)
	defer stop()
	_, err := w.c.js.PublishMsg(ctx, m)
	if errors.Is(err, natsgo.ErrMaxPayload) { // a payload near the limit
		m.Header.Set(headDeadReason, clean(t.reason, 200))
		_, err = w.c.js.PublishMsg(ctx, m)
	}
	return err
}

// storeOutcome stores how the task has ended, for those who wait for it. An outcome that is there
// already is that of an earlier execution of the same task, and stays.
func (d *delivery) storeOutcome(ctx context.Context, o outcome) {
	if d.env.Result == 0 {
		return
	}
	o.Process = d.w.id
	err := d.insist(ctx, func(ctx context.Context) error { return d.createOutcome(ctx, o) })
	if err != nil && !errors.Is(err, ErrLeaseLost) { // another worker stores one
		d.w.logs.errorf("result", "nats: the result of task %s could not be stored; waits for it end without a result: %s", quote(d.env.Name), clean(err.Error(), errorLimit))
	}
}

func (d *delivery) createOutcome(ctx context.Context, o outcome) error {
	ctx, stop := context.WithTimeout(ctx, settleTimeout)
	defer stop()
	return d.w.c.putOutcome(ctx, d.env, o)
}

// excuse records that a delivery whose lease was lost was no crash of the process, if the server can be
// reached soon. It does not give the task back, which another worker may run.
func (d *delivery) excuse(ctx context.Context) {
	mine := d.hist
	if d.began {
		mine.State.Attempts++
	}
	d.w.mu.Lock()
	last := max(d.delivered, d.again)
	d.w.mu.Unlock()
	d.hist, d.read, d.rev, d.fresh = history{}, false, 0, false
	if err := d.readHistory(ctx); err != nil || d.hist.Deliveries > last || d.hist.Deliveries == last && !d.hist.Alone {
		return
	}
	// Perhaps the task has ended, here or elsewhere.
	if stored, err := d.w.c.hasTask(ctx, d.seq, d.env.Name); err != nil || !stored {
		return
	}
	if mine.Deliveries == d.delivered { // it was accounted for when it arrived
		d.hist = mine
	} else {
		d.hist = d.hist.account(d.delivered, !d.env.NotBefore.IsZero(), d.w.c.cfg.crashes)
	}
	if err := d.writeHistory(ctx); err != nil {
		d.w.logs.errorf("excuse", "%s", clean(err.Error(), errorLimit))
	}
}
