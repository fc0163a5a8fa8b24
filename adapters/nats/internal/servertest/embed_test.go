package servertest_test

import (
	"context"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// serve starts a server that stops at the end of the test. Tests of this package need no syncs of
// the disk unless they ask for them.
func serve(t *testing.T, o embed.Options) *embed.Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.SyncInterval == 0 {
		o.SyncInterval = time.Minute
	}
	s, err := embed.Start(o)
	if err != nil {
		t.Fatalf("embed.Start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stop of the server: %v", err)
		}
	})
	return s
}

// connect returns a connection to a server of this process, which ends with the server.
func connect(t *testing.T, s *embed.Server, opts ...natsgo.Option) *natsgo.Conn {
	t.Helper()
	nc, err := s.Conn(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return nc
}

func TestServe(t *testing.T) {
	if nc := connect(t, serve(t, embed.Options{})); !nc.IsConnected() {
		t.Error("not connected")
	}
}
