package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// soon returns a context that ends when a test has taken far too long.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(stop)
	return ctx
}

// embedded starts a server, to which other processes may connect.
func embedded(t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Embed(soon(t), cluster.Place{Listen: "127.0.0.1:0"}, time.Second, cluster.Log(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(soon(t)); err != nil {
			t.Error(err)
		}
	})
	return c
}

// serve runs a worker with a reader.
func serve(t *testing.T, c *cluster.Cluster, r cluster.Reader) *cluster.Worker {
	t.Helper()
	w, err := c.Serve(cluster.Workforce{
		Manager: settings.Manager{Min: 1, Max: 2, IdleTimeout: time.Minute, Limit: 100, Overflow: settings.Overflows.Choose()},
		Scaler:  settings.Scalers.Choose().Value(), Restart: restart.Constant(time.Millisecond), Retries: 2,
	}, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(soon(t), time.Minute); err != nil {
			t.Error(err)
		}
	})
	return w
}

// payload returns the payload for a file as it is now.
func payload(t *testing.T, dir, path string) cluster.File {
	t.Helper()
	info, err := os.Lstat(filepath.Join(dir, path))
	if err != nil {
		t.Fatal(err)
	}
	return cluster.NewFile(dir, path, info)
}

// A process that joins by the URL reads what another one submits.
func TestRead(t *testing.T) {
	c := embedded(t)
	dir := labtest.Tree(t, map[string]string{"good": "a\nb\n", "changed": "old", "dir/x": "", "large": strings.Repeat("x\n", 1<<20)})
	joined, err := cluster.Join(soon(t), c.URL, time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := joined.Close(soon(t)); err != nil {
			t.Error(err)
		}
	})
	serve(t, joined, cluster.Reader{Name: "reader"})
	changed := payload(t, dir, "changed")
	if err := os.WriteFile(filepath.Join(dir, "changed"), []byte("new content"), 0o600); err != nil {
		t.Fatal(err)
	}
	vanished := payload(t, dir, "good")
	vanished.Path = []byte("vanished")
	outside := payload(t, dir, "good")
	outside.Dir, outside.Path = []byte(filepath.Join(dir, "dir")), []byte("../good")
	relative := payload(t, dir, "good")
	relative.Dir = []byte("relative")
	directory := payload(t, dir, "good")
	directory.Path = []byte("dir")
	for name, tt := range map[string]struct {
		in   cluster.File
		want string // of the error, or how much was read
	}{
		"good":      {payload(t, dir, "good"), "4 bytes, 2 lines, attempt 1, reader"},
		"empty":     {payload(t, dir, "dir/x"), "0 bytes, 0 lines, attempt 1, reader"},
		"large":     {payload(t, dir, "large"), "2097152 bytes, 1048576 lines, attempt 1, reader"},
		"changed":   {changed, "the file has changed since it was found; run again"},
		"vanished":  {vanished, "openat: no such file or directory"},
		"outside":   {outside, "openat: path escapes from parent"},
		"relative":  {relative, `the directory "relative" is not absolute`},
		"directory": {directory, "it is no regular file any more"},
	} {
		got := read(t, c.Client, name, tt.in)
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// read submits a file, and returns what became of it.
func read(t *testing.T, c *nats.Client, name string, in cluster.File) string {
	t.Helper()
	f, err := nats.Async[cluster.Read](soon(t), c, name, in, nats.WithKind(cluster.Kind))
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Result(soon(t))
	if failed, ok := errors.AsType[*nats.ResultError](err); ok {
		return failed.Text
	}
	if err != nil {
		t.Fatal(err)
	}
	return describe(r)
}

func describe(r cluster.Read) string {
	c := r.Content()
	return fmt.Sprintf("%d bytes, %d lines, attempt %d, %s", c.Bytes, c.Lines, r.Attempt, r.Process)
}

// A worker with a directory of its own reads there, and nowhere else.
func TestReaderWithADirectory(t *testing.T) {
	c := embedded(t)
	there, here := labtest.Tree(t, map[string]string{"a": "1234"}), labtest.Tree(t, map[string]string{"a": "1234", "b": ""})
	in := payload(t, here, "a")
	in.Dir = []byte(there)
	serve(t, c, cluster.Reader{Name: "reader", Dir: here})
	if got := read(t, c.Client, "a", in); !strings.HasPrefix(got, "4 bytes") {
		t.Errorf("a: %s", got)
	}
	in = payload(t, there, "a")
	in.Path = []byte("c")
	if got := read(t, c.Client, "c", in); !strings.Contains(got, "no such file") {
		t.Errorf("c: %s", got)
	}
}

// Each failure to join says what to do, without secrets.
func TestJoinErrors(t *testing.T) {
	plain, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	plain.Start()
	t.Cleanup(func() {
		plain.Shutdown()
		plain.WaitForShutdown()
	})
	if !plain.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not listen")
	}
	c := embedded(t)
	address := strings.TrimPrefix(c.Shown, "nats://")
	for _, tt := range []struct{ url, want string }{
		{"nats://user:secret@127.0.0.1:1", "no server answers at nats://127.0.0.1:1; start one with nats-server -js"},
		{plain.ClientURL(), "start the server with -js"},
		{"nats://secret@" + address, "refuses the credentials; put them into the URL"},
		{"nats://" + address, "refuses the credentials; put them into the URL"},
	} {
		joined, err := cluster.Join(soon(t), tt.url, time.Second, nil)
		if err == nil {
			err = joined.Close(soon(t))
			t.Errorf("%s: joined, %v", tt.url, err)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", tt.url, err, tt.want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	got := map[string]bool{}
	for _, address := range []string{
		"nats://127.0.0.1:4222", "nats://token@host:4222", "tls://a:1,tls://b:1", "wss://host", "127.0.0.1:4222", "http://host", "nats://", "nats://a:1,b", "", "nats://%zz", "embed",
	} {
		got[address] = cluster.CheckURL(address) == nil
	}
	want := map[string]bool{
		"nats://127.0.0.1:4222": true, "nats://token@host:4222": true, "tls://a:1,tls://b:1": true, "wss://host": true,
		"127.0.0.1:4222": false, "http://host": false, "nats://": false, "nats://a:1,b": false, "": false, "nats://%zz": false, "embed": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("which are URLs (-want +got):\n%s", diff)
	}
}

// The word env stands for the variable, and no error has its content.
func TestAddress(t *testing.T) {
	const local, secret = "nats://127.0.0.1:4222", "nats://secret@host:4222"
	for _, tt := range []struct{ given, variable, want, fault string }{
		{local, secret, local, ""},
		{"env", secret, secret, ""},
		{"env", "", "", "TASKLAB_CLUSTER is not set"},
		{"env", "secret@host", "", "TASKLAB_CLUSTER: it is neither"},
		{"secret@host", local, "", "-cluster: it is neither"},
	} {
		t.Setenv(cluster.Variable, tt.variable)
		got, err := cluster.Address(tt.given)
		if got != tt.want || (err == nil) != (tt.fault == "") {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), tt.fault) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// Two runs cannot have the same store.
func TestStoreInUse(t *testing.T) {
	place := cluster.Place{Dir: filepath.Join(t.TempDir(), "store"), Listen: "127.0.0.1:0"}
	c, err := cluster.Embed(soon(t), place, time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Embed(soon(t), place, time.Second, nil); err == nil || !strings.Contains(err.Error(), "another run uses this -store") {
		t.Errorf("the second server: %v", err)
	}
	if err := c.Close(soon(t)); err != nil {
		t.Error(err)
	}
}
