package nats

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/taskmanager"
)

const (
	sendTimeout    = 30 * time.Second // of a submit whose context has no deadline
	attemptTimeout = 2 * time.Second  // of the first attempt; later ones have twice that, and so on
	attemptMost    = 8 * time.Second
	firstPause     = 10 * time.Millisecond // between attempts that the server refuses for now
	pauseMost      = time.Second

	// If the server answers questions for that long, but not this one, it does not work.
	offMost     = 5 * time.Second // as to JetStream
	goneMost    = time.Second     // as to the stream, since a server that starts JetStream again knows none until it has read them
	stalledMost = 2               // attempts, as to a message that is to be stored
)

// attempts is the state of a request that is repeated until it has a definite answer.
//
// The same message may be stored at most once: it carries one id through all attempts, by which the server
// recognises it for two minutes, and longer while the task is stored. After that it is not sent again.
type attempts struct {
	c       *Client
	until   time.Time     // when to give up, if the context has no deadline
	timeout time.Duration // of the next attempt
	most    time.Duration // of any attempt
	wait    time.Duration // before the next attempt
	unknown bool          // an attempt was sent whose outcome is unknown
	since   time.Time     // when the first one of these was sent
	last    error         // of the last attempt
	subject string        // of the request; empty: there are several
	message *natsgo.Msg   // what is to be stored, or nil
	off     time.Time     // since when there is no JetStream; zero: there is
	gone    time.Time     // since when the server does not know the stream; zero: it does
	stalled int           // how often the server did not store the message, although it answers
}

func (c *Client) newAttempts(ctx context.Context) attempts {
	a := attempts{c: c, timeout: attemptTimeout, most: attemptMost, wait: firstPause}
	if _, ok := ctx.Deadline(); !ok {
		a.until = time.Now().Add(sendTimeout)
	}
	return a
}

// slowest is the rate in bytes a second at which a connection is expected to carry a large batch.
const slowest = 4 << 20

// allow gives each attempt the time for a number of bytes.
func (a *attempts) allow(bytes int) {
	extra := time.Duration(bytes) * (time.Second / slowest)
	a.timeout += extra
	a.most += extra
	if !a.until.IsZero() {
		a.until = a.until.Add(extra)
	}
}

// run calls fn until it has a definite answer, which it returns. A name that is taken is one.
func (a *attempts) run(ctx context.Context, fn func(ctx context.Context) error) error {
	for {
		if err := a.connected(ctx); err != nil {
			return err
		}
		if a.forgotten() {
			return a.definite(a.last)
		}
		sent := time.Now()
		err := a.once(ctx, fn)
		if err == nil || nameTaken(err) || hasCode(err, codeDuplicateBatch) {
			return err
		}
		before := a.unknown
		again, err := a.judge(ctx, err)
		if a.unknown && !before {
			a.since = sent
		}
		if !again {
			return err
		}
		if !a.pause(ctx) {
			return a.giveUp(ctx)
		}
	}
}

// forgotten reports whether the server may forget the id of an attempt with an unknown outcome before
// the next attempt has ended.
func (a *attempts) forgotten() bool {
	return a.unknown && time.Since(a.since) > dedupeWindow-attemptMost-a.timeout
}

// once makes one attempt, of limited duration.
func (a *attempts) once(ctx context.Context, fn func(ctx context.Context) error) error {
	timeout := a.timeout
	if !a.until.IsZero() {
		timeout = min(timeout, time.Until(a.until))
	}
	ctx, stop := a.c.limited(ctx, timeout)
	defer stop()
	return fn(ctx)
}

// judge says what an error of an attempt means: whether to try again, or else what to return.
func (a *attempts) judge(ctx context.Context, err error) (again bool, _ error) {
	a.last = err
	if errors.Is(err, natsgo.ErrNoResponders) || notEnabled(err) {
		return a.noResponders(ctx)
	}
	a.off = time.Time{}
	if hasCode(err, jetstream.JSErrCodeStreamNotFound) {
		return a.noStream(err)
	}
	a.gone = time.Time{}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return a.noAnswer(ctx)
	case errors.Is(err, context.Canceled), errors.Is(err, natsgo.ErrDisconnected): // the connection was lost
		a.unknown = true
		return true, nil
	case transient(err):
		return true, nil
	case errors.Is(err, natsgo.ErrMaxPayload):
		return false, wrapf("%w for the server; pass a reference to the data: %w", ErrTooLarge, err)
	case errors.Is(err, natsgo.ErrConnectionClosed), errors.Is(err, jetstream.ErrInvalidJSAck): // it was sent
		a.unknown = true
	}
	return false, a.definite(err)
}

// noResponders is the case that nobody listens to the subject: the stream was deleted or has no leader,
// or the server has ended JetStream. It may also say so, at the moment when it ends or starts it.
func (a *attempts) noResponders(ctx context.Context) (again bool, _ error) {
	began := time.Now()
	one, stop := a.c.limited(ctx, attemptTimeout)
	defer stop()
	_, err := a.c.js.Stream(one, a.c.cfg.namespace)
	// A cluster does not answer while it elects leaders.
	silent := errors.Is(err, context.DeadlineExceeded) && a.c.nc.ConnectedClusterName() == ""
	off := silent || errors.Is(err, natsgo.ErrNoResponders) || notEnabled(err)
	if hasCode(err, jetstream.JSErrCodeStreamNotFound) {
		a.last, a.off = err, time.Time{}
		return a.noStream(err)
	}
	a.gone = time.Time{}
	switch {
	case !off:
		a.off = time.Time{}
	case a.off.IsZero():
		a.off = began
	case time.Since(a.off) >= offMost:
		return false, a.definite(wrapf("nats: the server has ended JetStream, as it does when its disk is full: %w: %w", taskmanager.ErrQueueFull, ErrNoJetStream))
	}
	return true, nil
}

// noStream is the case that the server does not know the stream.
func (a *attempts) noStream(err error) (again bool, _ error) {
	if a.gone.IsZero() {
		a.gone = time.Now()
	}
	if time.Since(a.gone) < goneMost {
		return true, nil
	}
	return false, a.definite(err) // it was deleted
}

// noAnswer is the case that the server has not answered in time, on a connection that still exists.
// It does not answer if it refuses the subject to the user, and if it cannot write. Such a server
// still answers what it need not store.
func (a *attempts) noAnswer(ctx context.Context) (again bool, _ error) {
	a.unknown = true
	if refused := a.c.forbidden(a.subject); refused != nil {
		return false, refused
	}
	a.timeout = min(2*a.timeout, a.most)
	if a.message == nil || ctx.Err() != nil {
		return true, nil
	}
	one, stop := a.c.limited(ctx, attemptTimeout)
	defer stop()
	known, err := a.c.askKnown(one, a.message)
	if err != nil {
		return true, nil //nolint:nilerr // the next attempt will tell
	}
	if known {
		return false, nil
	}
	if a.stalled++; a.stalled < stalledMost {
		return true, nil
	}
	return false, a.definite(wrapf("nats: the server answers, but does not store; its disk may be full, see its log: %w", taskmanager.ErrQueueFull))
}

// definite returns an error of the server. If an earlier attempt had no answer, it does not tell what came of that
// one.
func (a *attempts) definite(err error) error {
	err = a.c.translate(err)
	if a.unknown {
		return wrapf("%w: %w", ErrUnknownOutcome, err)
	}
	return err
}

// pause waits before the next attempt. It returns false if there is to be none.
func (a *attempts) pause(ctx context.Context) bool {
	if !a.until.IsZero() && time.Until(a.until) <= a.wait {
		return false
	}
	ok := pause(ctx, a.wait)
	a.wait = min(2*a.wait, pauseMost)
	return ok
}

// connected waits for a connection. A message that is sent without one would be kept by the client, and
// might be sent after the submit has returned.
func (a *attempts) connected(ctx context.Context) error {
	if a.c.nc.IsConnected() {
		return nil
	}
	changed := a.c.nc.StatusChanged(natsgo.CONNECTED, natsgo.CLOSED)
	defer a.c.nc.RemoveStatusListener(changed)
	if !a.until.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, a.until)
		defer stop()
	}
	for !a.c.nc.IsConnected() {
		if a.c.nc.IsClosed() {
			return a.definite(natsgo.ErrConnectionClosed)
		}
		a.last = natsgo.ErrDisconnected
		select {
		case <-changed:
		case <-ctx.Done():
			return a.giveUp(ctx)
		}
	}
	return nil
}

// giveUp returns the error of a request for which there is no more time.
func (a *attempts) giveUp(ctx context.Context) error {
	reason := context.Cause(ctx)
	if reason == nil {
		reason = context.DeadlineExceeded
	}
	if a.unknown {
		return wrapf("%w: %w", ErrUnknownOutcome, reason)
	}
	if err := a.c.nc.LastError(); errors.Is(a.last, natsgo.ErrDisconnected) && badCredentials(err) {
		a.last = wrapf("%w: the server refuses the credentials of the connection: %w", a.last, err)
	}
	return wrapf("nats: nothing was stored: %w: %w", a.c.translate(a.last), reason)
}

// forbidden returns an error if the server has refused the user of the connection to publish to a
// subject, or to any of the tasks if that is empty. The server does not answer such a request.
func (c *Client) forbidden(subject string) error {
	if subject == "" {
		subject = c.cfg.namespace + ".run."
	} else {
		subject = strconv.Quote(subject)
	}
	err := c.nc.LastError()
	if !errors.Is(err, natsgo.ErrPermissionViolation) || !strings.Contains(err.Error(), subject) {
		return nil
	}
	return wrapf("nats: the credentials of the connection do not allow it; see Permissions: %w", err)
}
