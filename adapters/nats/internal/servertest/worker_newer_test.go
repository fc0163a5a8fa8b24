package servertest_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// TestWorkerKeepsNewerRecords fails a task for which a later delivery has been recorded meanwhile. The older
// record must not replace the newer one.
func TestWorkerKeepsNewerRecords(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	kv, err := streams(t, nc).KeyValue(soon(t), "tasks_STATE")
	if err != nil {
		t.Fatal(err)
	}
	newer, err := json.Marshal(map[string]any{"id": "id", "seq": 1, "deliveries": 7, "state": restart.State{Attempts: 6}})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, c, 1)
	done := make(chan struct{})
	handle(t, w, "work", func(context.Context, string) error {
		defer close(done)
		if _, err := kv.Put(t.Context(), "a", newer); err != nil {
			t.Error(err)
		}
		return errFailed
	}, nats.WithRestart(restart.Constant(time.Millisecond)))
	w.run(t)
	submit(t, c, "a", nats.WithID("id"))
	<-done
	if drained, ran := w.drain(t); drained != nil || ran != nil {
		t.Errorf("Drain returned %v and Run %v", drained, ran)
	}
	if h := readHistory(t, nc, "a"); !strings.Contains(h, `"deliveries":7`) {
		t.Errorf("the history is %s", h)
	}
}

// TestWorkerEndsATaskThatIsCancelledWhileItIsGivenBack cancels a task between its failure and its end here.
func TestWorkerEndsATaskThatIsCancelledWhileItIsGivenBack(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	js := streams(t, nc)
	w := newWorker(t, c, 1)
	policy := restart.Func(func(restart.Failure) (time.Duration, bool) { // the handler has failed already
		if found, err := c.Cancel(t.Context(), "a"); !found || err != nil { // the worker says that it has the task
			t.Errorf("Cancel returned %v, %v", found, err)
		}
		return 2 * time.Hour, true
	})
	handle(t, w, "work", func(context.Context, string) error { return errFailed }, nats.WithRestart(policy))
	w.run(t)
	submit(t, c, "a", nats.WithID("id"), nats.WithResult(time.Minute))
	if r := storedResult(t, js, "tasks", "id"); !r.Cancelled {
		t.Errorf("the result is %+v", r)
	}
	empty(t, js, "tasks")
}

// TestWorkerAdoptsADelivery makes the consumer again while a task runs, which then fails. It runs again after the
// delay of its policy, not after a lease.
func TestWorkerAdoptsADelivery(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}), nats.WithLease(never))
	js := streams(t, nc)
	w := newWorker(t, c, 2)
	var got ledger
	begun, end := make(chan struct{}, 2), make(chan error)
	handle(t, w, "work", func(_ context.Context, in string) error {
		got.add(in)
		if strings.HasPrefix(in, "filler") {
			return nil
		}
		begun <- struct{}{}
		return <-end
	}, nats.WithRestart(restart.Constant(10*time.Millisecond)))
	w.run(t)
	for _, name := range []string{"filler 1", "filler 2", "filler 3"} { // the new consumer counts from 1 again
		submit(t, c, name)
	}
	empty(t, js, "tasks")
	submit(t, c, "a")
	<-begun
	cons, err := js.Consumer(soon(t), "tasks", "w_normal_work")
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteConsumer(soon(t), "tasks", "w_normal_work"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateOrUpdateConsumer(soon(t), "tasks", cons.CachedInfo().Config); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the task is delivered again", func() bool {
		cons, err := js.Consumer(soon(t), "tasks", "w_normal_work")
		return err == nil && cons.CachedInfo().NumAckPending == 1
	})
	end <- errFailed
	next(t, "the task runs again", begun)
	end <- nil
	empty(t, js, "tasks")
	if n := len(got.all()); n != 5 {
		t.Errorf("%d executions: %v", n, got.all())
	}
}
