package servertest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

var withoutTimes = cmp.Options{
	cmpopts.IgnoreFields(taskmanager.TaskStatus{}, "QueuedAt", "DueAt", "LastError"), cmpopts.IgnoreFields(nats.Status{}, "Deadline"), cmpopts.EquateErrors(),
}

// brief is what a submit knows of a task that waits.
func brief(name, kind string) nats.Status {
	return nats.Status{Kind: kind, TaskStatus: taskmanager.TaskStatus{Name: name, Kind: kind, Attempt: 1, Status: taskmanager.NotAssigned}}
}

func TestTaskStatusOfWaitingTasks(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	ids := map[string]string{}
	for _, name := range []string{"a", "b.c", "=", "later"} {
		task, err := nats.Submit(soon(t), c, name, 1, nats.WithKind("k/"+name), nats.WithPriority(nats.Low))
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = task.ID()
	}
	due := time.Now().Add(time.Hour)
	put(t, nc, "tasks_STATE", "later", map[string]any{
		"id": ids["later"], "not_before": due.UnixNano(), "state": map[string]any{"attempts": 2, "last_error": "broken"},
	})
	put(t, nc, "tasks_STATE", "ended", map[string]any{"id": "x"}) // an orphan
	got, err := c.TaskStatus(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]nats.Status{}
	for name := range ids {
		s := brief(name, "k/"+name)
		s.Level = nats.Low
		want[name] = s
	}
	later := want["later"]
	later.ID, later.Attempt, later.Restarts, later.Status = ids["later"], 3, 2, taskmanager.Restarted
	want["later"] = later
	if diff := cmp.Diff(want, got, withoutTimes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d := got["later"].DueAt.Sub(due).Abs(); d > time.Second {
		t.Errorf("the task is due at %v, want %v", got["later"].DueAt, due)
	}
	if err := got["later"].LastError; err == nil || err.Error() != "broken" {
		t.Errorf("the last error is %v", err)
	}
}

func TestTaskStatusAsksTheProcesses(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	p, q := newFake(t, nc, "p"), newFake(t, nc, "q")
	want := map[string]nats.Status{"waits": brief("waits", "k")}
	if _, err := nats.Submit(soon(t), c, "waits", 1, nats.WithKind("k")); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		name := fmt.Sprint("run/", i)
		task, err := nats.Submit(soon(t), c, name, 1, nats.WithKind("k"), nats.WithPriority(nats.High))
		if err != nil {
			t.Fatal(err)
		}
		f := []*fake{p, q}[i%2]
		s := taskmanager.TaskStatus{Name: name, Kind: "k", Attempt: 4, Worker: int32(i), Status: taskmanager.Running, Progress: .5, Description: "text"}
		f.runs(task.ID(), "k", s)
		want[name] = nats.Status{TaskStatus: s, Kind: "k", Process: f.id, ID: task.ID(), Level: nats.High}
	}
	p.mu.Lock()
	p.parts = 3
	p.mu.Unlock()
	got, err := c.TaskStatus(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, withoutTimes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	q.silent()
	got, err = c.TaskStatus(soon(t))
	partial, ok := errors.AsType[*nats.PartialError](err)
	if !ok || !cmp.Equal(partial.Silent, []string{"q"}) {
		t.Errorf("the error is %v, want a PartialError for q", err)
	}
	if len(got) != len(want) || got["run/0"].Process != "p" || got["run/1"].Process != "" {
		t.Errorf("what is known is missing: %v", got)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	if _, err := c.Lookup(soon(t), "a"); !errors.Is(err, nats.ErrNotFound) {
		t.Errorf("no task: the error is %v", err)
	}
	deadline := time.Now().Add(2 * time.Hour)
	task, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k"), nats.WithKey("key"), nats.WithDescription("text ü"), nats.WithDelay(time.Hour), nats.WithDeadline(deadline))
	if err != nil {
		t.Fatal(err)
	}
	want := brief("a", "k")
	want.ID, want.Key, want.Description = task.ID(), "key", "text ü"
	got, err := task.Status(soon(t))
	if diff := cmp.Diff(want, got, withoutTimes); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if d := got.Deadline.Sub(deadline); d.Abs() > time.Minute {
		t.Errorf("the deadline is %v, want %v", got.Deadline, deadline)
	}
	if d := time.Until(got.DueAt) - time.Hour; d.Abs() > time.Minute || time.Since(got.QueuedAt).Abs() > time.Minute {
		t.Errorf("due at %v, queued at %v", got.DueAt, got.QueuedAt)
	}
	p := newFake(t, nc, "p")
	running := taskmanager.TaskStatus{Name: "a", Kind: "k", Attempt: 1, Status: taskmanager.Running}
	p.runs("another id", "k", running)
	if got, err = c.Lookup(soon(t), "a"); err != nil || got.Process != "" {
		t.Errorf("an earlier task of the name still runs: %+v, %v", got, err)
	}
	p.runs(task.ID(), "k", running)
	if got, err = c.Lookup(soon(t), "a"); err != nil || got.Process != "p" || got.Status != taskmanager.Running {
		t.Errorf("the task runs: %+v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"a", "a"}, p.asked()); diff != "" {
		t.Errorf("the questions (-want +got):\n%s", diff)
	}
	q := newFake(t, nc, "q") // has the task since p has lost its lease
	again := running
	again.Attempt = 2
	q.runs(task.ID(), "k", again)
	if got, err = c.Lookup(soon(t), "a"); err != nil || got.Process != "q" || got.Attempt != 2 {
		t.Errorf("two processes run the task: %+v, %v", got, err)
	}
	if all, err := c.TaskStatus(soon(t)); err != nil || all["a"].Process != "q" {
		t.Errorf("two processes run the task: %+v, %v", all, err)
	}
	p.silent()
	q.silent()
	got, err = c.Lookup(soon(t), "a")
	if _, ok := errors.AsType[*nats.PartialError](err); !ok || got.ID != task.ID() {
		t.Errorf("a silent process: %+v, %v", got, err)
	}
}

func TestStatusOfATaskWhoseNameHasPassedOn(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	task, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k"))
	if err != nil {
		t.Fatal(err)
	}
	st, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.DeleteMsg(soon(t), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k")); err != nil {
		t.Fatal(err)
	}
	if _, err := task.Status(soon(t)); !errors.Is(err, nats.ErrNotFound) {
		t.Errorf("the status: %v", err)
	}
	if ok, err := task.Cancel(soon(t)); ok || err != nil {
		t.Errorf("the cancellation: %v, %v", ok, err)
	}
	if n := stored(t, st); n != 1 {
		t.Errorf("%d tasks are stored", n)
	}
}

func TestProcesses(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	if got, err := c.Processes(soon(t)); err != nil || len(got) != 0 {
		t.Errorf("without processes: %v, %v", got, err)
	}
	newFake(t, nc, "q")
	newFake(t, nc, "p")
	want := []nats.Process{{ID: "p", Name: "name of p", Kinds: []string{"k"}, Workers: 3}, {ID: "q", Name: "name of q", Kinds: []string{"k"}, Workers: 3}}
	got, err := c.Processes(soon(t))
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(nats.Process{}, "Seen")); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestStatusInJSON(t *testing.T) {
	for _, want := range []nats.Status{
		brief("a", "k"),
		{Kind: "k", Process: "p", ID: "i", Level: nats.High, Deadline: time.Unix(1e9, 1).UTC(), TaskStatus: taskmanager.TaskStatus{Name: "ä\"}", Kind: "k", Progress: .5}},
	} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got nats.Status
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", b, diff)
		}
	}
}
