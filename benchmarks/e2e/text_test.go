package e2e_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// receiver counts the spans and metrics that an OTLP exporter sends.
type receiver struct{ spans, metrics atomic.Int64 }

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if q.URL.Path == "/v1/traces" {
		var batch collectortrace.ExportTraceServiceRequest
		err = proto.Unmarshal(body, &batch)
		for _, resource := range batch.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				r.spans.Add(int64(len(scope.GetSpans())))
			}
		}
	} else {
		var batch collectormetrics.ExportMetricsServiceRequest
		err = proto.Unmarshal(body, &batch)
		for _, resource := range batch.GetResourceMetrics() {
			for _, scope := range resource.GetScopeMetrics() {
				r.metrics.Add(int64(len(scope.GetMetrics())))
			}
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// TestOneInvalidByteLosesTheWholeBatch exports the telemetry of tasks with invalid text by OTLP.
// The exporter marshals a batch as a whole, so all of it arrives or none.
func TestOneInvalidByteLosesTheWholeBatch(t *testing.T) {
	const invalid = "caf\xe9"
	for what, submit := range map[string]func(m *taskmanager.TaskManager) (*taskmanager.Handle, error){
		"name": func(m *taskmanager.TaskManager) (*taskmanager.Handle, error) {
			return m.SubmitFunc(t.Context(), invalid, func(context.Context) error { return nil })
		},
		"kind": func(m *taskmanager.TaskManager) (*taskmanager.Handle, error) {
			return m.SubmitFunc(t.Context(), "bad", func(context.Context) error { return nil }, taskmanager.WithKind(invalid))
		},
		"error": func(m *taskmanager.TaskManager) (*taskmanager.Handle, error) {
			return m.SubmitFunc(t.Context(), "bad", func(context.Context) error { return errors.New(invalid) })
		},
		"panic": func(m *taskmanager.TaskManager) (*taskmanager.Handle, error) {
			return m.SubmitFunc(t.Context(), "bad", func(context.Context) error { panic(invalid + strings.Repeat("long", 1<<20)) })
		},
		"manager": nil,
	} {
		t.Run(what, func(t *testing.T) {
			var r receiver
			server := httptest.NewServer(&r)
			defer server.Close()
			ctx := t.Context()
			spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(server.URL+"/v1/traces"))
			if err != nil {
				t.Fatal(err)
			}
			metrics, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(server.URL+"/v1/metrics"))
			if err != nil {
				t.Fatal(err)
			}
			tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
			meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics)))
			observer, err := observe.New(observe.WithTracerProvider(tracers), observe.WithMeterProvider(meters))
			if err != nil {
				t.Fatal(err)
			}
			name := "fine"
			if submit == nil {
				name = invalid
			}
			m, err := taskmanager.Start(taskmanager.WithObserver(observer), taskmanager.WithName(name))
			if err != nil {
				t.Fatal(err)
			}
			handles := []*taskmanager.Handle{}
			for _, good := range []string{"a", "b"} {
				h, err := m.SubmitFunc(ctx, good, func(context.Context) error { return nil })
				if err != nil {
					t.Fatal(err)
				}
				handles = append(handles, h)
			}
			if submit != nil {
				h, err := submit(m)
				if err != nil {
					t.Fatal(err)
				}
				handles = append(handles, h)
			}
			if err := m.Drain(ctx); err != nil {
				t.Fatal(err)
			}
			for _, shutdown := range []func(context.Context) error{tracers.Shutdown, meters.Shutdown} {
				if err := shutdown(ctx); err != nil {
					t.Errorf("the export failed: %v", err)
				}
			}
			if got := r.spans.Load(); got != int64(len(handles)) {
				t.Errorf("%d of %d spans arrived", got, len(handles))
			}
			if r.metrics.Load() < 3 {
				t.Errorf("%d metrics arrived", r.metrics.Load())
			}
		})
	}
}
