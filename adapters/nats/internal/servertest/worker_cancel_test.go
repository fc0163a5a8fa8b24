package servertest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestWorkerCancels cancels tasks that run, that wait for a worker, that wait to run again, and that are not
// due.
func TestWorkerCancels(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 2)
	begun := make(chan string, 10)
	cause := make(chan error, 1)
	handle(t, w, "work", func(ctx context.Context, in string) error {
		begun <- in
		if in == "again" {
			return errFailed
		}
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return ctx.Err()
	}, nats.WithRestart(restart.Constant(time.Hour)))
	w.run(t)
	js := streams(t, nc)
	submit(t, c, "again", nats.WithResult(time.Minute), nats.WithID("again"))
	if got := <-begun; got != "again" {
		t.Fatalf("%s began", got)
	}
	eventually(t, "the history is stored", func() bool { return remaining(t, js, "KV_tasks_STATE") == 1 })
	submit(t, c, "delayed", nats.WithDelay(time.Hour), nats.WithResult(time.Minute), nats.WithID("delayed"))
	eventually(t, "both are given back with a delay", func() bool {
		cons, err := js.Consumer(soon(t), "tasks", "w_normal_work")
		return err == nil && cons.CachedInfo().NumAckPending == 2
	})
	submit(t, c, "running", nats.WithResult(time.Minute), nats.WithID("running"))
	if got := <-begun; got != "running" {
		t.Fatalf("%s began", got)
	}
	if _, err := nats.Submit(soon(t), c, "waiting", "", nats.WithKind("nobody"), nats.WithResult(time.Minute), nats.WithID("waiting")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"again", "delayed", "running", "waiting"} {
		if ok, err := c.Cancel(soon(t), name); !ok || err != nil {
			t.Errorf("Cancel(%s) returned %v, %v", name, ok, err)
		}
		if r := storedResult(t, js, "tasks", name); !r.Cancelled {
			t.Errorf("the result of %s is %+v", name, r)
		}
	}
	if err := <-cause; !errors.Is(err, taskmanager.ErrCancelled) {
		t.Errorf("the cause is %v", err)
	}
	empty(t, js, "tasks")
	if ok, err := c.Cancel(soon(t), "running"); ok || err != nil {
		t.Errorf("Cancel of a task that has ended returned %v, %v", ok, err)
	}
	if diff := cmp.Diff([]string(nil), deadReasons(t, js, "tasks")); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

// TestWorkerCancelsAtDelivery marks a task before a worker gets it.
func TestWorkerCancelsAtDelivery(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	js := streams(t, nc)
	submit(t, c, "marked", nats.WithID("marked"), nats.WithResult(time.Minute))
	submit(t, c, "other")
	kv, err := js.KeyValue(soon(t), "tasks_CANCEL")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(soon(t), "marked", []byte("marked")); err != nil {
		t.Fatal(err)
	}
	var got ledger
	w := newWorker(t, c, 2)
	handle(t, w, "work", func(_ context.Context, in string) error { got.add(in); return nil })
	w.run(t)
	empty(t, js, "tasks")
	if diff := cmp.Diff([]string{"other"}, got.all()); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	if r := storedResult(t, js, "tasks", "marked"); !r.Cancelled {
		t.Errorf("the result is %+v", r)
	}
}
