package grafana_test

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// labels is a set of names of labels.
type labels map[string]bool

// emitted runs a manager whose observer uses all metrics with all their attributes, and returns the labels
// of each metric in the names of Prometheus.
func emitted(t *testing.T) map[string]labels {
	t.Helper()
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	defer func() {
		if err := provider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	observer, err := observe.New(observe.WithMeterProvider(provider))
	if err != nil {
		t.Fatal(err)
	}
	m, err := taskmanager.Start(
		taskmanager.WithName("pictures"), taskmanager.WithLimit(10, taskmanager.Reject), taskmanager.WithObserver(observer),
		taskmanager.WithRestartPlain(), taskmanager.WithRestart(restart.MaxAttempts(2, restart.Constant(0))),
	)
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	h, err := m.SubmitFunc(t.Context(), "thumbnail", func(context.Context) error { return failed })
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Wait(t.Context()); !errors.Is(err, failed) {
		t.Fatalf("the task ended with %v, want %v", err, failed)
	}
	metrics := gather(t, registry) // before the stop, which ends the metrics of the pool
	if err := m.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	return metrics
}

// gather returns the labels of each metric of a registry.
func gather(t *testing.T, registry *prometheus.Registry) map[string]labels {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	metrics := map[string]labels{}
	for _, f := range families {
		found := labels{"job": true, "instance": true} // Prometheus adds them to each series
		histogram := false
		for _, series := range f.GetMetric() {
			histogram = histogram || series.GetHistogram() != nil
			for _, l := range series.GetLabel() {
				found[l.GetName()] = true
			}
		}
		if !histogram {
			metrics[f.GetName()] = found
			continue
		}
		buckets := labels{"le": true}
		for l := range found {
			buckets[l] = true
		}
		metrics[f.GetName()+"_bucket"], metrics[f.GetName()+"_sum"], metrics[f.GetName()+"_count"] = buckets, found, found
	}
	return metrics
}
