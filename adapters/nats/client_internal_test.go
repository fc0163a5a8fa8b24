package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestVersionsOfTheServer(t *testing.T) {
	for version, ok := range map[string]bool{
		"2.12.0": true, "2.15.2": true, "3.0.0": true, "2.14.0-RC.1": true, "": true, "dev": true,
		"2.11.9": false, "2.9.0": false, "1.4.1": false,
	} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("version %q: %v", version, err)
		}
	}
}

func TestErrorsOfTheServer(t *testing.T) {
	c := testClient()
	for _, tc := range []struct {
		code  jetstream.ErrorCode
		text  string
		taken bool
		want  error
	}{
		{10071, "wrong last sequence: 5", true, nil},
		{10164, "wrong last sequence", true, nil},
		{10077, "maximum messages per subject exceeded", true, nil},
		{10077, "maximum messages exceeded", false, taskmanager.ErrQueueFull},
		{10077, "maximum bytes exceeded", false, taskmanager.ErrQueueFull},
		{10077, "message too large", false, ErrTooLarge},
		{10023, "insufficient resources", false, taskmanager.ErrQueueFull},
		{10047, "insufficient storage resources available", false, taskmanager.ErrQueueFull},
		{10028, "insufficient memory resources available", false, taskmanager.ErrQueueFull},
		{10002, "resource limits exceeded for account", false, taskmanager.ErrQueueFull},
		{10054, "message size exceeds maximum allowed", false, ErrTooLarge},
		{10097, "header size exceeds maximum allowed of 64k", false, ErrTooLarge},
		{10059, "stream not found", false, ErrNotFound},
		{10076, "JetStream not enabled", false, ErrNoJetStream},
		{10039, "JetStream not enabled for account", false, ErrNoJetStream},
	} {
		err := fmt.Errorf("wrapped: %w", &jetstream.APIError{ErrorCode: tc.code, Description: tc.text})
		if got := nameTaken(err); got != tc.taken {
			t.Errorf("%d %s: the name is taken: %v", tc.code, tc.text, got)
		}
		if got := c.translate(err); tc.want != nil && !errors.Is(got, tc.want) || transient(err) {
			t.Errorf("%d %s: %v, transient %v; want %v", tc.code, tc.text, got, transient(err), tc.want)
		}
	}
	for _, err := range []error{
		&jetstream.APIError{ErrorCode: 10008}, &jetstream.APIError{ErrorCode: 10158}, natsgo.ErrNoResponders, natsgo.ErrDisconnected,
	} {
		if !transient(err) {
			t.Errorf("%v is not transient", err)
		}
	}
}

// What an attempt means for those after it, and for the error at last.
func TestAnUnknownAttemptIsNotForgotten(t *testing.T) {
	full := &jetstream.APIError{ErrorCode: 10023}
	for _, tc := range []struct {
		err     error
		again   bool
		unknown bool
	}{
		{full, false, false},
		{natsgo.ErrMaxPayload, false, false},
		{natsgo.ErrDisconnected, true, true},
		{context.Canceled, true, true},
		{natsgo.ErrConnectionClosed, false, true},
		{jetstream.ErrInvalidJSAck, false, true},
		{&jetstream.APIError{ErrorCode: 10008}, true, false},
	} {
		a := attempts{c: testClient()}
		again, err := a.judge(t.Context(), tc.err)
		if again != tc.again || a.unknown != tc.unknown || errors.Is(err, ErrUnknownOutcome) != (tc.unknown && !again) {
			t.Errorf("%v: again %v, unknown %v, error %v", tc.err, again, a.unknown, err)
		}
		if !again {
			continue
		}
		if _, err := a.judge(t.Context(), full); !errors.Is(err, taskmanager.ErrQueueFull) || errors.Is(err, ErrUnknownOutcome) != tc.unknown {
			t.Errorf("%v, then a full server: %v", tc.err, err)
		}
		ctx, stop := context.WithCancelCause(t.Context())
		stop(natsgo.ErrTimeout)
		if err := a.giveUp(ctx); !errors.Is(err, natsgo.ErrTimeout) || errors.Is(err, ErrUnknownOutcome) != tc.unknown {
			t.Errorf("%v, then the end of the context: %v", tc.err, err)
		}
	}
}

// A stream that the server does not know was deleted if that lasts. It does not know any while it starts its store again.
func TestAStreamThatIsUnknownForAMoment(t *testing.T) {
	gone := &jetstream.APIError{ErrorCode: jetstream.JSErrCodeStreamNotFound}
	for _, back := range []error{nil, &jetstream.APIError{ErrorCode: 10008}} {
		a := attempts{c: testClient()}
		if again, err := a.judge(t.Context(), gone); !again {
			t.Errorf("at first: %v", err)
		}
		a.gone = a.gone.Add(-goneMost)
		if back != nil {
			if again, err := a.judge(t.Context(), back); !again {
				t.Errorf("when the server knows it: %v", err)
			}
		}
		if again, err := a.judge(t.Context(), gone); again != (back != nil) || !again && !errors.Is(err, ErrNotFound) {
			t.Errorf("after %v: again %v, error %v", back, again, err)
		}
	}
}

// stubStream is a JetStream whose stream answers with an error, or not.
type stubStream struct {
	jetstream.JetStream
	err error
}

func (s stubStream) Stream(context.Context, string) (jetstream.Stream, error) { return nil, s.err }

// A server that ends JetStream, or starts it, refuses messages for a moment. If that lasts, its disk is full.
func TestAServerWithoutJetStreamForAMoment(t *testing.T) {
	off := &jetstream.APIError{ErrorCode: jetstream.JSErrCodeJetStreamNotEnabledForAccount}
	for _, refusal := range []error{off, natsgo.ErrNoResponders} {
		c := testClient()
		c.nc = &natsgo.Conn{}
		life, stop := context.WithCancel(t.Context())
		defer stop()
		c.connected.Store(&life)
		a := attempts{c: c}
		for _, step := range []struct {
			name   string
			stream error // what the stream answers to a question
			passed time.Duration
			again  bool
		}{
			{"at first", off, 0, true},
			{"soon", off, offMost / 2, true},
			{"when it works again", nil, offMost, true},
			{"at first, once more", off, 0, true},
			{"at last", off, offMost, false},
		} {
			c.js = stubStream{err: step.stream}
			if !a.off.IsZero() {
				a.off = a.off.Add(-step.passed)
			}
			again, err := a.judge(t.Context(), refusal)
			if again != step.again || !again && (!errors.Is(err, taskmanager.ErrQueueFull) || !errors.Is(err, ErrNoJetStream)) {
				t.Errorf("%v, %s: again %v, error %v", refusal, step.name, again, err)
			}
		}
	}
}

// The server forgets ids, so what may have been stored is not sent again for ever.
func TestAnAttemptBeyondTheMemoryOfTheServer(t *testing.T) {
	for age, again := range map[time.Duration]bool{time.Minute: true, 3 * time.Minute: false} {
		a := testClient().newAttempts(t.Context())
		a.unknown, a.since = true, time.Now().Add(-age)
		if got := !a.forgotten(); got != again {
			t.Errorf("an attempt %v ago: again %v, want %v", age, got, again)
		}
	}
	a := testClient().newAttempts(t.Context())
	if a.forgotten() {
		t.Error("the first attempt is not made")
	}
}

func TestTextsOfErrors(t *testing.T) {
	long := strings.Repeat("ü", 80)
	for _, tc := range []struct {
		err  error
		want string
	}{
		{named("a\n", ErrTooLarge), `nats: task "a\n": too large`},
		{named(long, errors.New("x")), `nats: task "` + strings.Repeat("ü", 50) + `"…: x`},
		{atItem(3, named("a", ErrNoKind)), `nats: item 3: task "a": the task has no kind; pass WithKind, or give the payload a method Kind() string`},
		{&PartialError{[]string{"p", "q"}}, `nats: the answer is incomplete: no answer from "p", "q"`},
		{&ResultError{Name: "a", Text: "broken"}, `nats: task "a": broken`},
	} {
		if diff := cmp.Diff(tc.want, tc.err.Error()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if got := list(make([]string, 13)); !strings.HasSuffix(got, "and 3 more") {
		t.Errorf("a list of 13: %s", got)
	}
}

func TestSizes(t *testing.T) {
	for h, want := range map[string]int{"": 12, "a": 12 + len("a: b\r\n")} {
		header := natsgo.Header{}
		if h != "" {
			header[h] = []string{"b"}
		}
		if got := headerSize(header); got != want {
			t.Errorf("headers %v have %d bytes, want %d", header, got, want)
		}
	}
}

type panicCodec struct{ Codec }

func TestReplicas(t *testing.T) {
	for n := -1; n <= 7; n++ {
		cfg, err := newConfig([]Option{WithReplicas(n)})
		switch n {
		case 1, 3, 5:
			if err != nil || cfg.replicas != n {
				t.Errorf("WithReplicas(%d): %d replicas, error %v", n, cfg.replicas, err)
			}
		default:
			if err == nil || !strings.Contains(err.Error(), "use 1 (no copy), 3 (one server may fail) or 5") {
				t.Errorf("WithReplicas(%d): the error is %v, want one that says what to use", n, err)
			}
		}
	}
}

func TestAnInvalidCodec(t *testing.T) {
	if _, err := newConfig([]Option{WithCodec(panicCodec{})}); err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("a codec that panics: %v", err)
	}
}

func TestConnOptions(t *testing.T) {
	var o natsgo.Options
	for _, set := range ConnOptions(nil) {
		if err := set(&o); err != nil {
			t.Fatal(err)
		}
	}
	if o.MaxReconnect != -1 || o.RetryOnFailedConnect {
		t.Errorf("MaxReconnect %d, RetryOnFailedConnect %v", o.MaxReconnect, o.RetryOnFailedConnect)
	}
	o.DisconnectedErrCB(nil, errors.New("x")) // no logger, no panic
	o.AsyncErrorCB(nil, nil, errors.New("x"))
	o.AsyncErrorCB(nil, nil, natsgo.ErrAuthorization)
}

// A question about a stream that the server does not know is repeated for a second, in case that the server is starting its store
// again.
func TestQuestionsWaitForAStoreThatStarts(t *testing.T) {
	gone := &jetstream.APIError{ErrorCode: jetstream.JSErrCodeStreamNotFound}
	for _, test := range []struct {
		name    string
		missing time.Duration
		want    error
	}{
		{"starting", goneMost / 2, nil},
		{"deleted", time.Hour, gone},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &Client{nc: &natsgo.Conn{}}
				life, stop := context.WithCancel(t.Context())
				defer stop()
				c.connected.Store(&life)
				begin := time.Now()
				err := c.again(t.Context(), func(context.Context) error {
					if time.Since(begin) < test.missing {
						return gone
					}
					return nil
				})
				took := time.Since(begin)
				if !errors.Is(err, test.want) || took > 3*goneMost || test.want == nil && took < test.missing {
					t.Errorf("after %v: %v, want %v", took, err, test.want)
				}
			})
		})
	}
}
