package servertest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestWorkerIsQuietWhenIdle counts what a worker with five kinds sends when there is nothing to do: from the time at which
// it says that it is present, to the next such time. That is a fixed time, and the events are at its ends.
func TestWorkerIsQuietWhenIdle(t *testing.T) {
	t.Parallel()
	const kinds = 5
	s := serve(t, embed.Options{})
	nc, other := connect(t, s), connect(t, s) // what the test asks does not count
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 4)
	var got ledger
	for i := range kinds {
		handle(t, w, fmt.Sprint("kind", i), func(_ context.Context, in string) error { got.add(in); return nil })
	}
	w.run(t)
	for i := range 5 {
		if _, err := nats.Submit(soon(t), c, fmt.Sprint("t", i), "", nats.WithKind(fmt.Sprint("kind", i))); err != nil {
			t.Fatal(err)
		}
	}
	got.waitFor(t, 5)
	js := streams(t, other)
	empty(t, js, "tasks")
	eventually(t, "all sources wait", func() bool { return waiting(t, js) == 3*kinds })
	present := listenTo(t, other, "$KV.tasks_PROCS."+w.ID())
	next(t, "the worker is present", present)
	begin, before := time.Now(), nc.Stats().OutMsgs
	next(t, "the worker is present again", present)
	sent, took := nc.Stats().OutMsgs-before, time.Since(begin)
	t.Logf("%d messages in %v", sent, took)
	if float64(sent) > took.Seconds() {
		t.Errorf("%d messages in %v, want at most one a second", sent, took)
	}
}

// waiting returns how many requests for tasks wait at all consumers.
func waiting(t *testing.T, js jetstream.JetStream) (n int) {
	t.Helper()
	st, err := js.Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	list := st.ListConsumers(soon(t))
	for info := range list.Info() {
		n += info.NumWaiting
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestWorkerTakesHigherLevelsFirst stores tasks of all levels before the worker starts.
func TestWorkerTakesHigherLevelsFirst(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 1)
	var got ledger
	handle(t, w, "work", func(_ context.Context, in string) error { got.add(strings.Split(in, "/")[0]); return nil })
	var want []string
	for i := range 10 {
		for _, p := range []nats.Priority{nats.Low, nats.Normal, nats.High} {
			submit(t, c, fmt.Sprintf("%v/%d", p, i), nats.WithPriority(p))
		}
	}
	for _, p := range []nats.Priority{nats.High, nats.Normal, nats.Low} {
		for range 10 {
			want = append(want, p.String())
		}
	}
	w.run(t)
	if diff := cmp.Diff(want, got.waitFor(t, 30)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// TestWorkerTakesNoMoreThanItCanRun keeps two workers busy. What arrives beyond that goes to others, or back,
// and is no crash.
func TestWorkerTakesNoMoreThanItCanRun(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}), nats.WithCrashes(1))
	js := streams(t, nc)
	const kinds = 6
	end := make(chan struct{})
	var got ledger
	for range 2 {
		w := newWorker(t, c, 1)
		for i := range kinds {
			handle(t, w, fmt.Sprint("kind", i), func(ctx context.Context, in string) error {
				h, _ := taskmanager.FromContext(ctx)
				got.add(fmt.Sprintf("%s attempt %d", in, h.Status().Attempt))
				<-end
				return nil
			})
		}
		w.run(t)
	}
	// All sources of both workers wait for a task, and each worker can run one.
	eventually(t, "the workers wait", func() bool { return waiting(t, js) == 2*3*kinds })
	var want []string
	for i := range kinds {
		for j := range 2 {
			name := fmt.Sprintf("t%d%d", i, j)
			if _, err := nats.Submit(soon(t), c, name, name, nats.WithKind(fmt.Sprint("kind", i))); err != nil {
				t.Fatal(err)
			}
			want = append(want, name+" attempt 1")
		}
	}
	got.waitFor(t, 2)
	eventually(t, "the surplus is given back", func() bool {
		pending := 0
		for i := range kinds {
			cons, err := js.Consumer(soon(t), "tasks", fmt.Sprint("w_normal_kind", i))
			if err == nil && cons.CachedInfo().NumAckPending > 0 {
				pending++
			}
		}
		return pending <= kinds && len(got.all()) == 2
	})
	close(end)
	if diff := cmp.Diff(want, sorted(got.waitFor(t, 2*kinds))); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	empty(t, js, "tasks")
	if reasons := deadReasons(t, js, "tasks"); reasons != nil {
		t.Errorf("dead letters: %q", reasons)
	}
}

// TestWorkerWithAhead lets the manager order what waits for its only worker.
func TestWorkerWithAhead(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	m := manager(t, 1, taskmanager.WithQueue(taskmanager.LIFO()))
	inner, err := nats.NewWorker(c, m, nats.WithAhead(10))
	if err != nil {
		t.Fatal(err)
	}
	w := &testWorker{Worker: inner, m: m, ran: make(chan error, 1)}
	end, begun := make(chan struct{}), make(chan struct{}, 10)
	var got ledger
	handle(t, w, "work", func(_ context.Context, in string) error {
		got.add(in)
		begun <- struct{}{}
		<-end
		return nil
	})
	w.run(t)
	submit(t, c, "a")
	<-begun
	for _, name := range []string{"b", "c", "d"} {
		submit(t, c, name)
	}
	eventually(t, "all are here", func() bool { return m.Snapshot().Queued == 3 })
	close(end)
	lines := got.waitFor(t, 4)
	if lines[0] != "a" || lines[3] != "b" {
		t.Errorf("the order is %v", lines)
	}
	empty(t, streams(t, nc), "tasks")
}

// TestWorkerShowsProgress asks for the status of what runs.
func TestWorkerShowsProgress(t *testing.T) {
	c := client(t)
	w := newWorker(t, c, 1, nats.WithProcessName("here"))
	set, end := make(chan struct{}), make(chan struct{})
	handle(t, w, "work", func(ctx context.Context, _ string) error {
		nats.SetProgress(ctx, 0.5, "half-way")
		close(set)
		<-end
		return nil
	})
	w.run(t)
	deadline := time.Now().Add(time.Hour)
	submit(t, c, "a", nats.WithDescription("long work"), nats.WithPriority(nats.High), nats.WithDeadline(deadline))
	<-set
	s, err := c.Lookup(soon(t), "a")
	if err != nil {
		t.Fatal(err)
	}
	if s.Progress != 0.5 || s.Description != "half-way" || s.Status != taskmanager.Running || s.Process != w.ID() {
		t.Errorf("the status is %+v", s)
	}
	page, err := c.List(soon(t), nats.Search{})
	if err != nil || len(page.Tasks) != 1 {
		t.Fatalf("the list is %+v, %v", page, err)
	}
	for how, s := range map[string]nats.Status{"alone": s, "in a list": page.Tasks[0]} {
		if s.Level != nats.High || s.Deadline.Sub(deadline).Abs() > time.Minute {
			t.Errorf("%s, the level is %v and the deadline %v, want %v and %v", how, s.Level, s.Deadline, nats.High, deadline)
		}
	}
	close(end)
}
