package trace_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

// exported returns spans as the file exporter of the Collector writes them: as a line of OTLP JSON.
func exported(t *testing.T, spans []sdk.ReadOnlySpan) string {
	t.Helper()
	type object = map[string]any
	attributes := func(kvs []attribute.KeyValue) (list []object) {
		for _, kv := range kvs {
			v := object{"stringValue": kv.Value.AsString()}
			switch kv.Value.Type() {
			case attribute.INT64:
				v = object{"intValue": fmt.Sprint(kv.Value.AsInt64())}
			case attribute.FLOAT64:
				v = object{"doubleValue": kv.Value.AsFloat64()}
			}
			list = append(list, object{"key": string(kv.Key), "value": v})
		}
		return list
	}
	var list []object
	for _, s := range spans {
		trace, id := s.SpanContext().TraceID(), s.SpanContext().SpanID()
		list = append(list, object{
			"traceId": hex.EncodeToString(trace[:]), "spanId": hex.EncodeToString(id[:]), "name": s.Name(), "kind": int(s.SpanKind()),
			"startTimeUnixNano": fmt.Sprint(s.StartTime().UnixNano()), "endTimeUnixNano": fmt.Sprint(s.EndTime().UnixNano()),
			"attributes": attributes(s.Attributes()), "status": object{},
		})
	}
	line, err := json.Marshal(object{"resourceSpans": []object{{
		"resource":   object{"attributes": attributes([]attribute.KeyValue{attribute.String("service.name", "shop")})},
		"scopeSpans": []object{{"scope": object{"name": "test"}, "spans": list}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

// spansOf returns the spans of a manager with one worker that runs tasks.
func spansOf(t *testing.T, run func(*taskmanager.TaskManager)) []sdk.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
	telemetry, err := observe.New(observe.WithTracerProvider(provider))
	check.Equal(t, "error of New", err, nil)
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1), taskmanager.WithObserver(telemetry))
	if err != nil {
		t.Fatal(err)
	}
	run(m)
	check.Equal(t, "error of Drain", m.Drain(t.Context()), nil)
	check.Equal(t, "error of Shutdown", provider.Shutdown(t.Context()), nil)
	return recorder.Ended()
}

func TestSpansOfAManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := errors.New("failed")
		submit := func(m *taskmanager.TaskManager, name string, f func(context.Context) error, opts ...taskmanager.TaskOption) *taskmanager.Handle {
			h, err := m.SubmitFunc(t.Context(), name, f, opts...)
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		spans := spansOf(t, func(m *taskmanager.TaskManager) {
			attempts := 0
			submit(m, "a", func(ctx context.Context) error {
				oteltrace.SpanFromContext(ctx).SetAttributes(attribute.String("tenant", "x"))
				time.Sleep(2 * time.Second)
				if attempts++; attempts < 3 {
					return failing
				}
				time.Sleep(3 * time.Second)
				return nil
			}, taskmanager.WithKind("report"), taskmanager.WithRestart(restart.Constant(time.Minute)))
			time.Sleep(time.Second)
			again := submit(m, "b", func(context.Context) error { time.Sleep(4 * time.Second); return failing }, taskmanager.WithKind("mail"))
			never := submit(m, "c", func(context.Context) error { return nil }, taskmanager.WithKind("mail"))
			time.Sleep(4 * time.Second)
			never.Cancel()
			check.Is(t, "Wait", again.Wait(t.Context()), failing)
			submit(m, "b", func(context.Context) error { time.Sleep(time.Second); return nil }, taskmanager.WithKind("mail"))
		})
		// The batches come in another order, between lines of other telemetry.
		half := len(spans) / 2
		content := `{"resourceMetrics":[]}` + "\n" + exported(t, spans[half:]) + "\n" + `{"resourceLogs":[{}]}` + "\n" + exported(t, spans[:half])
		got, failed := read(file("traces.jsonl", content, trace.OTLP("tenant")))
		check.Equal(t, "error", failed, "")
		check.Equal(t, "jobs", got, []simulate.Job{
			{At: 0, Service: 3 * time.Second, Kind: "report", Key: "x", Fails: 2},
			{At: time.Second, Service: 2500 * time.Millisecond, Kind: "mail"}, // never ran: the mean
			{At: time.Second, Service: 4 * time.Second, Kind: "mail", Fails: 1},
			{At: 6 * time.Second, Service: time.Second, Kind: "mail"},
		})
		byService, _ := read(file("traces.jsonl", content, trace.OTLP("service.name")))
		check.Equal(t, "key of the resource", byService[0].Key, "shop")
	})
}

// span returns a line with a span of a task named x.
func span(name, fields string, attributes ...string) string {
	list := `{"key":"taskmanager.task.name","value":{"stringValue":"x"}}`
	for _, a := range attributes {
		key, value, _ := strings.Cut(a, "=")
		list += fmt.Sprintf(`,{"key":%q,"value":%s}`, "taskmanager.task."+key, value)
	}
	return fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":%q,%s,"attributes":[%s]}]}]}]}`, name, fields, list) + "\n"
}

// at returns the fields of a span with its times, in seconds.
func at(start, end int) string {
	return fmt.Sprintf(`"startTimeUnixNano":"%d000000000","endTimeUnixNano":%d000000000`, start, end)
}

// run returns a line with the span of an execution that did not wait.
func run(start, end, attempt int, outcome string) string {
	return span("run mail", at(start, end), fmt.Sprintf(`attempt={"intValue":%d}`, attempt), `queue.duration={"doubleValue":0}`,
		fmt.Sprintf(`outcome={"stringValue":%q}`, outcome))
}

// ended returns a line with the span of a task that ended while it waited.
func ended(at1 int, waited string, outcome string) string {
	return span("end mail", at(at1, at1), `queue.duration={"doubleValue":`+waited+`}`, fmt.Sprintf(`outcome={"stringValue":%q}`, outcome))
}

func TestExecutionsBecomeTasks(t *testing.T) {
	for _, c := range []struct {
		what, content, want string
	}{
		{"a failure without a restart, and a later task", run(10, 12, 1, "failure") + run(20, 23, 1, "success"), "0s 2s 1, 10s 3s 0"},
		{"a restart that fails", run(10, 12, 1, "failure") + run(20, 23, 2, "failure"), "0s 2.5s 2"},
		{"a restart that succeeds", run(10, 12, 1, "failure") + run(20, 26, 2, "success"), "0s 4s 1"},
		{"a restart that is cancelled", run(10, 12, 1, "failure") + run(20, 26, 2, "cancelled"), "0s 4s 1"},
		{"spans in another order", run(20, 26, 2, "success") + run(10, 12, 1, "failure"), "0s 4s 1"},
		{"a task that was postponed", run(10, 12, 1, "postponed") + run(20, 23, 2, "success"), "0s 5s 0"},
		{"the end of a postponed task", run(10, 12, 1, "postponed") + ended(20, "5", "cancelled"), "0s 2s 0"},
		{"a task that waited for its name", run(10, 12, 1, "failure") + ended(14, "3", "cancelled") + run(20, 26, 2, "success"), "0s 4s 1, 1s 4s 0"},
		{"an execution after a success", run(10, 12, 1, "success") + run(20, 24, 2, "success"), "0s 2s 0, 10s 4s 0"},
		{"executions without the first one", run(10, 12, 3, "failure") + run(20, 24, 5, "success"), "0s 3s 1"},
		{"a duration that is text", span("run x", at(10, 11), `attempt={"intValue":"1"}`, `queue.duration={"doubleValue":"0.5"}`), "0s 1s 0"},
		{"other spans", run(10, 12, 1, "success") + span("submit mail", at(1, 2)) + span("restart mail", at(3, 4)) + `{"resourceSpans":[]}` + "\n", "0s 2s 0"},
	} {
		jobs, failed := read(file("x.json", c.content, trace.OTLP("").Window(0))) // which has no effect
		check.Equal(t, "error for "+c.what, failed, "")
		var got []string
		for _, j := range jobs {
			got = append(got, fmt.Sprint(j.At, j.Service, j.Fails))
		}
		check.Equal(t, "arrivals, service times and failures for "+c.what, strings.Join(got, ", "), c.want)
	}
}

func TestMalformedOTLP(t *testing.T) {
	ok := run(10, 12, 1, "success")
	const times = `"startTimeUnixNano":"1","endTimeUnixNano":"2"`
	for content, want := range map[string]string{
		"{}\n":                                     "line 1: the line is JSON, but not of OTLP: it has no resourceSpans, resourceMetrics or resourceLogs",
		ok + "{\n":                                 "line 2: the line is not OTLP JSON, of which each line is an object: unexpected end of JSON input",
		ok + "x\n":                                 "line 2: the line is not OTLP JSON, of which each line is an object: invalid character 'x' looking for beginning of value",
		`{"resourceSpans":[]}` + "\n":              "has no jobs",
		span("run x", `"kind":5`):                  `line 1: the span "run x": it has no startTimeUnixNano`,
		span("run x", at(5, 4)):                    `line 1: the span "run x": it ends before it starts`,
		span("run x", times):                       `line 1: the span "run x": it has no attribute taskmanager.task.queue.duration`,
		span("run x", `"startTimeUnixNano":"1"`):   `line 1: the span "run x": it has no endTimeUnixNano`,
		span("run x", `"startTimeUnixNano":"now"`): `line 1: the span "run x": startTimeUnixNano is "now"; it must be a number of nanoseconds since 1970`,
		span("run x", `"startTimeUnixNano":9999999999999999999`):     `line 1: the span "run x": startTimeUnixNano is "9999999999999999999"; it must be a number of nanoseconds since 1970`,
		span("run x", times, `queue.duration={"doubleValue":-1}`):    `line 1: the span "run x": the attribute taskmanager.task.queue.duration is "-1"; it must be a number of seconds that is not negative`,
		span("run x", times, `queue.duration={"doubleValue":"NaN"}`): `line 1: the span "run x": the attribute taskmanager.task.queue.duration is "NaN"; it must be a number of seconds that is not negative`,
		span("run x", times, `queue.duration={"doubleValue":0}`):     `line 1: the span "run x": the attribute taskmanager.task.attempt is ""; it must be a number from 1`,
		ended(5, "2", "shed"): "line 1: the task never ran, nor did another one before it, so its service time is unknown",
	} {
		_, failed := read(file("x.json", content, trace.OTLP("")))
		separator := " "
		if strings.HasPrefix(want, "line") {
			separator = ", "
		}
		check.Equal(t, "error of "+content, failed, "trace: x.json"+separator+want)
	}
}

func TestLongLinesOfOTLP(t *testing.T) {
	g := &generator{generated: generated{header: strings.Repeat(" ", 2*trace.MaxLine) + run(10, 12, 1, "success")}}
	jobs, failed := read(trace.OpenFS(g, "x", trace.OTLP("")))
	check.Equal(t, "error of a long line", failed, "")
	check.Equal(t, "jobs", len(jobs), 1)

	g = &generator{generated: generated{line: strings.Repeat(" ", trace.MaxLine), n: 65}}
	_, failed = read(trace.OpenFS(g, "x", trace.OTLP("")))
	check.Equal(t, "error", failed, "trace: x, line 1: the line has more than 67108864 bytes: is this the right format?")
}
