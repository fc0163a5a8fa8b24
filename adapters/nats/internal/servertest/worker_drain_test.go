package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestWorkerDrainWaitsForWhatRuns(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 2)
	var got ledger
	begun, end := make(chan struct{}, 10), make(chan struct{})
	handle(t, w, "work", func(_ context.Context, in string) error {
		begun <- struct{}{}
		<-end
		got.add(in)
		return nil
	})
	w.run(t)
	for i := range 5 {
		submit(t, c, fmt.Sprint("t", i))
	}
	<-begun
	<-begun
	drained := make(chan error, 1)
	go func() { drained <- w.Drain(soon(t)) }()
	close(end)
	if err := <-drained; err != nil {
		t.Errorf("Drain returned %v", err)
	}
	ran := len(got.all())
	if left := remaining(t, streams(t, nc), "tasks"); int(left) != 5-ran {
		t.Errorf("%d tasks are left, and %d have run", left, ran)
	}
}

// TestWorkerDrainGivesBack drains with a context that ends. Another worker runs what is given back.
func TestWorkerDrainGivesBack(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	first := newWorker(t, c, 1)
	begun, cause := make(chan struct{}), make(chan error, 1)
	handle(t, first, "work", func(ctx context.Context, _ string) error {
		close(begun)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return ctx.Err()
	})
	first.run(t)
	submit(t, c, "moved")
	<-begun
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := first.Drain(ctx); err != nil {
		t.Errorf("Drain returned %v", err)
	}
	if err := <-cause; !errors.Is(err, nats.ErrDraining) {
		t.Errorf("the cause is %v", err)
	}
	second := newWorker(t, c, 1)
	var got ledger
	handle(t, second, "work", func(ctx context.Context, in string) error {
		h, _ := taskmanager.FromContext(ctx)
		got.add(fmt.Sprintf("%s attempt %d", in, h.Status().Attempt))
		return nil
	})
	second.run(t)
	if diff := cmp.Diff([]string{"moved attempt 2"}, got.waitFor(t, 1)); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	empty(t, streams(t, nc), "tasks")
}

func TestWorkerRunEndsWithItsContext(t *testing.T) {
	c := client(t)
	w := newWorker(t, c, 1)
	begun := make(chan struct{})
	handle(t, w, "work", func(ctx context.Context, _ string) error { close(begun); <-ctx.Done(); return ctx.Err() })
	ctx, end := context.WithCancelCause(t.Context())
	w.runIn(ctx, t)
	submit(t, c, "a")
	<-begun
	end(errFailed)
	err := w.result(t)
	if !errors.Is(err, errFailed) {
		t.Errorf("Run returned %v", err)
	}
}

// TestWorkerDrainOfADeafHandler drains a worker whose handler ignores its context. The task runs elsewhere
// when its lease has ended, and the delivery is no crash.
func TestWorkerDrainOfADeafHandler(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}), nats.WithLease(10*time.Second), nats.WithCrashes(1))
	first := newWorker(t, c, 1)
	begun, end := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(end) })
	handle(t, first, "work", func(context.Context, string) error { close(begun); <-end; return nil })
	first.run(t)
	submit(t, c, "deaf")
	<-begun
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err := first.Drain(ctx)
	drainErr, ok := errors.AsType[*taskmanager.DrainError](err)
	if !ok {
		t.Fatalf("Drain returned %v", err)
	}
	if diff := cmp.Diff([]string{"deaf"}, drainErr.Running); diff != "" {
		t.Errorf("running (-want +got):\n%s", diff)
	}
	second := newWorker(t, c, 1)
	var got ledger
	handle(t, second, "work", func(_ context.Context, in string) error { got.add(in); return nil })
	second.run(t)
	got.waitFor(t, 1)
	js := streams(t, nc)
	empty(t, js, "tasks")
	if reasons := deadReasons(t, js, "tasks"); reasons != nil {
		t.Errorf("dead letters: %q", reasons)
	}
}

func TestWorkerDrainBeforeRun(t *testing.T) {
	c := client(t)
	w := newWorker(t, c, 1)
	handle(t, w, "work", func(context.Context, string) error { return nil })
	if err := w.Drain(soon(t)); err != nil {
		t.Errorf("Drain returned %v", err)
	}
	if err := w.Run(soon(t)); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if err := w.Run(soon(t)); err == nil {
		t.Error("a second Run returned no error")
	}
}

// TestWorkerManagerEnds stops or drains the manager below a worker. The task runs until it is cancelled, or until the
// manager drains.
func TestWorkerManagerEnds(t *testing.T) {
	for name, end := range map[string]func(context.Context, *taskmanager.TaskManager) error{
		"stop":  func(ctx context.Context, m *taskmanager.TaskManager) error { return m.Stop(ctx) },
		"drain": func(ctx context.Context, m *taskmanager.TaskManager) error { return m.Drain(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			nc := connect(t, serve(t, embed.Options{}))
			c := open(t, nc, nats.WithLogger(testLog{t}))
			w := newWorker(t, c, 1)
			begun, drains := make(chan struct{}), make(chan struct{})
			handle(t, w, "work", func(ctx context.Context, _ string) error {
				close(begun)
				select {
				case <-drains:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			w.run(t)
			submit(t, c, "a")
			<-begun
			ended := make(chan error, 1)
			go func() { ended <- end(soon(t), w.m) }()
			if name == "drain" {
				eventually(t, "the manager drains", func() bool { return w.m.Describe().State == observe.StateDraining })
				close(drains)
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			err := w.result(t)
			if !errors.Is(err, taskmanager.ErrStopped) {
				t.Errorf("Run returned %v", err)
			}
			js := streams(t, nc)
			left := remaining(t, js, "tasks")
			if want := map[string]uint64{"stop": 1, "drain": 0}[name]; left != want {
				t.Errorf("%d tasks are left, want %d", left, want)
			}
			if left == 0 {
				return
			}
			var got ledger
			second := newWorker(t, c, 1)
			handle(t, second, "work", func(_ context.Context, in string) error { got.add(in); return nil })
			second.run(t)
			got.waitFor(t, 1)
			empty(t, js, "tasks")
		})
	}
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
