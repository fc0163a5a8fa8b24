package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// submitSuspect submits a task that is dead after one more crash, if two are permitted. seq is its place in the stream.
func submitSuspect(t *testing.T, c *nats.Client, nc *natsgo.Conn, name, kind string, seq int) {
	t.Helper()
	kv, err := streams(t, nc).KeyValue(soon(t), "tasks_STATE")
	if err != nil {
		t.Fatal(err)
	}
	history := fmt.Sprintf(`{"id":%q,"seq":%d,"state":{"Attempts":1},"deliveries":0,"crashes":1}`, name, seq)
	if _, err := kv.Put(soon(t), name, []byte(history)); err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Submit(soon(t), c, name, name, nats.WithKind(kind), nats.WithID(name)); err != nil {
		t.Fatal(err)
	}
}

// noneIsDead fails for each dead letter.
func noneIsDead(t *testing.T, nc *natsgo.Conn) {
	t.Helper()
	for _, reason := range deadReasons(t, streams(t, nc), "tasks") {
		t.Errorf("dead: %s", reason)
	}
}

// untilCut is a handler that goes on until the connection of its process is closed.
func untilCut(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestSuspectInTheQueueLives lets two processes die that have a task in the queue of the manager, and never execute it.
func TestSuspectInTheQueueLives(t *testing.T) {
	t.Parallel()
	s, nc := listening(t)
	opts := []nats.Option{nats.WithLogger(testLog{t}), nats.WithLease(2 * time.Second), nats.WithCrashes(2)}
	c := open(t, nc, opts...)
	var got ledger
	for i := range 2 {
		busy := fmt.Sprint("busy ", i)
		submit(t, c, busy, nats.WithPriority(nats.High))
		conn := dial(t, s.URL())
		w := newWorker(t, open(t, conn, opts...), 1, nats.WithAhead(1))
		attempts(t, w, "dies", &got, untilCut)
		w.run(t)
		got.waitFor(t, i+1)
		if i == 0 {
			submit(t, c, "innocent")
		}
		eventually(t, "the task is in the queue", func() bool { return w.m.Snapshot().Queued == 1 })
		conn.Close()
		_ = w.result(t)
		if _, err := c.Cancel(soon(t), busy); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorker(t, c, 1)
	attempts(t, w, "lives", &got, succeed)
	w.run(t)
	empty(t, streams(t, nc), "tasks")
	noneIsDead(t, nc)
	if n := len(got.waitFor(t, 3)); n != 3 {
		t.Errorf("executions: %q", got.all())
	}
}

// TestSuspectsDoNotStopOthers runs a suspect that does not end, beside many that wait for it, one of them of a kind with a limit.
func TestSuspectsDoNotStopOthers(t *testing.T) {
	t.Parallel()
	_, nc := listening(t)
	c := open(t, nc, nats.WithLogger(testLog{t}), nats.WithCrashes(2))
	const suspects = 20
	end := make(chan struct{})
	w := newWorker(t, c, suspects+2)
	var got ledger
	handle(t, w, "work", func(_ context.Context, in string) error {
		got.add(in)
		if strings.HasPrefix(in, "suspect") {
			<-end
		}
		return nil
	})
	handle(t, w, "limited", func(_ context.Context, in string) error {
		got.add(in)
		return nil
	}, nats.WithKindLimit(1))
	for i := range suspects {
		submitSuspect(t, c, nc, fmt.Sprint("suspect-", i), "work", i+1)
	}
	submitSuspect(t, c, nc, "limited", "limited", suspects+1)
	w.run(t)
	got.waitFor(t, 1)
	for i := range 5 {
		submit(t, c, fmt.Sprint("other ", i))
		if _, err := nats.Submit(soon(t), c, fmt.Sprint("other limited ", i), "", nats.WithKind("limited")); err != nil {
			t.Fatal(err)
		}
	}
	got.waitFor(t, suspects+1+10)
	close(end)
	empty(t, streams(t, nc), "tasks")
	noneIsDead(t, nc)
}

// TestPoisonOfAFullServer lets a task end its process while no crash can be recorded. It is not executed more often than
// its deliveries permit.
func TestPoisonOfAFullServer(t *testing.T) {
	t.Parallel()
	s := serve(t, embed.Options{Listen: "127.0.0.1:0", Token: "token", MaxStore: 1 << 20})
	nc := connect(t, s)
	opts := []nats.Option{nats.WithLogger(testLog{t}), nats.WithLease(2 * time.Second), nats.WithCrashes(2)}
	c := open(t, nc, opts...)
	submit(t, c, "poison")
	for _, size := range []int{10_000, 0} {
		for i := 0; ; i++ {
			_, err := nats.Submit(soon(t), c, fmt.Sprint("filler ", size, i), strings.Repeat("x", size), nats.WithKind("nobody"))
			if errors.Is(err, taskmanager.ErrQueueFull) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	var got ledger
	for i := range 2 {
		conn := dial(t, s.URL())
		w := newWorker(t, open(t, conn, opts...), 1)
		attempts(t, w, "dies", &got, func(ctx context.Context) error {
			conn.Close()
			return untilCut(ctx)
		})
		w.run(t)
		got.waitFor(t, i+1)
		_ = w.result(t)
	}
	log := new(recordedLog)
	w := newWorker(t, open(t, connect(t, s), append(opts, nats.WithLogger(log))...), 1)
	attempts(t, w, "third", &got, succeed)
	w.run(t)
	eventually(t, "the task is dead, and the dead letter cannot be stored", func() bool {
		return strings.Contains(strings.Join(log.all(), "\n"), `store the dead letter of task "poison"`)
	})
	if n := len(got.all()); n != 2 {
		t.Errorf("executions: %q", got.all())
	}
}

// TestSuspectThatWasDeliveredAgainLives gives up the execution of a suspect that has taken over a further delivery. That is
// no crash.
func TestSuspectThatWasDeliveredAgainLives(t *testing.T) {
	t.Parallel()
	s, nc := listening(t)
	opts := []nats.Option{nats.WithLogger(testLog{t}), nats.WithLease(2 * time.Second), nats.WithCrashes(2)}
	c := open(t, nc, opts...)
	submitSuspect(t, c, nc, "a", "work", 1)
	w := newWorker(t, open(t, dial(t, s.URL()), opts...), 2)
	var got ledger
	end := make(chan struct{})
	attempts(t, w, "first", &got, func(context.Context) error { // it ignores its context
		<-end
		return nil
	})
	t.Cleanup(func() { close(end) })
	w.run(t)
	got.waitFor(t, 1)
	js := streams(t, nc)
	if err := nc.Publish("$JS.ACK.tasks.w_normal_work.1.1.1.0.0", []byte("-NAK")); err != nil { // as a server that forgot an extension
		t.Fatal(err)
	}
	eventually(t, "the task is delivered again", func() bool {
		consumer, err := js.Consumer(soon(t), "tasks", "w_normal_work")
		return err == nil && consumer.CachedInfo().Delivered.Consumer == 2
	})
	now, stop := context.WithCancel(t.Context())
	stop()
	if err := w.Drain(now); err == nil {
		t.Error("Drain does not name the task that ignores its context")
	}
	second := newWorker(t, c, 1)
	attempts(t, second, "second", &got, succeed)
	second.run(t)
	empty(t, js, "tasks")
	noneIsDead(t, nc)
}

// TestWorkerFindsOutThatConsumersAreGone deletes the consumers of a worker while it asks for nothing, and somebody listens to all
// subjects, so that the server does not say that nobody gets a message.
func TestWorkerFindsOutThatConsumersAreGone(t *testing.T) {
	t.Parallel()
	_, nc := listening(t)
	c := open(t, nc, nats.WithLogger(testLog{t}), nats.WithLease(time.Second))
	w := newWorker(t, c, 1)
	var got ledger
	begun, end := make(chan struct{}, 2), make(chan struct{})
	handle(t, w, "work", func(_ context.Context, in string) error {
		begun <- struct{}{}
		<-end
		got.add(in)
		return nil
	})
	w.run(t)
	all, err := nc.Subscribe(">", func(*natsgo.Msg) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = all.Unsubscribe() })
	submit(t, c, "busy")
	<-begun
	js := streams(t, nc)
	for _, level := range []string{"high", "normal", "low"} {
		if err := js.DeleteConsumer(soon(t), "tasks", "w_"+level+"_work"); err != nil {
			t.Fatal(err)
		}
	}
	close(end)
	got.waitFor(t, 1)
	submit(t, c, "later")
	got.waitFor(t, 2)
}
