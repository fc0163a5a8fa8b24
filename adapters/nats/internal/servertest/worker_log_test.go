package servertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// recordedLog keeps what is logged.
type recordedLog struct{ ledger }

func (l *recordedLog) Infof(format string, args ...any)  { l.add(fmt.Sprintf(format, args...)) }
func (l *recordedLog) Errorf(format string, args ...any) { l.add(fmt.Sprintf(format, args...)) }
func (l *recordedLog) Info(args ...any)                  { l.add(fmt.Sprint(args...)) }
func (l *recordedLog) Error(args ...any)                 { l.add(fmt.Sprint(args...)) }

// TestWorkerBoundsWhatItStoresAndLogs buries a task with a huge error, and one whose payload it cannot decode. Texts of
// errors are cut at 4 KiB, and no payload is logged.
func TestWorkerBoundsWhatItStoresAndLogs(t *testing.T) {
	const limit, secret = 4 << 10, "the payload is secret"
	nc := connect(t, serve(t, embed.Options{}))
	log := new(recordedLog)
	c := open(t, nc, nats.WithLogger(log))
	js := streams(t, nc)
	if _, err := nats.Submit(soon(t), c, "unreadable", secret, nats.WithKind("number"), nats.WithID("unreadable")); err != nil {
		t.Fatal(err)
	}
	history, err := json.Marshal(map[string]any{"id": "unreadable", "seq": 1, "decodes": 3}) // the next time is the last one
	if err != nil {
		t.Fatal(err)
	}
	histories, err := js.KeyValue(soon(t), "tasks_STATE")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := histories.Put(soon(t), "unreadable", history); err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Submit(soon(t), c, "huge", secret, nats.WithKind("work"), nats.WithID("huge"), nats.WithResult(time.Minute)); err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, c, 2)
	handle(t, w, "work", func(context.Context, string) error { return errors.New(strings.Repeat("x", 1<<20)) })
	if err := nats.Handle(w.Worker, "number", func(context.Context, int) error { t.Error("executed"); return nil }); err != nil {
		t.Fatal(err)
	}
	w.run(t)
	empty(t, js, "tasks")
	if n := len(storedResult(t, js, "tasks", "huge").Err); n < limit/2 || n > limit {
		t.Errorf("the error of the result has %d bytes", n)
	}
	reasons := make(map[string]string)
	for d, err := range c.DeadLetters(soon(t), "") {
		if err != nil {
			t.Fatal(err)
		}
		reasons[d.Name] = d.Reason
	}
	if n := len(reasons["huge"]); n < limit/2 || n > limit {
		t.Errorf("the reason of the dead letter has %d bytes", n)
	}
	got, begin, end := reasons["unreadable"], "nats: cannot decode the payload as int: json: ", " (4 attempts, in case another worker could)"
	if !strings.HasPrefix(got, begin) || !strings.HasSuffix(got, end) || strings.Contains(got, secret) {
		t.Errorf("the reason of the task that cannot be decoded is %q, want %q … %q", got, begin, end)
	}
	for _, name := range []string{"huge", "unreadable"} {
		if !strings.Contains(strings.Join(log.all(), "\n"), fmt.Sprintf("nats: task %q of kind", name)) {
			t.Errorf("the log lacks the end of %s", name)
		}
	}
	for _, line := range log.all() {
		if strings.Contains(line, secret) || len(line) > limit+1000 {
			t.Errorf("a line of the log has the payload, or %d bytes: %.300s", len(line), line)
		}
	}
}
