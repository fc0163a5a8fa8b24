package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
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
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// service is the service name of the run.
const service = "album"

var about = resource.NewWithAttributes(semconv.SchemaURL, semconv.ServiceName(service))

// sdk is an OpenTelemetry SDK that is installed globally, as in other programs.
type sdk struct {
	tracers *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
	loggers *sdklog.LoggerProvider
}

// install installs an SDK that sends spans to an exporter, metrics to a reader and logs to a
// processor.
func install(t *testing.T, spans sdktrace.SpanExporter, metrics sdkmetric.Reader, logs sdklog.Processor) *sdk {
	t.Helper()
	s := &sdk{
		tracers: sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithBatcher(spans)),
		meters:  sdkmetric.NewMeterProvider(sdkmetric.WithResource(about), sdkmetric.WithReader(metrics)),
		loggers: sdklog.NewLoggerProvider(sdklog.WithResource(about), sdklog.WithProcessor(logs)),
	}
	otel.SetTracerProvider(s.tracers)
	otel.SetMeterProvider(s.meters)
	t.Cleanup(func() {
		otel.SetTracerProvider(tracenoop.NewTracerProvider())
		otel.SetMeterProvider(metricnoop.NewMeterProvider())
		if err := s.shutdown(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// installOTLP installs an SDK that sends everything to an endpoint.
func installOTLP(t *testing.T, endpoint string) *sdk {
	t.Helper()
	ctx := t.Context()
	metrics, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(endpoint+"/v1/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	logs, err := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(endpoint+"/v1/logs"))
	if err != nil {
		t.Fatal(err)
	}
	return install(t, spansTo(t, endpoint), sdkmetric.NewPeriodicReader(metrics), sdklog.NewBatchProcessor(logs))
}

// spansTo returns an exporter of spans to an endpoint.
func spansTo(t *testing.T, endpoint string) sdktrace.SpanExporter {
	t.Helper()
	spans, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"))
	if err != nil {
		t.Fatal(err)
	}
	return spans
}

// nowhere returns a processor that discards logs, for backends without logs.
func nowhere() sdklog.Processor { return sdklog.NewBatchProcessor(nothing{}) }

type nothing struct{}

func (nothing) Export(context.Context, []sdklog.Record) error { return nil }
func (nothing) Shutdown(context.Context) error                { return nil }
func (nothing) ForceFlush(context.Context) error              { return nil }

// shutdown sends what is left and shuts the SDK down.
func (s *sdk) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var faults []error
	for _, end := range []func(context.Context) error{s.tracers.Shutdown, s.meters.Shutdown, s.loggers.Shutdown} {
		if err := end(ctx); !errors.Is(err, sdkmetric.ErrReaderShutdown) { // of an earlier call
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

var (
	errCorrupt     = errors.New("the picture is corrupt")
	errNoRecipient = errors.New("no recipient")
)

// album is a task of the run.
type album struct {
	name, kind string
	fails      int // how many executions fail before one succeeds
	work       func(ctx context.Context) error
	runs       int
}

func (a *album) Name() string { return a.name }
func (a *album) Kind() string { return a.kind }

func (a *album) Execute(ctx context.Context) error {
	a.runs++
	slog.InfoContext(ctx, "works on "+a.name)
	if err := a.work(ctx); err != nil {
		return err
	}
	if a.runs <= a.fails {
		return errCorrupt
	}
	return nil
}

func (a *album) Restart(context.Context, error) bool { return a.runs <= a.fails }

// lasting returns work that takes d, unless it is cancelled.
func lasting(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// perform runs the tasks of a request on two managers: tasks that succeed, fail and restart,
// panic, are cancelled or time out. The managers stop when the test ends.
func (s *sdk) perform(t *testing.T) {
	t.Helper()
	handler := observe.NewLogHandler(otelslog.NewHandler(service, otelslog.WithLoggerProvider(s.loggers)))
	before := slog.Default()
	slog.SetDefault(slog.New(handler))
	defer slog.SetDefault(before)

	m := start(t, taskmanager.WithName("pictures"), taskmanager.WithWorkers(2, 3), taskmanager.WithLimit(100, taskmanager.Reject),
		taskmanager.WithRestart(restart.Constant(40*time.Millisecond)), taskmanager.WithLogger(logging.Slog(nil)))
	own, err := observe.New(observe.WithPropagation(observe.Link))
	if err != nil {
		t.Fatal(err)
	}
	search := start(t, taskmanager.WithName("search"), taskmanager.WithWorkers(1, 1), taskmanager.WithObserver(own))

	ctx, request := s.tracers.Tracer(service).Start(t.Context(), "POST /albums", trace.WithSpanKind(trace.SpanKindServer))
	var handles []*taskmanager.Handle
	submit := func(m *taskmanager.TaskManager, a *album, opts ...taskmanager.TaskOption) *taskmanager.Handle {
		h, err := m.Submit(ctx, a, opts...)
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h)
		return h
	}
	submit(m, &album{name: "thumbnail/1", kind: "thumbnail", work: lasting(70 * time.Millisecond)})
	submit(m, &album{name: "thumbnail/2", kind: "thumbnail", work: lasting(30 * time.Millisecond), fails: 2})
	cancelled := submit(m, &album{name: "poster", kind: "poster", work: lasting(time.Minute)})
	submit(m, &album{name: "thumbnail/3", kind: "thumbnail", work: lasting(50 * time.Millisecond)})
	submit(m, &album{name: "mail", kind: "mail", work: func(ctx context.Context) error {
		_ = lasting(20 * time.Millisecond)(ctx)
		panic(errNoRecipient)
	}})
	submit(m, &album{name: "video", kind: "video", work: lasting(time.Minute)}, taskmanager.WithTimeout(60*time.Millisecond))
	submit(search, &album{name: "index", kind: "index", work: lasting(40 * time.Millisecond)})
	if _, err := m.Submit(ctx, &album{name: "video", kind: "video"}); !errors.Is(err, taskmanager.ErrAlreadyExists) {
		t.Fatalf("a second task of one name: %v", err)
	}
	request.End()
	<-cancelled.Started()
	_ = lasting(90 * time.Millisecond)(t.Context())
	cancelled.Cancel()

	wait, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	want := map[string]error{"poster": taskmanager.ErrCancelled, "video": taskmanager.ErrTimeout, "mail": errNoRecipient}
	for _, h := range handles {
		if err := h.Wait(wait); !errors.Is(err, want[h.Name()]) {
			t.Errorf("the task %q ended with %v, want %v", h.Name(), err, want[h.Name()])
		}
	}
}

// start starts a manager, which uses the installed SDK.
func start(t *testing.T, opts ...taskmanager.Option) *taskmanager.TaskManager {
	t.Helper()
	m, err := taskmanager.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := m.Stop(ctx); err != nil {
			t.Error(fmt.Errorf("Stop: %w", err))
		}
	})
	return m
}
