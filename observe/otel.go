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

// Scope and Version identify what this package emits as its instrumentation scope.
const (
	Scope   = "github.com/seed56799101/taskmanager"
	Version = "0.1.0"
)

// Propagation says how the spans of executions hang together with the one that was
// current at the submit.
type Propagation uint8

// The ways of propagation.
const (
	// Child makes executions children of the submit's span, in the caller's trace. It is
	// the default, and suits work that belongs to a request.
	Child Propagation = iota
	// Link gives each execution a trace of its own, with a link to the submit's span. It
	// suits work that goes on for long, or that many requests share.
	Link
	// None has executions know nothing of the caller's trace, and makes no spans of
	// submits.
	None

	propagations // how many there are
)

// Option configures the OpenTelemetry observer. Options come from the With functions of
// this package that return one.
type Option func(*config) error

type config struct {
	tracers     trace.TracerProvider
	meters      metric.MeterProvider
	propagation Propagation
}

// WithTracerProvider sets where spans go. The default, and nil, is the global provider.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) error {
		if p != nil {
			c.tracers = p
		}
		return nil
	}
}

// WithMeterProvider sets where metrics go. The default, and nil, is the global provider.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) error {
		if p != nil {
			c.meters = p
		}
		return nil
	}
}

// WithPropagation says how executions hang together with their submits.
func WithPropagation(p Propagation) Option {
	return func(c *config) error {
		if p >= propagations {
			return fmt.Errorf("observe: WithPropagation: unknown way %d; use Child, Link or None", p)
		}
		c.propagation = p
		return nil
	}
}

// OTel makes spans and metrics of what it is told. It implements all interfaces of
// observers. It is safe for concurrent use, and serves any number of managers.
type OTel struct {
	tracer      trace.Tracer // nil: spans would go nowhere
	propagation Propagation
	keys        [phases]any // of the spans in contexts; ready-made, as each look would allocate one
	names       cache[string, [phases]string]
	*instruments
}

// New makes an observer that emits spans and metrics through the OpenTelemetry API. The
// error joins all that is wrong with the options, and what the meter provider has to say.
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

// Installed makes an observer as New does, of what the program has installed by now, be it an
// OpenTelemetry SDK or another implementation, as the global provider of spans or of metrics.
// It emits nothing of the other kind, and is nil if neither is there.
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

// installed tells a real provider from the one that stands in for it as long as there is
// none. The API has no question for that; the stand-in is of an internal type.
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
