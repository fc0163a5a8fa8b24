// Package telemetry exports what a manager emits to an OpenTelemetry backend, if
// the standard environment variables name one.
package telemetry

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

// Export exports the spans, the metrics and the log of a manager.
type Export struct {
	observer *observe.OTel // nil if nothing is exported
	handler  slog.Handler  // likewise

	shutdowns []func(context.Context) error
	failures  failures
}

// exporting reports whether the environment names an address for any signal. A signal
// without an address is not exported: its default address is one that the user did not name.
func exporting() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	return exports("TRACES") || exports("METRICS") || exports("LOGS")
}

// exports reports whether the environment says where to send a signal.
func exports(signal string) bool {
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT", "OTEL_" + signal + "_EXPORTER"} {
		if os.Getenv(variable) != "" {
			return true
		}
	}
	return false
}

// New sets up an export according to the standard variables of OpenTelemetry.
func New(ctx context.Context) (t *Export, err error) {
	t = new(Export)
	if !exporting() {
		return t, nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("tasklab: telemetry: %w", err), t.Close(ctx))
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
	t.observer = observer
	t.handler = observe.NewLogHandler(otelslog.NewHandler("tasklab", otelslog.WithLoggerProvider(loggers)))
	return t, nil
}

// Options returns the options that connect a manager to the export and to further observers, which it
// cannot get from options of their own. There are none if nothing is exported or observed.
func (t *Export) Options(observers ...observe.Observer) (options []taskmanager.Option) {
	if t.observer != nil {
		observers = append([]observe.Observer{t.observer}, observers...)
		options = append(options, taskmanager.WithLogger(logging.Slog(slog.New(t.handler))))
	}
	if len(observers) > 0 {
		options = append(options, taskmanager.WithObserver(observers...))
	}
	return options
}

// tracers returns the provider for spans.
func (t *Export) tracers(ctx context.Context, about *resource.Resource) (trace.TracerProvider, error) {
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

// meters returns the provider for metrics.
func (t *Export) meters(ctx context.Context, about *resource.Resource) (metric.MeterProvider, error) {
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

// loggers returns the provider for the log.
func (t *Export) loggers(ctx context.Context, about *resource.Resource) (log.LoggerProvider, error) {
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

// exporterError adds the variable that names the exporter to an error.
func exporterError(signal string, err error) error {
	return fmt.Errorf("OTEL_%s_EXPORTER=%s: %w", signal, os.Getenv("OTEL_"+signal+"_EXPORTER"), err)
}

// roomForSpans raises the number of spans that may wait for export, unless the environment
// sets it: small files are read faster than their spans are sent.
func roomForSpans() []sdktrace.BatchSpanProcessorOption {
	if os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE") != "" {
		return nil
	}
	const spans = 1 << 16
	return []sdktrace.BatchSpanProcessorOption{sdktrace.WithMaxQueueSize(spans)}
}

// grace is how long Close waits for the export.
const grace = 10 * time.Second

// Close exports what is left. The error says what could not be exported.
func (t *Export) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	var all sync.WaitGroup // concurrently: one that hangs must not use up the others' time
	for _, shutdown := range t.shutdowns {
		all.Go(func() { t.failures.Handle(shutdown(ctx)) })
	}
	all.Wait()
	return t.failures.first()
}

// failures keeps the first error of an export, as the others tend to be the same. It is
// safe for concurrent use.
type failures struct {
	mu    sync.Mutex
	err   error
	count int
}

// Handle implements [otel.ErrorHandler].
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
