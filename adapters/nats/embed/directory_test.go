package embed_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// clusterOptions are the options of the servers of a new cluster.
func clusterOptions(t *testing.T, n int) []embed.Options {
	t.Helper()
	routes := addresses(t, n)
	all := make([]embed.Options, n)
	for i := range all {
		all[i] = embed.Options{
			Name: fmt.Sprint("s", i), Dir: t.TempDir(), SyncInterval: time.Second, Listen: "127.0.0.1:0", Token: "secret",
			Cluster: &embed.Cluster{Name: "c", Listen: routes[i], Routes: routes, User: "u", Password: "p"},
		}
	}
	return all
}

// startCluster starts the servers of a cluster and waits until they work.
func startCluster(t *testing.T, options []embed.Options) []*embed.Server {
	t.Helper()
	servers := make([]*embed.Server, len(options))
	for i, o := range options {
		servers[i] = start(t, o)
	}
	for _, s := range servers {
		if err := s.Ready(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	return servers
}

// store makes a stream and stores a message.
func store(t *testing.T, s *embed.Server, replicas int) {
	t.Helper()
	nc, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, _ := stream(t, nc, "a", replicas)
	if _, err := js.Publish(within(t, time.Minute), "a", []byte("kept")); err != nil {
		t.Fatal(err)
	}
}

// wantStored checks that a server has the message of store.
func wantStored(t *testing.T, s *embed.Server) {
	t.Helper()
	nc, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	m, err := awaitLeader(t, js).GetMsg(within(t, time.Minute), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(m.Data); got != "kept" {
		t.Errorf("the message is %q, want %q", got, "kept")
	}
}

// awaitLeader waits until the server answers for a stream. Without a leader, a cluster does not answer at all.
func awaitLeader(t *testing.T, js jetstream.JetStream) jetstream.Stream {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for all := within(t, time.Minute); ; {
		ctx, cancel := context.WithTimeout(all, time.Second)
		st, err := js.Stream(ctx, "S")
		cancel()
		if err == nil && (st.CachedInfo().Cluster == nil || st.CachedInfo().Cluster.Leader != "") {
			return st
		}
		select {
		case <-tick.C:
		case <-all.Done():
			t.Fatalf("the stream is lost: %v", err)
		}
	}
}

// content is a sum of each file in a directory, and "" for each directory.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[path] = ""
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = fmt.Sprintf("%d bytes, %x", len(b), sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// refused checks that a server does not start, says why, and leaves the directory as it is.
func refused(t *testing.T, o embed.Options, why string) {
	t.Helper()
	before := content(t, o.Dir)
	_, err := embed.Start(o)
	if !errors.Is(err, embed.ErrClusterMismatch) {
		t.Fatalf("Start returned %v, want ErrClusterMismatch", err)
	}
	for _, want := range []string{o.Dir, why} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error %q does not contain %q", err, want)
		}
	}
	if diff := cmp.Diff(before, content(t, o.Dir)); diff != "" {
		t.Errorf("the directory has changed (-before +after):\n%s", diff)
	}
}

// A cluster would delete the streams of a single server, so it does not get them.
func TestSingleServerKeepsItsStreams(t *testing.T) {
	options := clusterOptions(t, 3)
	single := embed.Options{Dir: options[0].Dir}
	s := start(t, single)
	store(t, s, 1)
	stop(t, s)
	refused(t, options[0], "a cluster would delete")
	wantStored(t, start(t, single))
}

// The directory of a server of a cluster needs the cluster.
func TestClusterKeepsItsStreams(t *testing.T) {
	options := clusterOptions(t, 3)
	servers := startCluster(t, options)
	store(t, servers[0], 3)
	for _, s := range servers {
		stop(t, s)
	}
	for _, o := range options {
		refused(t, embed.Options{Dir: o.Dir}, "set Options.Cluster")
	}
	wantStored(t, startCluster(t, options)[1])
}

// Servers join a cluster with the directory of a single server without streams, of one whose stream was deleted,
// and of a server that has never reached the others.
func TestDirectoriesWithoutStreams(t *testing.T) {
	options := clusterOptions(t, 3)
	stop(t, start(t, embed.Options{Dir: options[0].Dir}))

	s := start(t, embed.Options{Dir: options[1].Dir})
	store(t, s, 1)
	nc, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), "S"); err != nil {
		t.Fatal(err)
	}
	stop(t, s)

	stop(t, start(t, options[2]))
	stop(t, start(t, options[2]))
	servers := startCluster(t, options)
	store(t, servers[2], 3)
	wantStored(t, servers[0])
}
