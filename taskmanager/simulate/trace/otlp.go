package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/observe"
)

// The names that this package reads, of those that package observe documents.
const (
	runSpan = "run "
	endSpan = "end "

	nameAttribute    = "taskmanager.task.name"
	kindAttribute    = "taskmanager.task.kind"
	attemptAttribute = "taskmanager.task.attempt"
	outcomeAttribute = "taskmanager.task.outcome"
	waitedAttribute  = "taskmanager.task.queue.duration"
)

// OTLP returns the format in which the file exporter of the OpenTelemetry Collector writes telemetry:
// lines of OTLP JSON. It reads the spans of tasks, which package observe documents, and skips other
// spans, metrics and logs. The jobs are tasks, with
//
//	At       when the task was queued for its first execution, relative to the first task
//	Service  the mean duration of its executions; a postponed one counts as part of the next
//	Kind     the kind of the task
//	Key      the attribute of the spans, or of the resource, whose name is key; empty if key is
//	Fails    how many executions failed
//
// Executions of the same name, in the same resource, belong to one task if their numbers of attempts
// rise and each but the last failed or was postponed. A task that never ran, because it was cancelled,
// dropped or shed, has no service time. As in a recording of [CSV], it gets the mean of its kind. Spans
// have no priority, cost and deadline. If the program samples spans, tasks are missing, so the load is
// lower than it was.
//
// Spans come in order of their ends, and batches in any order. So the executions of the whole file are
// kept in memory, some 300 bytes and the name for each, and [Format.Window] has no effect. A line has
// a whole batch, and at most 64 times [MaxLine].
func OTLP(key string) Format {
	return Format{read: func(in *input) iter.Seq2[row, error] {
		return func(yield func(row, error) bool) {
			in.unordered, in.relative, in.recorded = true, true, true
			in.lines.most = 64 * MaxLine
			t := tasks{key: key, texts: make(texts)}
			if err := t.read(in); err != nil {
				yield(row{}, err)
				return
			}
			for r := range t.rows() {
				if !yield(r, nil) {
					return
				}
			}
		}
	}}
}

// The structures of OTLP, as far as they are read.
type (
	otlpLine struct {
		Spans    []otlpResource  `json:"resourceSpans"`
		Metrics  json.RawMessage `json:"resourceMetrics"`
		Logs     json.RawMessage `json:"resourceLogs"`
		Profiles json.RawMessage `json:"resourceProfiles"`
	}
	otlpResource struct {
		Resource struct {
			Attributes otlpAttributes `json:"attributes"`
		} `json:"resource"`
		Scopes []struct {
			Spans []otlpSpan `json:"spans"`
		} `json:"scopeSpans"`
	}
	otlpSpan struct {
		Name       string         `json:"name"`
		Start      otlpNumber     `json:"startTimeUnixNano"`
		End        otlpNumber     `json:"endTimeUnixNano"`
		Attributes otlpAttributes `json:"attributes"`
	}
	otlpAttributes []struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpValue struct {
		String *string    `json:"stringValue"`
		Bool   *bool      `json:"boolValue"`
		Int    otlpNumber `json:"intValue"`
		Double otlpNumber `json:"doubleValue"`
	}
)

// otlpNumber is the text of a number, which may be in quotes.
type otlpNumber string

// UnmarshalJSON accepts a number and a string.
func (n *otlpNumber) UnmarshalJSON(b []byte) error {
	*n = otlpNumber(strings.Trim(string(b), `"`))
	return nil
}

// text returns a value as text, or "" if it has another type.
func (v otlpValue) text() string {
	switch {
	case v.String != nil:
		return *v.String
	case v.Bool != nil:
		return strconv.FormatBool(*v.Bool)
	case v.Int != "":
		return string(v.Int)
	}
	return string(v.Double)
}

// of returns an attribute as text, or "" if there is none.
func (a otlpAttributes) of(key string) string {
	for i := range a {
		if a[i].Key == key {
			return a[i].Value.text()
		}
	}
	return ""
}

// read reads the spans of all lines.
func (t *tasks) read(in *input) error {
	for {
		b, err := in.lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if b = bytes.TrimSpace(b); len(b) == 0 {
			continue
		}
		var line otlpLine
		if err := json.Unmarshal(b, &line); err != nil {
			return fmt.Errorf("the line is not OTLP JSON, of which each line is an object: %w", err)
		}
		if line.Spans == nil && line.Metrics == nil && line.Logs == nil && line.Profiles == nil {
			return errors.New("the line is JSON, but not of OTLP: it has no resourceSpans, resourceMetrics or resourceLogs")
		}
		for i := range line.Spans {
			if err := t.addResource(&line.Spans[i], in.lines.number); err != nil {
				return err
			}
		}
	}
}

func (t *tasks) addResource(r *otlpResource, line int) error {
	resource := t.resource(r.Resource.Attributes)
	for _, scope := range r.Scopes {
		for i := range scope.Spans {
			span := &scope.Spans[i]
			name := span.Attributes.of(nameAttribute)
			if name == "" || !strings.HasPrefix(span.Name, runSpan) && !strings.HasPrefix(span.Name, endSpan) {
				continue
			}
			e, err := t.execution(span)
			if err != nil {
				return fmt.Errorf("the span %s: %w", quote(span.Name), err)
			}
			if t.key != "" && e.key == "" {
				e.key = t.texts.of([]byte(r.Resource.Attributes.of(t.key)))
			}
			e.line = line
			t.add(taskName{resource, name}, e)
		}
	}
	return nil
}

// execution returns the execution of a span, or the end of a task that waited to run.
func (t *tasks) execution(s *otlpSpan) (e execution, err error) {
	start, err := unixNano("startTimeUnixNano", s.Start)
	if err != nil {
		return e, err
	}
	end, err := unixNano("endTimeUnixNano", s.End)
	if err != nil {
		return e, err
	}
	if end < start {
		return e, errors.New("it ends before it starts")
	}
	waited := s.Attributes.of(waitedAttribute)
	wait, err := strconv.ParseFloat(waited, 64)
	switch {
	case waited == "":
		return e, fmt.Errorf("it has no attribute %s", waitedAttribute)
	case err != nil, !(wait >= 0 && wait < math.MaxInt64/1e9):
		return e, fmt.Errorf("the attribute %s is %s; it must be a number of seconds that is not negative", waitedAttribute, quote(waited))
	}
	e = execution{
		start:   start,
		took:    end - start,
		waited:  time.Duration(math.Round(wait * 1e9)),
		kind:    t.texts.of([]byte(s.Attributes.of(kindAttribute))),
		key:     t.texts.of([]byte(s.Attributes.of(t.key))),
		outcome: observe.Outcome(t.texts.of([]byte(s.Attributes.of(outcomeAttribute)))),
	}
	if strings.HasPrefix(s.Name, endSpan) {
		return e, nil
	}
	attempt := s.Attributes.of(attemptAttribute)
	if e.attempt, err = strconv.Atoi(attempt); err != nil || e.attempt < 1 {
		return e, fmt.Errorf("the attribute %s is %s; it must be a number from 1", attemptAttribute, quote(attempt))
	}
	return e, nil
}

// unixNano returns a time as nanoseconds since 1970.
func unixNano(field string, n otlpNumber) (time.Duration, error) {
	ns, err := strconv.ParseInt(string(n), 10, 64)
	switch {
	case n == "":
		return 0, fmt.Errorf("it has no %s", field)
	case err != nil, ns <= 0:
		return 0, fmt.Errorf("%s is %s; it must be a number of nanoseconds since 1970", field, quote(n))
	}
	return time.Duration(ns), nil
}
