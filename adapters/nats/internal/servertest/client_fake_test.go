package servertest_test

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// fake is a worker process that runs nothing, and says what the test wants.
type fake struct {
	id string
	nc *natsgo.Conn

	mu       sync.Mutex // guards the rest
	tasks    []map[string]any
	parts    int             // in how many parts it answers; 0: not at all
	cancels  []string        // the ids that it was asked to cancel
	held     map[string]bool // the ids that it has
	question []string        // the bodies of the requests for the status
}

// newFake announces a process, and answers requests in the way of the package.
func newFake(t *testing.T, nc *natsgo.Conn, id string) *fake {
	t.Helper()
	f := &fake{id: id, nc: nc, parts: 1, held: map[string]bool{}}
	kv, err := streams(t, nc).KeyValue(soon(t), "tasks_PROCS")
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(nats.Process{ID: id, Name: "name of " + id, Kinds: []string{"k"}, Workers: 3, Seen: time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(soon(t), id, body); err != nil {
		t.Fatal(err)
	}
	for subject, answer := range map[string]func(*natsgo.Msg){"tasks.ctl.cancel": f.cancel, "tasks.ctl.status": f.status} {
		sub, err := nc.Subscribe(subject, answer)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sub.Unsubscribe() })
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fake) respond(m *natsgo.Msg, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	_ = m.Respond(body)
}

func (f *fake) cancel(m *natsgo.Msg) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancels = append(f.cancels, string(m.Data))
	if f.parts > 0 {
		f.respond(m, map[string]any{"process": f.id, "held": f.held[string(m.Data)]})
	}
}

func (f *fake) status(m *natsgo.Msg) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.question = append(f.question, string(m.Data))
	for i := range f.parts {
		tasks := f.tasks[len(f.tasks)*i/f.parts : len(f.tasks)*(i+1)/f.parts]
		f.respond(m, map[string]any{"process": f.id, "part": i, "parts": f.parts, "tasks": tasks})
	}
}

// runs lets the process say that it runs a task.
func (f *fake) runs(id, kind string, s taskmanager.TaskStatus) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tasks = append(f.tasks, map[string]any{"id": id, "kind": kind, "status": s})
	f.held[id] = true
}

// asked returns the bodies of the requests for the status.
func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.question)
}

// silent lets the process answer nothing any more.
func (f *fake) silent() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts = 0
}

// put puts an entry into a bucket, as a worker would.
func put(t *testing.T, nc *natsgo.Conn, bucket, key string, v any) {
	t.Helper()
	kv, err := streams(t, nc).KeyValue(soon(t), bucket)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(soon(t), key, body); err != nil {
		t.Fatal(err)
	}
}

// keys returns the keys of a bucket.
func keys(t *testing.T, nc *natsgo.Conn, bucket string) []string {
	t.Helper()
	kv, err := streams(t, nc).KeyValue(soon(t), bucket)
	if err != nil {
		t.Fatal(err)
	}
	list, err := kv.Keys(soon(t))
	if err != nil && !strings.Contains(err.Error(), jetstream.ErrNoKeysFound.Error()) {
		t.Fatal(err)
	}
	return list
}

// consumer makes a consumer, as a worker would.
func consumer(t *testing.T, nc *natsgo.Conn, name, filter string) jetstream.Consumer {
	t.Helper()
	cfg := jetstream.ConsumerConfig{Durable: name, FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy}
	c, err := streams(t, nc).CreateConsumer(soon(t), "tasks", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
