package nats

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// asyncResult is for how long [Async] keeps results.
const asyncResult = time.Hour

// Future is the result of a task that runs in any process. It is safe for concurrent use.
type Future[R any] struct{ task *Task }

// Async submits a task whose handler returns a result; see [HandleResult]. It is [Submit] with
// [WithResult] of an hour, unless opts set another time.
func Async[R, T any](ctx context.Context, c *Client, name string, in T, opts ...SubmitOption) (*Future[R], error) {
	t, err := Submit(ctx, c, name, in, append([]SubmitOption{WithResult(asyncResult)}, opts...)...)
	if err != nil {
		return nil, err
	}
	return &Future[R]{t}, nil
}

// Task returns the task.
func (f *Future[R]) Task() *Task { return f.task }

// Result waits for the end of the task and returns its result. The errors are those of [Task.Wait]
// and of the codec. It may be called any number of times until the result expires.
func (f *Future[R]) Result(ctx context.Context) (R, error) { return Result[R](ctx, f.task) }

// Result waits for the end of a task that was submitted with [WithResult], for example by
// [SubmitAll], and returns the result of its handler; see [HandleResult]. The errors are those of
// [Future.Result].
func Result[R any](ctx context.Context, t *Task) (R, error) {
	var r R
	o, err := t.outcome(ctx)
	if err != nil {
		return r, err
	}
	if err := unmarshal(t.c.cfg.codec, o.Out, &r); err != nil {
		var none R
		return none, wrapf("nats: decode the result of task %s: %w", quote(t.name), err)
	}
	return r, nil
}

// Wait waits for the end of the task. It returns nil if the task succeeded, and otherwise
//
//   - a [*ResultError] if the task failed for good, with the text of its error;
//   - [taskmanager.ErrCancelled] if the task was cancelled;
//   - [ErrNoResult] if the task was submitted without [WithResult], if the outcome has expired, or
//     if no worker could store it;
//   - [ErrClosed] after [Client.Close], or the cause of the end of ctx.
//
// The outcome is stored just before the task is removed. So the name may still be taken for a short
// time after Wait has returned: for milliseconds as a rule, and for longer if the server does not
// answer. A submit of the same name may have to be repeated.
func (t *Task) Wait(ctx context.Context) error {
	_, err := t.outcome(ctx)
	return err
}

// outcome waits for the outcome. A task that has not succeeded is an error.
func (t *Task) outcome(ctx context.Context) (outcome, error) {
	if ctx == nil {
		return outcome{}, taskmanager.ErrNilContext
	}
	if !t.result {
		return outcome{}, named(t.name, ErrNoResult)
	}
	o, err := t.await(ctx)
	switch {
	case err != nil:
		return o, named(t.name, err)
	case o.Cancelled:
		return o, named(t.name, taskmanager.ErrCancelled)
	case o.Err != "":
		return o, &ResultError{Name: t.name, Process: o.Process, Text: o.Err}
	}
	return o, nil
}

const (
	firstPoll = time.Millisecond      // after a sign, since the server may send that before it has stored the outcome
	nextPoll  = 20 * time.Millisecond // without a sign: it may have come just before the subscription
	idlePoll  = time.Second           // from which on the task may be gone
	pollMost  = 5 * time.Second
	pollsNone = 2 // without a task and without an outcome, before there is none
)

// await waits for the outcome. It subscribes to the subject on which the worker stores it, and reads it from the
// bucket when something comes. Signs may get lost, so it also reads it now and then.
func (t *Task) await(ctx context.Context) (outcome, error) {
	if o, ok, err := t.read(ctx); ok || err != nil {
		return o, err
	}
	sign := make(chan struct{}, 1)
	sub, err := t.c.nc.Subscribe("$KV."+t.c.cfg.namespace+"_RESULTS."+encode(t.id), func(*natsgo.Msg) {
		select {
		case sign <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	none := 0
	for wait := time.Duration(0); ; {
		if o, ok, err := t.read(ctx); ok || err != nil {
			return o, err
		}
		if wait >= idlePoll {
			if t.outstanding(ctx) {
				none = 0
			} else if none++; none >= pollsNone {
				return outcome{}, ErrNoResult
			}
		}
		if wait == 0 {
			wait = nextPoll
		}
		if wait, err = t.pause(ctx, sign, wait); err != nil {
			return outcome{}, err
		}
	}
}

// pause waits for a sign or for some time. It returns how long to wait the next time.
func (t *Task) pause(ctx context.Context, sign <-chan struct{}, wait time.Duration) (time.Duration, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-sign:
		return firstPoll, nil
	case <-timer.C:
		return min(2*wait, pollMost), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-t.c.life.Done():
		return 0, ErrClosed
	}
}

// read returns the outcome, if there is one. While the server does not answer there is none.
func (t *Task) read(ctx context.Context) (o outcome, ok bool, err error) {
	one, stop := t.c.limited(ctx, attemptMost)
	defer stop()
	entry, err := t.c.results.Get(one, encode(t.id))
	switch {
	case ctx.Err() != nil:
		return o, false, context.Cause(ctx)
	case errors.Is(err, jetstream.ErrKeyNotFound), transient(err), one.Err() != nil:
		return o, false, nil
	case err != nil:
		return o, false, t.c.translate(err)
	}
	if err := json.Unmarshal(entry.Value(), &o); err != nil {
		return o, false, wrapf("read the outcome: %w", err)
	}
	return o, true, nil
}

// outstanding reports whether the task may have no outcome yet.
func (t *Task) outstanding(ctx context.Context) bool {
	m, err := t.c.last(ctx, t.name)
	if err != nil {
		return !errors.Is(err, ErrNotFound)
	}
	return m.Header.Get(headID) == t.id
}
