package logging_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/adapters/logging"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func textLogger(level slog.Level) (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})), &out
}

func TestLevelsAndFormats(t *testing.T) {
	to, out := textLogger(slog.LevelInfo)
	l := logging.Slog(to)
	l.Infof("%d tasks", 3)
	l.Info("a ", 1, " b")
	l.Errorf("%q failed", "x")
	l.Error("bad ", 2)
	want := `level=INFO msg="3 tasks"
level=INFO msg="a 1 b"
level=ERROR msg="\"x\" failed"
level=ERROR msg="bad 2"
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// costly counts how often it is formatted.
type costly struct{ formatted int }

func (c *costly) String() string { c.formatted++; return "costly" }

func TestMessagesThatNobodyWantsAreNotFormatted(t *testing.T) {
	to, out := textLogger(slog.LevelError)
	c := new(costly)
	logging.Slog(to).Infof("%v", c)
	if c.formatted != 0 || out.Len() != 0 {
		t.Errorf("formatted %d times and wrote %q, want neither", c.formatted, out)
	}
}

func TestSourceIsTheCaller(t *testing.T) {
	var out bytes.Buffer
	var source *slog.Source
	to := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		AddSource: true,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if s, ok := a.Value.Any().(*slog.Source); ok {
				source = s
			}
			return a
		},
	}))
	l := logging.Slog(to)
	_, file, line, _ := runtime.Caller(0)
	l.Error("here")
	if source == nil || filepath.Base(source.File) != filepath.Base(file) || source.Line != line+1 {
		t.Errorf("source is %+v, want %s:%d", source, filepath.Base(file), line+1)
	}
}

func TestNilMeansTheDefaultLogger(t *testing.T) {
	to, out := textLogger(slog.LevelInfo)
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	l := logging.Slog(nil)
	slog.SetDefault(to)
	l.Info("hello")
	if diff := cmp.Diff("level=INFO msg=hello\n", out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestLogOfATaskHasItsContext, which handlers look at.
func TestLogOfATaskHasItsContext(t *testing.T) {
	to, out := textLogger(slog.LevelInfo)
	l, ok := logging.Slog(slog.New(observe.NewLogHandler(to.Handler()))).(taskmanager.ContextLogger)
	if !ok {
		t.Fatal("it is no logger that is told for which task it logs")
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	l.InfofContext(ctx, "%d tasks", 3)
	l.ErrorfContext(ctx, "%q failed", "x")
	ids := " trace_id=" + span.TraceID().String() + " span_id=" + span.SpanID().String() + "\n"
	want := `level=INFO msg="3 tasks"` + ids + `level=ERROR msg="\"x\" failed"` + ids
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestAttributes checks that the attributes of a message reach the handler, at any level, with
// those of its context.
func TestAttributes(t *testing.T) {
	to, out := textLogger(slog.LevelInfo)
	l, ok := logging.Slog(to).(taskmanager.StructuredLogger)
	if !ok {
		t.Fatal("the logger takes no attributes")
	}
	l.LogAttrs(t.Context(), slog.LevelDebug, "nobody wants it")
	l.LogAttrs(t.Context(), slog.LevelWarn, "careful", slog.String("task", "a\nb"), slog.Int("attempt", 2))
	if diff := cmp.Diff("level=WARN msg=careful task=\"a\\nb\" attempt=2\n", out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
