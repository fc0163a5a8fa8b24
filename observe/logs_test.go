package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"testing"
	"testing/slogtest"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/internal/lazycontext"
	"github.com/seed56799101/taskmanager/observe"
)

// TestLogHandlerIsAHandler by the rules of package slog.
func TestLogHandlerIsAHandler(t *testing.T) {
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return observe.NewLogHandler(slog.NewJSONHandler(&out, nil))
	}, func(t *testing.T) map[string]any { return record(t, &out) })
}

// record reads what was logged.
func record(t *testing.T, out *bytes.Buffer) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(out.Bytes(), &m); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return m
}

// TestLogHandlerAddsAtTheTopLevel what the context knows, and nothing without one.
func TestLogHandlerAddsAtTheTopLevel(t *testing.T) {
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	inSpan := trace.ContextWithSpanContext(t.Context(), span)
	ids := map[string]any{"trace_id": span.TraceID().String(), "span_id": span.SpanID().String()}
	task := map[string]any{"taskmanager.task.name": "image/1", "taskmanager.task.attempt": 2.0}
	plain := func(l *slog.Logger) *slog.Logger { return l }
	grouped := func(l *slog.Logger) *slog.Logger { return l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("h") }
	for name, c := range map[string]struct {
		ctx    context.Context
		logger func(*slog.Logger) *slog.Logger
		want   []map[string]any
	}{
		"nothing": {t.Context(), plain, []map[string]any{{"x": 3.0}}},
		"a span":  {inSpan, plain, []map[string]any{{"x": 3.0}, ids}},
		"a task":  {lazycontext.WithIdentity(t.Context(), "image/1", 2), plain, []map[string]any{{"x": 3.0}, task}},
		"both, within groups": {lazycontext.WithIdentity(inSpan, "image/1", 2), grouped, []map[string]any{
			{"a": 1.0, "g": map[string]any{"b": 2.0, "h": map[string]any{"x": 3.0}}}, ids, task,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			logger := c.logger(slog.New(observe.NewLogHandler(slog.NewJSONHandler(&out, nil))))
			logger.InfoContext(c.ctx, "message", "x", 3)
			got := record(t, &out)
			want := map[string]any{"time": got["time"], "level": "INFO", "msg": "message"}
			for _, part := range c.want {
				maps.Copy(want, part)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the record (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLogHandlerOfEmptiedGroups: whatever becomes of the other attributes, the record is a
// whole, with what was added.
func TestLogHandlerOfEmptiedGroups(t *testing.T) {
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	secrets := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "password" {
			return slog.Attr{}
		}
		return a
	}}
	for name, log := range map[string]func(*slog.Logger){
		"an attribute":      func(l *slog.Logger) { l.WithGroup("g").InfoContext(ctx, "message", "password", 1) },
		"one of the logger": func(l *slog.Logger) { l.WithGroup("g").With("password", 1).InfoContext(ctx, "message") },
		"a group":           func(l *slog.Logger) { l.InfoContext(ctx, "message", slog.Group("g", "password", 1)) },
		"no attribute":      func(l *slog.Logger) { l.WithGroup("g").LogAttrs(ctx, slog.LevelInfo, "message", slog.Attr{}) },
	} {
		var out bytes.Buffer
		log(slog.New(observe.NewLogHandler(slog.NewJSONHandler(&out, secrets))))
		if got := record(t, &out); got["trace_id"] != span.TraceID().String() || got["span_id"] != span.SpanID().String() {
			t.Errorf("%s: the record is %v", name, got)
		}
	}
}

// TestLogHandlerSharesNothing: loggers that are derived from one do not see each other's
// attributes, nor do handlers that get the same record.
func TestLogHandlerSharesNothing(t *testing.T) {
	var out bytes.Buffer
	base := slog.New(observe.NewLogHandler(slog.NewJSONHandler(&out, nil))).WithGroup("g").With("a", 1)
	first, second := base.With("first", 1), base.With("second", 2)
	first.Info("message")
	out.Reset()
	second.Info("message")
	if diff := cmp.Diff(map[string]any{"a": 1.0, "second": 2.0}, record(t, &out)["g"]); diff != "" {
		t.Errorf("the group (-want +got):\n%s", diff)
	}
}

// TestLogHandlerNeedsAHandler to pass records on to.
func TestLogHandlerNeedsAHandler(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a nil handler does not panic")
		}
	}()
	observe.NewLogHandler(nil)
}
