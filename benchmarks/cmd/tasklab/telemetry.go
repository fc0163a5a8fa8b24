package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log"
	lognoop "go.opentelemetry.io/otel/log/noop"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seed56799101/taskmanager/adapters/logging"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// telemetry exports what a manager emits, if the environment names somewhere to.
type telemetry struct {
	options   []taskmanager.Option
	shutdowns []func(context.Context) error
	failures  failures
}

// exporting reports whether the environment asks for an export. A signal that has no address,
// where only others have, is not exported: by default it would go to one that nobody has named.
func exporting() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	return exports("TRACES") || exports("METRICS") || exports("LOGS")
}

// exports reports whether there is somewhere to send a signal to.
func exports(signal string) bool {
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT", "OTEL_" + signal + "_EXPORTER"} {
		if os.Getenv(variable) != "" {
			return true
		}
	}
	return false
}

// newTelemetry sets the export of spans, metrics and logs up by the standard variables of
// OpenTelemetry.
func newTelemetry(ctx context.Context) (t *telemetry, err error) {
	t = new(telemetry)
	if !exporting() {
		return t, nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("tasklab: telemetry: %w", err), t.close(ctx))
		}
	}()
	otel.SetErrorHandler(&t.failures)
	about, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName("tasklab")),
		resource.WithTelemetrySDK(), resource.WithFromEnv()) // the environment wins
	if err != nil {
		return t, err
	}
	tracers, err := t.tracers(ctx, about)
	if err != nil {
		return t, exporterError("TRACES", err)
	}
	meters, err := t.meters(ctx, about)
	if err != nil {
		return t, exporterError("METRICS", err)
	}
	loggers, err := t.loggers(ctx, about)
	if err != nil {
		return t, exporterError("LOGS", err)
	}
	observer, err := observe.New(observe.WithTracerProvider(tracers), observe.WithMeterProvider(meters))
	if err != nil {
		return t, err
	}
	handler := observe.NewLogHandler(otelslog.NewHandler("tasklab", otelslog.WithLoggerProvider(loggers)))
	t.options = []taskmanager.Option{
		taskmanager.WithObserver(observer), taskmanager.WithLogger(logging.Slog(slog.New(handler))),
	}
	return t, nil
}

// tracers is where spans go.
func (t *telemetry) tracers(ctx context.Context, about *resource.Resource) (trace.TracerProvider, error) {
	if !exports("TRACES") {
		return tracenoop.NewTracerProvider(), nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, err
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithBatcher(exporter, roomForSpans()...))
	t.shutdowns = append(t.shutdowns, p.Shutdown)
	return p, nil
}

// meters is where metrics go.
func (t *telemetry) meters(ctx context.Context, about *resource.Resource) (metric.MeterProvider, error) {
	if !exports("METRICS") {
		return metricnoop.NewMeterProvider(), nil
	}
	reader, err := autoexport.NewMetricReader(ctx)
	if err != nil {
		return nil, err
	}
	p := sdkmetric.NewMeterProvider(sdkmetric.WithResource(about), sdkmetric.WithReader(reader))
	t.shutdowns = append(t.shutdowns, p.Shutdown)
	return p, nil
}

// loggers is where the log goes.
func (t *telemetry) loggers(ctx context.Context, about *resource.Resource) (log.LoggerProvider, error) {
	if !exports("LOGS") {
		return lognoop.NewLoggerProvider(), nil
	}
	exporter, err := autoexport.NewLogExporter(ctx)
	if err != nil {
		return nil, err
	}
	p := sdklog.NewLoggerProvider(sdklog.WithResource(about), sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	t.shutdowns = append(t.shutdowns, p.Shutdown)
	return p, nil
}

// exporterError says which variable names the exporter that there is none of.
func exporterError(signal string, err error) error {
	return fmt.Errorf("OTEL_%s_EXPORTER=%s: %w", signal, os.Getenv("OTEL_"+signal+"_EXPORTER"), err)
}

// roomForSpans has more spans wait for the export than by default, unless the environment
// says how many: small files are read faster than their spans are sent.
func roomForSpans() []sdktrace.BatchSpanProcessorOption {
	if os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE") != "" {
		return nil
	}
	const spans = 1 << 16
	return []sdktrace.BatchSpanProcessorOption{sdktrace.WithMaxQueueSize(spans)}
}

// telemetryGrace is how long the end of a run waits for the export.
const telemetryGrace = 10 * time.Second

// close exports what is left. The error says what could not be exported.
func (t *telemetry) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), telemetryGrace)
	defer cancel()
	var all sync.WaitGroup // at once, as one that hangs must not take the others' time
	for _, shutdown := range t.shutdowns {
		all.Go(func() { t.failures.Handle(shutdown(ctx)) })
	}
	all.Wait()
	return t.failures.first()
}

// failures keeps the first error of an export: the others tend to be the same. It is safe
// for concurrent use.
type failures struct {
	mu    sync.Mutex
	err   error
	count int
}

// Handle is otel.ErrorHandler.
func (f *failures) Handle(err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	if f.err == nil {
		f.err = err
	}
}

func (f *failures) first() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		return nil
	}
	return fmt.Errorf("tasklab: telemetry: %d exports failed; the first: %w", f.count, f.err)
}
