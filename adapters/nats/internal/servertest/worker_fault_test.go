package servertest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// readHistory waits for the history of a task with a plain name and returns it as text.
func readHistory(t *testing.T, nc *natsgo.Conn, name string) string {
	t.Helper()
	kv, err := streams(t, nc).KeyValue(soon(t), "tasks_STATE")
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	eventually(t, "the history of "+name, func() bool {
		e, err := kv.Get(soon(t), name)
		if err == nil {
			text = string(e.Value())
		}
		return err == nil
	})
	return text
}

// TestWorkerGivesBackWhatItCannotRead stores payloads and messages that this version cannot read.
func TestWorkerGivesBackWhatItCannotRead(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	log := new(recordedLog)
	c := open(t, nc, nats.WithLogger(log))
	w := newWorker(t, c, 2)
	handle(t, w, "work", func(context.Context, string) error { t.Error("executed"); return nil })
	err := nats.HandleTask(w.Worker, "made", func(string, int) (taskmanager.Task, error) { panic("cannot make it") })
	if err != nil {
		t.Fatal(err)
	}
	w.run(t)
	if _, err := nats.Submit(soon(t), c, "number", 42, nats.WithKind("work")); err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Submit(soon(t), c, "panic", 42, nats.WithKind("made")); err != nil {
		t.Fatal(err)
	}
	stored := time.Now()
	store(t, nc, "tasks.run.normal.work.newer", natsgo.Header{"Task-Version": {"2"}, "Task-Id": {"newer"}})
	store(t, nc, "tasks.run.normal.work.foreign", natsgo.Header{"Other": {"x"}})
	for name, want := range map[string]string{
		"number":  `"decodes":1`,
		"panic":   `cannot make it`,
		"foreign": `"decodes":1`,
		"newer":   `"not_before"`,
	} {
		if h := readHistory(t, nc, name); !strings.Contains(h, want) {
			t.Errorf("the history of %s is %s, want %s", name, h, want)
		}
	}
	if n := remaining(t, streams(t, nc), "tasks"); n != 4 {
		t.Errorf("%d tasks are left, want 4", n)
	}
	var newer struct {
		NotBefore int64 `json:"not_before"`
	}
	if err := json.Unmarshal([]byte(readHistory(t, nc, "newer")), &newer); err != nil {
		t.Fatal(err)
	}
	// The worker knows the clock of the server but for half the time that the server takes to tell it.
	earliest, latest := stored.Add(25*time.Second), time.Now().Add(35*time.Second)
	if at := time.Unix(0, newer.NotBefore); at.Before(earliest) || at.After(latest) {
		t.Errorf("the task of a newer version comes back at %v, want %v to %v", at, earliest, latest)
	}
	const want = `nats: task "newer" is given back: the task has format 2, and this program knows 1; update the program`
	if !slices.Contains(log.all(), want) {
		t.Errorf("the log lacks %q:\n%s", want, strings.Join(log.all(), "\n"))
	}
}

// TestWorkerSurvivesTheLossOfItsConsumer deletes the consumer of a worker that waits.
func TestWorkerSurvivesTheLossOfItsConsumer(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 2)
	var got ledger
	handle(t, w, "work", func(_ context.Context, in string) error { got.add(in); return nil })
	w.run(t)
	submit(t, c, "before")
	got.waitFor(t, 1)
	if err := streams(t, nc).DeleteConsumer(soon(t), "tasks", "w_normal_work"); err != nil {
		t.Fatal(err)
	}
	submit(t, c, "after")
	got.waitFor(t, 2)
	empty(t, streams(t, nc), "tasks")
}

// TestWorkerOutlivesItsStream deletes the stream while a task runs. The task ends, the worker asks seldom,
// and goes on when the stream is made again.
func TestWorkerOutlivesItsStream(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 2)
	var got ledger
	begun, end := make(chan struct{}, 2), make(chan struct{})
	handle(t, w, "work", func(_ context.Context, in string) error {
		begun <- struct{}{}
		<-end
		got.add(in)
		return nil
	})
	w.run(t)
	submit(t, c, "running")
	<-begun
	js := streams(t, nc)
	if err := js.DeleteStream(soon(t), "tasks"); err != nil {
		t.Fatal(err)
	}
	close(end)
	got.waitFor(t, 1)
	// The waits between the attempts double. How many there are until a wait is long does not depend on the machine.
	asked := listenTo(t, nc, "$JS.API.CONSUMER.*.tasks.w_normal_work")
	n := 0
	for last := time.Now(); time.Since(last) < time.Second; n++ {
		last = time.Now()
		next(t, "the worker asks", asked)
		if n > 20 {
			t.Fatal("the worker asks again and again")
		}
	}
	if _, err := js.Stream(soon(t), "tasks"); err == nil {
		t.Error("somebody has made the stream again")
	}
	again := open(t, nc, nats.WithLogger(testLog{t}))
	submit(t, again, "later")
	got.waitFor(t, 2)
	empty(t, js, "tasks")
}

// TestWorkerSurvivesRestartsOfTheServer stops and starts the server below a worker.
func TestWorkerSurvivesRestartsOfTheServer(t *testing.T) {
	dir := t.TempDir()
	options := embed.Options{Dir: dir, Listen: "127.0.0.1:0", Token: "token", SyncInterval: time.Minute}
	s, err := embed.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	options.Listen = strings.TrimPrefix(s.URL()[strings.LastIndex(s.URL(), "@")+1:], "nats://")
	conn := dial(t, s.URL())
	c := open(t, conn, nats.WithLogger(testLog{t}))
	w := newWorker(t, c, 4)
	var got ledger
	handle(t, w, "work", func(_ context.Context, in string) error { got.add(in); return nil })
	w.run(t)
	var want []string
	for turn := range 3 {
		for i := range 20 {
			want = append(want, fmt.Sprintf("%d/%02d", turn, i))
			submit(t, c, want[len(want)-1])
		}
		got.waitFor(t, len(want))
		if err := s.Stop(soon(t)); err != nil {
			t.Fatal(err)
		}
		if turn == 2 {
			break
		}
		if s, err = embed.Start(options); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, line := range got.all() {
		seen[line] = true
	}
	for _, name := range want {
		if !seen[name] {
			t.Errorf("%s has not run", name)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	if err := w.Drain(ctx); err != nil {
		t.Errorf("Drain without a server returned %v", err)
	}
}

// TestWorkerMeetsALocalName submits a task whose name a task of the program has in the same manager.
func TestWorkerMeetsALocalName(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}), nats.WithLease(10*time.Second), nats.WithCrashes(1))
	w := newWorker(t, c, 2)
	end := make(chan struct{})
	var got ledger
	if _, err := w.m.SubmitFunc(soon(t), "same", func(context.Context) error { <-end; got.add("local"); return nil }); err != nil {
		t.Fatal(err)
	}
	handle(t, w, "work", func(context.Context, string) error { got.add("stored"); return nil })
	w.run(t)
	submit(t, c, "same")
	if h := readHistory(t, nc, "same"); !strings.Contains(h, `"tries":1`) {
		t.Errorf("the history is %s", h)
	}
	close(end)
	if diff := cmp.Diff([]string{"local", "stored"}, got.waitFor(t, 2)); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	empty(t, streams(t, nc), "tasks")
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
	eventually(t, "another consumer", func() bool { // the server may not have removed the files of the old one
		_, err := js.CreateConsumer(soon(t), "tasks", cfg)
		return err == nil
	})
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
