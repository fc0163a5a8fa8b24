package nats

import (
	"context"

	natsgo "github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// propagator reads and writes the trace and the baggage of a task.
var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// spanOf returns the span that a traceparent names.
func spanOf(traceparent string) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), carrier{"traceparent": {traceparent}})
	return trace.SpanContextFromContext(ctx)
}

// traceparent returns the text that names a span, or an empty one if it is not valid.
func traceparent(span trace.SpanContext) string {
	if !span.IsValid() {
		return ""
	}
	c := carrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), span), c)
	return natsgo.Header(c).Get("traceparent")
}
