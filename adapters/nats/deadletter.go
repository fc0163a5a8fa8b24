package nats

import (
	"context"
	"errors"
	"iter"
	"regexp"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// DeadLetters returns the dead letters of a kind, or of all kinds if kind is empty, the oldest
// first. A name may occur more than once. If an error occurs, it is in the last pair.
//
// Dead letters are kept for the time of [WithDeadFor].
func (c *Client) DeadLetters(ctx context.Context, kind string) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		if err := checkClient(ctx, c, "dead letters"); err != nil {
			yield(DeadLetter{}, err)
			return
		}
		for m, err := range c.messages(ctx, c.cfg.namespace+"_DEAD", c.deadFilter(kind)) {
			if err != nil {
				yield(DeadLetter{}, wrapf("nats: dead letters: %w", err))
				return
			}
			d, err := c.parseDead(m)
			if err != nil {
				c.log.errorf("nats: dead letter %d: %s", m.Sequence, clean(err.Error(), errorLimit))
				continue
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

// parseDead reads a dead letter. It needs only the subject and the id, so that those of other versions
// can be listed and deleted.
func (c *Client) parseDead(m *jetstream.RawStreamMsg) (DeadLetter, error) {
	kind, name, err := c.parseDeadSubject(m.Subject)
	if err != nil {
		return DeadLetter{}, err
	}
	level, err := parseLevel(m.Header.Get(headLevel))
	if err != nil {
		level = Normal
	}
	r := headerReader{h: m.Header}
	codec := m.Header.Get(headCodec)
	if codec == "" {
		codec = JSON.Name()
	}
	return DeadLetter{
		Seq: m.Sequence, Name: name, Kind: kind, ID: m.Header.Get(headID), Level: level,
		Key: r.text(headKey), Description: r.text(headDescription), Reason: m.Header.Get(headDeadReason),
		Attempts: int(r.positive(headDeadAttempts)), Process: m.Header.Get(headDeadProcess),
		At: c.clock.toLocal(m.Time), Payload: m.Data, Codec: codec,
	}, nil
}

// deadLetter returns the message of a dead letter that the user has named.
func (c *Client) deadLetter(ctx context.Context, d DeadLetter) (*jetstream.RawStreamMsg, error) {
	gone := wrapf("%w: dead letter %d of task %s is gone", ErrNotFound, d.Seq, quote(d.Name))
	var m *jetstream.RawStreamMsg
	err := c.again(ctx, func(ctx context.Context) (err error) {
		m, err = c.dead.GetMsg(ctx, d.Seq)
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, gone
	}
	if err != nil {
		return nil, c.translate(err)
	}
	kind, name, err := c.parseDeadSubject(m.Subject)
	if err != nil || d.Kind != "" && d.Kind != kind || d.Name != "" && d.Name != name || d.ID != "" && d.ID != m.Header.Get(headID) {
		return nil, gone // another one, after the stream was made again
	}
	return m, nil
}

// Retry submits the task of a dead letter again, with a new id, and then deletes the dead letter.
// It needs the field Seq of d. It compares the fields Kind, Name and ID if they are set. The new
// task has no delay, and no deadline if that of the dead letter has passed.
//
// The errors are those of [Submit], such as [taskmanager.ErrAlreadyExists] if the name is taken,
// and [ErrNotFound] if the dead letter does not exist any more. After an error the dead letter is
// still there. Within two minutes, a repeated Retry does not submit the task twice.
func (c *Client) Retry(ctx context.Context, d DeadLetter) (*Task, error) {
	if err := checkClient(ctx, c, "retry"); err != nil {
		return nil, err
	}
	m, err := c.deadLetter(ctx, d)
	if err != nil {
		return nil, err
	}
	e, err := c.revived(m)
	if err != nil {
		return nil, err
	}
	if err := c.publish(ctx, &e, m.Data, true, false); err != nil {
		return nil, err
	}
	t := c.task(e)
	if err := c.deleteMsg(ctx, c.cfg.namespace+"_DEAD", m.Sequence); err != nil && !errors.Is(err, errGone) {
		return t, wrapf("nats: task %s is submitted again, but its dead letter is still there: %w", quote(e.Name), err)
	}
	return t, nil
}

// retryPrefix is the begin of the id of a task that was a dead letter.
var retryPrefix = regexp.MustCompile(`^retry-[0-9]+-`)

// revived returns the task of a dead letter. Its id depends on the dead letter only.
func (c *Client) revived(m *jetstream.RawStreamMsg) (envelope, error) {
	kind, name, err := c.parseDeadSubject(m.Subject)
	if err != nil {
		return envelope{}, err
	}
	e, err := parseHeader(m.Header)
	if err != nil {
		return e, named(name, err)
	}
	if e.Level, err = parseLevel(m.Header.Get(headLevel)); err != nil {
		e.Level = Normal
	}
	e.Kind, e.Name = kind, name
	e.ID = "retry-" + strconv.FormatUint(m.Sequence, 10) + "-" + retryPrefix.ReplaceAllString(e.ID, "")
	e.NotBefore = time.Time{}
	if e.Deadline.Before(c.clock.now()) {
		e.Deadline = time.Time{}
	}
	return e, nil
}

// Delete deletes a dead letter. Like [Client.Retry], it needs the field Seq. The error is
// [ErrNotFound] if the dead letter does not exist any more.
func (c *Client) Delete(ctx context.Context, d DeadLetter) error {
	if err := checkClient(ctx, c, "delete"); err != nil {
		return err
	}
	m, err := c.deadLetter(ctx, d)
	if err != nil {
		return err
	}
	err = c.deleteMsg(ctx, c.cfg.namespace+"_DEAD", m.Sequence)
	if errors.Is(err, errGone) { // an answer was lost, or somebody else deletes it too
		return nil
	}
	return err
}
