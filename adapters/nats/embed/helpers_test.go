package embed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// start starts a server that stops at the end of the test.
func start(t *testing.T, o embed.Options) *embed.Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := embed.Start(o)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *embed.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

// within is a context that ends with the test, and before the test would time out.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// noPeers is the error of a cluster of which not enough servers are known to be online.
const noPeers jetstream.ErrorCode = 10005

// stream makes a stream for a subject.
func stream(t *testing.T, nc *natsgo.Conn, subject string, replicas int) (jetstream.JetStream, jetstream.Stream) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, time.Minute)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		st, err := js.CreateStream(ctx, jetstream.StreamConfig{
			Name: "S", Subjects: []string{subject}, Storage: jetstream.FileStorage, Replicas: replicas,
		})
		if err == nil {
			tick.Stop()
			return js, st
		}
		if e, ok := errors.AsType[*jetstream.APIError](err); !ok || e.ErrorCode != noPeers {
			t.Fatalf("CreateStream: %v", err)
		}
		<-tick.C
	}
}

// lines is a logger.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Infof(format string, args ...any)  { l.add("info: "+format, args) }
func (l *lines) Errorf(format string, args ...any) { l.add("error: "+format, args) }

func (l *lines) add(format string, args []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf(format, args...))
}

func (l *lines) contain(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(strings.Join(l.all, "\n"), text)
}
