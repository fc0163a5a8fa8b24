package e2e_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/observe"
)

// collect runs the Collector while f emits telemetry, and returns what it received.
func collect(t *testing.T, f func(endpoint string)) received {
	t.Helper()
	at, file := address(t), filepath.Join(t.TempDir(), "exports.json")
	collector := launch(t, listens(at), *collectorPath, "--config", write(t, "collector.yaml",
		"receivers:",
		"  otlp: {protocols: {http: {endpoint: "+at+"}}}",
		"exporters:",
		"  file: {path: "+file+"}",
		"service:",
		"  telemetry: {metrics: {level: none}}",
		"  pipelines:",
		"    traces: {receivers: [otlp], exporters: [file]}",
		"    metrics: {receivers: [otlp], exporters: [file]}",
		"    logs: {receivers: [otlp], exporters: [file]}",
	))
	f("http://" + at)
	collector.stop(t) // it completes the file
	return readExports(t, file)
}

// The Collector receives the spans, metrics and logs of a run.
func TestCollector(t *testing.T) {
	need(t, *collectorPath, "e2e")
	r := collect(t, func(endpoint string) {
		s := installOTLP(t, endpoint)
		s.perform(t)
		if err := s.shutdown(); err != nil {
			t.Fatal(err)
		}
	})
	if diff := cmp.Diff([]string{service}, r.services); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	ours := scope{observe.Scope, observe.Version}
	if diff := cmp.Diff([]scope{{Name: service}, ours}, r.scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	t.Run("spans", r.checkSpans)
	t.Run("logs", r.checkLogs)
	t.Run("metrics", r.checkMetrics)
}

// told has the properties of a span that the test compares.
type told struct {
	Span, Kind, Parent, Links, Status, ErrorType, Outcome string
}

// label returns the name, the task and the attempt of a span.
func (s span) label() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", s.Name, s.of("taskmanager.task.name"), s.of("taskmanager.task.attempt"))), " ")
}

// checkSpans compares the names, kinds, parents, links, status and attributes of the spans to
// those that the run should emit.
func (r received) checkSpans(t *testing.T) {
	labels := map[string]string{"": ""}
	for _, s := range r.spans {
		labels[s.ID] = s.label()
	}
	kinds, states := []string{"", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"}, []string{"", "OK", "ERROR"}
	var got []told
	for _, s := range r.spans {
		var links []string
		for _, l := range s.Links {
			links = append(links, labels[l.ID])
		}
		got = append(got, told{
			Span: s.label(), Kind: kinds[s.Kind], Parent: labels[s.Parent], Links: strings.Join(links, ", "),
			Status: states[s.Status.Code], ErrorType: s.of("error.type"), Outcome: s.of("taskmanager.task.outcome"),
		})
	}
	const request, corrupt = "POST /albums", "*errors.errorString"
	submit := func(kind, name string) told {
		return told{Span: "submit " + kind + " " + name, Kind: "PRODUCER", Parent: request}
	}
	run := func(kind, name, attempt, outcome, errorType, links string) told {
		status := ""
		if outcome == "failure" {
			status = "ERROR"
		}
		return told{
			Span: "run " + kind + " " + name + " " + attempt, Kind: "CONSUMER", Parent: "submit " + kind + " " + name,
			Links: links, Status: status, ErrorType: errorType, Outcome: outcome,
		}
	}
	restart := func(attempt string) told {
		return told{
			Span: "restart thumbnail thumbnail/2 " + attempt, Kind: "INTERNAL", Parent: "submit thumbnail thumbnail/2",
			Links: "run thumbnail thumbnail/2 " + attempt, ErrorType: corrupt,
		}
	}
	linked := run("index", "index", "1", "success", "", "submit index index")
	linked.Parent = ""
	refused := submit("video", "video")
	refused.Status, refused.ErrorType = "ERROR", "already_exists"
	want := []told{
		{Span: request, Kind: "SERVER"},
		submit("thumbnail", "thumbnail/1"), run("thumbnail", "thumbnail/1", "1", "success", "", ""),
		submit("thumbnail", "thumbnail/2"), run("thumbnail", "thumbnail/2", "1", "failure", corrupt, ""),
		restart("1"), run("thumbnail", "thumbnail/2", "2", "failure", corrupt, "run thumbnail thumbnail/2 1"),
		restart("2"), run("thumbnail", "thumbnail/2", "3", "success", "", "run thumbnail thumbnail/2 2"),
		submit("thumbnail", "thumbnail/3"), run("thumbnail", "thumbnail/3", "1", "success", "", ""),
		submit("poster", "poster"), run("poster", "poster", "1", "cancelled", "", ""),
		submit("mail", "mail"), run("mail", "mail", "1", "failure", "panic", ""),
		submit("video", "video"), run("video", "video", "1", "failure", "timeout", ""), refused,
		submit("index", "index"), linked,
	}
	byName := func(a, b told) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	slices.SortFunc(got, byName)
	slices.SortFunc(want, byName)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	for _, s := range r.spans {
		failed := s.of("taskmanager.task.outcome") == "failure"
		if failed != (len(s.Events) == 1 && s.Events[0].Name == "exception") {
			t.Errorf("%s has the events %+v", s.label(), s.Events)
		}
		if s.of("error.type") == "panic" && !strings.Contains(s.Events[0].of("exception.stacktrace"), "perform") {
			t.Errorf("the panic has the stack %q", s.Events[0].of("exception.stacktrace"))
		}
	}
}

// checkLogs compares the records to the spans that they refer to.
func (r received) checkLogs(t *testing.T) {
	labels := map[string]string{}
	for _, s := range r.spans {
		labels[s.Trace+s.ID] = s.label()
	}
	var got []string
	for _, l := range r.records {
		if l.Span == "" {
			continue // from the scaler, outside of any task
		}
		label := labels[l.Trace+l.Span]
		if want := l.of("taskmanager.task.name") + " " + l.of("taskmanager.task.attempt"); !strings.HasSuffix(label, want) {
			t.Errorf("a record of %q leads to the span %q", want, label)
		}
		if l.of("trace_id") != l.Trace || l.of("span_id") != l.Span {
			t.Errorf("a record of %q has the ids %s %s, and its attributes %s %s", label, l.Trace, l.Span, l.of("trace_id"), l.of("span_id"))
		}
		text := label + ": " + l.Body.String
		if cause := l.of("error"); cause != "" {
			text += ": " + cause
		}
		got = append(got, text)
	}
	var want []string
	for _, s := range []string{
		"index index 1", "mail mail 1", "poster poster 1", "thumbnail thumbnail/1 1", "thumbnail thumbnail/2 1",
		"thumbnail thumbnail/2 2", "thumbnail thumbnail/2 3", "thumbnail thumbnail/3 1", "video video 1",
	} {
		want = append(want, fmt.Sprintf("run %s: works on %s", s, strings.Fields(s)[1]))
	}
	want = append(want,
		"run mail mail 1: taskmanager: task failed: panicked: no recipient",
		"run thumbnail thumbnail/2 1: taskmanager: task restarts: the picture is corrupt",
		"run thumbnail thumbnail/2 2: taskmanager: task restarts: the picture is corrupt",
		"run video video 1: taskmanager: task failed: taskmanager: the task ran for longer than its time limit",
	)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// checkMetrics compares the metrics to the spans.
func (r received) checkMetrics(t *testing.T) {
	names := map[string]string{}
	got, want := map[string]int{}, map[string]int{}
	for _, m := range r.metrics {
		names[m.Name] = m.Unit
		for _, p := range m.Histogram.Points {
			if m.Name != "taskmanager.task.run.duration" {
				continue
			}
			got[strings.Join([]string{p.of("taskmanager.task.kind"), p.of("taskmanager.task.outcome"), p.of("error.type")}, " ")] += int(p.Count)
			if len(p.Exemplars) == 0 {
				t.Errorf("%s has no exemplar for %s", m.Name, p.of("taskmanager.task.kind"))
			}
		}
	}
	for _, s := range r.spans {
		if strings.HasPrefix(s.Name, "run ") {
			want[strings.Join([]string{s.of("taskmanager.task.kind"), s.of("taskmanager.task.outcome"), s.of("error.type")}, " ")]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("executions by kind, outcome and error.type (-spans +metric):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{
		"taskmanager.task.run.duration": "s", "taskmanager.task.queue.duration": "s", "taskmanager.task.submissions": "{task}",
		"taskmanager.task.restarts": "{restart}", "taskmanager.task.ends": "{task}", "taskmanager.task.active": "{task}", "taskmanager.queue.length": "{task}",
		"taskmanager.queue.limit": "{task}", "taskmanager.pool.worker.count": "{worker}", "taskmanager.pool.worker.desired": "{worker}",
		"taskmanager.pool.worker.min": "{worker}", "taskmanager.pool.worker.max": "{worker}", "taskmanager.scaler.decisions": "{decision}",
	}, names); diff != "" {
		t.Errorf("instruments and units (-want +got):\n%s", diff)
	}
}
