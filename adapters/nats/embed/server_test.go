package embed_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// What is stored is there again after the server has stopped and started.
func TestDirectoryKeepsData(t *testing.T) {
	dir := t.TempDir()
	s := start(t, embed.Options{Dir: dir})
	nc, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, _ := stream(t, nc, "a", 1)
	if _, err := js.Publish(t.Context(), "a", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	if !nc.IsClosed() {
		t.Error("Stop left a connection of Conn open")
	}

	nc, err = start(t, embed.Options{Dir: dir}).Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, err = jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	st, err := js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	m, err := st.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(m.Data); got != "kept" {
		t.Errorf("the message is %q, want %q", got, "kept")
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	first := start(t, embed.Options{Dir: dir})
	_, err := embed.Start(embed.Options{Dir: dir})
	if !errors.Is(err, embed.ErrLocked) {
		t.Fatalf("the second server gets %v, want ErrLocked", err)
	}
	if !strings.Contains(err.Error(), dir) {
		t.Errorf("the error %q does not name the directory %q", err, dir)
	}
	stop(t, first)
	start(t, embed.Options{Dir: dir})
}

// A server that fails to start releases its directory, and says why.
func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dir := t.TempDir()
	_, err = embed.Start(embed.Options{Dir: dir, Listen: l.Addr().String(), Token: "secret"})
	if err == nil || !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Fatalf("Start with an address in use: %v", err)
	}
	start(t, embed.Options{Dir: dir})
}

func TestDirectoryIsAFile(t *testing.T) {
	name := t.TempDir() + "/file"
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := embed.Start(embed.Options{Dir: name}); err == nil {
		t.Error("Start in a file succeeded")
	}
}

func TestListensNowhere(t *testing.T) {
	s := start(t, embed.Options{Token: "secret"})
	if got := s.URL(); got != "" {
		t.Errorf("the URL is %q, want none", got)
	}
	if got := s.ClusterURL(); got != "" {
		t.Errorf("the URL of the cluster is %q, want none", got)
	}
	if _, err := s.Conn(); err != nil {
		t.Error(err)
	}
}

func TestStop(t *testing.T) {
	s := start(t, embed.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("no time")
	cancel(why)
	// Either the server has stopped already, or the error has the cause.
	if err := s.Stop(ctx); err != nil && !errors.Is(err, why) {
		t.Errorf("Stop: %v, want the cause of the context", err)
	}
	stop(t, s)
	stop(t, s)
	if _, err := s.Conn(); err == nil {
		t.Error("Conn of a stopped server succeeded")
	}
}

// The server must print nothing: the process belongs to the program.
func TestPrintsNothing(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = w, w
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	s := start(t, embed.Options{Listen: "127.0.0.1:0", Token: "secret"})
	nc, err := natsgo.Connect(s.URL())
	if err != nil {
		t.Error(err)
	} else {
		nc.Close()
	}
	stop(t, s)
	os.Stdout, os.Stderr = stdout, stderr
	_ = w.Close()
	if got, err := io.ReadAll(r); err != nil || len(got) > 0 {
		t.Errorf("printed %q, %v", got, err)
	}
}

func TestLogger(t *testing.T) {
	l := new(lines)
	s := start(t, embed.Options{Logger: l})
	stop(t, s)
	for _, want := range []string{"info: nats-server: Starting nats-server", "info: nats-server: Server Exiting.."} {
		if !l.contain(want) {
			t.Errorf("the log lacks %q: %q", want, l.all)
		}
	}
}

// A submit beyond the limit is refused, not lost.
func TestMaxStore(t *testing.T) {
	nc, err := start(t, embed.Options{MaxStore: 1 << 20}).Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, st := stream(t, nc, "a", 1)
	accepted := 0
	for ; accepted < 20; accepted++ {
		if _, err = js.Publish(t.Context(), "a", make([]byte, 100_000)); err != nil {
			break
		}
	}
	if _, ok := errors.AsType[*jetstream.APIError](err); !ok {
		t.Fatalf("after %d messages: %v, want an error of the server", accepted, err)
	}
	info, err := st.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := info.State.Msgs; got != uint64(accepted) {
		t.Errorf("%d messages are stored, but %d were accepted", got, accepted)
	}
}

// The interval is a setting of the server, which a client cannot see. It must start at least.
func TestSyncInterval(t *testing.T) {
	nc, err := start(t, embed.Options{SyncInterval: time.Second}).Conn()
	if err != nil {
		t.Fatal(err)
	}
	stream(t, nc, "a", 1)
}
