package run

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/telemetry"
)

// receiver is a backend that records what it receives.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	services map[string]bool
	spans    map[string]int // by name and file
	metrics  map[string]bool
	logs     []string
	faults   []error
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{services: map[string]bool{}, spans: map[string]int{}, metrics: map[string]bool{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	return r
}

// ServeHTTP receives one export.
func (r *receiver) ServeHTTP(_ http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch request.URL.Path {
	case "/v1/traces":
		var m tracepb.ExportTraceServiceRequest
		err = proto.Unmarshal(body, &m)
		for _, of := range m.GetResourceSpans() {
			r.services[valueOf(of.GetResource().GetAttributes(), "service.name")] = true
			for _, scope := range of.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					r.spans[s.GetName()+" "+valueOf(s.GetAttributes(), "taskmanager.task.name")]++
				}
			}
		}
	case "/v1/metrics":
		var m metricspb.ExportMetricsServiceRequest
		err = proto.Unmarshal(body, &m)
		for _, of := range m.GetResourceMetrics() {
			for _, scope := range of.GetScopeMetrics() {
				for _, metric := range scope.GetMetrics() {
					r.metrics[metric.GetName()] = true
				}
			}
		}
	case "/v1/logs":
		var m logspb.ExportLogsServiceRequest
		err = proto.Unmarshal(body, &m)
		for _, of := range m.GetResourceLogs() {
			for _, scope := range of.GetScopeLogs() {
				for _, l := range scope.GetLogRecords() {
					if len(l.GetTraceId()) == 0 {
						continue // the scaler's
					}
					r.logs = append(r.logs, valueOf(l.GetAttributes(), "taskmanager.task.name")+": "+l.GetBody().GetStringValue())
				}
			}
		}
	}
	if err != nil {
		r.faults = append(r.faults, err)
	}
}

// valueOf returns the text of an attribute.
func valueOf(attributes []*commonpb.KeyValue, key string) string {
	for _, a := range attributes {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// A run exports a span for each attempt, and metrics, by OTLP.
func TestRunIsExported(t *testing.T) {
	r := newReceiver(t)
	dir := labtest.Tree(t, map[string]string{"a": "1\n", "b/c": "2\n"})
	status, _, stderr := labtest.Execute(t, Subcommand, "-dir", dir)
	if status != subcommand.OK || strings.Contains(stderr, "telemetry") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if len(r.faults) > 0 {
		t.Errorf("faults: %v", r.faults)
	}
	if diff := cmp.Diff(map[string]int{"run read a": 1, "run read b/c": 1}, r.spans); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"tasklab": true}, r.services); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if !r.metrics["taskmanager.task.run.duration"] {
		t.Errorf("metrics: %v", r.metrics)
	}
}

// Only the signals with an address are exported.
func TestOnlyTheSignalsWithAnAddress(t *testing.T) {
	r := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", r.URL+"/v1/metrics")
	status, _, stderr := labtest.Execute(t, Subcommand, "-dir", labtest.Tree(t, map[string]string{"a": "1\n"}))
	if status != subcommand.OK || strings.Contains(stderr, "telemetry") || len(r.spans) > 0 || !r.metrics["taskmanager.task.run.duration"] {
		t.Errorf("status %d, %d spans, metrics %v: %s", status, len(r.spans), r.metrics, stderr)
	}
}

// Failures are logged with the name of the file and the ids of the span.
func TestFailuresAreLogged(t *testing.T) {
	r := newReceiver(t)
	c, err := Subcommand.Parse([]string{"-dir", t.TempDir(), "-retries", "1", "-restart", "constant"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	export, err := telemetry.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	broken := labtest.Replace(labtest.Map("broken", "1\n"), "broken", func(int64) (fs.File, error) { return nil, fs.ErrPermission })
	if _, err := c.(*command).read(t.Context(), broken, progress.New(io.Discard), export.Options()...); err != nil {
		t.Fatal(err)
	}
	if err := export.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"run read broken": 2, "restart read broken": 1}, r.spans); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if len(r.logs) != 2 || !strings.HasPrefix(r.logs[0], "broken: ") {
		t.Errorf("the log is %q, want two records of the file", r.logs)
	}
}

// An export that fails is reported at the end. The run is not affected.
func TestExportThatFailsIsReported(t *testing.T) {
	r := newReceiver(t)
	r.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "100")
	status, stdout, stderr := labtest.Execute(t, Subcommand, "-dir", labtest.Tree(t, map[string]string{"a": "1\n"}))
	if status != subcommand.OK || !strings.Contains(stdout, "files") || !strings.Contains(stderr, "tasklab: telemetry: ") {
		t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
	}
}

// An unknown exporter fails the run before it begins.
func TestUnknownExporter(t *testing.T) {
	t.Setenv("OTEL_METRICS_EXPORTER", "pigeon")
	status, _, stderr := labtest.Execute(t, Subcommand, "-dir", t.TempDir())
	if status != subcommand.Failed || !strings.Contains(stderr, "pigeon") {
		t.Errorf("status %d: %s", status, stderr)
	}
}
