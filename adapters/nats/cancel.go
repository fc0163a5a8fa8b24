package nats

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Cancel cancels the outstanding task of a name, wherever it is, as
// [taskmanager.TaskManager.Cancel] does within a process. It returns false if there is none.
//
// A waiting task is removed. A running task's context ends, and the task ends when its handler
// returns; Cancel does not wait for that. If a process that may have the task does not answer, the
// task ends at its next delivery, at the latest when its lease has expired.
func (c *Client) Cancel(ctx context.Context, name string) (bool, error) {
	if err := checkClient(ctx, c, "cancel"); err != nil {
		return false, err
	}
	return c.cancelTask(ctx, name, "")
}

// cancelTask cancels the outstanding task of a name, if it has the given id, or any if that is empty.
func (c *Client) cancelTask(ctx context.Context, name, id string) (bool, error) {
	m, err := c.last(ctx, name)
	if errors.Is(err, ErrNotFound) && !hasCode(err, jetstream.JSErrCodeStreamNotFound) {
		return false, nil
	}
	if err != nil {
		return false, wrapf("nats: cancel: %w", err)
	}
	found := m.Header.Get(headID)
	if id != "" && id != found {
		return false, nil
	}
	// The mark comes first: a worker that is given the task from now on sees it.
	err = c.again(ctx, func(ctx context.Context) error {
		_, err := c.cancels.PutString(ctx, encode(found), found)
		return err
	})
	if err != nil {
		return false, wrapf("nats: cancel: %w", c.translate(err))
	}
	held, silent, err := c.askHeld(ctx, found)
	if err == nil && (held || silent) {
		var free bool
		if free, err = c.cannotRun(ctx, m, held); err == nil && !free {
			return true, nil
		}
	}
	if err != nil {
		return false, wrapf("nats: cancel: %w", err)
	}
	return true, c.removeCancelled(ctx, m)
}

// askHeld asks all processes whether they have a task. silent means that some do not answer.
func (c *Client) askHeld(ctx context.Context, id string) (held, silent bool, err error) {
	mute, err := c.askAll(ctx, c.cancelSubject(), []byte(id), func(data []byte) (string, bool) {
		var a cancelAnswer
		if json.Unmarshal(data, &a) != nil {
			return "", false
		}
		held = held || a.Held
		return a.Process, true
	})
	return held, len(mute) > 0, err
}

// cannotRun reports whether a task does not run, although a process says that it has the task, or says
// nothing. The mark does not last for ever: a task that waits for longer than that must be
// removed now, or it would run after all.
func (c *Client) cannotRun(ctx context.Context, m *jetstream.RawStreamMsg, held bool) (bool, error) {
	e, err := c.parse(m.Subject, m.Header)
	if err != nil {
		return false, nil //nolint:nilerr // workers of its version decide
	}
	h, _, err := c.history(ctx, e)
	if err != nil {
		return false, err
	}
	soon := c.clock.now().Add(c.cfg.lease)
	if e.NotBefore.After(soon) || time.Unix(0, h.NotBefore).After(soon) {
		return true, nil // it waits for its time; what a process has will be given back
	}
	if held {
		return false, nil
	}
	// Nobody has a task that was never delivered. Consumers deliver in the order of the sequences.
	all, err := c.consumers(ctx)
	if err != nil {
		return false, err
	}
	for _, info := range all {
		if matches(info.Config.FilterSubject, m.Subject) && info.Delivered.Stream >= m.Sequence {
			return false, nil
		}
	}
	return true, nil
}

// matches reports whether a filter of a consumer, which may have the wildcard *, matches a subject.
func matches(filter, subject string) bool {
	f, s := strings.Split(filter, "."), strings.Split(subject, ".")
	if len(f) != len(s) {
		return false
	}
	for i := range f {
		if f[i] != "*" && f[i] != s[i] {
			return false
		}
	}
	return true
}

// removeCancelled removes a task that no process has.
func (c *Client) removeCancelled(ctx context.Context, m *jetstream.RawStreamMsg) error {
	e, err := c.parse(m.Subject, m.Header)
	if err == nil && e.Result > 0 { // before the task, so that who waits finds one of them
		if err := c.putOutcome(ctx, e, outcome{Cancelled: true}); err != nil {
			return err
		}
	}
	if err := c.deleteMsg(ctx, c.cfg.namespace, m.Sequence); err != nil && !errors.Is(err, errGone) {
		return wrapf("nats: cancel: %w", err)
	}
	if err != nil {
		return nil // the message is not in our format, so there is no history
	}
	_, revision, err := c.history(ctx, e)
	if err == nil && revision > 0 {
		err = c.deleteMsg(ctx, "KV_"+c.cfg.namespace+"_STATE", revision)
	}
	if err != nil && !errors.Is(err, errGone) {
		return wrapf("nats: cancel: remove the history: %w", err)
	}
	return nil
}

// putOutcome stores the outcome of a task. The first one stays.
func (c *Client) putOutcome(ctx context.Context, e envelope, o outcome) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	err = c.again(ctx, func(ctx context.Context) error {
		_, err := c.results.Create(ctx, encode(e.ID), body, jetstream.KeyTTL(e.Result))
		return err
	})
	if err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
		return wrapf("nats: store the outcome of task %s: %w", quote(e.Name), c.translate(err))
	}
	return nil
}
