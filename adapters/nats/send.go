package nats

import (
	"context"
	"encoding/json"
	"errors"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// send stores a task. If the id is the user's, the task may be stored already.
func (c *Client) send(ctx context.Context, e *envelope, m *natsgo.Msg, userID bool) error {
	a := c.newAttempts(ctx)
	a.subject, a.message = m.Subject, m
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
		return wrapf("nats: %w", jetstream.ErrInvalidJSAck)
	}
	if ack.Error != nil {
		return ack.Error
	}
	return nil
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
		err = wrapf("%w: %w", ErrUnknownOutcome, err)
	}
	return named(e.Name, err)
}

// known reports whether the server has stored a message with this id in the last two minutes. The
// question is a message that it never stores, because of a header that is invalid. The id is
// checked before that, by a server alone and by a cluster. Most other headers will not do: a server
// alone checks Nats-Expected-Last-Sequence before the id, and a cluster checks
// Nats-Expected-Last-Msg-Id so late that the failure stops the stream.
func (c *Client) known(ctx context.Context, m *natsgo.Msg) (known bool, err error) {
	a := c.newAttempts(ctx)
	a.subject = m.Subject
	err = a.run(ctx, func(ctx context.Context) (err error) {
		known, err = c.askKnown(ctx, m)
		return err
	})
	return known, err
}

// askKnown is one attempt of known.
func (c *Client) askKnown(ctx context.Context, m *natsgo.Msg) (bool, error) {
	err := c.request(ctx, &natsgo.Msg{Subject: m.Subject, Header: natsgo.Header{
		headMsgID: m.Header[headMsgID], jetstream.MsgRollup: {refusedRollup},
	}})
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
