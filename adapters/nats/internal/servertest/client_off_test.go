package servertest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// bare starts a server without the precautions of package embed.
func bare(t *testing.T, o server.Options) (*server.Server, *natsgo.Conn) {
	t.Helper()
	o.DontListen, o.NoSigs, o.NoLog = true, true, true
	if o.StoreDir == "" {
		o.StoreDir = t.TempDir()
	}
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	nc, err := natsgo.Connect("", append(connOptions(t), natsgo.InProcessServer(s))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return s, nc
}

func TestNoJetStream(t *testing.T) {
	_, nc := bare(t, server.Options{})
	began := time.Now()
	if _, err := nats.Open(soon(t), nc); !errors.Is(err, nats.ErrNoJetStream) {
		t.Errorf("without JetStream: %v", err)
	}
	account := server.NewAccount("none")
	_, nc = bare(t, server.Options{JetStream: true, Accounts: []*server.Account{account}, NoAuthUser: "x", Users: []*server.User{{Username: "x", Password: "x", Account: account}}})
	if _, err := nats.Open(soon(t), nc); !errors.Is(err, nats.ErrNoJetStream) {
		t.Errorf("an account without JetStream: %v", err)
	}
	if d := time.Since(began); d > quickly {
		t.Errorf("it took %v", d)
	}
}

// A server ends JetStream when it cannot write.
func TestJetStreamEnds(t *testing.T) {
	t.Parallel()
	s, nc := bare(t, server.Options{JetStream: true})
	c := open(t, nc)
	if err := s.DisableJetStream(); err != nil {
		t.Fatal(err)
	}
	_, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k"))
	if !errors.Is(err, taskmanager.ErrQueueFull) || !errors.Is(err, nats.ErrNoJetStream) {
		t.Errorf("the error is %v, want ErrQueueFull and ErrNoJetStream", err)
	}
}

// A server that cannot write neither stores nor answers, but for what it refuses.
func TestAServerThatDoesNotStore(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	if err := streams(t, nc).DeleteStream(soon(t), "tasks"); err != nil {
		t.Fatal(err)
	}
	sub, err := nc.Subscribe("tasks.run.>", func(m *natsgo.Msg) {
		if m.Header.Get("Nats-Rollup") != "" {
			_ = m.Respond([]byte(`{"error":{"code":500,"err_code":10111,"description":"rollup not permitted"},"stream":"tasks","seq":0}`))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	_, err = nats.Submit(soon(t), c, "a", 1, nats.WithKind("k"))
	if !errors.Is(err, taskmanager.ErrQueueFull) || !errors.Is(err, nats.ErrUnknownOutcome) {
		t.Errorf("the error is %v, want ErrQueueFull", err)
	}
}

// The server does not answer a submit to which the user has no right.
func TestASubmitWithoutPermission(t *testing.T) {
	t.Parallel()
	s := serve(t, embed.Options{Users: []embed.User{
		{Name: "all", Password: "all"}, {Name: "some", Password: "some", Publish: []string{"$JS.API.>", "tasks.run.*.mine.*"}},
	}})
	open(t, connect(t, s, natsgo.UserInfo("all", "all")))
	c := open(t, quietly(t, s, "some"))
	if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("mine")); err != nil {
		t.Errorf("a kind that is allowed: %v", err)
	}
	_, err := nats.Submit(soon(t), c, "b", 1, nats.WithKind("yours"))
	if !errors.Is(err, natsgo.ErrPermissionViolation) || !strings.Contains(err.Error(), "see Permissions") {
		t.Errorf("a kind that is not: %v", err)
	}
	if _, err = nats.SubmitAll(soon(t), c, items("c", 3), nats.WithKind("yours")); !errors.Is(err, natsgo.ErrPermissionViolation) {
		t.Errorf("a batch of it: %v", err)
	}
	if _, err := nats.Submit(soon(t), c, "d", 1, nats.WithKind("mine")); err != nil {
		t.Errorf("a kind that is allowed, after that: %v", err)
	}
}
