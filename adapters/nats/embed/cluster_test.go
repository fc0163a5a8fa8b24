package embed_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// addresses returns n addresses that were free a moment ago.
func addresses(t *testing.T, n int) []string {
	t.Helper()
	all := make([]string, n)
	for i := range all {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		all[i] = l.Addr().String()
	}
	return all
}

// Three servers store three replicas, go on while two of them run, and get a restarted one up
// to date.
func TestCluster(t *testing.T) {
	options := clusterOptions(t, 3)
	servers := startCluster(t, options)
	if got, want := servers[0].ClusterURL(), "nats://u:p@"+options[0].Cluster.Listen; got != want {
		t.Errorf("the URL of the cluster is %q, want %q", got, want)
	}
	nc, err := servers[0].Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, st := stream(t, nc, "a", 3)
	publish := func() {
		t.Helper()
		if _, err := js.Publish(within(t, 20*time.Second), "a", nil, jetstream.WithRetryAttempts(50)); err != nil {
			t.Fatal(err)
		}
	}
	publish()
	stop(t, servers[2])
	publish()
	again := start(t, options[2])
	if err := again.Ready(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	publish()
	info, err := st.Info(within(t, 20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != 3 {
		t.Errorf("%d messages are stored, want 3", info.State.Msgs)
	}
}

// A server whose cluster has another password does not get in.
func TestClusterRefusesStranger(t *testing.T) {
	routes := addresses(t, 2)
	var servers [2]*embed.Server
	log := new(lines)
	for i := range servers {
		servers[i] = start(t, embed.Options{
			Name: fmt.Sprint("s", i), Listen: "127.0.0.1:0", Token: "secret", Logger: log,
			Cluster: &embed.Cluster{Name: "c", Listen: routes[i], Routes: routes[1-i : 2-i], User: "u", Password: fmt.Sprint("p", i)},
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := servers[0].Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ready: %v, want the end of the context", err)
	}
	if !log.contain("authentication error") {
		t.Errorf("the log does not say why: %q", log.all)
	}
	if nc, err := natsgo.Connect(servers[0].URL()); err != nil {
		t.Errorf("a client cannot connect: %v", err)
	} else {
		nc.Close()
	}
}

// With TLS, the servers reach one another only by certificates that they trust.
func TestClusterTLS(t *testing.T) {
	own, other := certificate(t), certificate(t)
	join := func(identities ...identity) []*embed.Server {
		t.Helper()
		routes := addresses(t, len(identities))
		servers := make([]*embed.Server, len(identities))
		for i, id := range identities {
			config := id.server()
			config.RootCAs, config.ClientCAs = id.pool, id.pool
			servers[i] = start(t, embed.Options{
				Name: fmt.Sprint("s", i), Listen: "127.0.0.1:0", Token: "secret",
				Cluster: &embed.Cluster{Name: "c", Listen: routes[i], Routes: routes, User: "u", Password: "p", TLS: config},
			})
		}
		return servers
	}
	for _, s := range join(own, own) {
		if err := s.Ready(within(t, time.Minute)); err != nil {
			t.Errorf("with a certificate that they share: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for _, s := range join(own, other) {
		if err := s.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with certificates that they do not trust: %v, want the end of the context", err)
		}
	}
}
