package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed56799101/taskmanager/benchmarks/e2e"
)

// Jaeger receives the spans of a run, and finds them by the names of tasks. With -picture, the
// test draws the trace of the request.
func TestJaeger(t *testing.T) {
	need(t, *jaegerPath, "e2e-jaeger")
	otlp, query, health := address(t), address(t), address(t)
	launch(t, func(ctx context.Context) error { return errors.Join(listens(otlp)(ctx), listens(query)(ctx)) },
		*jaegerPath, "--config", write(t, "jaeger.yaml",
			"service:",
			"  extensions: [jaeger_storage, jaeger_query, healthcheckv2]",
			"  telemetry: {metrics: {level: none}}",
			"  pipelines:",
			"    traces: {receivers: [otlp], processors: [batch], exporters: [jaeger_storage_exporter]}",
			"extensions:",
			"  healthcheckv2: {use_v2: true, http: {endpoint: "+health+"}}",
			"  jaeger_query:",
			"    storage: {traces: memory}",
			"    http: {endpoint: "+query+"}",
			"    grpc: {endpoint: "+address(t)+"}",
			"  jaeger_storage: {backends: {memory: {memory: {max_traces: 1000}}}}",
			"receivers:",
			"  otlp: {protocols: {http: {endpoint: "+otlp+"}}}",
			"processors: {batch: {timeout: 100ms}}",
			"exporters:",
			"  jaeger_storage_exporter: {trace_storage: memory}",
		))
	s := install(t, spansTo(t, "http://"+otlp), sdkmetric.NewManualReader(), nowhere())
	s.perform(t)
	if err := s.shutdown(); err != nil {
		t.Fatal(err)
	}

	for task, want := range map[string]map[string]int{
		"thumbnail/1": {"submit thumbnail": 1, "run thumbnail": 1},
		"thumbnail/2": {"submit thumbnail": 1, "run thumbnail": 3, "restart thumbnail": 2, "links": 4},
		"poster":      {"submit poster": 1, "run poster": 1},
		"mail":        {"submit mail": 1, "run mail": 1},
		"video":       {"submit video": 2, "run video": 1},
		"index":       {"submit index": 1, "run index": 1, "links": 1}, // in two traces
	} {
		poll(t, "the spans of "+task, func(ctx context.Context) error {
			traces, err := find(ctx, query, task)
			if err != nil {
				return err
			}
			got := map[string]int{}
			for _, trace := range traces {
				for _, s := range trace.Spans {
					if s.Tag("taskmanager.task.name") != task {
						continue
					}
					got[s.Name]++
					for _, r := range s.References {
						if r.Type == "FOLLOWS_FROM" {
							got["links"]++
						}
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				return errors.New("(-want +got)\n" + diff)
			}
			return nil
		})
	}
	if *picturePath != "" {
		draw(t, query)
	}
}

// find asks Jaeger for the traces with spans of a task.
func find(ctx context.Context, query, task string) ([]e2e.Trace, error) {
	var answer struct {
		Data []e2e.Trace `json:"data"`
	}
	parameters := url.Values{"service": {service}, "tags": {fmt.Sprintf(`{"taskmanager.task.name":%q}`, task)}, "limit": {"100"}}
	err := get(ctx, "http://"+query+"/api/traces?"+parameters.Encode(), &answer)
	return answer.Data, err
}

// draw draws the trace of the request.
func draw(t *testing.T, query string) {
	t.Helper()
	traces, err := find(t.Context(), query, "thumbnail/2")
	if err != nil || len(traces) != 1 {
		t.Fatalf("%d traces: %v", len(traces), err)
	}
	picture, err := e2e.Draw(traces[0], strings.TrimPrefix(filepath.Ext(*picturePath), "."))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Clean(*picturePath), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}
