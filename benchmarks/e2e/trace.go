package e2e

import (
	"fmt"
)

// Trace is a trace as Jaeger's HTTP API tells it.
type Trace struct {
	ID    string `json:"traceID"`
	Spans []Span `json:"spans"`
}

// Span is a span of a Trace.
type Span struct {
	ID         string      `json:"spanID"`
	Name       string      `json:"operationName"`
	Start      int64       `json:"startTime"` // in microseconds since 1970
	Duration   int64       `json:"duration"`  // in microseconds
	References []Reference `json:"references"`
	Tags       []Tag       `json:"tags"`
}

// Reference is what a Span tells of another one.
type Reference struct {
	Type   string `json:"refType"` // CHILD_OF, which also a link may be, or FOLLOWS_FROM
	Trace  string `json:"traceID"`
	SpanID string `json:"spanID"`
}

// Tag is an attribute.
type Tag struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// Tag is the value of an attribute as text; empty if there is none.
func (s Span) Tag(key string) string {
	for _, t := range s.Tags {
		if t.Key == key {
			return fmt.Sprint(t.Value)
		}
	}
	return ""
}
