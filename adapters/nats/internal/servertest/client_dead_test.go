package servertest_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// bury stores a dead letter, as a worker would.
func bury(t *testing.T, nc *natsgo.Conn, kind, name, id string, more natsgo.Header) {
	t.Helper()
	h := natsgo.Header{
		"Task-Version": {"1"}, "Task-Id": {id}, "Task-Level": {"high"}, "Task-Key": {"k=20y"}, "Task-Dead-Reason": {"broken"},
		"Task-Dead-Attempts": {"3"}, "Task-Dead-Process": {"p"}, "Nats-Msg-Id": {"dead-" + id},
	}
	maps.Copy(h, more)
	if _, err := streams(t, nc).PublishMsg(soon(t), &natsgo.Msg{Subject: "tasks.dead." + kind + "." + name, Header: h, Data: []byte(`7`)}); err != nil {
		t.Fatal(err)
	}
}

func deadLetters(t *testing.T, c *nats.Client, kind string) []nats.DeadLetter {
	t.Helper()
	var out []nats.DeadLetter
	for d, err := range c.DeadLetters(soon(t), kind) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}

func TestDeadLetters(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	if got := deadLetters(t, c, ""); len(got) != 0 {
		t.Errorf("dead letters of nothing: %v", got)
	}
	bury(t, nc, "k1", "a=2Eb", "one", nil)
	bury(t, nc, "k2", "c", "two", natsgo.Header{"Task-Version": {"9"}, "Task-Codec": {"gob"}})
	bury(t, nc, "k1", "a=2Eb", "three", nil) // the same name again
	want := []nats.DeadLetter{
		{Seq: 1, Name: "a.b", Kind: "k1", ID: "one", Codec: "json"}, {Seq: 2, Name: "c", Kind: "k2", ID: "two", Codec: "gob"},
		{Seq: 3, Name: "a.b", Kind: "k1", ID: "three", Codec: "json"},
	}
	for i := range want {
		want[i].Level, want[i].Key, want[i].Reason, want[i].Attempts = nats.High, "k y", "broken", 3
		want[i].Process, want[i].Payload = "p", []byte("7")
	}
	got := deadLetters(t, c, "")
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(nats.DeadLetter{}, "At")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(got) > 0 && time.Since(got[0].At).Abs() > time.Minute {
		t.Errorf("the time is %v", got[0].At)
	}
	if got := deadLetters(t, c, "k1"); len(got) != 2 {
		t.Errorf("%d dead letters of k1", len(got))
	}
	for _, err := range c.DeadLetters(soon(t), "") {
		if err != nil {
			t.Error(err)
		}
		break // nothing leaks
	}
}

func TestDeadLettersInPages(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	js := streams(t, nc)
	const n = 1000
	for i := range n {
		if _, err := js.PublishMsgAsync(&natsgo.Msg{
			Subject: fmt.Sprint("tasks.dead.k.", i), Header: natsgo.Header{"Task-Version": {"1"}, "Task-Id": {fmt.Sprint(i)}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	got := deadLetters(t, c, "k")
	if len(got) != n {
		t.Fatalf("%d dead letters, want %d", len(got), n)
	}
	for i, d := range got {
		if d.Name != fmt.Sprint(i) {
			t.Fatalf("dead letter %d is that of %q", i, d.Name)
		}
	}
}

func TestRetry(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	past := fmt.Sprint(time.Now().Add(-time.Hour).UnixNano())
	bury(t, nc, "k", "a", "retry-7-one", natsgo.Header{"Task-Deadline": {past}, "Task-Not-Before": {past}, "Task-Timeout": {"5"}})
	d := deadLetters(t, c, "")[0]
	task, err := c.Retry(soon(t), d)
	if err != nil {
		t.Fatal(err)
	}
	if task.Name() != "a" || task.Kind() != "k" || task.ID() != "retry-1-one" {
		t.Errorf("the task is %q of kind %q with id %q", task.Name(), task.Kind(), task.ID())
	}
	st, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	m, err := st.GetMsg(soon(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != "tasks.run.high.k.a" || string(m.Data) != "7" || m.Header.Get("Task-Deadline") != "" ||
		m.Header.Get("Task-Not-Before") != "" || m.Header.Get("Task-Timeout") != "5" || m.Header.Get("Task-Dead-Reason") != "" {
		t.Errorf("stored as %s: %s %v", m.Subject, m.Data, m.Header)
	}
	if got := deadLetters(t, c, ""); len(got) != 0 {
		t.Errorf("the dead letter is still there: %v", got)
	}
	for what, err := range map[string]error{"Retry": second(c.Retry(soon(t), d)), "Delete": c.Delete(soon(t), d)} {
		if !errors.Is(err, nats.ErrNotFound) {
			t.Errorf("%s of a dead letter that is gone: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Whatever happens to a retry, the dead letter or the task is there.
func TestRetryLosesNothing(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	bury(t, nc, "k", "a", "one", nil)
	d := deadLetters(t, c, "")[0]
	if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k2")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.Retry(soon(t), d); !errors.Is(err, taskmanager.ErrAlreadyExists) {
			t.Errorf("the name is taken: %v", err)
		}
	}
	if got := deadLetters(t, c, ""); len(got) != 1 {
		t.Fatalf("the dead letter is lost: %v", got)
	}
	if _, err := c.Cancel(soon(t), "a"); err != nil {
		t.Fatal(err)
	}
	// The process of a first retry died before it could delete the dead letter.
	m := natsgo.Header{"Task-Version": {"1"}, "Task-Id": {"retry-1-one"}, "Nats-Msg-Id": {"retry-1-one"}}
	store(t, nc, "tasks.run.high.k.a", m)
	if _, err := c.Retry(soon(t), d); err != nil {
		t.Errorf("the second retry: %v", err)
	}
	st, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	if n, dead := stored(t, st), deadLetters(t, c, ""); n != 1 || len(dead) != 0 {
		t.Errorf("%d tasks and %d dead letters, want 1 and 0", n, len(dead))
	}
}

func TestDelete(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	bury(t, nc, "k", "a", "one", nil)
	bury(t, nc, "k", "b", "two", nil)
	if err := c.Delete(soon(t), nats.DeadLetter{Seq: 1, Name: "b"}); !errors.Is(err, nats.ErrNotFound) {
		t.Errorf("Delete of the letter of another name: %v", err)
	}
	if err := c.Delete(soon(t), nats.DeadLetter{Seq: 1}); err != nil {
		t.Fatal(err)
	}
	if got := deadLetters(t, c, ""); len(got) != 1 || got[0].Name != "b" {
		t.Errorf("left: %v", got)
	}
}

func TestDeadLettersOfADeletedStream(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	if err := streams(t, nc).DeleteStream(soon(t), "tasks_DEAD"); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range c.DeadLetters(soon(t), "") {
		if n++; !errors.Is(err, nats.ErrNotFound) {
			t.Errorf("the error is %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d pairs", n)
	}
}

func TestKinds(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	for i := range 5 {
		if _, err := nats.Submit(soon(t), c, fmt.Sprint(i), 1, nats.WithKind([]string{"a.b", "c"}[i%2]), nats.WithPriority(nats.Priority(i%3-1))); err != nil {
			t.Fatal(err)
		}
	}
	bury(t, nc, "dead", "a", "one", nil)
	bury(t, nc, "c", "a", "two", nil)
	consumer(t, nc, "w_high_c", "tasks.run.high.c.*")
	consumer(t, nc, "w_normal_c", "tasks.run.normal.c.*")
	consumer(t, nc, "w_low_c", "tasks.run.low.c.*")
	consumer(t, nc, "w_idle", "tasks.run.*.idle.*")
	got, err := c.Kinds(soon(t))
	want := []nats.KindInfo{
		{Kind: "a.b", Waiting: 3}, {Kind: "c", Waiting: 2, Dead: 1, HasConsumer: true}, {Kind: "dead", Dead: 1}, {Kind: "idle", HasConsumer: true},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
