package e2e

import (
	"fmt"
)

// Trace is a trace in the form of Jaeger's HTTP API.
type Trace struct {
	ID    string `json:"traceID"`
	Spans []Span `json:"spans"`
}

// Span is a span of a [Trace].
type Span struct {
	ID         string      `json:"spanID"`
	Name       string      `json:"operationName"`
	Start      int64       `json:"startTime"` // microseconds since 1970
	Duration   int64       `json:"duration"`  // microseconds
	References []Reference `json:"references"`
	Tags       []Tag       `json:"tags"`
}

// Reference is a reference of a [Span] to another span.
type Reference struct {
	Type   string `json:"refType"` // CHILD_OF or FOLLOWS_FROM; a link can have either
	Trace  string `json:"traceID"`
	SpanID string `json:"spanID"`
}

// Tag is an attribute of a [Span].
type Tag struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// Tag returns the value of an attribute as text, or the empty string if there is none.
func (s Span) Tag(key string) string {
	for _, t := range s.Tags {
		if t.Key == key {
			return fmt.Sprint(t.Value)
		}
	}
	return ""
}
