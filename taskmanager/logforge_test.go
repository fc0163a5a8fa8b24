package taskmanager_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestNewlineInANameForgesALogLine gives tasks names and errors with line breaks, and other
// text that may be used to forge messages. Each message must be one line of valid text.
func TestNewlineInANameForgesALogLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			log := new(recorder)
			m, err := taskmanager.Start(taskmanager.WithLogger(log), taskmanager.WithName(hostileText(t, "manager")),
				taskmanager.WithWorkers(1, 1), taskmanager.WithRestart(fixedDelay(time.Second)))
			if err != nil {
				t.Fatal(err)
			}
			failure := errors.New(hostileText(t, "error") + "\nerror taskmanager: forged")
			name := hostileText(t, "name") + "\nerror taskmanager: forged"
			restarts := func(_ context.Context, err error) bool { return true }
			h, err := m.Submit(context.Background(), &task{name: name, execute: func(context.Context) error { return failure }, restart: restarts})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(1500 * time.Millisecond)
			h.Cancel()
			if _, err := m.SubmitFunc(context.Background(), name+"2", func(context.Context) error { return failure }); err != nil {
				t.Fatal(err)
			}
			crash, err := m.SubmitFunc(context.Background(), name+"3", func(context.Context) error { panic(failure) })
			if err != nil {
				t.Fatal(err)
			}
			_ = crash.Wait(context.Background())
			stop(t, m)
			synctest.Wait()
			if len(log.lines) != 4 {
				t.Fatalf("%d messages: %.5000q", len(log.lines), log.lines)
			}
			for _, message := range log.lines {
				lines := strings.Split(message, "\n")
				if strings.Contains(lines[0], "panicked: ") { // the stack follows
					lines = lines[:1]
				}
				if strings.Contains(message, "\nerror taskmanager: forged") || len(lines) != 1 || !utf8.ValidString(message) || len(lines[0]) > 20_000 {
					t.Fatalf("a message of %d lines and %d bytes: %.500q", len(lines), len(lines[0]), message)
				}
			}
		})
	})
}

// TestDropsFloodTheLog drops and sheds many tasks. The log has one message for the first, and
// then their number every ten seconds, and at the end.
func TestDropsFloodTheLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(recorder)
		m := start(t, taskmanager.WithLogger(log), taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.DropNewest))
		submitFunc(t, m, "busy", untilCancelled)
		synctest.Wait()
		drop := func(n int) {
			for i := range n {
				submitFunc(t, m, fmt.Sprint(i), fn0)
			}
		}
		drop(1000)
		time.Sleep(11 * time.Second)
		drop(500)
		time.Sleep(11 * time.Second) // a second summary, and nothing after that
		time.Sleep(time.Minute)
		drop(3)
		stop(t, m)
		check.Equal(t, "log", log.lines, []string{
			`info taskmanager: task "0" will not run: taskmanager: dropped, as the queue was full`,
			`info taskmanager: 999 more tasks will not run`,
			`info taskmanager: 500 more tasks will not run`,
			`info taskmanager: task "0" will not run: taskmanager: dropped, as the queue was full`,
			`info taskmanager: 2 more tasks will not run`,
		})
	})
}

// structured is a StructuredLogger that writes JSON.
type structured struct {
	recorder
	to *slog.Logger
}

func (s *structured) LogAttrs(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	s.to.LogAttrs(ctx, level, message, attrs...)
}

// TestLogRecordsHadNoAttributes checks the attributes of the messages of a manager.
func TestLogRecordsHadNoAttributes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &structured{to: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		}))}
		m := start(t, taskmanager.WithLogger(l), taskmanager.WithName("mail"), taskmanager.WithWorkers(1, 1),
			taskmanager.WithLimit(0, taskmanager.DropNewest), taskmanager.WithRestart(modelPolicy{}))
		runs := 0
		await(t, submit(t, m, &task{name: "a\nb", execute: func(context.Context) error {
			if runs++; runs == 2 {
				panic("no\nway")
			}
			return errFailed
		}, restart: func(context.Context, error) bool { return runs < 3 }}))
		synctest.Wait() // until the worker is free again
		submitFunc(t, m, "busy", untilCancelled)
		synctest.Wait()
		submitFunc(t, m, "dropped", fn0)
		synctest.Wait()
		type record map[string]any
		var got []record
		for decoder := json.NewDecoder(&out); decoder.More(); {
			r := record{}
			if err := decoder.Decode(&r); err != nil {
				t.Fatal(err)
			}
			if stack, ok := r["stack"]; ok {
				r["stack"] = strings.Contains(fmt.Sprint(stack), "TestLogRecordsHadNoAttributes")
			}
			got = append(got, r)
		}
		const info, warn, failure = "INFO", "WARN", "ERROR"
		ofTask := func(level, message, name string, attempt float64, more record) record {
			r := record{"level": level, "msg": "taskmanager: " + message, "pool": "mail", "task": name, "attempt": attempt}
			maps.Copy(r, more)
			return r
		}
		check.Equal(t, "log", got, []record{
			ofTask(info, "task restarts", "a\nb", 1, record{"delay": 0.0, "failures": 1.0, "error": "failed"}),
			ofTask(info, "task restarts", "a\nb", 2, record{"delay": 1e7, "failures": 2.0, "error": "panicked: no\nway", "stack": true}),
			ofTask(failure, "task failed", "a\nb", 3, record{"error": "failed"}),
			ofTask(warn, "task will not run", "dropped", 1, record{"error": "taskmanager: dropped, as the queue was full"}),
		})
		if len(l.lines) > 0 {
			t.Errorf("the other methods of the logger were called: %q", l.lines)
		}
	})
}
