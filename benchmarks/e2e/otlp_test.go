package e2e_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// export is a line that the file exporter of the Collector writes: OTLP as JSON.
type export struct {
	Traces []struct {
		Resource entity `json:"resource"`
		Scopes   []struct {
			Scope scope  `json:"scope"`
			Spans []span `json:"spans"`
		} `json:"scopeSpans"`
	} `json:"resourceSpans"`
	Metrics []struct {
		Resource entity `json:"resource"`
		Scopes   []struct {
			Scope   scope    `json:"scope"`
			Metrics []metric `json:"metrics"`
		} `json:"scopeMetrics"`
	} `json:"resourceMetrics"`
	Logs []struct {
		Resource entity `json:"resource"`
		Scopes   []struct {
			Records []record `json:"logRecords"`
		} `json:"scopeLogs"`
	} `json:"resourceLogs"`
}

type scope struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type span struct {
	entity

	Trace  string `json:"traceId"`
	ID     string `json:"spanId"`
	Parent string `json:"parentSpanId"`
	Name   string `json:"name"`
	Kind   int    `json:"kind"`
	Links  []struct {
		Trace string `json:"traceId"`
		ID    string `json:"spanId"`
	} `json:"links"`
	Status struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"status"`
	Events []struct {
		entity

		Name string `json:"name"`
	} `json:"events"`
}

type metric struct {
	Name      string `json:"name"`
	Unit      string `json:"unit"`
	Sum       points `json:"sum"`
	Histogram points `json:"histogram"`
}

type points struct {
	Points []struct {
		entity

		Count     count `json:"count"`
		Int       count `json:"asInt"`
		Exemplars []struct {
			Span string `json:"spanId"`
		} `json:"exemplars"`
	} `json:"dataPoints"`
}

// count is an integer, which OTLP may encode as text.
type count int

// UnmarshalJSON accepts a number or text.
func (c *count) UnmarshalJSON(text []byte) error {
	_, err := fmt.Sscan(strings.Trim(string(text), `"`), (*int)(c))
	return err
}

type record struct {
	entity

	Trace string `json:"traceId"`
	Span  string `json:"spanId"`
	Body  value  `json:"body"`
}

// entity is anything with attributes.
type entity struct {
	Attributes []struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	} `json:"attributes"`
}

type value struct {
	String string `json:"stringValue"`
	Int    count  `json:"intValue"`
}

// of returns an attribute as text, or the empty string if there is none.
func (e entity) of(key string) string {
	for _, a := range e.Attributes {
		switch {
		case a.Key != key:
		case a.Value.String != "":
			return a.Value.String
		default:
			return fmt.Sprint(a.Value.Int)
		}
	}
	return ""
}

// received has the content of a file of the Collector.
type received struct {
	services []string
	scopes   []scope // of spans and metrics
	spans    []span
	metrics  []metric // of the last export
	records  []record
}

func readExports(t *testing.T, path string) (r received) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for decoder := json.NewDecoder(bufio.NewReader(file)); ; {
		var e export
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		r.add(e)
	}
	slices.Sort(r.services)
	r.services = slices.Compact(r.services)
	slices.SortFunc(r.scopes, func(a, b scope) int { return strings.Compare(a.Name, b.Name) })
	r.scopes = slices.Compact(r.scopes)
	return r
}

func (r *received) add(e export) {
	for _, of := range e.Traces {
		r.services = append(r.services, of.Resource.of("service.name"))
		for _, s := range of.Scopes {
			r.scopes = append(r.scopes, s.Scope)
			r.spans = append(r.spans, s.Spans...)
		}
	}
	for _, of := range e.Metrics {
		r.services = append(r.services, of.Resource.of("service.name"))
		r.metrics = nil
		for _, s := range of.Scopes {
			r.scopes = append(r.scopes, s.Scope)
			r.metrics = append(r.metrics, s.Metrics...)
		}
	}
	for _, of := range e.Logs {
		r.services = append(r.services, of.Resource.of("service.name"))
		for _, s := range of.Scopes {
			r.records = append(r.records, s.Records...)
		}
	}
}
