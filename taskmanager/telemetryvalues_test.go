package taskmanager_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestEmittedValues checks all attributes of all spans, and the sums of the histograms.
func TestEmittedValues(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		m := start(t, taskmanager.WithName("images"), taskmanager.WithObserver(b.otel), taskmanager.WithWorkers(1, 1),
			taskmanager.WithRestart(fixedDelay(time.Minute)))
		ctx, request := b.tracer.Start(t.Context(), "request")
		sleeping := func(d time.Duration, err error) func(context.Context) error {
			return func(context.Context) error { time.Sleep(d); return err }
		}
		if _, err := m.SubmitFunc(ctx, "first", sleeping(2*time.Second, nil), taskmanager.WithKind("quick")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Nanosecond)
		second, err := m.Submit(ctx, &task{
			name: "second", execute: sleeping(3*time.Second, errFailed), restart: func(context.Context, error) bool { return true },
		}, taskmanager.WithKind("slow"))
		if err != nil {
			t.Fatal(err)
		}
		request.End()
		time.Sleep(10 * time.Second)
		second.Cancel() // it waits for its restart
		synctest.Wait()

		b.all(t)
		got := map[string]map[string]string{}
		for _, s := range b.spans.Ended() {
			attributes := map[string]string{}
			for _, a := range s.Attributes() {
				attributes[string(a.Key)] = fmt.Sprint(a.Value.AsInterface())
			}
			if s.Status().Description != "" {
				attributes["status"] = s.Status().Description
			}
			got[s.Name()] = attributes
		}
		task := func(name, kind string, more ...string) map[string]string {
			attributes := map[string]string{
				"taskmanager.task.name": name, "taskmanager.task.kind": kind, "taskmanager.pool.name": "images",
			}
			for i := 0; i < len(more); i += 2 {
				attributes[more[i]] = more[i+1]
			}
			return attributes
		}
		check.Equal(t, "attributes", got, map[string]map[string]string{
			"request":      {},
			"submit quick": task("first", "quick"),
			"submit slow":  task("second", "slow"),
			"run quick": task("first", "quick", "taskmanager.task.attempt", "1", "taskmanager.worker.id", "1",
				"taskmanager.task.queue.duration", "0", "taskmanager.task.outcome", "success"),
			"run slow": task("second", "slow", "taskmanager.task.attempt", "1", "taskmanager.worker.id", "1",
				"taskmanager.task.queue.duration", "1.999999999", "taskmanager.task.outcome", "failure",
				"error.type", "*errors.errorString", "status", "failed"),
			"restart slow": task("second", "slow", "taskmanager.task.attempt", "1", "taskmanager.restart.delay", "60",
				"error.type", "*errors.errorString", "taskmanager.task.outcome", "cancelled"),
		})
		check.Equal(t, "seconds that were measured", b.sums(t), map[string]float64{
			"taskmanager.task.run.duration quick": 2, "taskmanager.task.run.duration slow": 3,
			"taskmanager.task.queue.duration quick": 0, "taskmanager.task.queue.duration slow": 1.999999999,
		})
	})
}

// sums returns the sums of the histograms by kind. It checks their unit and buckets.
func (b *backend) sums(t *testing.T) map[string]float64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := b.reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	sums := map[string]float64{}
	for _, s := range data.ScopeMetrics {
		for _, m := range s.Metrics {
			h, ok := m.Data.(metricdata.Histogram[float64])
			if !ok {
				continue
			}
			check.Equal(t, "unit of "+m.Name, m.Unit, "s")
			for _, p := range h.DataPoints {
				if n := len(p.Bounds); n != 18 || p.Bounds[0] != 0.0005 || p.Bounds[n-1] != 300 {
					t.Errorf("the buckets of %s are %v", m.Name, p.Bounds)
				}
				kind, _ := p.Attributes.Value("taskmanager.task.kind")
				sums[m.Name+" "+kind.AsString()] += p.Sum
			}
		}
	}
	return sums
}
