package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
)

// attempts is the state of a request that is repeated until it has a definite answer.
//
// The same message may be stored at most once: it carries one id through all attempts, by which the server
// recognises it for two minutes, and longer while the task is stored.
type attempts struct {
	c       *Client
	until   time.Time     // when to give up, if the context has no deadline
	timeout time.Duration // of the next attempt
	most    time.Duration // of any attempt
	wait    time.Duration // before the next attempt
	unknown bool          // an attempt was sent whose outcome is unknown
	last    error         // of the last attempt
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

// send stores a task. If the id is the user's, the task may be stored already.
func (c *Client) send(ctx context.Context, e *envelope, m *natsgo.Msg, userID bool) error {
	a := c.newAttempts(ctx)
	err := a.run(ctx, func(ctx context.Context) error { return c.request(ctx, m) })
	switch {
	case err == nil:
		return nil
	case nameTaken(err) && (a.unknown || userID):
		return c.settle(ctx, e, m, a.unknown)
	case nameTaken(err):
		return &taskmanager.TaskError{Name: e.Name, Err: taskmanager.ErrAlreadyExists}
	}
	return named(e.Name, err)
}

// request sends a message to a stream and returns the answer.
func (c *Client) request(ctx context.Context, m *natsgo.Msg) error {
	r, err := c.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return err
	}
	return readAck(r.Data)
}

// readAck reads the answer of a stream to a message.
func readAck(data []byte) error {
	var ack struct {
		Error  *jetstream.APIError `json:"error"`
		Stream string              `json:"stream"`
	}
	if err := json.Unmarshal(data, &ack); err != nil || ack.Error == nil && ack.Stream == "" {
		return fmt.Errorf("nats: %w", jetstream.ErrInvalidJSAck)
	}
	if ack.Error != nil {
		return ack.Error
	}
	return nil
}

// run calls fn until it has a definite answer, which it returns. A name that is taken is one.
func (a *attempts) run(ctx context.Context, fn func(ctx context.Context) error) error {
	for {
		if err := a.connected(ctx); err != nil {
			return err
		}
		err := a.once(ctx, fn)
		if err == nil || nameTaken(err) || hasCode(err, codeDuplicateBatch) {
			return err
		}
		again, err := a.judge(ctx, err)
		if !again {
			return err
		}
		if !a.pause(ctx) {
			return a.giveUp(ctx)
		}
	}
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
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, natsgo.ErrDisconnected):
		a.unknown = true
		if refused := a.c.forbidden(); refused != nil {
			return false, refused
		}
		a.timeout = min(2*a.timeout, a.most)
		return true, nil
	case errors.Is(err, natsgo.ErrNoResponders):
		if _, err := a.c.js.Stream(ctx, a.c.cfg.namespace); hasCode(err, jetstream.JSErrCodeStreamNotFound) {
			return false, a.definite(err)
		}
		return true, nil
	case transient(err):
		return true, nil
	case errors.Is(err, natsgo.ErrMaxPayload):
		return false, fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return false, a.definite(err)
}

// definite returns an error of the server. If an earlier attempt had no answer, it does not tell what came of that
// one.
func (a *attempts) definite(err error) error {
	err = a.c.translate(err)
	if a.unknown {
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
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
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, reason)
	}
	return fmt.Errorf("nats: nothing was stored: %w: %w", a.c.translate(a.last), reason)
}

// forbidden returns an error if the server has just refused the credentials of the connection a
// subject of the namespace. The server does not answer such a request.
func (c *Client) forbidden() error {
	err := c.nc.LastError()
	if !errors.Is(err, natsgo.ErrPermissionViolation) || !strings.Contains(err.Error(), c.cfg.namespace+".run.") {
		return nil
	}
	return fmt.Errorf("nats: the credentials of the connection do not allow it; see Permissions: %w", err)
}

// refusedRollup is a value of the header Nats-Rollup that no server accepts.
const refusedRollup = "question of taskmanager"

// settle finds out whether the message with our id, or with the id of the user, was stored before the server
// said that the name is taken.
func (c *Client) settle(ctx context.Context, e *envelope, m *natsgo.Msg, unknown bool) error {
	known, err := c.known(ctx, m)
	if err == nil && !known {
		known, err = c.stored(ctx, e)
	}
	switch {
	case known:
		return nil
	case err == nil:
		return &taskmanager.TaskError{Name: e.Name, Err: taskmanager.ErrAlreadyExists}
	case unknown:
		err = fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	}
	return named(e.Name, err)
}

// known reports whether the server has stored a message with this id in the last two minutes. The
// question is a message that it never stores, because of a header that is invalid. The id is checked
// before that, by a server alone and by a cluster. Most other headers will not do: a server alone checks
// Nats-Expected-Last-Sequence before the id, and a cluster checks Nats-Expected-Last-Msg-Id so late that the failure stops
// the stream.
func (c *Client) known(ctx context.Context, m *natsgo.Msg) (bool, error) {
	question := &natsgo.Msg{Subject: m.Subject, Header: natsgo.Header{
		headMsgID: m.Header[headMsgID], jetstream.MsgRollup: {refusedRollup},
	}}
	a := c.newAttempts(ctx)
	err := a.run(ctx, func(ctx context.Context) error { return c.request(ctx, question) })
	if nameTaken(err) || hasCode(err, codeRollup) {
		return false, nil
	}
	return err == nil, err
}

// stored reports whether the outstanding task of a name has the id of e. It may be older than what
// the server remembers of ids.
func (c *Client) stored(ctx context.Context, e *envelope) (bool, error) {
	m, err := c.last(ctx, e.Name)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return m.Header.Get(headID) == e.ID, nil
}
