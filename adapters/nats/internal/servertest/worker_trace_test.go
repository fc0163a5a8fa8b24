package servertest_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestWorkerContinuesTheTrace runs a task twice. Both executions are children of the submit, and the second one is
// linked to the first one.
func TestWorkerContinuesTheTrace(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c, p, spans := traced(t, nc)
	o, err := observe.New(observe.WithTracerProvider(p))
	if err != nil {
		t.Fatal(err)
	}
	m := manager(t, 1, taskmanager.WithObserver(o))
	inner, err := nats.NewWorker(c, m)
	if err != nil {
		t.Fatal(err)
	}
	w := &testWorker{Worker: inner, m: m, ran: make(chan error, 1)}
	var got ledger
	handle(t, w, "work", func(ctx context.Context, _ string) error {
		got.add("tenant " + baggage.FromContext(ctx).Member("tenant").Value())
		if len(got.all()) == 1 {
			return errFailed
		}
		return nil
	}, nats.WithRestart(restart.Constant(time.Millisecond)))
	member, err := baggage.NewMember("tenant", "x")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	ctx, parent := p.Tracer("test").Start(baggage.ContextWithBaggage(soon(t), bag), "request")
	if _, err := nats.Submit(ctx, c, "a", "", nats.WithKind("work")); err != nil {
		t.Fatal(err)
	}
	parent.End()
	w.run(t)
	for _, line := range got.waitFor(t, 2) {
		if line != "tenant x" {
			t.Errorf("the baggage is %q", line)
		}
	}
	if drained, ran := w.drain(t); drained != nil || ran != nil {
		t.Errorf("Drain returned %v and Run %v", drained, ran)
	}
	submitted, first := spans.GetSpans()[0].SpanContext, spans.GetSpans()[0].SpanContext
	runs := 0
	for _, s := range spans.GetSpans() {
		switch s.Name {
		case "submit work":
			submitted = s.SpanContext
		case "run work":
			if runs++; s.Parent.SpanID() != submitted.SpanID() || s.Parent.TraceID() != parent.SpanContext().TraceID() {
				t.Errorf("execution %d is a child of %v, not of the submit", runs, s.Parent)
			}
			if runs == 1 {
				first = s.SpanContext
			} else if len(s.Links) != 1 || s.Links[0].SpanContext.SpanID() != first.SpanID() {
				t.Errorf("execution 2 has the links %v", s.Links)
			}
		}
	}
	if runs != 2 {
		t.Errorf("%d executions have spans", runs)
	}
}
