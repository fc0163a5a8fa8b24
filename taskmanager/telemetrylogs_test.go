package taskmanager_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// contextLog is a ContextLogger that logs with slog.
type contextLog struct{ to *slog.Logger }

func (l contextLog) Info(args ...any)                  { l.to.Info(fmt.Sprint(args...)) }
func (l contextLog) Error(args ...any)                 { l.to.Error(fmt.Sprint(args...)) }
func (l contextLog) Infof(format string, args ...any)  { l.to.Info(fmt.Sprintf(format, args...)) }
func (l contextLog) Errorf(format string, args ...any) { l.to.Error(fmt.Sprintf(format, args...)) }

func (l contextLog) InfofContext(ctx context.Context, format string, args ...any) {
	l.to.InfoContext(ctx, fmt.Sprintf(format, args...))
}

func (l contextLog) ErrorfContext(ctx context.Context, format string, args ...any) {
	l.to.ErrorContext(ctx, fmt.Sprintf(format, args...))
}

// TestLogsLeadToSpans checks that the messages of a task, and those of the manager about
// it, have the ids of the execution's span, the name, and the attempt.
func TestLogsLeadToSpans(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		var out bytes.Buffer
		logger := slog.New(observe.NewLogHandler(slog.NewJSONHandler(&out, nil)))
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithObserver(b.otel), taskmanager.WithLogger(contextLog{logger}),
			taskmanager.WithRestart(fixedDelay(time.Second)))
		runs := 0
		submit(t, m, &task{name: "a", execute: func(ctx context.Context) error {
			runs++
			logger.InfoContext(ctx, "works")
			return fmt.Errorf("failure %d", runs)
		}, restart: func(context.Context, error) bool { return runs < 2 }})
		dropped := submitFunc(t, m, "b", fn0, taskmanager.WithDelay(time.Minute))
		time.Sleep(time.Minute - time.Second)
		synctest.Wait()
		dropped.Cancel()
		spans := map[int64]string{}
		for _, s := range b.spans.Ended() {
			if strings.HasPrefix(s.Name(), "run ") {
				spans[attributeOf(s, "taskmanager.task.attempt").AsInt64()] = s.SpanContext().TraceID().String() + " " + s.SpanContext().SpanID().String()
			}
		}
		check.Equal(t, "executions", len(spans), 2)
		type line struct {
			Message string `json:"msg"`
			Trace   string `json:"trace_id"`
			Span    string `json:"span_id"`
			Task    string `json:"taskmanager.task.name"`
			Attempt int64  `json:"taskmanager.task.attempt"`
		}
		var got []string
		for decoder := json.NewDecoder(&out); decoder.More(); {
			var l line
			if err := decoder.Decode(&l); err != nil {
				t.Fatal(err)
			}
			if l.Trace+" "+l.Span != spans[l.Attempt] {
				t.Errorf("the record %+v has not the ids of its execution, %s", l, spans[l.Attempt])
			}
			got = append(got, fmt.Sprintf("%s %d: %s", l.Task, l.Attempt, l.Message))
		}
		check.Equal(t, "log", got, []string{
			"a 1: works",
			`a 1: taskmanager: task "a" restarts in 1s after failure 1 in a row: failure 1`,
			"a 2: works",
			`a 2: taskmanager: task "a" failed: failure 2`,
		})
	})
}

// TestLogOfATaskThatNeverRan checks that the message has the name of the task.
func TestLogOfATaskThatNeverRan(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var out bytes.Buffer
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.DropNewest),
			taskmanager.WithLogger(contextLog{slog.New(observe.NewLogHandler(slog.NewTextHandler(&out, nil)))}))
		for _, name := range []string{"runs", "waits", "dropped"} {
			submitFunc(t, m, name, untilCancelled)
			synctest.Wait()
		}
		for _, want := range []string{"will not run", "taskmanager.task.name=dropped", "taskmanager.task.attempt=1"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the log has no %q:\n%s", want, &out)
			}
		}
	})
}

// brokenContextLogger is a ContextLogger whose methods for tasks panic.
type brokenContextLogger struct{ contextLog }

func (brokenContextLogger) InfofContext(context.Context, string, ...any)  { panic("no") }
func (brokenContextLogger) ErrorfContext(context.Context, string, ...any) { panic("no") }

// TestContextLoggerThatPanicsDoesNoHarm checks that a panic in the logger does not affect
// tasks.
func TestContextLoggerThatPanicsDoesNoHarm(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLogger(brokenContextLogger{}))
	for range 2 {
		if err := wait(t, submitFunc(t, m, "a", func(context.Context) error { return errFailed })); !errors.Is(err, errFailed) {
			t.Errorf("the task ended with %v", err)
		}
	}
}
