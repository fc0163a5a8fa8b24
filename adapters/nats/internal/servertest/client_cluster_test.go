package servertest_test

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
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
		all[i] = l.Addr().String()
		defer func() { _ = l.Close() }()
	}
	return all
}

// serveCluster starts three servers of a cluster.
func serveCluster(t *testing.T) []*embed.Server {
	t.Helper()
	routes := addresses(t, 3)
	servers := make([]*embed.Server, len(routes))
	for i := range routes {
		servers[i] = serve(t, embed.Options{
			Name: fmt.Sprint("s", i), Listen: "127.0.0.1:0", Token: "secret",
			Cluster: &embed.Cluster{Name: "c", Listen: routes[i], Routes: routes, User: "u", Password: "p"},
		})
	}
	for _, s := range servers {
		if err := s.Ready(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	return servers
}

// What a server alone does with names and ids, a cluster does in other code.
func TestCluster(t *testing.T) {
	t.Parallel()
	servers := serveCluster(t)
	clients := make([]*nats.Client, 3)
	for i, s := range servers {
		clients[i] = open(t, connect(t, s), nats.WithReplicas(3), nats.WithLogger(testLog{t}))
	}
	nc := connect(t, servers[0])
	st, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("ids", func(t *testing.T) { clusterIDs(t, clients, st) })
	t.Run("batches", func(t *testing.T) { clusterBatches(t, clients, st) })
	t.Run("races while the leader changes", func(t *testing.T) { clusterRaces(t, clients, nc) })
	t.Run("cancel and status at once", func(t *testing.T) { clusterReads(t, clients) })
}

func clusterIDs(t *testing.T, clients []*nats.Client, st jetstream.Stream) {
	submit := func(i int, id string) error {
		_, err := nats.Submit(soon(t), clients[i], "ids", 1, nats.WithKind(fmt.Sprint("k", i)), nats.WithID(id))
		return err
	}
	if err := submit(0, "one"); err != nil {
		t.Fatal(err)
	}
	for i := range clients {
		if err := submit(i, "one"); err != nil {
			t.Errorf("the same id again: %v", err)
		}
		if err := submit(i, fmt.Sprint("other", i)); !errors.Is(err, taskmanager.ErrAlreadyExists) {
			t.Errorf("another id: %v", err)
		}
	}
	if ok, err := clients[0].Cancel(soon(t), "ids"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := submit(1, "two"); err != nil {
		t.Errorf("another id after the end: %v", err)
	}
	if err := submit(2, "one"); err != nil {
		t.Errorf("the first id after the end, while another task has the name: %v", err)
	}
	if n := stored(t, st); n != 1 {
		t.Errorf("%d tasks are stored, want 1", n)
	}
}

func clusterBatches(t *testing.T, clients []*nats.Client, st jetstream.Stream) {
	k := nats.WithKind("k")
	before := stored(t, st)
	if _, err := nats.SubmitAll(soon(t), clients[0], items("b", 1000), k, nats.WithID("batch")); err != nil {
		t.Fatal(err)
	}
	if _, err := nats.SubmitAll(soon(t), clients[1], items("b", 1000), k, nats.WithID("batch")); err != nil {
		t.Errorf("the same batch again: %v", err)
	}
	_, err := nats.SubmitAll(soon(t), clients[2], append(items("c", 10), nats.Item[int]{Name: "b77"}), nats.WithKind("k2"))
	if te, ok := errors.AsType[*taskmanager.TaskError](err); !errors.Is(err, taskmanager.ErrAlreadyExists) || !ok || te.Name != "b77" {
		t.Errorf("a name that is taken: %v", err)
	}
	if n := stored(t, st); n != before+1000 {
		t.Errorf("%d tasks are stored, want %d", n, before+1000)
	}
}

func clusterRaces(t *testing.T, clients []*nats.Client, nc *natsgo.Conn) {
	for round := range 6 {
		var accepted atomic.Int32
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				_, err := nats.Submit(soon(t), clients[i%3], fmt.Sprint("race/", round), i, nats.WithKind(fmt.Sprint("k", i%2)))
				switch {
				case err == nil:
					accepted.Add(1)
				case !errors.Is(err, taskmanager.ErrAlreadyExists):
					t.Error(err)
				}
			})
		}
		if round%2 == 1 {
			if _, err := nc.RequestWithContext(soon(t), "$JS.API.STREAM.LEADER.STEPDOWN.tasks", nil); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		if n := accepted.Load(); n != 1 {
			t.Errorf("round %d: %d submits were accepted, want 1", round, n)
		}
	}
}

// A replica may not have a task yet that was submitted just before; the leader has.
func clusterReads(t *testing.T, clients []*nats.Client) {
	for i := range 50 {
		name := fmt.Sprint("read/", i)
		if _, err := nats.Submit(soon(t), clients[i%3], name, i, nats.WithKind("k")); err != nil {
			t.Fatal(err)
		}
		if _, err := clients[(i+1)%3].Lookup(soon(t), name); err != nil {
			t.Errorf("Lookup: %v", err)
		}
		if ok, err := clients[(i+2)%3].Cancel(soon(t), name); !ok || err != nil {
			t.Errorf("Cancel: %v, %v", ok, err)
		}
	}
}

// A namespace gets more replicas when a client asks for them, and keeps its tasks.
func TestMoreReplicas(t *testing.T) {
	t.Parallel()
	servers := serveCluster(t)
	c := open(t, connect(t, servers[0]))
	if _, err := nats.SubmitAll(soon(t), c, items("a", 100), nats.WithKind("k")); err != nil {
		t.Fatal(err)
	}
	c = open(t, connect(t, servers[1]), nats.WithReplicas(3))
	js := streams(t, connect(t, servers[2]))
	for _, name := range streamNames(t, js) {
		if n := config(t, js, name).Replicas; n != 3 {
			t.Errorf("stream %s has %d replicas", name, n)
		}
	}
	if _, err := nats.SubmitAll(soon(t), c, items("b", 100), nats.WithKind("k")); err != nil {
		t.Error(err)
	}
	got, err := c.TaskStatus(soon(t))
	if err != nil || len(got) != 200 {
		t.Errorf("%d tasks, %v", len(got), err)
	}
}

func TestReplicasWithoutACluster(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	if _, err := nats.Open(soon(t), nc, nats.WithReplicas(3)); err == nil {
		t.Error("no error")
	} else {
		t.Log(err)
	}
}
