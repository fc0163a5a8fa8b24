package taskmanager_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// names is a set of names of spans, attributes and instruments.
type names map[string]bool

func (n names) add(attributes []attribute.KeyValue) {
	for _, a := range attributes {
		n[string(a.Key)] = true
	}
}

// declared reads the tables in the documentation of package observe.
func declared(t *testing.T) names {
	t.Helper()
	doc, err := os.ReadFile("../observe/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	n := names{"exception": true, "exception.type": true, "exception.message": true, "exception.stacktrace": true}
	rows := regexp.MustCompile(`(?m)^//\t(.*)$`).FindAllStringSubmatch(string(doc), -1)
	for _, row := range rows {
		for _, name := range regexp.MustCompile(`\btaskmanager(\.[a-z_]+)+|\berror\.type\b|^(submit|run|restart|end) Kind +[A-Z]+`).FindAllString(row[1], -1) {
			n[strings.Join(strings.Fields(name), " ")] = true
		}
	}
	return n
}

// everything makes a manager emit all documented telemetry.
func everything(t *testing.T, b *backend) {
	m := start(t, taskmanager.WithName("images"), taskmanager.WithObserver(b.otel), taskmanager.WithWorkers(1, 2),
		taskmanager.WithLimit(5, taskmanager.Reject), taskmanager.WithRestart(fixedDelay(time.Second)))
	ctx, span := b.tracer.Start(t.Context(), "request")
	defer span.End()
	always := func(context.Context, error) bool { return true }
	runs := 0
	for _, task := range []taskmanager.Task{
		&task{name: "restarts", execute: func(context.Context) error {
			if runs++; runs == 1 {
				return errFailed
			}
			return nil
		}, restart: always},
		&task{name: "gives up", execute: func(context.Context) error { return errFailed }, restart: always},
		&task{name: "panics", execute: func(context.Context) error { panic("no") }},
	} {
		if _, err := m.Submit(ctx, task); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Submit(ctx, &task{name: "gives up"}); !errors.Is(err, taskmanager.ErrAlreadyExists) {
		t.Fatal(err)
	}
	every(t, m, time.Second, &task{name: "over and over"})
	later := submitFunc(t, m, "too late", fn0, taskmanager.WithDelay(time.Second/2))
	later.Cancel()
	time.Sleep(1500 * time.Millisecond)
	m.Cancel("gives up") // it waits for its restart
	synctest.Wait()
}

// TestEmittedNamesAreDocumented checks that the names and kinds of spans, the keys of
// attributes and the instruments are those in the documentation of package observe, and
// that there are no others.
func TestEmittedNamesAreDocumented(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		everything(t, b)
		got := names{}
		scope := func(s instrumentation.Scope) []string { return []string{s.Name, s.Version, s.SchemaURL} }
		want := []string{observe.Scope, observe.Version, semconv.SchemaURL}
		for _, s := range b.spans.Ended() {
			if s.Name() == "request" {
				continue
			}
			check.Equal(t, "scope of a span", scope(s.InstrumentationScope()), want)
			got[strings.Fields(s.Name())[0]+" Kind "+strings.ToUpper(s.SpanKind().String())] = true
			got.add(s.Attributes())
			for _, e := range s.Events() {
				got[e.Name] = true
				got.add(e.Attributes)
			}
		}
		var data metricdata.ResourceMetrics
		if err := b.reader.Collect(t.Context(), &data); err != nil {
			t.Fatal(err)
		}
		for _, s := range data.ScopeMetrics {
			check.Equal(t, "scope of metrics", scope(s.Scope), want)
			for _, m := range s.Metrics {
				got[m.Name] = true
				switch d := m.Data.(type) {
				case metricdata.Sum[int64]:
					for _, p := range d.DataPoints {
						got.add(p.Attributes.ToSlice())
					}
				case metricdata.Histogram[float64]:
					for _, p := range d.DataPoints {
						got.add(p.Attributes.ToSlice())
					}
				}
			}
		}
		if diff := cmp.Diff(declared(t), got); diff != "" {
			t.Errorf("names (-declared +emitted):\n%s", diff)
		}
	})
}

// instrument is a row of the table of metrics: the type and the keys of the attributes.
type instrument struct {
	Type string
	Keys []string
}

// declaredInstruments reads the table of metrics in the documentation of package observe.
func declaredInstruments(t *testing.T) map[string]instrument {
	t.Helper()
	doc, err := os.ReadFile("../observe/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]instrument{}
	for _, row := range regexp.MustCompile(`(?m)^//\t(taskmanager\S+) +(histogram, s|counter|up-down counter) *(.*)$`).FindAllStringSubmatch(string(doc), -1) {
		keys := []string{"taskmanager.pool.name"}
		attributes, _, _ := strings.Cut(row[3], ": ") // without the values
		for name := range strings.SplitSeq(attributes, ", ") {
			switch {
			case name == "kind", name == "outcome":
				keys = append(keys, "taskmanager.task."+name)
			case strings.Contains(name, "."):
				keys = append(keys, name)
			}
		}
		slices.Sort(keys)
		list[row[1]] = instrument{row[2], keys}
	}
	return list
}

// TestInstrumentsAreAsDocumented checks the types of the instruments, and that they have no
// other attributes.
func TestInstrumentsAreAsDocumented(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		everything(t, b)
		var data metricdata.ResourceMetrics
		if err := b.reader.Collect(t.Context(), &data); err != nil {
			t.Fatal(err)
		}
		got := map[string]instrument{}
		for _, s := range data.ScopeMetrics {
			for _, m := range s.Metrics {
				kind, keys := "", names{}
				switch d := m.Data.(type) {
				case metricdata.Sum[int64]:
					kind = map[bool]string{true: "counter", false: "up-down counter"}[d.IsMonotonic]
					for _, p := range d.DataPoints {
						keys.add(p.Attributes.ToSlice())
					}
				case metricdata.Histogram[float64]:
					kind = "histogram, " + m.Unit
					for _, p := range d.DataPoints {
						keys.add(p.Attributes.ToSlice())
					}
				}
				got[m.Name] = instrument{kind, slices.Sorted(maps.Keys(keys))}
			}
		}
		if diff := cmp.Diff(declaredInstruments(t), got); diff != "" {
			t.Errorf("instruments (-declared +emitted):\n%s", diff)
		}
	})
}

// TestExemplarsLeadToSpans checks that the histograms are recorded with the context of the
// span.
func TestExemplarsLeadToSpans(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		everything(t, b)
		runs := map[string]bool{}
		for _, s := range b.spans.Ended() {
			if strings.HasPrefix(s.Name(), "run ") {
				id := s.SpanContext().SpanID()
				runs[string(id[:])] = true
			}
		}
		var data metricdata.ResourceMetrics
		if err := b.reader.Collect(t.Context(), &data); err != nil {
			t.Fatal(err)
		}
		var with []string
		for _, s := range data.ScopeMetrics {
			for _, m := range s.Metrics {
				d, ok := m.Data.(metricdata.Histogram[float64])
				if !ok {
					continue
				}
				for _, p := range d.DataPoints {
					for _, e := range p.Exemplars {
						with = append(with, m.Name)
						if !runs[string(e.SpanID)] {
							t.Errorf("an exemplar of %s leads to no execution", m.Name)
						}
					}
				}
			}
		}
		slices.Sort(with)
		check.Equal(t, "histograms with exemplars", slices.Compact(with), []string{"taskmanager.task.queue.duration", "taskmanager.task.run.duration"})
	})
}
