package observe

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// Scope and Version are the name and the version of the instrumentation scope of all spans and
// metrics.
const (
	Scope   = "github.com/seed56799101/taskmanager"
	Version = "0.1.0"
)

// Propagation says how the spans of executions are related to the span that is current at the
// submit.
type Propagation uint8

// The kinds of propagation.
const (
	// Child makes executions children of the submit's span, in the trace of the submitter. It is
	// the default, for work that belongs to a request.
	Child Propagation = iota
	// Link starts a new trace for each execution, with a link to the submit's span. It is for
	// work that takes much longer than the request, or that many requests share.
	Link
	// None starts a new trace for each execution, without a link, and makes no spans of submits.
	None

	propagations // the number of kinds
)

// Option configures the observer that [New] makes. The functions of this package whose names begin
// with With return options. If an option is given twice, the last one counts.
type Option func(*config) error

type config struct {
	tracers     trace.TracerProvider
	meters      metric.MeterProvider
	propagation Propagation
}

// WithTracerProvider sets the provider for spans. The default is the global provider; nil changes
// nothing.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) error {
		if p != nil {
			c.tracers = p
		}
		return nil
	}
}

// WithMeterProvider sets the provider for metrics. The default is the global provider; nil changes
// nothing.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) error {
		if p != nil {
			c.meters = p
		}
		return nil
	}
}

// WithPropagation sets how the spans of executions are related to those of their submits. The
// default is [Child].
func WithPropagation(p Propagation) Option {
	return func(c *config) error {
		if p >= propagations {
			return fmt.Errorf("observe: WithPropagation: unknown way %d; use Child, Link or None", p)
		}
		c.propagation = p
		return nil
	}
}

// OTel is an observer that emits spans and metrics through the OpenTelemetry API. It implements
// [SubmitObserver], [RunObserver], [RestartObserver], [EndObserver] and [PoolObserver]. It is safe for
// concurrent use and serves any number of managers. [New] and [Installed] make one.
type OTel struct {
	tracer      trace.Tracer // nil: the provider discards spans
	propagation Propagation
	keys        [phases]any // of spans in contexts; made once, since each lookup would allocate one
	names       cache[string, [phases]string]
	*instruments
}

// New returns an observer for OpenTelemetry. The error joins all invalid options, or reports that
// the meter provider could not make an instrument.
func New(opts ...Option) (*OTel, error) {
	c := config{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider()}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("observe: option %d is nil", i+1))
			continue
		}
		faults = append(faults, o(&c))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	o := &OTel{propagation: c.propagation}
	for p := range phases {
		o.keys[p] = spanKey{o, p}
	}
	if _, none := c.tracers.(tracenoop.TracerProvider); !none {
		o.tracer = c.tracers.Tracer(Scope, trace.WithInstrumentationVersion(Version), trace.WithSchemaURL(semconv.SchemaURL))
	}
	if _, none := c.meters.(metricnoop.MeterProvider); none {
		return o, nil
	}
	var err error
	o.instruments, err = newInstruments(c.meters.Meter(Scope,
		metric.WithInstrumentationVersion(Version), metric.WithSchemaURL(semconv.SchemaURL)))
	if err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	return o, nil
}

// Installed returns an observer for the global providers that the program has installed: those of
// the OpenTelemetry SDK or of another implementation. If only one of the two providers is
// installed, the observer emits only spans or only metrics. If neither is installed, it is nil.
func Installed() (*OTel, error) {
	opts := []Option{WithTracerProvider(tracenoop.NewTracerProvider()), WithMeterProvider(metricnoop.NewMeterProvider())}
	none := len(opts)
	if p := otel.GetTracerProvider(); installed(p) {
		opts = append(opts, WithTracerProvider(p))
	}
	if p := otel.GetMeterProvider(); installed(p) {
		opts = append(opts, WithMeterProvider(p))
	}
	if len(opts) == none {
		return nil, nil
	}
	return New(opts...)
}

// installed reports whether a provider is a real one and not the placeholder that the API returns
// until a program installs one. The API has no function for this; the type of the placeholder is
// internal to it.
func installed(provider any) bool {
	switch provider.(type) {
	case tracenoop.TracerProvider, metricnoop.MeterProvider:
		return false
	}
	t := reflect.TypeOf(provider)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return !strings.HasSuffix(t.PkgPath(), "go.opentelemetry.io/otel/internal/global")
}
