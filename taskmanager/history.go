package taskmanager

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/internal/clock"
	"github.com/seed56799101/taskmanager/observe"
)

// Record describes a task that has ended. Its form in JSON is that of a [TaskStatus] with the
// further fields; empty texts are left out.
type Record struct {
	TaskStatus           // as of its end; LastError is its error, nil if it succeeded
	EndedAt    time.Time // when the task ended

	Outcome   observe.Outcome // how the task ended
	ErrorType string          // the attribute error.type of telemetry; "" if it has none for the outcome
	TraceID   string          // of the span in the context of the last execution, in hexadecimal; "" without one
}

// WithHistory makes the manager keep records of ended tasks for [TaskManager.History]: of the
// last n that succeeded or were handed over (see [WithOrigin]), of the last n that were cancelled or
// stopped, and of the last n others, which are the failures. So successes and cancellations, however
// many, do not replace a failure. The default is 0: it keeps none.
//
// A record of a [TaskWithProgress] has the final progress and description. The manager asks
// for them when the task ends after an execution, on the goroutine that ran it and without a
// lock. It does not ask a task that ends while it waits, because the goroutine that cancels it
// may hold a lock of the task.
func WithHistory(n int) Option {
	return option{
		name:  "WithHistory",
		set:   func(c *config) { c.history = n },
		fault: fault(n < 0, "the number of tasks is %d; it must be 0 or more", n),
	}
}

// History returns the records that [WithHistory] keeps, ordered by EndedAt, the latest one at
// the end.
func (m *TaskManager) History() []Record {
	if m.history == nil {
		return nil
	}
	return m.history.all()
}

// history holds records, whose times are moments; see package clock. It holds no reference to
// the tasks.
type history struct {
	mu        sync.Mutex // guards the rest
	size      int        // of each of the rings
	ended     uint64     // number of records so far
	succeeded ring
	cancelled ring
	failed    ring
}

// ring is a ring buffer of records.
type ring struct {
	records []numberedRecord
	next    int // index of the oldest record once the ring is full; the next one replaces it
}

// numberedRecord is a record with its number, by which those of all rings are ordered: several
// tasks may end at the same time.
type numberedRecord struct {
	Record

	number uint64
}

// newHistory returns nil if size is 0.
func newHistory(size int) *history {
	if size == 0 {
		return nil
	}
	return &history{size: size}
}

// displayed returns the record with times on the wall clock.
func (r *Record) displayed() Record {
	d := *r
	d.display()
	d.EndedAt = clock.Wall(d.EndedAt)
	return d
}

// record records that h ends with err, in the history and for the schedule of h, if there are any.
// The caller owns the state of the task.
func (m *TaskManager) record(h *Handle, err error) {
	s := h.schedule()
	if m.history == nil && s == nil {
		return
	}
	var r Record
	if h.word.Begun() {
		r.Progress, r.Description, r.ProgressError = h.Progress()
	}
	h.statusTo(&r.TaskStatus)
	r.Status, r.LastError = Finished, err
	r.Outcome, r.ErrorType, r.TraceID = h.howEnded(err)
	if s != nil {
		s.keep(r)
	}
	if m.history != nil {
		m.history.add(r)
	}
}

// howEnded returns how h ends with err, the type of the error as the telemetry has it, and the
// trace of the last execution or, if there was none, of the submit.
func (h *Handle) howEnded(err error) (how observe.Outcome, errorType, traceID string) {
	h.word.Lock()
	how, errorType = outcomeNames[h.outcomeLocked(err)], h.endTypeLocked(err)
	ctx := h.ctxLocked().Lazy().Values()
	if r := h.retryLocked(); r != nil && r.last != nil && !h.word.Begun() {
		ctx = r.last
	}
	h.word.Unlock()
	if errorType == "" && isFault(how) {
		errorType = observe.ErrorType(err)
	}
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		traceID = span.TraceID().String()
	}
	return how, errorType, traceID
}

// isFault reports whether telemetry has an error type for the outcome of a task.
func isFault(how observe.Outcome) bool {
	switch how {
	case observe.Failure, observe.TimedOut, observe.Dropped, observe.Shed:
		return true
	case observe.Success, observe.Postponed, observe.Cancelled, observe.Stopped, observe.HandedOver:
	}
	return false
}

// add adds a record, and sets the time of the end.
func (s *history) add(record Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record.EndedAt = time.Now() // with the lock held, so that records are in order of EndedAt
	s.ended++
	s.ringOf(record.Outcome).add(numberedRecord{record, s.ended}, s.size)
}

// ringOf returns the ring for an outcome.
func (s *history) ringOf(how observe.Outcome) *ring {
	switch how {
	case observe.Success, observe.HandedOver:
		return &s.succeeded
	case observe.Cancelled, observe.Stopped:
		return &s.cancelled
	case observe.Failure, observe.TimedOut, observe.Dropped, observe.Shed, observe.Postponed:
	}
	return &s.failed
}

// add adds a record to a ring of the given size.
func (r *ring) add(record numberedRecord, size int) {
	if len(r.records) < size {
		r.records = append(r.records, record)
		return
	}
	r.records[r.next] = record
	r.next = (r.next + 1) % size
}

// all returns the records, the oldest one first.
func (r *ring) all() []numberedRecord {
	return slices.Concat(r.records[r.next:], r.records[:r.next])
}

// all returns the records, the oldest one first.
func (s *history) all() []Record {
	s.mu.Lock()
	numbered := slices.Concat(s.succeeded.all(), s.cancelled.all(), s.failed.all())
	s.mu.Unlock()
	slices.SortFunc(numbered, func(a, b numberedRecord) int { return cmp.Compare(a.number, b.number) })
	records := make([]Record, len(numbered))
	for i, r := range numbered {
		records[i] = r.displayed()
	}
	return records
}
