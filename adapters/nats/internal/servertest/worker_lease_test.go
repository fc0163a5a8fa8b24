package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
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
	nc, err := natsgo.Connect(url, append(nats.ConnOptions(testLog{t}), natsgo.Token("token"), natsgo.ReconnectWait(10*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
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
	s, nc := listening(t)
	lease := nats.WithLease(time.Second)
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

// TestWorkerDropsWhatIsStale keeps a delivery back for longer than its lease. The worker that gets it at last
// does not run it, and the delivery is no crash.
func TestWorkerDropsWhatIsStale(t *testing.T) {
	s, nc := listening(t)
	opts := []nats.Option{nats.WithLogger(testLog{t}), nats.WithLease(time.Second), nats.WithCrashes(1)}
	c := open(t, nc, opts...)
	p := before(t, s.URL())
	var got ledger
	first := newWorker(t, open(t, dial(t, p.URL), opts...), 1)
	attempts(t, first, "first", &got, succeed)
	first.run(t)
	submit(t, c, "before")
	got.waitFor(t, 1)
	p.Mute()
	submit(t, c, "late")
	js := streams(t, nc)
	consumer := func() (pending int) {
		cons, err := js.Consumer(soon(t), "tasks", "w_normal_work")
		if err != nil {
			t.Fatal(err)
		}
		return cons.CachedInfo().NumAckPending
	}
	eventually(t, "the task is on its way", func() bool { return consumer() == 1 })
	second := newWorker(t, c, 1)
	attempts(t, second, "second", &got, succeed)
	hold := time.NewTimer(800 * time.Millisecond)
	<-hold.C
	p.Unmute()
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
	s, nc := listening(t)
	opts := []nats.Option{nats.WithLogger(testLog{t}), nats.WithLease(200 * time.Millisecond), nats.WithCrashes(2)}
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
