package dashboard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// idLimit is the length up to which a name is kept whole, so that it can be linked to.
const idLimit = 600

// record is an execution, or the end of a task that waited to run. That of a collector never changes, and refers
// to nothing of the task.
type record struct {
	number       uint64
	at           time.Time
	name         string // the exact name, unless it is too long
	kind, key    string // as shown
	attempt      int    // 0: the task did not run
	worker       int32
	outcome      observe.Outcome
	errorType    string
	err, stack   string
	panicked     bool
	waited, took time.Duration // -1: unknown
	trace        string

	lastError error // whose texts have not been read; only for an answer, without a collector
}

// executed returns the record of an execution.
func (c *Collector) executed(ctx context.Context, r observe.Run, result observe.Result) *record {
	x := c.record(ctx, r.Task)
	x.attempt, x.worker, x.waited, x.took = r.Attempt, r.Worker, r.Waited, result.Took
	x.outcome, x.panicked = result.Outcome, result.Type == observe.TypePanic
	x.setError(result.Err, result.Type, string(result.Stack[:min(len(result.Stack), 2*text.StackLimit)]))
	return x
}

// ended returns the record of the end of a task that waited to run.
func (c *Collector) ended(ctx context.Context, e observe.End) *record {
	x := c.record(ctx, e.Task)
	x.attempt, x.waited, x.outcome = e.Attempts, e.Waited, e.Outcome
	x.setError(e.Err, e.Type, "")
	return x
}

func (c *Collector) record(ctx context.Context, t observe.Task) *record {
	_, key := taskOf(ctx)
	x := &record{
		number: c.number.Add(1), at: time.Now(), name: keptName(t.Name),
		kind: kept(text.Line(t.Kind, text.NameLimit)), key: kept(text.Line(key, text.NameLimit)),
	}
	if id := trace.SpanContextFromContext(ctx).TraceID(); id.IsValid() {
		x.trace = id.String()
	}
	return x
}

// setError notes an error, its type and the stack of a panic.
func (x *record) setError(err error, errorType, stack string) {
	if err == nil {
		return
	}
	x.err = kept(errorText(err))
	x.errorType = kept(text.Line(cmp.Or(errorType, errorTypeOf(err)), text.NameLimit))
	x.stack = kept(text.Block(stack, text.StackLimit))
}

// kept returns a copy of a text, which does not keep a longer one in memory.
func kept(s string) string { return strings.Clone(s) }

// keptName returns the part of a name that is kept.
func keptName(name string) string { return kept(name[:min(len(name), idLimit+1)]) }

// linkable reports whether a task with this name has a page.
func linkable(name string) bool { return len(name) <= idLimit && utf8.ValidString(name) }

// errorText returns the text of an error, which is foreign code, as it is shown.
func errorText(err error) (shown string) {
	if err == nil {
		return ""
	}
	defer func() {
		if v := recover(); v != nil {
			shown = fmt.Sprintf("(the Error method of %T panicked)", err)
		}
	}()
	return text.Block(err.Error(), text.ErrorLimit)
}

// errorTypeOf returns the type of an error as telemetry has it.
func errorTypeOf(err error) (errorType string) {
	defer func() { _ = recover() }() // from the methods of the error; it has no type then
	return observe.ErrorType(err)
}

// recordOf returns the record for one of the history of a manager, for one answer. The texts of its error are
// still to be read.
func recordOf(r *taskmanager.Record) *record {
	x := &record{
		at: r.EndedAt, name: keptName(r.Name), kind: text.Line(r.Kind, text.NameLimit), key: text.Line(r.Key, text.NameLimit),
		attempt: r.Attempt, worker: r.Worker, outcome: r.Outcome, waited: -1, took: -1, trace: r.TraceID,
		errorType: text.Line(r.ErrorType, text.NameLimit), lastError: r.LastError, panicked: r.ErrorType == observe.TypePanic,
	}
	switch {
	case r.StartedAt.IsZero():
		x.attempt, x.waited, x.took = 0, r.EndedAt.Sub(r.QueuedAt), 0
	case !r.StartedAt.Before(r.QueuedAt):
		x.waited, x.took = r.StartedAt.Sub(r.QueuedAt), r.EndedAt.Sub(r.StartedAt)
	}
	return x
}

// recordID identifies the record of a manager.
type recordID struct {
	name    string
	at      int64 // microseconds since 1970
	attempt int
}

// readError reads the texts of the error of a record, which is foreign code.
func (x *managed) readError(r *record, until time.Time) {
	whom := recordID{r.name, r.at.UnixMicro(), r.attempt}
	texts, how := ask(&x.asker, whom, until, func() (texts record) {
		texts.setError(r.lastError, r.errorType, stackOf(r.lastError))
		return texts
	})
	if how != answered {
		r.err = how.String()
		return
	}
	r.err, r.errorType, r.stack = texts.err, cmp.Or(texts.errorType, r.errorType), texts.stack
}

// stackOf returns the stack of a panic, or "".
func stackOf(err error) (stack string) {
	defer func() { _ = recover() }() // from the methods of the error; there is no stack then
	if p, ok := errors.AsType[*taskmanager.PanicError](err); ok {
		return string(p.Stack[:min(len(p.Stack), 2*text.StackLimit)])
	}
	return ""
}

// outcomes are the values by which the history is filtered.
var outcomes = map[string][]observe.Outcome{
	"":          nil, // all but successes
	"success":   {observe.Success, observe.HandedOver},
	"failure":   {observe.Failure, observe.TimedOut},
	"panic":     {observe.Failure, observe.TimedOut}, // if it panicked
	"cancelled": {observe.Cancelled, observe.Stopped},
}

// selected reports whether a record has one of the outcomes of a filter.
func (x *record) selected(filter string) bool {
	if filter == "" {
		return !slices.Contains(outcomes["success"], x.outcome)
	}
	return slices.Contains(outcomes[filter], x.outcome) && (x.panicked || filter != "panic")
}

// records returns what is remembered of outcomes, the newest first, and how many others there were.
// ok is false if nothing is ever remembered.
func (x *managed) records(filter string) (list []*record, forgotten uint64, ok bool) {
	if c := x.collector; c != nil {
		list, forgotten = c.records(filter)
		return list, forgotten, true
	}
	history := x.m.History()
	list = make([]*record, 0, len(history))
	for i := range slices.Backward(history) {
		r := recordOf(&history[i])
		r.number = uint64(i + 1) //nolint:gosec // not negative
		if r.selected(filter) {
			list = append(list, r)
		}
	}
	return list, 0, history != nil
}

func (c *Collector) records(filter string) (list []*record, forgotten uint64) {
	switch filter {
	case "success":
		list, forgotten = c.successes.Values(), c.successes.Forgotten()
	case "panic":
		list, forgotten = c.panics.Values(), c.panics.Forgotten()
	case "cancelled":
		list, forgotten = c.others.Values(), c.others.Forgotten()
	case "failure":
		list, forgotten = c.failed()
		list = append(list, c.others.Values()...) // tasks that timed out in the queue
	default:
		list, forgotten = c.failed()
		list, forgotten = append(list, c.others.Values()...), forgotten+c.others.Forgotten()
	}
	list = slices.DeleteFunc(list, func(x *record) bool { return !x.selected(filter) })
	slices.SortFunc(list, func(a, b *record) int { return cmp.Compare(b.number, a.number) })
	return list, forgotten
}

// failed returns the executions that failed and are remembered, and how many others there were.
func (c *Collector) failed() (list []*record, forgotten uint64) {
	forgotten = c.failures.Forgotten() // before the values, so that no record counts as forgotten that is among them
	known := make(map[*record]bool)
	list = c.failures.Values()
	for _, x := range list {
		known[x] = true
	}
	for _, x := range slices.Concat(c.panics.Values(), c.finals.Values()) {
		if !known[x] {
			known[x] = true
			list, forgotten = append(list, x), max(forgotten, 1)-1
		}
	}
	return list, forgotten
}

// pastOf returns what is remembered of a task, the newest first.
func (x *managed) pastOf(name string) []*record {
	if !linkable(name) { // records have only a part of such a name
		return nil
	}
	failures, _, _ := x.records("")
	successes, _, _ := x.records("success")
	list := slices.DeleteFunc(slices.Concat(failures, successes), func(r *record) bool { return r.name != name })
	slices.SortStableFunc(list, func(a, b *record) int { return cmp.Compare(b.number, a.number) })
	return list
}
