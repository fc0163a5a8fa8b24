package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// backend receives the telemetry of a manager.
type backend struct {
	spans  *tracetest.SpanRecorder
	tracer trace.Tracer
	reader *sdkmetric.ManualReader
	otel   *observe.OTel
}

// fataler is the part of testing.TB that rapid.T has too.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

func newBackend(t fataler, opts ...observe.Option) *backend {
	b := &backend{spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(b.spans))
	b.tracer = tracers.Tracer("test")
	var err error
	b.otel, err = observe.New(append([]observe.Option{
		observe.WithTracerProvider(tracers),
		observe.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.reader))),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// emitted has the properties of a span that the tests compare.
type emitted struct {
	Name, Kind, Parent string
	Links              []string
	Status             codes.Code
	Outcome, ErrorType string
	Attempt            int64
}

// all returns the spans in the order of their starts. Parents and links are given by name,
// with the attempt. It checks that all spans have ended.
func (b *backend) all(t *testing.T) []emitted {
	t.Helper()
	if started, ended := len(b.spans.Started()), len(b.spans.Ended()); started != ended {
		t.Errorf("%d spans were started, and %d ended", started, ended)
	}
	names, order := map[trace.SpanID]string{}, map[trace.SpanID]int{}
	for i, s := range b.spans.Started() {
		order[s.SpanContext().SpanID()] = i
	}
	ended := b.spans.Ended()
	slices.SortFunc(ended, func(x, y sdktrace.ReadOnlySpan) int {
		return order[x.SpanContext().SpanID()] - order[y.SpanContext().SpanID()]
	})
	for _, s := range ended {
		names[s.SpanContext().SpanID()] = s.Name()
		if n := attributeOf(s, "taskmanager.task.attempt").AsInt64(); n > 0 {
			names[s.SpanContext().SpanID()] += fmt.Sprint(" ", n)
		}
	}
	var list []emitted
	for _, s := range ended {
		e := emitted{
			Name: s.Name(), Kind: s.SpanKind().String(), Parent: names[s.Parent().SpanID()], Status: s.Status().Code,
			Outcome: attributeOf(s, "taskmanager.task.outcome").AsString(), ErrorType: attributeOf(s, "error.type").AsString(),
			Attempt: attributeOf(s, "taskmanager.task.attempt").AsInt64(),
		}
		for _, l := range s.Links() {
			e.Links = append(e.Links, names[l.SpanContext.SpanID()])
		}
		list = append(list, e)
	}
	return list
}

func attributeOf(s sdktrace.ReadOnlySpan, key attribute.Key) attribute.Value {
	for _, a := range s.Attributes() {
		if a.Key == key {
			return a.Value
		}
	}
	return attribute.Value{}
}

// counts sums the points of an instrument by the value of an attribute.
func (b *backend) counts(t *testing.T, instrument string, by attribute.Key) map[string]int64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := b.reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	sums := map[string]int64{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != instrument {
				continue
			}
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					v, _ := p.Attributes.Value(by)
					sums[v.AsString()] += p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					v, _ := p.Attributes.Value(by)
					sums[v.AsString()] += int64(p.Count) //nolint:gosec // small numbers
				}
			}
		}
	}
	return sums
}

// points returns the points of a counter.
func (b *backend) points(t fataler, instrument string) (list []metricdata.DataPoint[int64]) {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := b.reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			if d, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == instrument {
				list = append(list, d.DataPoints...)
			}
		}
	}
	return list
}

// life submits a task within a span, and waits until the task has ended.
func (b *backend) life(t *testing.T, m *taskmanager.TaskManager, task taskmanager.Task, opts ...taskmanager.TaskOption) {
	t.Helper()
	ctx, span := b.tracer.Start(t.Context(), "request")
	h, err := m.Submit(ctx, task, append(opts, taskmanager.WithKind("job"))...)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Nanosecond)
	span.End()
	await(t, h)
	synctest.Wait()
}

const (
	submitJob = "submit job"
	runJob    = "run job"
	waitJob   = "restart job"
)

// TestSpansOfATask checks the relations, status and attributes of spans for each way in
// which a task ends.
func TestSpansOfATask(t *testing.T) {
	submit := emitted{Name: submitJob, Kind: "producer", Parent: "request"}
	run := func(outcome, errorType string) emitted {
		e := emitted{Name: runJob, Kind: "consumer", Parent: submitJob, Outcome: outcome, ErrorType: errorType, Attempt: 1}
		if errorType != "" {
			e.Status = codes.Error
		}
		return e
	}
	second := run("success", "")
	second.Attempt, second.Links = 2, []string{runJob + " 1"}
	restart := emitted{Name: waitJob, Kind: "internal", Parent: submitJob, ErrorType: "*errors.errorString", Attempt: 1, Links: []string{runJob + " 1"}}
	first := true
	lives := map[string]struct {
		execute func(ctx context.Context) error
		opts    []taskmanager.TaskOption
		want    []emitted
	}{
		"succeeds": {func(context.Context) error { return nil }, nil, []emitted{submit, run("success", "")}},
		"fails":    {func(context.Context) error { return errFailed }, nil, []emitted{submit, run("failure", "*errors.errorString")}},
		"panics":   {func(context.Context) error { panic("no") }, nil, []emitted{submit, run("failure", "panic")}},
		"goexit":   {func(context.Context) error { runtime.Goexit(); return nil }, nil, []emitted{submit, run("failure", "goexit")}},
		"takes too long": {
			untilCancelled, []taskmanager.TaskOption{taskmanager.WithTimeout(time.Second)},
			[]emitted{submit, run("failure", "timeout")},
		},
		"misses its deadline": {
			untilCancelled, []taskmanager.TaskOption{taskmanager.WithDeadline(time.Date(2000, 1, 1, 0, 0, 2, 0, time.UTC))},
			[]emitted{submit, run("failure", "timeout")},
		},
		"is cancelled": {func(ctx context.Context) error {
			h, _ := taskmanager.FromContext(ctx)
			h.Cancel()
			return untilCancelled(ctx)
		}, nil, []emitted{submit, run("cancelled", "")}},
		"restarts": {
			func(context.Context) error {
				time.Sleep(time.Millisecond)
				if first {
					first = false
					return errFailed
				}
				return nil
			},
			[]taskmanager.TaskOption{taskmanager.WithRestart(fixedDelay(time.Second))},
			[]emitted{submit, run("failure", "*errors.errorString"), restart, second},
		},
	}
	for name, life := range lives {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBackend(t)
				m := start(t, taskmanager.WithObserver(b.otel))
				always := func(context.Context, error) bool { return name == "restarts" }
				b.life(t, m, &task{name: "task", execute: life.execute, restart: always}, life.opts...)
				want := append([]emitted{{Name: "request", Kind: "internal"}}, life.want...)
				if diff := cmp.Diff(want, b.all(t)); diff != "" {
					t.Errorf("spans (-want +got):\n%s", diff)
				}
				failures := map[string]int64{}
				for _, e := range life.want {
					if e.Name == runJob {
						failures[e.ErrorType]++
					}
				}
				check.Equal(t, "run durations by error.type, as on the spans", b.counts(t, "taskmanager.task.run.duration", "error.type"), failures)
				check.Equal(t, "active", b.counts(t, "taskmanager.task.active", ""), map[string]int64{"": 0})
			})
		})
	}
}

// TestPropagation checks spans as children, as links, and without a relation.
func TestPropagation(t *testing.T) {
	wants := map[observe.Propagation][]emitted{
		observe.Child: {
			{Name: "request", Kind: "internal"},
			{Name: submitJob, Kind: "producer", Parent: "request"},
			{Name: runJob, Kind: "consumer", Parent: submitJob, Outcome: "success", Attempt: 1},
		},
		observe.Link: {
			{Name: "request", Kind: "internal"},
			{Name: submitJob, Kind: "producer", Parent: "request"},
			{Name: runJob, Kind: "consumer", Links: []string{submitJob}, Outcome: "success", Attempt: 1},
		},
		observe.None: {
			{Name: "request", Kind: "internal"},
			{Name: runJob, Kind: "consumer", Outcome: "success", Attempt: 1},
		},
	}
	for mode, want := range wants {
		bubble(t, func(t *testing.T) {
			b := newBackend(t, observe.WithPropagation(mode))
			m := start(t, taskmanager.WithObserver(b.otel))
			b.life(t, m, &task{name: "task"})
			if diff := cmp.Diff(want, b.all(t)); diff != "" {
				t.Errorf("mode %d: spans (-want +got):\n%s", mode, diff)
			}
		})
	}
}

// TestTaskSeesItsSpan checks that spans that a task starts, and tasks that it submits, are
// children of its span. In a chain of tasks the contexts must not grow.
func TestTaskSeesItsSpan(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		m := start(t, taskmanager.WithObserver(b.otel))
		depths := []int{}
		var next func(ctx context.Context) error
		next = func(ctx context.Context) error {
			depths = append(depths, len(fmt.Sprint(ctx)))
			if n := len(depths); n < 10 {
				time.Sleep(time.Nanosecond)
				_, err := m.SubmitFunc(ctx, fmt.Sprint("task", n), next)
				return err
			}
			return nil
		}
		submitFunc(t, m, "task", next)
		if err := m.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		spans := b.all(t)
		check.Equal(t, "spans", len(spans), 1+2*9)
		for i, s := range spans[1:] {
			want := map[bool]string{true: "run func 1", false: "submit func"}[i%2 == 0]
			if s.Parent != want {
				t.Errorf("span %d, %q, is a child of %q, want %q", i+1, s.Name, s.Parent, want)
			}
		}
		if a, z := depths[2], depths[9]; z > a {
			t.Errorf("the context of the third task is %d bytes deep, that of the tenth %d", a, z)
		}
	})
}

// TestStopEndsAllSpans checks that Stop ends all spans; those of executions that ignore
// their context end when the execution returns.
func TestStopEndsAllSpans(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		m := start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithObserver(b.otel), taskmanager.WithRestart(fixedDelay(time.Hour)))
		release := make(chan struct{})
		submitFunc(t, m, "deaf", func(context.Context) error { <-release; return nil })
		submit(t, m, &task{name: "restarts", execute: func(context.Context) error { return errFailed }, restart: func(context.Context, error) bool { return true }})
		synctest.Wait()
		submitFunc(t, m, "runs", untilCancelled)
		submit(t, m, &task{name: "queued"})
		synctest.Wait()
		check.Equal(t, "spans under way", len(b.spans.Started())-len(b.spans.Ended()), 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop returned %v", err)
		}
		close(release)
		stop(t, m)
		for _, s := range b.all(t) {
			if s.Status == codes.Error && s.Attempt == 1 && s.Outcome != "failure" {
				t.Errorf("a span that was cut short by Stop is an error: %+v", s)
			}
		}
		check.Equal(t, "workers after Stop", b.counts(t, "taskmanager.pool.worker.count", "taskmanager.worker.state"), map[string]int64{})
	})
}

// TestNamesOfSpansAreFew checks that the numbers of span names and of time series do not
// depend on the number of tasks.
func TestNamesOfSpansAreFew(t *testing.T) {
	b := newBackend(t)
	m := start(t, taskmanager.WithObserver(b.otel))
	ctx, span := b.tracer.Start(t.Context(), "request")
	for i := range 10_000 {
		if _, err := m.SubmitFunc(ctx, fmt.Sprint("task", i), fn0); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, m)
	span.End()
	names := map[string]int{}
	for _, s := range b.spans.Ended() {
		names[s.Name()]++
	}
	check.Equal(t, "spans by name", names, map[string]int{"request": 1, "submit func": 10_000, "run func": 10_000})
	check.Equal(t, "submissions", b.counts(t, "taskmanager.task.submissions", "taskmanager.submission.result"), map[string]int64{"accepted": 10_000})
	var data metricdata.ResourceMetrics
	if err := b.reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	for _, s := range data.ScopeMetrics {
		for _, m := range s.Metrics {
			series := 0
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				series = len(d.DataPoints)
			case metricdata.Histogram[float64]:
				series = len(d.DataPoints)
			}
			if series != 1 {
				t.Errorf("%s has %d series for one kind of tasks", m.Name, series)
			}
		}
	}
}

// TestMetricsAllocateNothing compares the allocations of a task with and without metrics.
func TestMetricsAllocateNothing(t *testing.T) {
	allocations := func(opts ...taskmanager.Option) float64 {
		return allocationsOf(start(t, append(opts, taskmanager.WithWorkers(1, 1))...))
	}
	metrics, err := observe.New(observe.WithTracerProvider(tracenoop.NewTracerProvider()),
		observe.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))))
	if err != nil {
		t.Fatal(err)
	}
	without, with := allocations(taskmanager.WithoutTelemetry()), allocations(taskmanager.WithObserver(metrics))
	if with > without+0.1 {
		t.Errorf("%.2f allocations a task with metrics, and %.2f without", with, without)
	}
}

// allocationsOf returns the average number of allocations per task.
func allocationsOf(m *taskmanager.TaskManager) float64 {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprint("task", i)
	}
	round := func() {
		for _, name := range names {
			_, _ = m.SubmitFunc(context.Background(), name, fn0)
		}
		_ = m.WaitIdle(context.Background())
	}
	round()
	return testing.AllocsPerRun(20, round) / float64(len(names))
}

// listener is an observer that is called with the name of each method that the manager
// calls.
type listener func(method string)

func (l listener) BeginSubmit(_, onto context.Context, _ observe.Submission) context.Context {
	l("BeginSubmit")
	return onto
}

func (l listener) EndSubmit(context.Context, observe.Submission, error) { l("EndSubmit") }

func (l listener) BeginRun(ctx context.Context, _ observe.Run) context.Context {
	l("BeginRun")
	return ctx
}

func (l listener) EndRun(context.Context, observe.Run, observe.Result) { l("EndRun") }

func (l listener) BeginRestart(ctx context.Context, _ observe.Restart) context.Context {
	l("BeginRestart")
	return ctx
}

func (l listener) EndRestart(context.Context, observe.Restart, error) { l("EndRestart") }

func (l listener) ObservePool(observe.Pool) func() {
	l("ObservePool")
	return func() {}
}

// TestObserversThatCrashDoNoHarm checks that panics affect neither tasks nor other
// observers.
func TestObserversThatCrashDoNoHarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		var called sync.Map
		crashing := listener(func(method string) {
			called.Store(method, true)
			panic(method)
		})
		m := start(t, taskmanager.WithObserver(crashing, b.otel, crashing), taskmanager.WithRestart(fixedDelay(time.Second)), taskmanager.WithLogger(new(recorder)))
		runs := 0
		b.life(t, m, &task{name: "a", execute: func(context.Context) error {
			if runs++; runs == 1 {
				return errFailed
			}
			return nil
		}, restart: func(context.Context, error) bool { return true }})
		check.Equal(t, "runs", runs, 2)
		check.Equal(t, "spans", len(b.all(t)), 5)
		for _, name := range []string{"BeginSubmit", "EndSubmit", "BeginRun", "EndRun", "BeginRestart", "EndRestart", "ObservePool"} {
			if _, ok := called.Load(name); !ok {
				t.Errorf("%s was not called", name)
			}
		}
	})
}

func TestBadInputOfTelemetry(t *testing.T) {
	for want, opts := range map[string][]taskmanager.Option{
		"observer 1 is nil":       {taskmanager.WithObserver(nil)},
		"there is no observer":    {taskmanager.WithObserver()},
		"implements no interface": {taskmanager.WithObserver("not an observer")},
	} {
		if _, err := taskmanager.Start(opts...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start returned %v, want %q", err, want)
		}
	}
	for want, o := range map[string]observe.Option{"unknown way 9": observe.WithPropagation(9), "option 1 is nil": nil} {
		if _, err := observe.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New returned %v, want %q", err, want)
		}
	}
}
