package servertest_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// TestAuditRepairs makes the faults that an audit looks for, and lets a worker repair them.
func TestAuditRepairs(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}), nats.WithLease(500*time.Millisecond))
	js := streams(t, nc)
	// A consumer that gives up after one delivery stands in for one that has moved past stored tasks.
	cons, err := js.CreateConsumer(soon(t), "tasks", jetstream.ConsumerConfig{
		Durable: "w_normal_work", FilterSubject: "tasks.run.normal.work.*", AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: 500 * time.Millisecond, MaxDeliver: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	submit(t, c, "a")
	submit(t, c, "b")
	for range 2 { // they are taken and not settled
		if _, err := cons.Next(jetstream.FetchContext(soon(t))); err != nil {
			t.Fatal(err)
		}
	}
	kv, err := js.KeyValue(soon(t), "tasks_STATE")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"ended": `{"id":"ended","seq":1000}`, "empty": `{}`, "garbage": `x`} {
		if _, err := kv.Put(soon(t), name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := nats.Submit(soon(t), c, "late", "", nats.WithKind("nobody"), nats.WithQueueTimeout(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	want := nats.Audit{
		Stranded:  []nats.AuditFinding{{Kind: "work", Consumer: "w_normal_work", Tasks: 2}},
		Unclaimed: []nats.AuditFinding{{Kind: "nobody", Tasks: 1}},
		Overdue:   []string{"late"},
		Orphans:   3,
	}
	var found nats.Audit
	eventually(t, "the audit finds everything", func() bool {
		if found, err = c.Audit(soon(t)); err != nil {
			t.Fatal(err)
		}
		return cmp.Equal(want, found)
	})
	// A worker must not repair the consumer by its start already.
	if err := js.DeleteConsumer(soon(t), "tasks", "w_normal_work"); err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, c, 2, nats.WithAuditEvery(100*time.Millisecond))
	var got ledger
	handle(t, w, "work", func(_ context.Context, in string) error { got.add(in); return nil })
	w.run(t)
	got.waitFor(t, 2)
	empty(t, js, "tasks")
	eventually(t, "nothing is found any more", func() bool {
		found, err = c.Audit(soon(t))
		return err == nil && cmp.Equal(nats.Audit{}, found)
	})
	if reasons := deadReasons(t, js, "tasks"); len(reasons) != 1 {
		t.Errorf("dead letters: %q", reasons)
	}
}

// TestAuditRemakesAConsumer strands a task below a worker that runs.
func TestAuditRemakesAConsumer(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	js := streams(t, nc)
	w := newWorker(t, c, 1, nats.WithAuditEvery(100*time.Millisecond))
	var got ledger
	begun, end := make(chan struct{}), make(chan struct{})
	handle(t, w, "busy", func(context.Context, string) error { close(begun); <-end; return nil })
	handle(t, w, "work", func(_ context.Context, in string) error { got.add(in); return nil })
	w.run(t)
	if _, err := nats.Submit(soon(t), c, "busy", "", nats.WithKind("busy")); err != nil {
		t.Fatal(err)
	}
	<-begun // no request for work is answered now, but for the one that waits
	if err := js.DeleteConsumer(soon(t), "tasks", "w_low_work"); err != nil {
		t.Fatal(err)
	}
	cons, err := js.CreateConsumer(soon(t), "tasks", jetstream.ConsumerConfig{
		Durable: "w_low_work", FilterSubject: "tasks.run.low.work.*", AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: 100 * time.Millisecond, MaxDeliver: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	submit(t, c, "lost", nats.WithPriority(nats.Low))
	if _, err := cons.Next(jetstream.FetchContext(soon(t))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the consumer is made again", func() bool {
		cons, err := js.Consumer(soon(t), "tasks", "w_low_work")
		return err == nil && cons.CachedInfo().Config.MaxDeliver == -1
	})
	close(end)
	if diff := cmp.Diff([]string{"lost"}, got.waitFor(t, 1)); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	empty(t, js, "tasks")
}

// TestAuditFindsNothingInABusyNamespace audits while tasks come and go.
func TestAuditFindsNothingInABusyNamespace(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 8)
	handle(t, w, "work", func(context.Context, string) error { return nil })
	w.run(t)
	eventually(t, "the worker is present", func() bool {
		present, err := c.Processes(soon(t))
		return err == nil && len(present) == 1
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	submitted := make(chan struct{})
	go func() {
		defer close(submitted)
		for i := 0; ctx.Err() == nil; i++ {
			_, _ = nats.Submit(t.Context(), c, "task/"+time.Now().Format("150405.000000000"), "", nats.WithKind("work"))
		}
	}()
	for i := range 40 {
		if found, err := c.Audit(soon(t)); err != nil || !cmp.Equal(nats.Audit{}, found) {
			t.Errorf("audit %d found %+v, %v", i, found, err)
		}
	}
	stop()
	<-submitted
}

// TestAuditNamesKindsWithoutAProcess drains the only worker of a kind.
func TestAuditNamesKindsWithoutAProcess(t *testing.T) {
	c := client(t)
	w := newWorker(t, c, 1)
	var got ledger
	handle(t, w, "work", func(_ context.Context, in string) error { got.add(in); return nil })
	w.run(t)
	submit(t, c, "a")
	got.waitFor(t, 1)
	if drained, ran := w.drain(t); drained != nil || ran != nil {
		t.Errorf("Drain returned %v and Run %v", drained, ran)
	}
	submit(t, c, "b")
	found, err := c.Audit(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	want := nats.Audit{Unclaimed: []nats.AuditFinding{{Kind: "work", Consumer: "w_normal_work", Tasks: 1}}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}
