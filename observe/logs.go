package observe

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/internal/lazycontext"
)

// The keys of what NewLogHandler adds; those of the task are the ones of spans.
const (
	traceIDKey = "trace_id"
	spanIDKey  = "span_id"
)

// NewLogHandler returns a handler that adds to each record, before it passes it on to next,
// where it belongs: trace_id and span_id of the span that is current in its context, and
// taskmanager.task.name and taskmanager.task.attempt of the task to whose execution the
// context belongs. So they are there only where a context is given, as to slog.InfoContext.
// They stand at the top level of the record, whatever groups the logger has opened. A nil
// next panics, as it does in slog.New.
func NewLogHandler(next slog.Handler) slog.Handler {
	if next == nil {
		panic("observe: NewLogHandler: the handler is nil; pass the one that writes the records")
	}
	return logHandler{next: next}
}

// logHandler keeps the groups to itself: next would put all that comes later into a group
// that it was told of.
type logHandler struct {
	next   slog.Handler
	groups []group // the outermost first
}

// group is a group that a logger has opened, with the attributes that it was given in it.
type group struct {
	name  string
	attrs []slog.Attr
}

// Enabled is what next says.
func (l logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return l.next.Enabled(ctx, level)
}

// WithAttrs adds attributes to the innermost group, or at the top level.
func (l logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return l
	}
	last := len(l.groups) - 1
	if last < 0 {
		return logHandler{next: l.next.WithAttrs(attrs)}
	}
	groups := slices.Clone(l.groups)
	groups[last].attrs = slices.Concat(groups[last].attrs, attrs)
	return logHandler{l.next, groups}
}

// WithGroup opens a group.
func (l logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return l
	}
	return logHandler{l.next, append(slices.Clip(l.groups), group{name: name})}
}

// Handle passes the record on, with what is to be added before all else: a group that a
// ReplaceAttr function empties has the handlers of package slog spoil what comes after it.
func (l logHandler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		out.AddAttrs(slog.String(traceIDKey, span.TraceID().String()), slog.String(spanIDKey, span.SpanID().String()))
	}
	if task, attempt, ok := lazycontext.IdentityOf(ctx); ok {
		out.AddAttrs(slog.String(string(nameKey), task), slog.Int(string(attemptKey), attempt))
	}
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
	for _, g := range slices.Backward(l.groups) {
		attrs = []slog.Attr{{Key: g.name, Value: slog.GroupValue(slices.Concat(g.attrs, attrs)...)}}
	}
	out.AddAttrs(attrs...)
	return l.next.Handle(ctx, out)
}
