package servertest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// finish stores the outcome of a task, as a worker would.
func finish(t *testing.T, nc *natsgo.Conn, key, outcome string, ttl time.Duration) {
	t.Helper()
	kv, err := streams(t, nc).KeyValue(soon(t), "tasks_RESULTS")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Create(soon(t), key, []byte(outcome), jetstream.KeyTTL(ttl)); err != nil {
		t.Fatal(err)
	}
}

func TestResult(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	f, err := nats.Async[string](soon(t), c, "a", 1, nats.WithKind("k"), nats.WithID("i.d"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 5 { // before and after the end
		wg.Go(func() {
			if got, err := f.Result(soon(t)); err != nil || got != "done" {
				t.Errorf("Result: %q, %v", got, err)
			}
			if err := f.Task().Wait(soon(t)); err != nil {
				t.Errorf("Wait: %v", err)
			}
		})
	}
	finish(t, nc, "i=2Ed", `{"out":"ImRvbmUi","process":"p"}`, time.Hour)
	wg.Wait()
}

func TestResultOfATaskThatFailed(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	for name, tc := range map[string]struct {
		outcome string
		check   func(err error) bool
	}{
		"failed": {`{"err":"broken","process":"p"}`, func(err error) bool {
			e, ok := errors.AsType[*nats.ResultError](err)
			return ok && *e == nats.ResultError{Name: "failed", Process: "p", Text: "broken"}
		}},
		"cancelled": {`{"cancelled":true}`, func(err error) bool { return errors.Is(err, taskmanager.ErrCancelled) }},
		"malformed": {`{`, func(err error) bool { return err != nil }},
		"no text":   {`{"out":"e30="}`, func(err error) bool { return err != nil }},
	} {
		f, err := nats.Async[string](soon(t), c, name, 1, nats.WithKind("k"))
		if err != nil {
			t.Fatal(err)
		}
		finish(t, nc, f.Task().ID(), tc.outcome, time.Hour)
		if got, err := f.Result(soon(t)); got != "" || !tc.check(err) {
			t.Errorf("%s: Result: %q, %v", name, got, err)
		}
	}
}

// A wait is woken by the outcome itself, not by its next look.
func TestResultComesAtOnce(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	var late []time.Duration
	for i := range 21 {
		f, err := nats.Async[string](soon(t), c, string(rune('a'+i)), 1, nats.WithKind("k"))
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan time.Time)
		go func() {
			if _, err := f.Result(soon(t)); err != nil {
				t.Error(err)
			}
			got <- time.Now()
		}()
		// The subscription of the wait tells that it has begun.
		eventually(t, "the wait", func() bool { return nc.NumSubscriptions() > 1 })
		finish(t, nc, f.Task().ID(), `{"out":"ImRvbmUi"}`, time.Hour)
		stored := time.Now()
		late = append(late, (<-got).Sub(stored))
	}
	slices.Sort(late) // some are late on a busy machine
	if median := late[len(late)/2]; median > 500*time.Millisecond {
		t.Errorf("most waits took %v longer than the task, or more", median)
	}
}

func TestNoResult(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	task, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k"))
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Wait(soon(t)); !errors.Is(err, nats.ErrNoResult) {
		t.Errorf("without WithResult: %v", err)
	}
	f, err := nats.Async[int](soon(t), c, "b", 1, nats.WithKind("k"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if _, err := f.Result(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a context that ends: %v", err)
	}
	st, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.DeleteMsg(soon(t), 2); err != nil { // as if its outcome had expired
		t.Fatal(err)
	}
	if _, err := f.Result(soon(t)); !errors.Is(err, nats.ErrNoResult) {
		t.Errorf("an outcome that has expired: %v", err)
	}
}

func TestCloseEndsWaits(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	f, err := nats.Async[int](soon(t), c, "b", 1, nats.WithKind("k"))
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		_, err := f.Result(soon(t))
		got <- err
	}()
	c.Close()
	c.Close()
	if err := <-got; !errors.Is(err, nats.ErrClosed) {
		t.Errorf("the error is %v, want ErrClosed", err)
	}
	if !nc.IsConnected() {
		t.Error("Close closed the connection")
	}
}
