package observe

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed56799101/taskmanager/internal/text"
)

// buckets are the upper bounds of the buckets of durations, in seconds. Tasks take from less than a
// millisecond to minutes.
var buckets = []float64{
	.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300,
}

// instruments are the instruments of an observer.
type instruments struct {
	meter         metric.Meter
	runDuration   metric.Float64Histogram
	queueDuration metric.Float64Histogram
	submissions   metric.Int64Counter
	restarts      metric.Int64Counter
	ends          metric.Int64Counter
	active        metric.Int64ObservableUpDownCounter
	activity      activities

	queueLength, queueLimit, workerCount metric.Int64ObservableUpDownCounter
	workerDesired, workerMin, workerMax  metric.Int64ObservableUpDownCounter
	decisions                            metric.Int64ObservableCounter
	recordings                           cache[series, []metric.RecordOption] // building the set of attributes would dominate the cost
	additions                            cache[series, []metric.AddOption]
}

// series identifies a set of attributes.
type series struct{ manager, kind, outcome, result, errorType string }

func newInstruments(m metric.Meter) (*instruments, error) {
	i := &instruments{meter: m}
	var faults []error
	seconds := func(name, description string) metric.Float64Histogram {
		h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
			metric.WithExplicitBucketBoundaries(buckets...))
		faults = append(faults, err)
		return h
	}
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		faults = append(faults, err)
		return c
	}
	state := func(name, unit, description string) metric.Int64ObservableUpDownCounter {
		c, err := m.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		faults = append(faults, err)
		return c
	}
	i.runDuration = seconds(runDuration, "How long executions took")
	i.queueDuration = seconds(queueDuration, "How long tasks waited for a worker")
	i.submissions = counter(submissions, "{task}", "Submits, by their result")
	i.restarts = counter(restarts, "{restart}", "Restarts of failed tasks")
	i.ends = counter(ends, "{task}", "Ends of tasks, by their outcome")
	i.active = state(active, "{task}", "Executions under way")
	i.queueLength = state(queueLength, "{task}", "Tasks that wait for a worker")
	i.queueLimit = state(queueLimit, "{task}", "How many tasks may wait; absent if any number may")
	i.workerCount = state(workerCount, "{worker}", "Workers, by what they do")
	i.workerDesired = state(workerDesired, "{worker}", "Workers that the scaler wants")
	i.workerMin = state(workerMin, "{worker}", "The minimum of workers")
	i.workerMax = state(workerMax, "{worker}", "The maximum of workers")
	var err error
	i.decisions, err = m.Int64ObservableCounter(decisions, metric.WithUnit("{decision}"),
		metric.WithDescription("Changes of the number of workers that the scaler wants"))
	return i, errors.Join(append(faults, err)...)
}

// set returns the attributes of a series. Empty fields have none.
func (s series) set() attribute.Set {
	var attrs []attribute.KeyValue
	for _, a := range []struct {
		key   attribute.Key
		value string
	}{
		{poolKey, s.manager}, {kindKey, s.kind}, {outcomeKey, s.outcome}, {resultKey, s.result}, {errorTypeKey, s.errorType},
	} {
		if a.value != "" {
			attrs = append(attrs, a.key.String(a.value))
		}
	}
	return attribute.NewSet(attrs...)
}

// recording returns the options of a series for histograms.
func (i *instruments) recording(s series) []metric.RecordOption {
	return i.recordings.of(s, func(s series) []metric.RecordOption {
		return []metric.RecordOption{metric.WithAttributeSet(s.set())}
	})
}

// addition returns the options of a series for counters.
func (i *instruments) addition(s series) []metric.AddOption {
	return i.additions.of(s, func(s series) []metric.AddOption {
		return []metric.AddOption{metric.WithAttributeSet(s.set())}
	})
}

func (i *instruments) submitted(ctx context.Context, s Submission, err error) {
	result := "accepted"
	if err != nil {
		result = "refused"
	}
	i.submissions.Add(ctx, 1, i.addition(series{manager: s.Manager, kind: s.Kind, result: result})...)
}

func (i *instruments) begun(ctx context.Context, r Run) {
	i.activity.of(r.Task).Add(1)
	i.queueDuration.Record(ctx, r.Waited.Seconds(), i.recording(series{manager: r.Manager, kind: r.Kind})...)
}

func (i *instruments) ended(ctx context.Context, r Run, result Result, errorType string) {
	i.activity.of(r.Task).Add(-1)
	s := series{manager: r.Manager, kind: r.Kind, outcome: string(result.Outcome), errorType: errorType}
	i.runDuration.Record(ctx, result.Took.Seconds(), i.recording(s)...)
}

func (i *instruments) restarted(ctx context.Context, r Restart, errorType string) {
	i.restarts.Add(ctx, 1, i.addition(series{manager: r.Manager, kind: r.Kind, errorType: errorType})...)
}

func (i *instruments) over(ctx context.Context, e End, errorType string) {
	s := series{manager: e.Manager, kind: e.Kind, outcome: string(e.Outcome), errorType: errorType}
	i.ends.Add(ctx, 1, i.addition(s)...)
}

// ObservePool registers a callback that reads the state of the pool at each collection of metrics.
func (o *OTel) ObservePool(p Pool) (stop func()) {
	if o.instruments == nil {
		return func() {}
	}
	var pool []attribute.KeyValue
	if p.Manager != "" {
		pool = append(pool, poolKey.String(text.Clean(p.Manager, text.NameLimit)))
	}
	with := func(extra ...attribute.KeyValue) metric.ObserveOption {
		return metric.WithAttributeSet(attribute.NewSet(append(extra, pool...)...))
	}
	all, busy, idle, lent := with(), with(stateKey.String("busy")), with(stateKey.String("idle")), with(stateKey.String("lent"))
	up, down := with(directionKey.String("up")), with(directionKey.String("down"))
	registration, err := o.meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		s := p.State()
		to.ObserveInt64(o.queueLength, int64(s.Queued), all)
		if s.Limit >= 0 {
			to.ObserveInt64(o.queueLimit, int64(s.Limit), all)
		}
		to.ObserveInt64(o.workerCount, int64(s.Busy), busy)
		to.ObserveInt64(o.workerCount, int64(s.Idle), idle)
		to.ObserveInt64(o.workerCount, int64(s.Lent), lent)
		to.ObserveInt64(o.workerDesired, int64(s.Desired), all)
		to.ObserveInt64(o.workerMin, int64(s.Min), all)
		to.ObserveInt64(o.workerMax, int64(s.Max), all)
		to.ObserveInt64(o.decisions, s.Increases, up)
		to.ObserveInt64(o.decisions, s.Decreases, down)
		return nil
	}, o.queueLength, o.queueLimit, o.workerCount, o.workerDesired, o.workerMin, o.workerMax, o.decisions)
	if err != nil {
		otel.Handle(fmt.Errorf("observe: the metrics of a pool: %w", err))
		return func() {}
	}
	endActivity := o.activity.observe(o.meter, o.active)
	return func() {
		unregister(registration)
		endActivity()
	}
}

func unregister(r metric.Registration) {
	if err := r.Unregister(); err != nil {
		otel.Handle(fmt.Errorf("observe: the metrics of a pool: %w", err))
	}
}
