package taskmanager_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// texts are the texts that leave the process, by what they are.
type texts map[string][]string

func (x texts) add(what string, s ...string) { x[what] = append(x[what], s...) }

func (x texts) attributes(list []attribute.KeyValue) {
	for _, a := range list {
		if a.Value.Type() == attribute.STRING {
			x.add(string(a.Key), a.Value.AsString())
		}
	}
}

// emitted adds all texts of spans and metrics.
func (x texts) emitted(t fataler, b *backend) {
	for _, s := range b.spans.Ended() {
		x.add("span", s.Name())
		x.add("status", s.Status().Description)
		x.attributes(s.Attributes())
		for _, e := range s.Events() {
			x.attributes(e.Attributes)
		}
	}
	var data metricdata.ResourceMetrics
	if err := b.reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	for _, s := range data.ScopeMetrics {
		for _, m := range s.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					x.attributes(p.Attributes.ToSlice())
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					x.attributes(p.Attributes.ToSlice())
				}
			}
		}
	}
}

// Enabled, Handle, WithAttrs and WithGroup make texts a handler that keeps the attributes.
func (x texts) Enabled(context.Context, slog.Level) bool { return true }

func (x texts) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool { x.add(a.Key, a.Value.String()); return true })
	return nil
}

func (x texts) WithAttrs([]slog.Attr) slog.Handler { return x }
func (x texts) WithGroup(string) slog.Handler      { return x }

// hostileText draws a text that may be invalid or long.
func hostileText(t *rapid.T, label string) string {
	unit := rapid.SampledFrom([]string{"a", "é", "\xff", "\xe2\x82", "\n", "\x00", "\U0010ffff"})
	s := strings.Join(rapid.SliceOfN(unit, 1, 6).Draw(t, label), "")
	return strings.Repeat(s, rapid.SampledFrom([]int{1, 1, 40, 300, 20_000}).Draw(t, label+" repeated"))
}

// TestInvalidTextLosesTheWholeBatch gives tasks hostile names, kinds, errors, panic values and
// types of errors. All that leaves the process must be valid UTF-8, which an OTLP exporter
// requires, and bounded.
func TestInvalidTextLosesTheWholeBatch(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			b, out := newBackend(t), texts{}
			logger := slog.New(observe.NewLogHandler(out))
			m, err := taskmanager.Start(taskmanager.WithObserver(b.otel), taskmanager.WithName(hostileText(t, "manager")),
				taskmanager.WithWorkers(1, 1), taskmanager.WithRestart(fixedDelay(time.Second)))
			if err != nil {
				t.Fatal(err)
			}
			defer stop(t, m)
			message, errorType := hostileText(t, "error"), hostileText(t, "type")
			failure := hostile{func() string { return message }, func() string { return errorType }}
			crash := hostileText(t, "panic")
			kind := taskmanager.WithKind(hostileText(t, "kind"))
			ctx, span := b.tracer.Start(context.Background(), "request")
			runs := 0
			for i, execute := range []func(context.Context) error{
				func(ctx context.Context) error { logger.InfoContext(ctx, "runs"); return failure },
				func(context.Context) error { panic(crash) },
				func(context.Context) error { runs++; return map[bool]error{true: failure}[runs == 1] },
			} {
				restarts := func(context.Context, error) bool { return i == 2 }
				name := hostileText(t, "name") + string(rune('a'+i))
				for range 2 { // the second submit is refused
					_, err := m.Submit(ctx, &task{name: name, execute: execute, restart: restarts}, kind)
					if err != nil && !errors.Is(err, taskmanager.ErrAlreadyExists) {
						t.Fatal(err)
					}
				}
			}
			later, err := m.SubmitFunc(ctx, "later "+hostileText(t, "name"), fn0, kind, taskmanager.WithDelay(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			later.Cancel()
			span.End()
			synctest.Wait()
			time.Sleep(time.Minute)
			stop(t, m)
			out.emitted(t, b)
			for _, what := range []string{
				"span", "status", "taskmanager.task.name", "taskmanager.task.kind", "taskmanager.pool.name", "error.type",
				"exception.type", "exception.message", "exception.stacktrace",
			} {
				if len(out[what]) == 0 {
					t.Fatalf("there is no %s", what)
				}
			}
			for what, list := range out {
				limit := 300
				switch what {
				case "status", "exception.message":
					limit = 4 << 10
				case "exception.stacktrace":
					limit = 16 << 10
				}
				for _, s := range slices.Compact(list) {
					if !utf8.ValidString(s) || len(s) > limit {
						t.Fatalf("%s: %d bytes, want at most %d of valid UTF-8: %.200q", what, len(s), limit, s)
					}
				}
			}
		})
	})
}
