package taskmanager_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seed56799101/taskmanager/internal/yardstick"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// BenchmarkTelemetry runs named tasks that do nothing, with several backends. The yardstick
// is a manager with WithoutTelemetry. The case "no SDK" has no observers either and takes
// the same path.
func BenchmarkTelemetry(b *testing.B) {
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	sampling := func(s sdktrace.Sampler) observe.Option {
		return observe.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(s)))
	}
	noSpans, noMetrics := observe.WithTracerProvider(tracenoop.NewTracerProvider()), observe.WithMeterProvider(metricnoop.NewMeterProvider())
	for _, c := range []struct {
		name string
		opts []observe.Option // nil: the default of a manager without an SDK
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

// BenchmarkTelemetryOfASampledTask measures the cost of spans and metrics for a named task.
// The yardstick is the cost of the same span and the same two durations if the task's
// function emits them itself.
func BenchmarkTelemetryOfASampledTask(b *testing.B) {
	const workers = 2
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	o, err := observe.New(observe.WithTracerProvider(tracers), observe.WithMeterProvider(meters))
	if err != nil {
		b.Fatal(err)
	}
	with := start(b, taskmanager.WithWorkers(workers, workers), taskmanager.WithObserver(o))
	without := start(b, taskmanager.WithWorkers(workers, workers), taskmanager.WithoutTelemetry())
	submits := func(m *taskmanager.TaskManager, around func(ctx context.Context, name string, fn func(context.Context) error) error) yardstick.Work {
		return named(b, func(name string, fn func(context.Context) error) error {
			_, err := m.SubmitFunc(context.Background(), name, func(ctx context.Context) error { return around(ctx, name, fn) })
			return err
		})
	}
	plain := func(ctx context.Context, _ string, fn func(context.Context) error) error { return fn(ctx) }
	b.ReportAllocs()
	yardstick.CompareExtra(b, submits(with, plain), submits(without, byHand(b, tracers, meters)), submits(without, plain))
}

// byHand returns a function that runs a task in a span and records two durations, as a
// program without telemetry in its task manager does.
func byHand(b *testing.B, tracers trace.TracerProvider, meters metric.MeterProvider) func(context.Context, string, func(context.Context) error) error {
	tracer, meter := tracers.Tracer("by hand"), meters.Meter("by hand")
	took, err := meter.Float64Histogram("took", metric.WithUnit("s"))
	if err != nil {
		b.Fatal(err)
	}
	waited, err := meter.Float64Histogram("waited", metric.WithUnit("s"))
	if err != nil {
		b.Fatal(err)
	}
	kind := attribute.String("taskmanager.task.kind", "func")
	ofKind := []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(kind))}
	ofOutcome := []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(kind, attribute.String("taskmanager.task.outcome", "success")))}
	return func(ctx context.Context, name string, fn func(context.Context) error) error {
		begin := time.Now()
		ctx, span := tracer.Start(ctx, "run func", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			attribute.String("taskmanager.task.name", name), kind, attribute.Int("taskmanager.task.attempt", 1),
			attribute.Int("taskmanager.worker.id", 1), attribute.Float64("taskmanager.task.queue.duration", 0.001)))
		defer span.End()
		waited.Record(ctx, 0.001, ofKind...)
		err := fn(ctx)
		took.Record(ctx, time.Since(begin).Seconds(), ofOutcome...)
		span.SetAttributes(attribute.String("taskmanager.task.outcome", "success"))
		return err
	}
}
