package servertest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

const (
	// patience is when a test has taken far too long, on any machine.
	patience = 2 * time.Minute
	// never is a lease that does not end during a test.
	never = 10 * patience
	// quickly is what something takes at most that waits for no time limit, on a machine that is busy with other tests.
	quickly = 30 * time.Second
)

// soon returns a context that ends when a test has taken far too long.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	t.Cleanup(stop)
	return ctx
}

// connOptions returns options for a connection that is soon restored, and waits long for a server that is busy.
func connOptions(t *testing.T) []natsgo.Option {
	return append(nats.ConnOptions(testLog{t}), natsgo.Timeout(quickly), natsgo.ReconnectWait(10*time.Millisecond), natsgo.ReconnectJitter(0, 0))
}

// open returns a client that is closed at the end of the test.
func open(t *testing.T, nc *natsgo.Conn, opts ...nats.Option) *nats.Client {
	t.Helper()
	c, err := nats.Open(soon(t), nc, opts...)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// client returns a client of a server of its own.
func client(t *testing.T, opts ...nats.Option) *nats.Client {
	t.Helper()
	return open(t, connect(t, serve(t, embed.Options{})), append([]nats.Option{nats.WithLogger(testLog{t})}, opts...)...)
}

// streams returns access to the streams, beside the package.
func streams(t *testing.T, nc *natsgo.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// eventually asks again and again until the answer is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := soon(t); !ok(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited too long: %s", what)
		}
	}
}

// waitOut waits until d has passed since a moment of which nothing tells that it is so long ago. Nothing may depend on
// how much longer it takes: a busy machine comes late.
func waitOut(t *testing.T, since time.Time, d time.Duration) {
	t.Helper()
	eventually(t, "time", func() bool { return time.Since(since) > d })
}

// listenTo returns the messages that anybody sends to a subject from now on.
func listenTo(t *testing.T, nc *natsgo.Conn, subject string) <-chan *natsgo.Msg {
	t.Helper()
	messages := make(chan *natsgo.Msg, 10_000)
	sub, err := nc.ChanSubscribe(subject, messages)
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	return messages
}

// next waits for something on a channel.
func next[V any](t *testing.T, what string, from <-chan V) (v V) {
	t.Helper()
	select {
	case v = <-from:
	case <-soon(t).Done():
		t.Fatalf("waited too long: %s", what)
	}
	return v
}

// testLog passes messages to the log of the test.
type testLog struct{ t *testing.T }

func (l testLog) Infof(format string, args ...any)  { l.print("info", fmt.Sprintf(format, args...)) }
func (l testLog) Errorf(format string, args ...any) { l.print("error", fmt.Sprintf(format, args...)) }
func (l testLog) Info(args ...any)                  { l.print("info", fmt.Sprint(args...)) }
func (l testLog) Error(args ...any)                 { l.print("error", fmt.Sprint(args...)) }

// print ignores messages after the end of the test, which come from connections that end.
func (l testLog) print(level, text string) {
	defer func() { _ = recover() }()
	l.t.Logf("%s: %s", level, text)
}

// store stores a message beside the package.
func store(t *testing.T, nc *natsgo.Conn, subject string, header natsgo.Header) {
	t.Helper()
	if _, err := streams(t, nc).PublishMsg(soon(t), &natsgo.Msg{Subject: subject, Header: header}); err != nil {
		t.Fatal(err)
	}
}
