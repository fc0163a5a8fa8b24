package servertest_test

import (
	"context"
	"errors"
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
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// listening returns a server that listens, and a connection in the process.
func listening(t *testing.T) (*embed.Server, *natsgo.Conn) {
	t.Helper()
	s := serve(t, embed.Options{Listen: "127.0.0.1:0", Token: "token"})
	return s, connect(t, s)
}

// dial connects over TCP. The connection is closed at the end of the test.
func dial(t *testing.T, url string) *natsgo.Conn {
	t.Helper()
	var nc *natsgo.Conn
	eventually(t, "a connection", func() bool { // a busy server closes one that takes long to log in
		var err error
		if nc, err = natsgo.Connect(url, append(connOptions(t), natsgo.Token("token"))...); err != nil {
			t.Log(err)
		}
		return err == nil
	})
	t.Cleanup(nc.Close)
	return nc
}

// attempts registers a handler that notes each attempt and returns what fn returns.
func attempts(t *testing.T, w *testWorker, who string, got *ledger, fn func(ctx context.Context) error) {
	t.Helper()
	handle(t, w, "work", func(ctx context.Context, in string) error {
		h, _ := taskmanager.FromContext(ctx)
		got.add(fmt.Sprintf("%s: %s attempt %d", who, in, h.Status().Attempt))
		return fn(ctx)
	})
}

func succeed(context.Context) error { return nil }

// TestWorkerLosesItsLease mutes the server to the worker that has a task. The worker cancels the task before
// another one gets it, and settles nothing afterwards.
func TestWorkerLosesItsLease(t *testing.T) {
	t.Parallel()
	s, nc := listening(t)
	lease := nats.WithLease(5 * time.Second) // the worker has two fifths of it to cancel the task in time
	c := open(t, nc, nats.WithLogger(testLog{t}), lease)
	p := before(t, s.URL())
	cut := open(t, dial(t, p.URL), nats.WithLogger(testLog{t}), lease)
	var got ledger
	first := newWorker(t, cut, 1)
	begun, cause := make(chan struct{}, 2), make(chan error, 2)
	attempts(t, first, "first", &got, func(ctx context.Context) error {
		begun <- struct{}{}
		<-ctx.Done()
		cause <- context.Cause(ctx)
		got.add("first: lost")
		return nil
	})
	first.run(t)
	submit(t, c, "a")
	<-begun
	p.Mute()
	second := newWorker(t, c, 1)
	attempts(t, second, "second", &got, succeed)
	second.run(t)
	lines := got.waitFor(t, 3)
	want := []string{"first: a attempt 1", "first: lost", "second: a attempt 2"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if err := <-cause; !errors.Is(err, nats.ErrLeaseLost) {
		t.Errorf("the cause is %v", err)
	}
	empty(t, streams(t, nc), "tasks")
	p.Cut()
	submit(t, c, "b")
	got.waitFor(t, 4)
}

// setLease changes the lease of the tasks of the kind "work" at the server, with immediate effect. The worker does not
// know.
func setLease(t *testing.T, js jetstream.JetStream, lease time.Duration) {
	t.Helper()
	cons, err := js.Consumer(soon(t), "tasks", "w_normal_work")
	if err != nil {
		t.Fatal(err)
	}
	cfg := cons.CachedInfo().Config
	cfg.AckWait = lease
	if _, err := js.UpdateConsumer(soon(t), "tasks", cfg); err != nil {
		t.Fatal(err)
	}
}

// TestWorkerDropsWhatIsStale keeps a delivery back for as long as its lease. The worker that gets it at last
// does not run it, and the delivery is no crash.
func TestWorkerDropsWhatIsStale(t *testing.T) {
	s, nc := listening(t)
	const lease = time.Second
	log := new(recordedLog)
	opts := []nats.Option{nats.WithLease(lease), nats.WithCrashes(1)}
	c := open(t, nc, append(opts, nats.WithLogger(testLog{t}))...)
	p := before(t, s.URL())
	var got ledger
	first := newWorker(t, open(t, dial(t, p.URL), append(opts, nats.WithLogger(log))...), 1)
	attempts(t, first, "first", &got, succeed)
	first.run(t)
	submit(t, c, "before")
	got.waitFor(t, 1)
	js := streams(t, nc)
	// Otherwise the server might deliver the task again before the first worker can say that it was no crash.
	setLease(t, js, never)
	empty(t, js, "tasks")
	eventually(t, "the first worker waits", func() bool { return waiting(t, js) == 3 })
	p.Mute()
	muted := time.Now()
	submit(t, c, "late")
	consumer := func() (pending int) {
		cons, err := js.Consumer(soon(t), "tasks", "w_normal_work")
		if err != nil {
			t.Fatal(err)
		}
		return cons.CachedInfo().NumAckPending
	}
	eventually(t, "the task is on its way", func() bool { return consumer() == 1 })
	waitOut(t, muted, lease) // the proxy keeps back all that could tell the worker how old the delivery is
	p.Unmute()
	readHistory(t, nc, "late")
	const dropped = `nats: task "late" has arrived too late, so it is not run here`
	if !slices.Contains(log.all(), dropped) {
		t.Errorf("the log lacks %q:\n%s", dropped, strings.Join(log.all(), "\n"))
	}
	setLease(t, js, lease)
	second := newWorker(t, c, 1)
	attempts(t, second, "second", &got, succeed)
	second.run(t)
	want := []string{"first: before attempt 1", "second: late attempt 1"}
	lines := got.waitFor(t, 2)
	lines[1] = strings.Replace(lines[1], "first", "second", 1) // either may get it in the end
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	empty(t, js, "tasks")
	if n := len(got.all()); n != 2 {
		t.Errorf("%d executions", n)
	}
}

// TestWorkerPoison runs a task that ends its worker's connection each time, as a crash would.
func TestWorkerPoison(t *testing.T) {
	t.Parallel()
	s, nc := listening(t)
	opts := []nats.Option{nats.WithLogger(testLog{t}), nats.WithLease(2 * time.Second), nats.WithCrashes(2)}
	c := open(t, nc, opts...)
	var got ledger
	submit(t, c, "poison", nats.WithResult(time.Minute), nats.WithID("poison"))
	for i := range 3 {
		conn := dial(t, s.URL())
		w := newWorker(t, open(t, conn, opts...), 1)
		attempts(t, w, fmt.Sprint("worker ", i), &got, func(ctx context.Context) error {
			conn.Close()
			<-ctx.Done()
			return ctx.Err()
		})
		w.run(t)
		if i < 2 {
			got.waitFor(t, i+1)
			if err := w.result(t); !errors.Is(err, natsgo.ErrConnectionClosed) {
				t.Errorf("Run returned %v", err)
			}
		}
	}
	js := streams(t, nc)
	if r := storedResult(t, js, "tasks", "poison"); !strings.Contains(r.Err, "2 times") {
		t.Errorf("the result is %+v", r)
	}
	want := []string{"worker 0: poison attempt 1", "worker 1: poison attempt 2"}
	if diff := cmp.Diff(want, got.all()); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	empty(t, js, "tasks")
	if reasons := deadReasons(t, js, "tasks"); len(reasons) != 1 || !strings.Contains(reasons[0], "2 times") {
		t.Errorf("dead letters: %q", reasons)
	}
}

// TestWorkerKeepsTheLongerLease starts a worker with a short lease beside one with a long lease.
func TestWorkerKeepsTheLongerLease(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	long := open(t, nc, nats.WithLogger(testLog{t}), nats.WithLease(never))
	first := newWorker(t, long, 1)
	var got ledger
	begun, end := make(chan struct{}), make(chan struct{})
	handle(t, first, "work", func(_ context.Context, in string) error { close(begun); <-end; got.add(in); return nil })
	first.run(t)
	submit(t, long, "a")
	<-begun
	second := newWorker(t, open(t, nc, nats.WithLogger(testLog{t}), nats.WithLease(time.Second)), 1)
	handle(t, second, "work", func(_ context.Context, in string) error { got.add("second: " + in); return nil })
	second.run(t)
	submit(t, long, "b") // the first worker is busy, so this shows that the second one is at work
	got.waitFor(t, 1)
	cons, err := streams(t, nc).Consumer(soon(t), "tasks", "w_normal_work")
	if err != nil {
		t.Fatal(err)
	}
	if d := cons.CachedInfo().Config.AckWait; d != never {
		t.Errorf("the lease is %v, want the longer one, %v", d, never)
	}
	close(end)
	if diff := cmp.Diff([]string{"second: b", "a"}, got.waitFor(t, 2)); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
}

// TestWorkerRecordsARestartOnceThatIsPossible keeps the worker from storing why a task runs again, for longer
// than its lease. That is no crash of the task.
func TestWorkerRecordsARestartOnceThatIsPossible(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}), nats.WithLease(3*time.Second), nats.WithCrashes(1))
	js := streams(t, nc)
	cfg := config(t, js, "KV_tasks_STATE")
	w := newWorker(t, c, 1)
	var got ledger
	handle(t, w, "work", func(context.Context, string) error {
		if got.add("run"); len(got.all()) == 1 {
			full := cfg
			full.MaxMsgSize = 1 // it refuses all histories, as a full server does
			if _, err := js.UpdateStream(soon(t), full); err != nil {
				t.Error(err)
			}
			return errFailed
		}
		return nil
	}, nats.WithRestart(restart.Constant(0)))
	w.run(t)
	settled := listenTo(t, nc, "$JS.ACK.>")
	submit(t, c, "a")
	for range 5 { // one each quarter of a lease
		if m := next(t, "the worker extends the lease", settled); string(m.Data) != "+WPI" {
			t.Errorf("the worker has sent %q, want an extension of the lease", m.Data)
		}
	}
	if _, err := js.UpdateStream(soon(t), cfg); err != nil {
		t.Fatal(err)
	}
	got.waitFor(t, 2)
	empty(t, js, "tasks")
	if reasons := deadReasons(t, js, "tasks"); len(reasons) != 0 || len(got.all()) != 2 {
		t.Errorf("%d executions, dead letters %q; want 2 and none", len(got.all()), reasons)
	}
}
