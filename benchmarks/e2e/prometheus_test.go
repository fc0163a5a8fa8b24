package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// Prometheus scrapes the metrics of a run, and answers queries about them.
func TestPrometheus(t *testing.T) {
	need(t, *prometheusPath, "e2e")
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		t.Fatal(err)
	}
	spans := tracetest.NewInMemoryExporter()
	s := install(t, spans, exporter, nowhere())
	// Only OpenMetrics has exemplars.
	target := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	defer target.Close()
	s.perform(t)
	if err := s.tracers.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}

	at := address(t)
	config := write(t, "prometheus.yml",
		"global: {scrape_interval: 1s, evaluation_interval: 1s}",
		"rule_files: ['"+grafanaFile(t, "rules.yml")+"']",
		"scrape_configs:",
		"  - job_name: album",
		"    static_configs: [{targets: ["+strings.TrimPrefix(target.URL, "http://")+"]}]",
	)
	launch(t, func(ctx context.Context) error { _, err := fetch(ctx, "http://"+at+"/-/ready"); return err },
		*prometheusPath, "--config.file="+config, "--storage.tsdb.path="+t.TempDir(),
		"--web.listen-address="+at, "--enable-feature=exemplar-storage")

	executions := map[string]float64{
		"thumbnail success": 3, "thumbnail failure *errors.errorString": 2, "poster cancelled": 1,
		"mail failure panic": 1, "video failure timeout": 1, "index success": 1,
	}
	check := func(query string, want map[string]float64) {
		t.Helper()
		poll(t, query, func(ctx context.Context) error {
			got, err := ask(ctx, at, query)
			if diff := cmp.Diff(want, got); err == nil && diff != "" {
				err = errors.New("(-want +got)\n" + diff)
			}
			return err
		})
	}
	check(`taskmanager_task_run_duration_seconds_count`, executions)
	check(`sum by (taskmanager_task_kind) (taskmanager_task_restarts_total)`, map[string]float64{"thumbnail": 2})
	check(`sum by (taskmanager_task_kind) (taskmanager_task_active)`,
		map[string]float64{"thumbnail": 0, "poster": 0, "mail": 0, "video": 0, "index": 0})
	check(`sum by (taskmanager_pool_name) (taskmanager_pool_worker_max)`, map[string]float64{"pictures": 3, "search": 1})
	check(`taskmanager_queue_limit`, map[string]float64{"pictures": 100})
	check(`histogram_quantile(0.5, sum by (le) (taskmanager_task_run_duration_seconds_bucket{taskmanager_task_kind="video"})) > bool 0.05`,
		map[string]float64{"": 1})
	checkExemplars(t, at, spans.GetSpans())
	checkGrafana(t, at)
}

// labels has the labels of a series. String returns those that distinguish the series of a run.
type labels map[string]string

func (l labels) String() string {
	return strings.Join(strings.Fields(fmt.Sprint(l["taskmanager_task_kind"], " ",
		l["taskmanager_task_outcome"], " ", l["error_type"])), " ")
}

// ask queries Prometheus.
func ask(ctx context.Context, at, query string) (map[string]float64, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric labels `json:"metric"`
				Value  [2]any `json:"value"` // the time, and the number as text
			} `json:"result"`
		} `json:"data"`
	}
	if err := get(ctx, "http://"+at+"/api/v1/query?query="+url.QueryEscape(query), &answer); err != nil {
		return nil, err
	}
	got := map[string]float64{}
	for _, r := range answer.Data.Result {
		name := r.Metric.String()
		if name == "" { // a metric of a pool
			name = r.Metric["taskmanager_pool_name"]
		}
		var v float64
		if _, err := fmt.Sscan(fmt.Sprint(r.Value[1]), &v); err != nil {
			return nil, err
		}
		got[name] += v
	}
	return got, nil
}

// checkExemplars checks that each exemplar of the durations refers to a span of an execution
// of that kind.
func checkExemplars(t *testing.T, at string, spans tracetest.SpanStubs) {
	t.Helper()
	kinds := map[string]string{}
	for _, s := range spans {
		for _, a := range s.Attributes {
			if a.Key == "taskmanager.task.kind" {
				kinds[s.SpanContext.SpanID().String()] = a.Value.AsString()
			}
		}
	}
	var answer struct {
		Data []struct {
			Series    labels `json:"seriesLabels"`
			Exemplars []struct {
				Labels labels `json:"labels"`
			} `json:"exemplars"`
		} `json:"data"`
	}
	found := map[string]bool{}
	poll(t, "exemplars", func(ctx context.Context) error {
		query := url.Values{"query": {"taskmanager_task_run_duration_seconds_bucket"}, "start": {"0"}, "end": {"9999999999"}}
		if err := get(ctx, "http://"+at+"/api/v1/query_exemplars?"+query.Encode(), &answer); err != nil {
			return err
		}
		if len(answer.Data) == 0 {
			return errors.New("there are none")
		}
		return nil
	})
	for _, d := range answer.Data {
		for _, e := range d.Exemplars {
			kind := d.Series["taskmanager_task_kind"]
			found[kind] = true
			if got := kinds[e.Labels["span_id"]]; got != kind {
				t.Errorf("an exemplar of %q leads to a span of %q", kind, got)
			}
		}
	}
	if diff := cmp.Diff(map[string]bool{"thumbnail": true, "poster": true, "mail": true, "video": true, "index": true}, found); diff != "" {
		t.Errorf("kinds with exemplars (-want +got):\n%s", diff)
	}
}
