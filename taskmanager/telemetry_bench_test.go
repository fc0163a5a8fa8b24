package taskmanager_test

import (
	"context"
	"testing"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seed56799101/taskmanager/internal/yardstick"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// BenchmarkTelemetry runs named tasks that do nothing under several backends. The
// yardstick is the same without telemetry.
func BenchmarkTelemetry(b *testing.B) {
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	sampling := func(s sdktrace.Sampler) observe.Option {
		return observe.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(s)))
	}
	noSpans, noMetrics := observe.WithTracerProvider(tracenoop.NewTracerProvider()), observe.WithMeterProvider(metricnoop.NewMeterProvider())
	for _, c := range []struct {
		name string
		opts []observe.Option // nil: as a manager is without an SDK
	}{
		{"no SDK", nil},
		{"metrics", []observe.Option{noSpans, observe.WithMeterProvider(meters)}},
		{"spans that are not sampled", []observe.Option{sampling(sdktrace.NeverSample()), noMetrics}},
		{"spans", []observe.Option{sampling(sdktrace.AlwaysSample()), noMetrics}},
		{"spans and metrics", []observe.Option{sampling(sdktrace.AlwaysSample()), observe.WithMeterProvider(meters)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			const workers = 2
			var opts []taskmanager.Option
			if c.opts != nil {
				o, err := observe.New(c.opts...)
				if err != nil {
					b.Fatal(err)
				}
				opts = append(opts, taskmanager.WithObserver(o))
			}
			submits := func(m *taskmanager.TaskManager) func(n int) {
				return named(b, func(name string, fn func(context.Context) error) error {
					_, err := m.SubmitFunc(context.Background(), name, fn)
					return err
				})
			}
			with := start(b, append(opts, taskmanager.WithWorkers(workers, workers))...)
			without := start(b, taskmanager.WithWorkers(workers, workers), taskmanager.WithoutTelemetry())
			b.ReportAllocs()
			yardstick.Compare(b, submits(with), submits(without))
		})
	}
}
