package servertest_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

func streamNames(t *testing.T, js jetstream.JetStream) []string {
	t.Helper()
	var names []string
	list := js.StreamNames(soon(t))
	for name := range list.Name() {
		names = append(names, name)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func config(t *testing.T, js jetstream.JetStream, stream string) jetstream.StreamConfig {
	t.Helper()
	s, err := js.Stream(soon(t), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

func TestOpenMakesTheStreams(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	open(t, nc)
	js := streams(t, nc)
	want := []string{
		"KV_tasks_CANCEL", "KV_tasks_CRON", "KV_tasks_PROCS", "KV_tasks_RESULTS", "KV_tasks_SLOTS",
		"KV_tasks_STATE", "tasks", "tasks_DEAD",
	}
	if diff := cmp.Diff(want, streamNames(t, js)); diff != "" {
		t.Fatalf("streams (-want +got):\n%s", diff)
	}
	got := config(t, js, "tasks")
	if got.Retention != jetstream.WorkQueuePolicy || !got.DiscardNewPerSubject || got.MaxMsgsPerSubject != 1 ||
		!got.AllowAtomicPublish || got.Metadata["taskmanager.layout"] != "1" {
		t.Errorf("the stream of the tasks is %+v", got)
	}
}

// A second client with other defaults changes nothing; what it names is changed.
func TestOpenChangesOnlyWhatIsNamed(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	js := streams(t, nc)
	open(t, nc, nats.WithMaxTasks(100), nats.WithMaxBytes(1<<20), nats.WithDeadFor(time.Hour))
	tasks, dead := config(t, js, "tasks"), config(t, js, "tasks_DEAD")
	open(t, nc)
	if diff := cmp.Diff(tasks, config(t, js, "tasks")); diff != "" {
		t.Errorf("a client without options changed the stream (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(dead, config(t, js, "tasks_DEAD")); diff != "" {
		t.Errorf("a client without options changed the dead letters (-before +after):\n%s", diff)
	}
	open(t, nc, nats.WithMaxTasks(7))
	tasks.MaxMsgs = 7
	if diff := cmp.Diff(tasks, config(t, js, "tasks")); diff != "" {
		t.Errorf("WithMaxTasks (-want +got):\n%s", diff)
	}
	open(t, nc, nats.WithMaxTasks(-1), nats.WithDeadFor(2*time.Hour))
	if got := config(t, js, "tasks"); got.MaxMsgs != -1 {
		t.Errorf("the limit is %d after it was removed", got.MaxMsgs)
	}
	if got := config(t, js, "tasks_DEAD"); got.MaxAge != 2*time.Hour {
		t.Errorf("dead letters are kept for %v", got.MaxAge)
	}
}

func TestOpenRefusesANewerLayout(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	js := streams(t, nc)
	open(t, nc)
	cfg := config(t, js, "tasks")
	cfg.Metadata["taskmanager.layout"] = "2"
	if _, err := js.UpdateStream(soon(t), cfg); err != nil {
		t.Fatal(err)
	}
	_, err := nats.Open(soon(t), nc, nats.WithMaxTasks(5))
	if !errors.Is(err, nats.ErrLayout) {
		t.Errorf("the error is %v, want ErrLayout", err)
	}
	if got := config(t, js, "tasks"); got.MaxMsgs != -1 || got.Metadata["taskmanager.layout"] != "2" {
		t.Errorf("Open changed a newer layout: %+v", got)
	}
}

func TestOpenRefusesForeignStreams(t *testing.T) {
	for name, cfg := range map[string]jetstream.StreamConfig{
		"tasks": {Name: "tasks", Subjects: []string{"orders.>"}},
		"dead":  {Name: "tasks_DEAD", Subjects: []string{"orders.>"}},
		"part":  {Name: "KV_tasks_STATE", Subjects: []string{"$KV.tasks_STATE.>"}, MaxMsgsPerSubject: 1},
		"other part": {Name: "tasks", Subjects: []string{"tasks.run.>"}, Metadata: map[string]string{
			"taskmanager.layout": "1", "taskmanager.part": "dead",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			nc := connect(t, serve(t, embed.Options{}))
			js := streams(t, nc)
			if _, err := js.CreateStream(soon(t), cfg); err != nil {
				t.Fatal(err)
			}
			before := config(t, js, cfg.Name)
			if _, err := nats.Open(soon(t), nc); !errors.Is(err, nats.ErrLayout) {
				t.Errorf("the error is %v, want ErrLayout", err)
			}
			if diff := cmp.Diff(before, config(t, js, cfg.Name)); diff != "" {
				t.Errorf("Open changed a foreign stream (-before +after):\n%s", diff)
			}
		})
	}
}

// Somebody has changed the stream so that names would no longer be unique.
func TestOpenRefusesAStreamWithoutUniqueNames(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	js := streams(t, nc)
	open(t, nc)
	cfg := config(t, js, "tasks")
	cfg.MaxMsgsPerSubject, cfg.DiscardNewPerSubject = -1, false
	if _, err := js.UpdateStream(soon(t), cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Open(soon(t), nc); !errors.Is(err, nats.ErrLayout) {
		t.Errorf("the error is %v, want ErrLayout", err)
	}
}

func TestManyProcessesOpenAtOnce(t *testing.T) {
	s := serve(t, embed.Options{})
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		nc := connect(t, s)
		wg.Go(func() {
			c, err := nats.Open(soon(t), nc, nats.WithMaxTasks(int64(10+i)))
			if errs[i] = err; err == nil {
				c.Close()
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := config(t, streams(t, connect(t, s)), "tasks").MaxMsgs; got < 10 || got > 17 {
		t.Errorf("the limit is %d, which nobody has asked for", got)
	}
}

func TestNamespacesAreSeparate(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	a, b := open(t, nc, nats.WithNamespace("a")), open(t, nc, nats.WithNamespace("b"))
	for _, c := range []*nats.Client{a, b} {
		if _, err := nats.Submit(soon(t), c, "same", 1, nats.WithKind("k")); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenReportsInvalidOptions(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	for name, o := range map[string]nats.Option{
		"namespace": nats.WithNamespace("a.b"), "empty namespace": nats.WithNamespace(""),
		"long namespace": nats.WithNamespace("123456789012345678901234567890123"), "no replicas": nats.WithReplicas(0), "even replicas": nats.WithReplicas(2), "lease": nats.WithLease(time.Millisecond),
		"crashes": nats.WithCrashes(0), "tasks": nats.WithMaxTasks(0), "bytes": nats.WithMaxBytes(0),
		"dead": nats.WithDeadFor(time.Millisecond), "codec": nats.WithCodec(nil), "observer": nats.WithObserver(nil), "clock": nats.WithClock(nil), "nil": nil,
	} {
		if _, err := nats.Open(soon(t), nc, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := streamNames(t, streams(t, nc)); len(got) != 0 {
		t.Errorf("streams were made: %q", got)
	}
	if _, err := nats.Open(soon(t), nil); err == nil {
		t.Error("nil connection: no error")
	}
}

func TestOpenWithAnEndedContext(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := nats.Open(ctx, nc); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestWrongCredentials(t *testing.T) {
	s := serve(t, embed.Options{Listen: "127.0.0.1:0", Token: "secret"})
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	_, err = natsgo.Connect("nats://"+u.Host, append(connOptions(t), natsgo.Token("wrong"))...)
	if !errors.Is(err, natsgo.ErrAuthorization) {
		t.Errorf("the error is %v, want an authorization violation at once", err)
	}
}
