package servertest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// TestErrorTexts compares what errors say. Each names the package once, and says what to do.
func TestErrorTexts(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}), nats.WithMaxTasks(1))
	submit(t, c, "a", nats.WithKind("k"))
	once := func(name string, in any, o ...nats.SubmitOption) error {
		_, err := nats.Submit(soon(t), c, name, in, o...)
		return err
	}
	lookup := func(name string) error { _, err := c.Lookup(soon(t), name); return err }
	reopen := func(o ...nats.Option) error { _, err := nats.Open(soon(t), nc, o...); return err }
	got := []error{
		once("b", 1, nats.WithKind("")),
		once("b", 1),
		once("a", 1, nats.WithKind("k")),
		once("b", 1, nats.WithKind("k")),
		once("b", make([]byte, 1<<20), nats.WithKind("k")),
		lookup("b"), lookup(`: nats: "`),
		reopen(nats.WithReplicas(3)),
		reopen(nats.WithReplicas(3), nats.WithNamespace("new")),
	}
	js := streams(t, nc)
	got = append(got, newer(t, nc, js), foreign(t, nc, js))
	if err := js.DeleteStream(soon(t), "tasks"); err != nil {
		t.Fatal(err)
	}
	got = append(got, once("b", 1, nats.WithKind("k")), lookup("b"))
	nc.Close()
	got = append(got, once("b", 1, nats.WithKind("k")))
	var text []string
	for _, err := range got {
		said, _, _ := strings.Cut(fmt.Sprint(err), "API error: ") // the rest is the server's
		text = append(text, said)
	}
	want := []string{
		`nats: WithKind(""): use a kind that is not empty, or leave the option out`,
		`nats: the task has no kind; pass WithKind, or give the payload a method Kind() string`,
		`taskmanager: task "a": a task of that name already exists`,
		`nats: task "b": stream "tasks" is full; wait, or raise WithMaxTasks or WithMaxBytes: taskmanager: the queue is full; try again later, or raise the limit: `,
		`nats: task "b": too large: the payload has 1398106 bytes; at most 1040183 are possible, so pass a reference to the data, or raise max_payload of the server`,
		`nats: not found: no task "b" is outstanding`,
		`nats: not found: no task ": nats: \"" is outstanding`,
		`nats: open namespace "tasks": WithReplicas(3) needs as many running servers of a cluster: stream KV_tasks_STATE: change its settings: `,
		`nats: open namespace "new": WithReplicas(3) needs as many running servers of a cluster: stream KV_new_STATE: `,
		`nats: open namespace "newer": the streams of the namespace have another layout: stream "newer" has version 2, and this program knows 1; update the program`,
		`nats: open namespace "foreign": the streams of the namespace have another layout: another stream has subjects of stream "foreign"; use another WithNamespace: `,
		`nats: task "b": not found: a stream of namespace "tasks" has been deleted; open the client again to make it: `,
		`nats: not found: a stream of namespace "tasks" has been deleted; open the client again to make it: `,
		`nats: task "b": the program has closed the connection of the client; connect and open a client again: connection closed`,
	}
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

// newer opens a namespace that a newer version has made.
func newer(t *testing.T, nc *natsgo.Conn, js jetstream.JetStream) error {
	t.Helper()
	open(t, nc, nats.WithNamespace("newer"))
	cfg := config(t, js, "newer")
	cfg.Metadata["taskmanager.layout"] = "2"
	if _, err := js.UpdateStream(soon(t), cfg); err != nil {
		t.Fatal(err)
	}
	_, err := nats.Open(soon(t), nc, nats.WithNamespace("newer"))
	return err
}

// foreign opens a namespace whose subjects belong to a stream of another program.
func foreign(t *testing.T, nc *natsgo.Conn, js jetstream.JetStream) error {
	t.Helper()
	if _, err := js.CreateStream(soon(t), jetstream.StreamConfig{Name: "other", Subjects: []string{"foreign.run.x"}}); err != nil {
		t.Fatal(err)
	}
	_, err := nats.Open(soon(t), nc, nats.WithNamespace("foreign"))
	return err
}

// TestWorkerLogsKindsWithoutAHandler lets a task wait that no worker can run.
func TestWorkerLogsKindsWithoutAHandler(t *testing.T) {
	log := new(recordedLog)
	c := open(t, connect(t, serve(t, embed.Options{})), nats.WithLogger(log))
	submit(t, c, "a", nats.WithKind("pdf"))
	w := newWorker(t, c, 1, nats.WithAuditEvery(100*time.Millisecond))
	handle(t, w, "work", func(context.Context, string) error { return nil })
	w.run(t)
	const want = `nats: no process handles kind "pdf", and tasks of it wait: 1; start a worker with a handler for it, or cancel them`
	eventually(t, "the log has "+want, func() bool { return slices.Contains(log.all(), want) })
}
