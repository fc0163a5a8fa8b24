package dashboard

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/histogram"
	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/ring"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// What a collector keeps at most.
const (
	groupLimit    = 64  // kinds, and keys, that have numbers of their own
	failureLimit  = 500 // executions that failed
	panicLimit    = 200 // executions that panicked
	finalLimit    = 200 // executions whose failure was the end of their tasks
	successLimit  = 200 // executions that succeeded
	othersLimit   = 500 // executions that were cancelled, and ends of tasks that did not run
	decisionLimit = 512

	// samplesPerSecond limits the successes that are remembered, in each stripe: a manager may
	// run more in a millisecond than a collector remembers.
	samplesPerSecond = 50
)

// Collector is an observer that keeps, in bounded memory, what a manager does not: percentiles,
// numbers by kind and by key, failures with their stacks, a sample of the successes, and the traces of
// what runs. It observes one manager, and is safe for concurrent use.
//
// It reads the trace of an execution from the context of the observers before it, so name it after
// an observer that makes spans. The built-in telemetry always comes first.
//
// An observer that wraps a collector must pass on all its methods.
type Collector struct {
	epoch       time.Time
	kinds, keys groups
	stripes     [stripes]stripe

	number    atomic.Uint64 // of the last record
	failures  *ring.Ring[*record]
	panics    *ring.Ring[*record] // also in failures at first, like those in finals
	finals    *ring.Ring[*record]
	successes *ring.Ring[*record]
	others    *ring.Ring[*record]
	decisions decisionLog
	managers  atomic.Int32                    // that it observes
	observed  atomic.Pointer[observe.Manager] // the last one, as it was at its start
}

// stripes is the number of parts of a collector. A worker uses one of them, so workers on several
// processors rarely wait for each other. It is a power of two.
const stripes = 8

// stripe has the numbers of some workers.
type stripe struct {
	mu      sync.Mutex // guards the rest; held for the time of a few additions
	kinds   [groupLimit + 1]*cell
	keys    [groupLimit + 1]*cell
	slots   []slot   // of its workers, by their number divided by stripes
	second  int64    // in which the last success was remembered, since the epoch
	sampled int      // successes remembered in that second
	_       [64]byte // the next stripe begins on another cache line
}

// cell has the numbers of one kind or key in one stripe.
type cell struct {
	started    uint64 // by key only, like running and clock
	running    int64
	clock      time.Duration // the ends of the executions that have ended, less the begins of all
	failed     uint64
	cancelled  uint64
	postponed  uint64
	restarts   uint64 // by kind only
	waits      histogram.Counts
	executions histogram.Counts
}

// slot is what a worker runs. It saves the end of an execution the look-ups of its begin: they took half of
// the time of the collector.
type slot struct {
	runs    bool
	key     int // its number
	began   time.Duration
	task    *taskmanager.Handle // nil unless it has a trace
	attempt int
	id      trace.TraceID
}

// NewCollector returns a collector. Pass it to [taskmanager.WithObserver] when the manager starts, and
// to [Manager].
func NewCollector() *Collector {
	return &Collector{
		epoch:     time.Now(),
		failures:  ring.New[*record](failureLimit),
		panics:    ring.New[*record](panicLimit),
		finals:    ring.New[*record](finalLimit),
		successes: ring.New[*record](successLimit),
		others:    ring.New[*record](othersLimit),
	}
}

// stripe returns the stripe of a worker. A submitter that runs a task itself has the number 0.
func (c *Collector) stripe(worker int32) *stripe { return &c.stripes[uint32(worker)%stripes] } //nolint:gosec // any is fine

// kindLocked returns the numbers of a kind. The lock is held.
func (s *stripe) kindLocked(i int) *cell { return made(&s.kinds[i]) }

// keyLocked returns the numbers of a key. The lock is held.
func (s *stripe) keyLocked(i int) *cell { return made(&s.keys[i]) }

// slotLocked returns the slot of a worker, or nil for the number 0, with which several submitters may run tasks
// at once. The lock is held.
func (s *stripe) slotLocked(worker int32) *slot {
	if worker <= 0 {
		return nil
	}
	i := int(worker / stripes)
	if i >= len(s.slots) {
		s.slots = append(s.slots, make([]slot, i+1-len(s.slots))...)
	}
	return &s.slots[i]
}

func made(c **cell) *cell {
	if *c == nil {
		*c = new(cell)
	}
	return *c
}

// ObservePool notes that the collector observes a manager.
func (c *Collector) ObservePool(p observe.Pool) (stop func()) {
	if p.Describe != nil {
		is := p.Describe()
		c.observed.Store(&is)
	}
	c.managers.Add(1)
	return nil
}

// mayObserve reports whether the manager that the collector observes may be the given one. Managers that
// are configured alike cannot be told apart.
func (c *Collector) mayObserve(m *taskmanager.TaskManager) bool {
	observed, is := c.observed.Load(), m.Describe()
	if observed == nil {
		return true
	}
	is.State = observed.State // the only field that changes
	return is == *observed
}

// BeginRun counts an execution that begins.
func (c *Collector) BeginRun(ctx context.Context, r observe.Run) context.Context {
	task, key := taskOf(ctx)
	i, id := c.keys.index(key), trace.SpanContextFromContext(ctx).TraceID()
	s := c.stripe(r.Worker)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(c.epoch)
	k := s.keyLocked(i)
	k.started++
	k.running++
	k.clock -= now
	if w := s.slotLocked(r.Worker); w != nil {
		*w = slot{runs: true, key: i, began: now}
		if id.IsValid() {
			w.task, w.attempt, w.id = task, r.Attempt, id
		}
	}
	return ctx
}

// EndRun counts an execution that has ended, and remembers it if it failed.
func (c *Collector) EndRun(ctx context.Context, r observe.Run, result observe.Result) {
	sampled := c.count(ctx, r, result)
	switch result.Outcome {
	case observe.Postponed:
	case observe.Success:
		if sampled {
			c.successes.TryAdd(c.executed(ctx, r, result))
		}
	case observe.Cancelled:
		c.others.Add(c.executed(ctx, r, result))
	default:
		x := c.executed(ctx, r, result)
		c.failures.Add(x)
		if x.panicked {
			c.panics.Add(x)
		}
	}
}

// count counts an execution that has ended, and reports whether a success should be remembered.
func (c *Collector) count(ctx context.Context, r observe.Run, result observe.Result) (sampled bool) {
	kind := c.kinds.index(r.Kind)
	s := c.stripe(r.Worker)
	s.mu.Lock()
	defer s.mu.Unlock()
	var i int
	var now time.Duration
	if w := s.slotLocked(r.Worker); w != nil && w.runs {
		i, now = w.key, w.began+result.Took
		*w = slot{}
	} else {
		_, key := taskOf(ctx)
		i, now = c.keys.index(key), time.Since(c.epoch)
	}
	s.kindLocked(kind).end(r, result)
	k := s.keyLocked(i)
	k.end(r, result)
	k.running--
	k.clock += now
	if second := int64(now / time.Second); second != s.second {
		s.second, s.sampled = second, 0
	}
	if result.Outcome == observe.Success {
		s.sampled++
	}
	return s.sampled <= samplesPerSecond
}

// end counts an execution that has ended.
func (k *cell) end(r observe.Run, result observe.Result) {
	k.waits.Add(r.Waited)
	k.executions.Add(result.Took)
	switch result.Outcome {
	case observe.Success:
	case observe.Postponed:
		k.postponed++
	case observe.Cancelled:
		k.cancelled++
	default:
		k.failed++
	}
}

// TaskEnded remembers the end of a task that waited to run, such as one that was dropped. Other ends
// are those of executions. If the last one failed, it is remembered for longer than those before a restart.
func (c *Collector) TaskEnded(ctx context.Context, e observe.End) {
	if e.Waiting {
		c.others.Add(c.ended(ctx, e))
		return
	}
	if e.Outcome != observe.Failure && e.Outcome != observe.TimedOut {
		return
	}
	name := e.Name[:min(len(e.Name), idLimit+1)]
	last := func(x *record) bool { return x.attempt == e.Attempts && x.name == name }
	if x, ok := c.failures.Last(last); ok { // nearly always one of the last few
		c.finals.Add(x)
	}
}

// BeginRestart counts a restart.
func (c *Collector) BeginRestart(ctx context.Context, r observe.Restart) context.Context {
	kind := c.kinds.index(r.Kind)
	s := c.stripe(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kindLocked(kind).restarts++
	return ctx
}

// EndRestart does nothing.
func (c *Collector) EndRestart(context.Context, observe.Restart, error) {}

// ScalerDecided remembers a decision.
func (c *Collector) ScalerDecided(d observe.Decision) {
	c.decisions.add(decision{d.Number, d.At, d.Workers, d.Target, d.Reason})
}

// taskOf returns the task of an event, which may be nil, and its key.
func taskOf(ctx context.Context) (task *taskmanager.Handle, key string) {
	if h, ok := taskmanager.FromContext(ctx); ok {
		return h, h.Key()
	}
	return nil, ""
}

// trace returns the trace of the execution that a worker runs, or "".
func (c *Collector) trace(worker int32, name string, attempt int) string {
	s := c.stripe(worker)
	var w slot
	s.mu.Lock()
	if at := s.slotLocked(worker); at != nil {
		w = *at
	}
	s.mu.Unlock()
	if w.task == nil || w.attempt != attempt || w.task.Name() != name {
		return ""
	}
	return w.id.String()
}
