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

// soon returns a context that ends when a test has taken far too long.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(stop)
	return ctx
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
