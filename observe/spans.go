package observe

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/internal/text"
)

// spanKey is the context key under which an observer stores its own span. Another span may be the
// current one in the same context, such as a span of the submitter.
type spanKey struct {
	of    *OTel
	phase phase
}

type phase uint8

const (
	submitting phase = iota
	running
	restarting
	waiting

	phases // the number of phases
)

// with returns a context with a span of this observer.
func (o *OTel) with(ctx context.Context, p phase, span trace.Span) context.Context {
	return context.WithValue(ctx, o.keys[p], span)
}

// alone returns a context without a span of this observer. The context of a submit may contain the
// span of another task.
func (o *OTel) alone(ctx context.Context, p phase) context.Context {
	if o.span(ctx, p) == nil {
		return ctx
	}
	return o.with(ctx, p, nil)
}

// span returns the span of this observer in a context, or nil.
func (o *OTel) span(ctx context.Context, p phase) trace.Span {
	if o.tracer == nil {
		return nil
	}
	span, _ := ctx.Value(o.keys[p]).(trace.Span)
	return span
}

// BeginSubmit starts the span of a submit, if there is a current span in caller.
func (o *OTel) BeginSubmit(caller, onto context.Context, s Submission) context.Context {
	s.Task = s.clean()
	parent := trace.SpanFromContext(caller)
	switch {
	case o.tracer == nil:
		return onto
	case !parent.SpanContext().IsValid():
		return o.alone(onto, submitting)
	case o.propagation == None:
		return trace.ContextWithSpan(onto, nil) // which has no span of this observer
	case s.Scheduled, s.Elsewhere && o.propagation == Link: // link only; the span of a schedule's caller has ended
		return o.with(trace.ContextWithSpan(onto, nil), submitting, parent)
	case s.Elsewhere:
		return o.alone(trace.ContextWithSpan(onto, parent), submitting)
	}
	_, span := o.tracer.Start(caller, o.name(submitting, s.Kind), producer...)
	if span.IsRecording() {
		span.SetAttributes(attributes(s.Task)...)
	}
	if o.propagation == Link {
		return o.with(trace.ContextWithSpan(onto, nil), submitting, span)
	}
	return o.with(trace.ContextWithSpan(onto, span), submitting, span)
}

// attributes returns the attributes that all spans of a task have.
func attributes(t Task) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 8)
	attrs = append(attrs, nameKey.String(t.Name), kindKey.String(t.Kind))
	if t.Manager != "" {
		attrs = append(attrs, poolKey.String(t.Manager))
	}
	return attrs
}

// EndSubmit ends the span of a submit and counts the submit, unless that was done elsewhere.
func (o *OTel) EndSubmit(ctx context.Context, s Submission, err error) {
	if s.Elsewhere {
		return
	}
	if o.instruments != nil {
		s.Task = s.clean()
		o.submitted(ctx, s, err)
	}
	span := o.span(ctx, submitting)
	if span == nil || s.Scheduled {
		return
	}
	defer span.End()
	if err != nil {
		span.SetAttributes(errorTypeKey.String(errorType("", err)))
		span.SetStatus(codes.Error, message(err))
	}
}

// BeginRun starts the span of an execution and records the time in the queue.
func (o *OTel) BeginRun(ctx context.Context, r Run) context.Context {
	r.Task = r.clean()
	if o.tracer != nil {
		ctx = o.startRun(ctx, r)
	}
	if o.instruments != nil {
		o.begun(ctx, r)
	}
	return ctx
}

func (o *OTel) startRun(ctx context.Context, r Run) context.Context {
	opts := o.related(ctx, consumer)
	switch {
	case r.Previous != nil:
		opts = appendLink(opts, o.span(r.Previous, running))
	case r.Attempt > 1: // the previous execution was elsewhere
		opts = appendLink(opts, previous(ctx))
	}
	ctx, span := o.tracer.Start(ctx, o.name(running, r.Kind), opts...)
	if !span.IsRecording() { // EndRun has nothing to do for it
		return o.alone(ctx, running)
	}
	span.SetAttributes(append(attributes(r.Task), attemptKey.Int(r.Attempt), workerKey.Int(int(r.Worker)),
		waitedKey.Float64(r.Waited.Seconds()))...)
	return o.with(ctx, running, span)
}

type previousKey struct{}

// ContextWithPrevious returns a context for the submit of a task with taskmanager.WithOrigin that has
// run before, perhaps in another process. Its next execution is linked to span, that of the execution
// before. A program that stores such a task reads the span from the context of its execution, and
// stores it with the history.
func ContextWithPrevious(ctx context.Context, span trace.SpanContext) context.Context {
	return context.WithValue(ctx, previousKey{}, trace.SpanFromContext(trace.ContextWithRemoteSpanContext(context.Background(), span)))
}

// previous returns the span of ContextWithPrevious, or nil.
func previous(ctx context.Context) trace.Span {
	span, _ := ctx.Value(previousKey{}).(trace.Span)
	return span
}

// related adds a link to the submit's span, unless the submit's span is the parent.
func (o *OTel) related(ctx context.Context, opts []trace.SpanStartOption) []trace.SpanStartOption {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return opts
	}
	return appendLink(opts, o.span(ctx, submitting))
}

// The options of the spans of submits and executions. They have no spare capacity, so an append
// copies them.
var (
	producer = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindProducer)}
	consumer = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer)}
)

// name returns the name of a span for a kind of task.
func (o *OTel) name(p phase, kind string) string {
	return o.names.of(kind, func(kind string) [phases]string {
		return [phases]string{submitSpan + kind, runSpan + kind, restartSpan + kind, endSpan + kind}
	})[p]
}

// appendLink appends a link to a span, unless the span is nil or invalid.
func appendLink(opts []trace.SpanStartOption, to trace.Span) []trace.SpanStartOption {
	if to == nil || !to.SpanContext().IsValid() {
		return opts
	}
	return append(slices.Clip(opts), trace.WithLinks(trace.Link{SpanContext: to.SpanContext()}))
}

// EndRun ends the span of an execution and records its duration.
func (o *OTel) EndRun(ctx context.Context, r Run, result Result) {
	kind := ""
	if result.Outcome == Failure {
		kind = errorType(result.Type, result.Err)
	}
	if o.instruments != nil {
		r.Task = r.clean()
		o.ended(ctx, r, result, kind)
	}
	span := o.span(ctx, running)
	if span == nil {
		return
	}
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(outcomeKey.String(string(result.Outcome)))
		if result.Outcome == Failure {
			fail(span, kind, message(result.Err), result.Stack)
		}
	}
}

// fail records a failure in a span.
func fail(span trace.Span, kind, message string, stack []byte) {
	span.SetAttributes(errorTypeKey.String(kind))
	span.SetStatus(codes.Error, message)
	attrs := []attribute.KeyValue{semconv.ExceptionType(kind), semconv.ExceptionMessage(message)}
	if stack != nil {
		attrs = append(attrs, semconv.ExceptionStacktrace(text.Clean(string(stack), text.StackLimit)))
	}
	span.AddEvent(semconv.ExceptionEventName, trace.WithAttributes(attrs...))
}

// BeginRestart starts the span of the wait for a restart and counts the restart.
func (o *OTel) BeginRestart(ctx context.Context, r Restart) context.Context {
	r.Task = r.clean()
	kind := errorType(r.Type, r.Err)
	if o.instruments != nil {
		o.restarted(ctx, r, kind)
	}
	if o.tracer == nil {
		return ctx
	}
	ctx, span := o.tracer.Start(ctx, o.name(restarting, r.Kind), appendLink(nil, o.span(r.Failed, running))...)
	if span.IsRecording() {
		span.SetAttributes(append(attributes(r.Task), attemptKey.Int(r.Attempt), delayKey.Float64(r.Delay.Seconds()),
			errorTypeKey.String(kind))...)
	}
	return o.with(ctx, restarting, span)
}

// EndRestart ends the span of the wait for a restart.
func (o *OTel) EndRestart(ctx context.Context, _ Restart, err error) {
	span := o.span(ctx, restarting)
	if span == nil {
		return
	}
	if err != nil {
		span.SetAttributes(outcomeKey.String(string(Cancelled)))
	}
	span.End()
}

// TaskEnded counts the end of a task. If the task ended while it waited to run, no other span says
// so: TaskEnded makes one.
func (o *OTel) TaskEnded(ctx context.Context, e End) {
	e.Task = e.clean()
	kind := ""
	switch e.Outcome {
	case Failure, TimedOut, Dropped, Shed:
		kind = errorType(e.Type, e.Err)
	case Success, Postponed, Cancelled, Stopped, HandedOver: // no errors
	}
	if e.Waiting && o.tracer != nil {
		var span trace.Span
		ctx, span = o.tracer.Start(ctx, o.name(waiting, e.Kind), o.related(ctx, nil)...)
		defer span.End()
		if span.IsRecording() {
			span.SetAttributes(append(attributes(e.Task), outcomeKey.String(string(e.Outcome)), waitedKey.Float64(e.Waited.Seconds()))...)
			if kind != "" {
				span.SetAttributes(errorTypeKey.String(kind))
				span.SetStatus(codes.Error, message(e.Err))
			}
		}
	}
	if o.instruments != nil {
		o.over(ctx, e, kind)
	}
}
