package e2e_test

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/e2e"
)

func tags(keysAndValues ...string) (list []e2e.Tag) {
	for i := 0; i < len(keysAndValues); i += 2 {
		list = append(list, e2e.Tag{Key: keysAndValues[i], Value: keysAndValues[i+1]})
	}
	return list
}

// texts returns the texts of a drawing in order, and the number of its areas.
func texts(t *testing.T, svg []byte) (list []string, areas int) {
	t.Helper()
	for decoder := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return list, areas
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		switch x := token.(type) {
		case xml.StartElement:
			if x.Name.Local == "path" && !slices.ContainsFunc(x.Attr, func(a xml.Attr) bool { return strings.Contains(a.Value, "fill:none") }) {
				areas++
			}
		case xml.CharData:
			if s := strings.TrimSpace(string(x)); s != "" {
				list = append(list, s)
			}
		}
	}
}

// The spans of the trace are out of order, and a parent is missing.
func TestDraw(t *testing.T) {
	child := func(of string) e2e.Reference { return e2e.Reference{Type: "CHILD_OF", SpanID: of} }
	link := func(to string) e2e.Reference { return e2e.Reference{Type: "FOLLOWS_FROM", SpanID: to} }
	drawn, err := e2e.Draw(e2e.Trace{Spans: []e2e.Span{
		{ID: "4", Name: "run sort", Start: 1_090_000, Duration: 10_000, References: []e2e.Reference{child("1"), link("2")},
			Tags: tags("taskmanager.task.name", "a", "taskmanager.task.attempt", "2", "taskmanager.task.outcome", "success")},
		{ID: "3", Name: "restart sort", Start: 1_050_000, Duration: 40_000, References: []e2e.Reference{child("1"), link("2"), link("elsewhere")},
			Tags: tags("taskmanager.task.name", "a")},
		{ID: "2", Name: "run sort", Start: 1_010_000, Duration: 40_000, References: []e2e.Reference{child("1")},
			Tags: tags("taskmanager.task.name", "a", "taskmanager.task.attempt", "1", "taskmanager.task.outcome", "failure", "error.type", "panic")},
		{ID: "1", Name: "GET /", Start: 1_000_000, Duration: 7, References: []e2e.Reference{child("elsewhere")}},
	}}, "svg")
	if err != nil {
		t.Fatal(err)
	}
	got, areas := texts(t, drawn)
	want := []string{
		"A request, as Jaeger has it", "GET /: 4 spans in 100 ms; arrows are links",
		"0 ms", "20 ms", "40 ms", "60 ms", "80 ms", "100 ms",
		"GET /", "7 µs", "run sort", "a, 40 ms, attempt 1, failure: panic", "restart sort", "40 ms", "run sort", "a, 10 ms, attempt 2",
		"success", "failure", "wait for a restart",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
	if want := 1 + 4 + 2 + 3; areas != want { // the background, bars, arrows and the legend
		t.Errorf("there are %d areas, want %d", areas, want)
	}
}

// A trace that cannot be drawn is an error.
func TestDrawNothing(t *testing.T) {
	if _, err := e2e.Draw(e2e.Trace{}, "svg"); err == nil {
		t.Error("a trace without spans is no error")
	}
	circle := []e2e.Span{{ID: "1", References: []e2e.Reference{{Type: "CHILD_OF", SpanID: "1"}}}}
	if _, err := e2e.Draw(e2e.Trace{Spans: circle}, "svg"); err == nil {
		t.Error("a span that is its own parent is no error")
	}
	if _, err := e2e.Draw(e2e.Trace{Spans: []e2e.Span{{ID: "1"}}}, "pigeon"); err == nil {
		t.Error("an unknown format is no error")
	}
}
