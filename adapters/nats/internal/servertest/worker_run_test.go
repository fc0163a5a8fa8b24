package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

var errFailed = errors.New("failed")

func TestWorkerRunsWhatIsSubmitted(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 4)
	var got ledger
	handle(t, w, "work", func(_ context.Context, in string) error { got.add(in); return nil })
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprintf("before/%03d", i))
		submit(t, c, want[i])
	}
	w.run(t)
	for i := range 100 {
		want = append(want, fmt.Sprintf("later/%03d", i))
		submit(t, c, want[100+i])
	}
	lines := got.waitFor(t, 200)
	slices.Sort(lines)
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	empty(t, streams(t, nc), "tasks")
	if drained, ran := w.drain(t); drained != nil || ran != nil {
		t.Errorf("Drain returned %v and Run %v", drained, ran)
	}
}

func TestWorkerRestartsOverWorkers(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	var got ledger
	for _, name := range []string{"a", "b"} {
		w := newWorker(t, c, 1)
		handle(t, w, "work", func(ctx context.Context, in string) error {
			h, _ := taskmanager.FromContext(ctx)
			got.add(fmt.Sprintf("%s attempt %d", in, h.Status().Attempt))
			_ = name
			switch {
			case in == "fails":
				return errFailed
			case in == "later" && h.Status().Attempt < 3:
				return taskmanager.NotYet(20 * time.Millisecond)
			case in == "twice" && h.Status().Attempt < 2:
				return errFailed
			}
			return nil
		}, nats.WithRestart(restart.MaxAttempts(3, restart.Constant(20*time.Millisecond))))
		w.run(t)
	}
	for _, name := range []string{"fails", "later", "once", "twice"} {
		submit(t, c, name)
	}
	lines := got.waitFor(t, 9)
	slices.Sort(lines)
	want := []string{
		"fails attempt 1", "fails attempt 2", "fails attempt 3", "later attempt 1", "later attempt 2", "later attempt 3",
		"once attempt 1", "twice attempt 1", "twice attempt 2",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	js := streams(t, nc)
	empty(t, js, "tasks")
	reasons := deadReasons(t, js, "tasks")
	if len(reasons) != 1 || !strings.Contains(reasons[0], "gave up after 3 failures in a row: failed") {
		t.Errorf("dead letters: %q", reasons)
	}
}

func TestWorkerStoresResults(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 2)
	err := nats.HandleResult(w.Worker, "work", func(ctx context.Context, in string) (string, error) {
		if in == "bad" {
			return "", errFailed
		}
		return nats.TaskID(ctx) + " is done", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.run(t)
	submit(t, c, "good", nats.WithResult(time.Minute), nats.WithID("id-good"))
	submit(t, c, "bad", nats.WithResult(time.Minute), nats.WithID("id-bad"))
	js := streams(t, nc)
	got := []result{storedResult(t, js, "tasks", "id-good"), storedResult(t, js, "tasks", "id-bad")}
	want := []result{{Out: []byte(`"id-good is done"`)}, {Err: "failed"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	empty(t, js, "tasks")
}

// A worker fills a manager with many workers. Without a maximum it stops at some number.
func TestWorkerOfManyWorkers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ workers, tasks, least, most int }{
		{1500, 1600, 1500, 1500},
		{taskmanager.NoMaximum, 1600, 1000, 1024},
	} {
		t.Run(strconv.Itoa(tc.workers), func(t *testing.T) {
			t.Parallel()
			c := client(t)
			w := newWorker(t, c, tc.workers)
			var running, peak int
			var mu sync.Mutex // guards both
			goOn := make(chan struct{})
			handle(t, w, "work", func(context.Context, string) error {
				mu.Lock()
				running++
				peak = max(peak, running)
				mu.Unlock()
				<-goOn
				mu.Lock()
				running--
				mu.Unlock()
				return nil
			})
			for first := 0; first < tc.tasks; first += 800 {
				var items []nats.Item[string]
				for i := range 800 {
					items = append(items, nats.Item[string]{Name: strconv.Itoa(first + i)})
				}
				if _, err := nats.SubmitAll(soon(t), c, items, nats.WithKind("work")); err != nil {
					t.Fatal(err)
				}
			}
			w.run(t)
			eventually(t, "many tasks at once", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return running >= tc.least
			})
			close(goOn)
			eventually(t, "the end of all tasks", func() bool {
				tasks, err := c.TaskStatus(soon(t))
				return err == nil && len(tasks) == 0
			})
			mu.Lock()
			defer mu.Unlock()
			if peak > tc.most {
				t.Errorf("%d tasks ran at once, and at most %d may", peak, tc.most)
			}
		})
	}
}
