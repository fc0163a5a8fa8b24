package servertest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// traced returns a client with an observer for spans, and what it has recorded.
func traced(t *testing.T, nc *natsgo.Conn) (*nats.Client, *sdktrace.TracerProvider, *tracetest.InMemoryExporter) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	p := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	o, err := observe.New(observe.WithTracerProvider(p))
	if err != nil {
		t.Fatal(err)
	}
	return open(t, nc, nats.WithObserver(o)), p, spans
}

func headers(t *testing.T, nc *natsgo.Conn, seq uint64) natsgo.Header {
	t.Helper()
	st, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	m, err := st.GetMsg(soon(t), seq)
	if err != nil {
		t.Fatal(err)
	}
	return m.Header
}

func TestTheTraceTravelsWithTheTask(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c, p, spans := traced(t, nc)
	ctx, parent := p.Tracer("test").Start(soon(t), "request")
	member, err := baggage.NewMember("tenant", "x")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	ctx = baggage.ContextWithBaggage(ctx, bag)
	if _, err := nats.Submit(ctx, c, "a", 1, nats.WithKind("k")); err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Submit(ctx, c, "a", 1, nats.WithKind("k")); !errors.Is(err, taskmanager.ErrAlreadyExists) {
		t.Fatal(err)
	}
	if _, err := nats.SubmitAll(ctx, c, items("b", 2), nats.WithKind("k")); err != nil {
		t.Fatal(err)
	}
	got := spans.GetSpans()
	var names []string
	for _, s := range got {
		names = append(names, s.Name)
		if s.Parent.SpanID() != parent.SpanContext().SpanID() {
			t.Errorf("span %s is not a child of the request", s.Name)
		}
	}
	if diff := cmp.Diff([]string{"submit k", "submit k", "submit k", "submit k"}, names); diff != "" {
		t.Fatalf("spans (-want +got):\n%s", diff)
	}
	if got[0].Status.Code == codes.Error || got[1].Status.Code != codes.Error {
		t.Errorf("the status of the spans: %v, %v", got[0].Status, got[1].Status)
	}
	h := headers(t, nc, 1)
	sc := got[0].SpanContext
	if want := "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-01"; h.Get("traceparent") != want || h.Get("baggage") != "tenant=x" {
		t.Errorf("traceparent is %q, want %q; baggage is %q", h.Get("traceparent"), want, h.Get("baggage"))
	}
	if h.Get("traceparent") == headers(t, nc, 2).Get("traceparent") {
		t.Error("the tasks of a batch have the same span")
	}
}

// Without a span there is none. The span that was current when a schedule was made does not get children.
func TestNoTrace(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c, p, spans := traced(t, nc)
	if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k")); err != nil {
		t.Fatal(err)
	}
	ctx, span := p.Tracer("test").Start(soon(t), "main")
	defer span.End()
	if _, err := nats.Repeat(ctx, c, aligned(10*time.Millisecond), "b", 1, nats.WithKind("k")); err != nil {
		t.Fatal(err)
	}
	st, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the schedule submits", func() bool { return stored(t, st) == 2 })
	for seq := range uint64(2) {
		if h := headers(t, nc, seq+1); h.Get("traceparent") != "" {
			t.Errorf("message %d has traceparent %q", seq+1, h.Get("traceparent"))
		}
	}
	if got := spans.GetSpans(); len(got) != 0 {
		t.Errorf("spans: %v", got)
	}
}

// A submitter without an observer passes the trace on.
func TestTheTraceWithoutAnObserver(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	ctx, span := sdktrace.NewTracerProvider().Tracer("test").Start(soon(t), "request")
	defer span.End()
	if _, err := nats.Submit(ctx, c, "a", 1, nats.WithKind("k")); err != nil {
		t.Fatal(err)
	}
	if got := headers(t, nc, 1).Get("traceparent"); !strings.Contains(got, span.SpanContext().SpanID().String()) {
		t.Errorf("traceparent is %q", got)
	}
}

// unrulyObserver panics, and hides the values of others.
type unrulyObserver struct{ begin, end int }

func (o *unrulyObserver) BeginSubmit(context.Context, context.Context, observe.Submission) context.Context {
	o.begin++
	if o.begin == 1 {
		panic("in BeginSubmit")
	}
	return nil
}

func (o *unrulyObserver) EndSubmit(context.Context, observe.Submission, error) {
	o.end++
	panic("in EndSubmit")
}

func TestAnObserverDoesNoHarm(t *testing.T) {
	var o unrulyObserver
	c := client(t, nats.WithObserver(&o, 7))
	for _, name := range []string{"a", "b"} {
		if _, err := nats.Submit(soon(t), c, name, 1, nats.WithKind("k")); err != nil {
			t.Error(err)
		}
	}
	if o.begin != 2 || o.end != 2 {
		t.Errorf("%d begins and %d ends", o.begin, o.end)
	}
}
