package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestWorkerKindsDoNotShareConsumers runs kinds whose names look like those of levels.
func TestWorkerKindsDoNotShareConsumers(t *testing.T) {
	c := client(t)
	w := newWorker(t, c, 4)
	var got ledger
	for _, kind := range []string{"stock", "low_stock", "high_stock", "normal_low_stock"} {
		var opts []nats.HandleOption
		if kind == "low_stock" {
			opts = append(opts, nats.WithKindLimit(1))
		}
		handle(t, w, kind, func(_ context.Context, in string) error { got.add(in + " in " + kind); return nil }, opts...)
	}
	w.run(t)
	var want []string
	for _, kind := range []string{"high_stock", "low_stock", "normal_low_stock", "stock"} {
		for _, level := range []nats.Priority{nats.High, nats.Low} {
			name := fmt.Sprintf("%s/%v", kind, level)
			if _, err := nats.Submit(soon(t), c, name, kind, nats.WithKind(kind), nats.WithPriority(level)); err != nil {
				t.Fatal(err)
			}
			want = append(want, kind+" in "+kind)
		}
	}
	if diff := cmp.Diff(want, sorted(got.waitFor(t, len(want)))); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
}

// TestWorkerFreesTheSlotOfATaskThatIsNotMade fails to make a task that has taken the slot of its key.
func TestWorkerFreesTheSlotOfATaskThatIsNotMade(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 2)
	err := nats.HandleTask(w.Worker, "made", func(string, string) (taskmanager.Task, error) { return nil, errFailed }, nats.WithKeyLimit(1))
	if err != nil {
		t.Fatal(err)
	}
	w.run(t)
	if _, err := nats.Submit(soon(t), c, "a", "", nats.WithKind("made"), nats.WithKey("key")); err != nil {
		t.Fatal(err)
	}
	readHistory(t, nc, "a")
	js := streams(t, nc)
	eventually(t, "the slot is free", func() bool { return remaining(t, js, "KV_tasks_SLOTS") == 0 })
}

// TestWorkerNoticesThatItsConsumerWasMadeAgain makes the consumer again while the worker is busy and has no
// request open. A task that waits to run again must not run because of that.
func TestWorkerNoticesThatItsConsumerWasMadeAgain(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 1)
	var got ledger
	busy := make(chan struct{})
	handle(t, w, "work", func(_ context.Context, in string) error {
		got.add(in)
		switch in {
		case "later":
			return errFailed
		case "busy":
			<-busy
		}
		return nil
	}, nats.WithRestart(restart.Constant(time.Hour)))
	w.run(t)
	submit(t, c, "later")
	readHistory(t, nc, "later")
	submit(t, c, "busy")
	got.waitFor(t, 2)
	js := streams(t, nc)
	cons, err := js.Consumer(soon(t), "tasks", "w_normal_work")
	if err != nil {
		t.Fatal(err)
	}
	cfg := cons.CachedInfo().Config
	if err := js.DeleteConsumer(soon(t), "tasks", "w_normal_work"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateConsumer(soon(t), "tasks", cfg); err != nil {
		t.Fatal(err)
	}
	waitOut(t, time.Now(), time.Second) // the worker looks at the consumer if it has not for a second
	close(busy)
	submit(t, c, "last")
	eventually(t, "the last task has run", func() bool { return strings.Contains(fmt.Sprint(got.all()), "last") })
	later := 0
	for _, line := range got.all() {
		if line == "later" {
			later++
		}
	}
	if later != 1 {
		t.Errorf("the task that waits for an hour ran %d times", later)
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

// TestWorkerQueueTimeoutCountsWaitsForASlot lets a task wait for the slot of its key for too long.
func TestWorkerQueueTimeoutCountsWaitsForASlot(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 2)
	end := make(chan struct{})
	begun := make(chan string, 2)
	handle(t, w, "work", func(_ context.Context, in string) error { begun <- in; <-end; return nil }, nats.WithKeyLimit(1))
	w.run(t)
	submit(t, c, "first", nats.WithKey("k"))
	<-begun
	submit(t, c, "second", nats.WithKey("k"), nats.WithQueueTimeout(500*time.Millisecond), nats.WithResult(time.Minute), nats.WithID("second"))
	js := streams(t, nc)
	if r := storedResult(t, js, "tasks", "second"); !strings.Contains(r.Err, "waited for longer than its time limit") {
		t.Errorf("the result is %+v", r)
	}
	close(end)
	empty(t, js, "tasks")
}

// TestWorkerEndsThoughAProgressBlocks asks for the status of a task whose progress never returns.
func TestWorkerEndsThoughAProgressBlocks(t *testing.T) {
	c := client(t)
	w := newWorker(t, c, 1)
	task := &blocking{begun: make(chan struct{}), asked: make(chan struct{}, 10), end: make(chan struct{})}
	defer close(task.end)
	if err := nats.HandleTask(w.Worker, "work", func(string, string) (taskmanager.Task, error) { return task, nil }); err != nil {
		t.Fatal(err)
	}
	w.run(t)
	submit(t, c, "a")
	<-task.begun
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-task.asked; stop() }()
	if _, err := c.TaskStatus(ctx); err == nil {
		t.Error("there was a status")
	}
	if drained, ran := w.drain(t); drained != nil || ran != nil {
		t.Errorf("Drain returned %v and Run %v", drained, ran)
	}
}

// blocking is a task whose progress does not return before end is closed.
type blocking struct {
	begun, asked, end chan struct{}
}

func (b *blocking) Name() string        { return "" }
func (b *blocking) Description() string { return "" }
func (b *blocking) Execute(ctx context.Context) error {
	close(b.begun)
	select {
	case <-b.asked:
	case <-ctx.Done():
	}
	return nil
}

func (b *blocking) Progress() (float64, error) {
	b.asked <- struct{}{}
	b.asked <- struct{}{}
	<-b.end
	return 0, errors.New("at last")
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

// TestWorkerTakesAHandlersErrorForItsOwn returns errors of another manager from a handler. They mean nothing
// to the manager that runs the task.
func TestWorkerTakesAHandlersErrorForItsOwn(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 1)
	errs := map[string]error{
		"dropped": taskmanager.ErrDropped, "shed": taskmanager.ErrShed, "stopped": taskmanager.ErrStopped,
		"cancelled": taskmanager.ErrCancelled, "handed over": &taskmanager.HandedOver{},
	}
	var got ledger
	handle(t, w, "work", func(_ context.Context, in string) error {
		got.add(in)
		return fmt.Errorf("helper: %w", errs[in])
	})
	w.run(t)
	for name := range errs {
		submit(t, c, name)
	}
	js := streams(t, nc)
	empty(t, js, "tasks")
	if reasons := deadReasons(t, js, "tasks"); len(reasons) != len(errs) || len(got.all()) != len(errs) {
		t.Errorf("executions %q, dead letters %q; want one of each for each error", got.all(), reasons)
	}
}
