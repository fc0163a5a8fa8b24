package nats

import (
	"context"
	"errors"
	"fmt"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Submit stores a task. It returns when the server has stored it, after one round trip. The name is
// then taken, for tasks of all kinds in the namespace, until the task has ended.
//
// The kind is that of [WithKind], or otherwise the result of the payload's method Kind() string.
// The codec of the client encodes the payload.
//
// The errors are:
//
//   - [taskmanager.ErrAlreadyExists] in a [*taskmanager.TaskError]: the name is taken;
//   - [taskmanager.ErrQueueFull]: a limit of the namespace or of the server is reached, or its disk
//     is full;
//   - [ErrUnknownOutcome]: the submit ended before the server had answered. Repeat it with
//     [WithID];
//   - the cause of the end of ctx without ErrUnknownOutcome: nothing was stored;
//   - [taskmanager.ErrEmptyName], [ErrNoKind], [ErrTooLarge], and those of options and of the
//     codec;
//   - [ErrNotFound]: the streams of the namespace were deleted; [ErrNoJetStream].
//
// While there is no connection, or the server does not answer, Submit tries again until ctx ends,
// or for 30 seconds if ctx has no deadline. It stores the task once, however often it tries. The
// exception is a task that was stored and has ended when the server is restarted before the next
// attempt: it is stored a second time. Two minutes after an attempt without an answer, Submit gives
// up with ErrUnknownOutcome.
func Submit[T any](ctx context.Context, c *Client, name string, in T, opts ...SubmitOption) (*Task, error) {
	if err := checkClient(ctx, c, "submit"); err != nil {
		return nil, err
	}
	s, err := newSubmission(opts)
	if err != nil {
		return nil, err
	}
	return c.submit(ctx, name, payload{in, &in}, s)
}

// payload is the input of a task, and a pointer to it: either may have the method Kind.
type payload struct{ value, pointer any }

// kind returns what the method Kind of the payload says, or "".
func (p payload) kind() (kind string, err error) {
	defer recovered("the method Kind of the payload", &err)
	if k, ok := p.value.(interface{ Kind() string }); ok {
		return k.Kind(), nil
	}
	if k, ok := p.pointer.(interface{ Kind() string }); ok {
		return k.Kind(), nil
	}
	return "", nil
}

func checkClient(ctx context.Context, c *Client, doing string) error {
	if c == nil {
		return errors.New("nats: nil Client; make one with nats.Open")
	}
	return checkContext(ctx, doing)
}

func (c *Client) submit(ctx context.Context, name string, in payload, s submission) (*Task, error) {
	e, data, err := c.envelope(name, in, s)
	if err != nil {
		return nil, err
	}
	if err := c.publish(ctx, &e, data, s.id != "", false); err != nil {
		return nil, err
	}
	return c.task(e), nil
}

// publish stores a task, and tells the observers. If the id is the user's, the task may be stored already.
func (c *Client) publish(ctx context.Context, e *envelope, data []byte, userID, scheduled bool) error {
	sub := observe.Submission{Task: observe.Task{Name: e.Name, Kind: e.Kind}, Scheduled: scheduled}
	on := c.beginSubmit(ctx, sub)
	traced := on
	if scheduled { // the span that was current when the schedule was made has ended
		traced = trace.ContextWithSpanContext(on, trace.SpanContext{})
	}
	m := c.message(traced, *e, data)
	err := c.checkSize(m)
	if err == nil {
		err = c.send(ctx, e, m, userID)
	} else {
		err = named(e.Name, err)
	}
	c.endSubmit(on, sub, err)
	return err
}

// envelope checks the attributes of a task and encodes its payload.
func (c *Client) envelope(name string, in payload, s submission) (e envelope, data []byte, err error) {
	if name == "" {
		return e, nil, taskmanager.ErrEmptyName
	}
	if n := len(encode(name)); n > nameLimit {
		return e, nil, wrapf("%w: the name %s has %d bytes when it is encoded; at most %d are possible, so use a shorter one, such as a hash", ErrTooLarge, quote(name), n, nameLimit)
	}
	e = envelope{
		ID: s.id, Level: s.level, Kind: s.kind, Name: name, Timeout: s.timeout, QueueTimeout: s.queueTimeout,
		Key: s.key, Description: s.description, Cost: s.cost, Result: s.result, Codec: c.cfg.codec.Name(),
	}
	if e.Kind == "" {
		if e.Kind, err = in.kind(); err != nil {
			return e, nil, err
		}
	}
	if err := validKind(e.Kind); err != nil {
		return e, nil, err
	}
	if e.ID == "" {
		e.ID = nuid.Next()
	}
	c.setTimes(&e, s)
	if data, err = marshal(c.cfg.codec, in.value); err != nil {
		return e, nil, wrapf("nats: encode the payload of task %s: %w", quote(name), err)
	}
	return e, data, nil
}

func validKind(kind string) error {
	if kind == "" {
		return ErrNoKind
	}
	if n := len(encode(kind)); n > kindLimit {
		return wrapf("%w: the kind %s has %d bytes when it is encoded; at most %d are possible", ErrTooLarge, quote(kind), n, kindLimit)
	}
	return nil
}

// setTimes sets the times of the envelope, on the clock of the server.
func (c *Client) setTimes(e *envelope, s submission) {
	switch {
	case s.delay > 0:
		e.NotBefore = c.clock.now().Add(s.delay)
	case !s.notBefore.IsZero():
		e.NotBefore = c.clock.toServer(s.notBefore)
	}
	if !s.deadline.IsZero() && !s.deadline.After(never) {
		e.Deadline = c.clock.toServer(s.deadline)
	}
}

// message returns the message of a task. The trace is that of ctx.
func (c *Client) message(ctx context.Context, e envelope, data []byte) *natsgo.Msg {
	h := e.header()
	h[headMsgID] = []string{e.ID}
	// The subject alone is unique within a kind and a level only.
	h[headExpectedSeq] = []string{"0"}
	h[headExpectedFor] = []string{c.anySubject(e.Name)}
	if trace.SpanContextFromContext(ctx).IsValid() {
		propagation.TraceContext{}.Inject(ctx, carrier(h))
	}
	if baggage.FromContext(ctx).Len() > 0 {
		propagation.Baggage{}.Inject(ctx, carrier(h))
	}
	return &natsgo.Msg{Subject: c.subject(e.Level, e.Kind, e.Name), Header: h, Data: data}
}

// carrier makes a [propagation.TextMapCarrier] of headers.
type carrier natsgo.Header

// Get returns a header.
func (h carrier) Get(key string) string { return natsgo.Header(h).Get(key) }

// Set sets a header.
func (h carrier) Set(key, value string) { h[key] = []string{value} }

// Keys returns the names of the headers.
func (h carrier) Keys() []string {
	keys := make([]string, 0, len(h))
	for k := range h {
		keys = append(keys, k)
	}
	return keys
}

const (
	// deadReserve is left for what a dead letter adds to the headers of its task.
	deadReserve = 8 << 10
	// headerMost is the most that the server accepts as headers.
	headerMost = 64<<10 - 1
)

// checkSize returns an error for a message that the server, or the stream of dead letters, would refuse.
func (c *Client) checkSize(m *natsgo.Msg) error {
	limit := int(c.nc.MaxPayload())
	if limit == 0 || len(m.Data)+headerMost+deadReserve <= limit {
		if len(m.Header) < 12 { // no trace, no attributes: far below the limit
			return nil
		}
	}
	headers := headerSize(m.Header)
	if headers > headerMost-deadReserve {
		return wrapf("%w: the headers have %d bytes; at most %d are possible, so pass less baggage", ErrTooLarge, headers, headerMost-deadReserve)
	}
	if room := limit - headers - deadReserve; limit > 0 && len(m.Data) > room {
		return wrapf("%w: the payload has %d bytes; at most %d are possible, so pass a reference to the data, or raise max_payload of the server", ErrTooLarge, len(m.Data), max(0, room))
	}
	return nil
}

// headerSize returns the size of the headers on the wire.
func headerSize(h natsgo.Header) int {
	n := len("NATS/1.0\r\n") + len("\r\n")
	for k, vs := range h {
		for _, v := range vs {
			n += len(k) + len(": ") + len(v) + len("\r\n")
		}
	}
	return n
}

// beginSubmit tells the observers that a submit begins. The result carries the span of the submit.
func (c *Client) beginSubmit(ctx context.Context, s observe.Submission) context.Context {
	on := ctx
	for _, o := range c.observers {
		on = c.beginOne(ctx, on, o, s)
	}
	return on
}

func (c *Client) beginOne(caller, onto context.Context, o observe.SubmitObserver, s observe.Submission) (on context.Context) {
	on = onto
	defer c.observerPanic(o, "BeginSubmit")
	if next := o.BeginSubmit(caller, onto, s); next != nil {
		on = next
	}
	return on
}

func (c *Client) endSubmit(on context.Context, s observe.Submission, err error) {
	for _, o := range c.observers {
		func() {
			defer c.observerPanic(o, "EndSubmit")
			o.EndSubmit(on, s, err)
		}()
	}
}

// observerPanic is deferred around calls of an observer: a panic there does not affect the task.
func (c *Client) observerPanic(o any, method string) {
	if v := recover(); v != nil {
		c.log.errorf("nats: %s of the observer %T panicked: %s", method, o, clean(fmt.Sprint(v), errorLimit))
	}
}
