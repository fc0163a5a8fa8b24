package servertest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// gauge counts what runs at once, by key.
type gauge struct {
	mu   sync.Mutex
	now  map[string]int
	most map[string]int
}

func newGauge() *gauge { return &gauge{now: map[string]int{}, most: map[string]int{}} }

func (g *gauge) enter(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now[key]++
	g.most[key] = max(g.most[key], g.now[key])
}

func (g *gauge) leave(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now[key]--
}

func (g *gauge) current(key string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now[key]
}

func (g *gauge) highest(key string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most[key]
}

// TestWorkerKindLimitIsExact lets two workers, each of which could run more, run as many tasks as may run at once, again
// and again.
func TestWorkerKindLimitIsExact(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	const limit, tasks = 3, 60
	g, got := newGauge(), new(ledger)
	end := make(chan struct{})
	for range 2 {
		w := newWorker(t, c, 8)
		handle(t, w, "work", func(ctx context.Context, in string) error {
			g.enter("")
			select {
			case <-end:
			case <-ctx.Done():
			}
			g.leave("")
			got.add(in)
			return nil
		}, nats.WithKindLimit(limit))
		w.run(t)
	}
	for i := range tasks {
		submit(t, c, fmt.Sprint("t", i), nats.WithPriority(nats.Priority(i%3-1)))
	}
	js := streams(t, nc)
	for ran := 0; ran < tasks; ran += limit {
		got.waitFor(t, ran)
		eventually(t, "as many tasks run as may", func() bool { return g.current("") == limit })
		cons, err := js.Consumer(soon(t), "tasks", "l_work")
		if err != nil {
			t.Fatal(err)
		}
		if n := cons.CachedInfo().NumAckPending; n > limit {
			t.Errorf("workers have %d tasks, want %d", n, limit)
		}
		for range limit {
			end <- struct{}{}
		}
	}
	got.waitFor(t, tasks)
	if most := g.highest(""); most != limit {
		t.Errorf("%d tasks ran at once, want %d", most, limit)
	}
	empty(t, js, "tasks")
	if n := len(got.all()); n != tasks {
		t.Errorf("%d executions, want %d", n, tasks)
	}
}

func TestWorkerKindLimitCannotAppearWhileTasksRun(t *testing.T) {
	c := client(t)
	w := newWorker(t, c, 2)
	running, end := make(chan struct{}), make(chan struct{})
	handle(t, w, "work", func(context.Context, string) error { close(running); <-end; return nil })
	w.run(t)
	submit(t, c, "a")
	<-running
	limited := newWorker(t, c, 2)
	handle(t, limited, "work", func(context.Context, string) error { return nil }, nats.WithKindLimit(1))
	err := limited.Run(soon(t))
	if err == nil || !strings.Contains(err.Error(), "drain the other workers of the kind first") {
		t.Errorf("Run returned %v", err)
	}
	close(end)
	if drained, ran := w.drain(t); drained != nil || ran != nil {
		t.Errorf("Drain returned %v and Run %v", drained, ran)
	}
	again := newWorker(t, c, 2)
	got := new(ledger)
	handle(t, again, "work", func(_ context.Context, in string) error { got.add(in); return nil }, nats.WithKindLimit(1))
	again.run(t)
	submit(t, c, "b")
	got.waitFor(t, 1)
}

func TestWorkerKeyLimit(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t})) // the slots last as long as the lease
	const tasks = 20
	g, got := newGauge(), new(ledger)
	refused := listenTo(t, nc, "$KV.tasks_STATE.>") // a task that finds no slot is given back with a history
	end := make(chan struct{})
	for range 2 {
		w := newWorker(t, c, 8)
		handle(t, w, "work", func(ctx context.Context, in string) error {
			key := in[:1]
			g.enter(key)
			select {
			case <-end:
			case <-ctx.Done():
			}
			g.leave(key)
			got.add(in)
			return nil
		}, nats.WithKeyLimit(2))
		w.run(t)
	}
	for i := range tasks {
		for _, key := range []string{"a", "b"} {
			submit(t, c, fmt.Sprint(key, i), nats.WithKey(key))
		}
	}
	next(t, "a task finds no slot", refused)
	close(end)
	got.waitFor(t, 2*tasks)
	for _, key := range []string{"a", "b"} {
		if most := g.highest(key); most > 2 || most == 0 {
			t.Errorf("%d tasks of key %s ran at once, want 1 or 2", most, key)
		}
	}
	js := streams(t, nc)
	empty(t, js, "tasks")
	if reasons := deadReasons(t, js, "tasks"); reasons != nil {
		t.Errorf("dead letters: %q", reasons)
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
