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

// flaky is the handler of tasks that fail at their first attempt, so that each needs a record of its history.
func flaky(done *ledger) func(context.Context, string) error {
	return func(ctx context.Context, in string) error {
		if h, _ := taskmanager.FromContext(ctx); h.Status().Attempt == 1 {
			return errFailed
		}
		done.add(nats.TaskID(ctx))
		return nil
	}
}

var flakyRestart = nats.WithRestart(restart.MaxAttempts(5, restart.Constant(time.Millisecond)))

// submitUntilFull submits tasks with large payloads until there is no more room, and returns the ids of those that
// were accepted.
func submitUntilFull(t *testing.T, c *nats.Client, prefix string) (accepted []string) {
	t.Helper()
	for i := range 1000 {
		id := fmt.Sprintf("%s%03d", prefix, i)
		_, err := nats.Submit(soon(t), c, id, strings.Repeat("x", 10_000), nats.WithKind("work"), nats.WithID(id))
		switch {
		case err == nil:
			accepted = append(accepted, id)
		case errors.Is(err, taskmanager.ErrQueueFull):
			return accepted
		default:
			t.Fatalf("submit %s: %v, want ErrQueueFull", id, err)
		}
	}
	t.Fatal("there is always room")
	return nil
}

// At a limit of the server or of the namespace, submits are refused and nothing is lost. They go on when there is
// room.
func TestFull(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server embed.Options
		client []nats.Option
	}{
		"the server":          {server: embed.Options{MaxStore: 2 << 20}},
		"bytes of the client": {client: []nats.Option{nats.WithMaxBytes(1 << 20)}},
		"tasks of the client": {client: []nats.Option{nats.WithMaxTasks(50)}},
	} {
		t.Run(name, func(t *testing.T) {
			nc := connect(t, serve(t, test.server))
			c := open(t, nc, append(test.client, nats.WithLease(5*time.Second), nats.WithLogger(testLog{t}))...)
			accepted := submitUntilFull(t, c, "first/")
			if len(accepted) < 40 {
				t.Fatalf("only %d were accepted", len(accepted))
			}
			var done ledger
			// Audits remove the history of a task that has ended while a record of an earlier delivery was under way.
			w := newWorker(t, c, 8, nats.WithAuditEvery(time.Second))
			handle(t, w, "work", flaky(&done), flakyRestart)
			w.run(t)
			done.waitFor(t, len(accepted))
			eventually(t, "room", func() bool {
				_, err := nats.Submit(soon(t), c, "later", "", nats.WithKind("work"), nats.WithID("later"))
				return err == nil
			})
			done.waitFor(t, len(accepted)+1)
			empty(t, streams(t, nc), "tasks")
			all := done.all()
			slices.Sort(all)
			if diff := cmp.Diff(append(accepted, "later"), slices.Compact(all)); diff != "" {
				t.Errorf("executed (-want +got):\n%s", diff)
			}
		})
	}
}

// When somebody deletes the stream of the tasks, submits say so at once, what runs comes to its end, and nothing is
// made again behind the back of the operator. A client that is opened anew makes it, and workers go on.
func TestStreamDeleted(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLease(5*time.Second))
	w := newWorker(t, c, 2)
	begun, finish := make(chan struct{}), make(chan struct{})
	var done ledger
	handle(t, w, "work", func(ctx context.Context, in string) error {
		if in == "runs" {
			close(begun)
			<-finish
		}
		done.add(in)
		return nil
	})
	w.run(t)
	submit(t, c, "runs")
	<-begun
	js := streams(t, nc)
	if err := js.DeleteStream(soon(t), "tasks"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := nats.Submit(soon(t), c, "later", "", nats.WithKind("work")); !errors.Is(err, nats.ErrNotFound) {
		t.Errorf("Submit: %v, want ErrNotFound", err)
	}
	for what, err := range map[string]error{
		"Lookup": func() error { _, err := c.Lookup(soon(t), "runs"); return err }(),
		"Cancel": func() error { _, err := c.Cancel(soon(t), "runs"); return err }(),
		"Status": func() error { _, err := c.TaskStatus(soon(t)); return err }(),
	} {
		if !errors.Is(err, nats.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
	}
	if d := time.Since(began); d > quickly {
		t.Errorf("it took %v to say that the stream is gone", d)
	}
	close(finish)
	done.waitFor(t, 1)
	if _, err := js.Stream(soon(t), "tasks"); err == nil {
		t.Error("the stream was made again")
	}

	again := open(t, nc)
	submit(t, again, "anew")
	if diff := cmp.Diff([]string{"runs", "anew"}, done.waitFor(t, 2)); diff != "" {
		t.Errorf("executed (-want +got):\n%s", diff)
	}
	if drained, ran := w.drain(t); drained != nil || ran != nil {
		t.Errorf("Drain returned %v, Run %v", drained, ran)
	}
}

// Subjects of a namespace that another stream has are reported with what to do.
func TestSubjectsOfAnotherStream(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	if _, err := streams(t, nc).CreateStream(soon(t), jetstream.StreamConfig{Name: "other", Subjects: []string{"tasks.>"}}); err != nil {
		t.Fatal(err)
	}
	_, err := nats.Open(soon(t), nc)
	if !errors.Is(err, nats.ErrLayout) || !strings.Contains(err.Error(), "use another WithNamespace") {
		t.Errorf("Open: %v, want ErrLayout and what to do", err)
	}
}

// A connection that the program has closed is named as the reason.
func TestClosedConnection(t *testing.T) {
	s := serve(t, embed.Options{})
	nc := connect(t, s)
	c := open(t, nc)
	nc.Close()
	for what, err := range map[string]error{
		"Open":   func() error { _, err := nats.Open(soon(t), nc); return err }(),
		"Submit": func() error { _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k")); return err }(),
		"Lookup": func() error { _, err := c.Lookup(soon(t), "a"); return err }(),
		"Cancel": func() error { _, err := c.Cancel(soon(t), "a"); return err }(),
	} {
		if !errors.Is(err, natsgo.ErrConnectionClosed) || !strings.Contains(err.Error(), "open a client again") {
			t.Errorf("%s: %v, want ErrConnectionClosed and what to do", what, err)
		}
	}
}
