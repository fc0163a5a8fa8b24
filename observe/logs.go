package observe

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/internal/lazycontext"
	"github.com/seed56799101/taskmanager/internal/text"
)

// The keys that NewLogHandler adds in addition to those of the task, which are the same as in spans.
const (
	traceIDKey = "trace_id"
	spanIDKey  = "span_id"
)

// NewLogHandler returns a handler that adds attributes to each record and passes it to next. It
// reads them from the context of the record:
//
//   - trace_id and span_id of the current span
//   - taskmanager.task.name and taskmanager.task.attempt of the execution to which the context belongs
//
// Use the functions that take a context, such as [slog.InfoContext]; without one the handler adds
// nothing. The attributes are at the top level of the record, outside the groups of the logger.
// NewLogHandler panics if next is nil.
func NewLogHandler(next slog.Handler) slog.Handler {
	if next == nil {
		panic("observe: NewLogHandler: the handler is nil; pass the one that writes the records")
	}
	return logHandler{next: next}
}

// logHandler does not pass groups on to next: a handler that knows of a group puts all later
// attributes into it.
type logHandler struct {
	next   slog.Handler
	groups []group // the outermost first
}

// group is a group of a logger and its attributes.
type group struct {
	name  string
	attrs []slog.Attr
}

// Enabled reports whether next handles records at a level.
func (l logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return l.next.Enabled(ctx, level)
}

// WithAttrs returns a handler with attributes in the innermost group or, without a group, at the top
// level.
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

// WithGroup returns a handler with a further group.
func (l logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return l
	}
	return logHandler{l.next, append(slices.Clip(l.groups), group{name: name})}
}

// Handle adds the attributes and passes the record to next. They come first: the handlers of package
// slog garble attributes after a group that a ReplaceAttr function leaves empty.
func (l logHandler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		out.AddAttrs(slog.String(traceIDKey, span.TraceID().String()), slog.String(spanIDKey, span.SpanID().String()))
	}
	if task, attempt, ok := lazycontext.IdentityOf(ctx); ok {
		out.AddAttrs(slog.String(string(nameKey), text.Clean(task, text.NameLimit)), slog.Int(string(attemptKey), attempt))
	}
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
	for _, g := range slices.Backward(l.groups) {
		attrs = []slog.Attr{{Key: g.name, Value: slog.GroupValue(slices.Concat(g.attrs, attrs)...)}}
	}
	out.AddAttrs(attrs...)
	return l.next.Handle(ctx, out)
}
