package servertest_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// manager returns a manager that stops at the end of the test.
func manager(t *testing.T, workers int, opts ...taskmanager.Option) *taskmanager.TaskManager {
	t.Helper()
	m, err := taskmanager.Start(append([]taskmanager.Option{taskmanager.WithWorkers(1, workers)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		_ = m.Stop(ctx)
	})
	return m
}

// testWorker is a worker of a test and the manager that it uses.
type testWorker struct {
	*nats.Worker
	m   *taskmanager.TaskManager
	ran chan error // has the result of Run
}

// newWorker returns a worker with a manager of its own.
func newWorker(t *testing.T, c *nats.Client, workers int, opts ...nats.WorkerOption) *testWorker {
	t.Helper()
	m := manager(t, workers)
	w, err := nats.NewWorker(c, m, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return &testWorker{Worker: w, m: m, ran: make(chan error, 1)}
}

// handle registers a function for a kind, and ends the test if that fails.
func handle(t *testing.T, w *testWorker, kind string, fn func(ctx context.Context, in string) error, opts ...nats.HandleOption) {
	t.Helper()
	if err := nats.Handle(w.Worker, kind, fn, opts...); err != nil {
		t.Fatal(err)
	}
}

// run starts the worker. It is drained at the end of the test.
func (w *testWorker) run(t *testing.T) *testWorker {
	t.Helper()
	return w.runIn(context.Background(), t)
}

// runIn is run with a context for Run.
func (w *testWorker) runIn(ctx context.Context, t *testing.T) *testWorker {
	t.Helper()
	go func() { w.ran <- w.Run(ctx) }()
	t.Cleanup(func() { _, _ = w.drain(t) })
	return w
}

// drain drains the worker and returns the errors of Drain and Run.
func (w *testWorker) drain(t *testing.T) (drained, ran error) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	drained = w.Drain(ctx)
	return drained, w.result(t)
}

// result waits for the result of Run.
func (w *testWorker) result(t *testing.T) error {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience) // that of the test has ended when it cleans up
	defer stop()
	select {
	case err := <-w.ran:
		w.ran <- err
		return err
	case <-ctx.Done():
		t.Fatal("Run does not return")
		return nil
	}
}

// submit submits a task of the kind "work" with its name as the payload.
func submit(t *testing.T, c *nats.Client, name string, opts ...nats.SubmitOption) *nats.Task {
	t.Helper()
	task, err := nats.Submit(soon(t), c, name, name, append([]nats.SubmitOption{nats.WithKind("work")}, opts...)...)
	if err != nil {
		t.Fatalf("submit %s: %v", name, err)
	}
	return task
}

// ledger collects lines in the order in which they happen.
type ledger struct {
	mu    sync.Mutex
	lines []string
}

func (l *ledger) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// all returns the lines so far.
func (l *ledger) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// waitFor waits until there are n lines and returns them.
func (l *ledger) waitFor(t *testing.T, n int) []string {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the ledger has %d lines, of at least %d", len(l.all()), n)
		}
	}()
	eventually(t, "lines of the ledger", func() bool { return len(l.all()) >= n })
	return l.all()
}

// remaining returns how many messages a stream has.
func remaining(t *testing.T, js jetstream.JetStream, stream string) uint64 {
	t.Helper()
	s, err := js.Stream(soon(t), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// empty waits until no task is stored, and no history.
func empty(t *testing.T, js jetstream.JetStream, namespace string) {
	t.Helper()
	eventually(t, "tasks are removed", func() bool { return remaining(t, js, namespace) == 0 })
	eventually(t, "histories are removed", func() bool { return remaining(t, js, "KV_"+namespace+"_STATE") == 0 })
}

// deadReasons returns the reasons of the dead letters.
func deadReasons(t *testing.T, js jetstream.JetStream, namespace string) (reasons []string) {
	t.Helper()
	s, err := js.Stream(soon(t), namespace+"_DEAD")
	if err != nil {
		t.Fatal(err)
	}
	for seq := s.CachedInfo().State.FirstSeq; seq <= s.CachedInfo().State.LastSeq && seq > 0; seq++ {
		m, err := s.GetMsg(soon(t), seq)
		if err == nil {
			reasons = append(reasons, m.Header.Get("Task-Dead-Reason"))
		}
	}
	return reasons
}

// result is the outcome that is stored for a task.
type result struct {
	Err       string `json:"err"`
	Cancelled bool   `json:"cancelled"`
	Out       []byte `json:"out"`
}

// storedResult waits for the outcome of a task with a plain id.
func storedResult(t *testing.T, js jetstream.JetStream, namespace, id string) (r result) {
	t.Helper()
	kv, err := js.KeyValue(soon(t), namespace+"_RESULTS")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the result of "+id, func() bool {
		e, err := kv.Get(soon(t), id)
		return err == nil && json.Unmarshal(e.Value(), &r) == nil
	})
	return r
}

// sorted sorts lines.
func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}
