package observe

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// activities counts the executions in progress. An atomic counter that a callback reads at each
// collection takes ten nanoseconds for an execution. Two calls of an instrument would take a third
// of a microsecond, which is noticeable next to a task that does nothing.
type activities struct {
	counts cache[series, *activity]
	others activity // of kinds for which the cache has no room

	mu           sync.Mutex // guards the rest
	pools        int        // the number of observed pools
	registration metric.Registration
}

// activity counts the executions of one kind.
type activity struct {
	atomic.Int64

	with metric.ObserveOption
}

// of returns the counter for the manager and the kind of a task.
func (a *activities) of(t Task) *activity {
	count, kept := a.counts.kept(series{manager: t.Manager, kind: t.Kind}, func(s series) *activity {
		return &activity{with: metric.WithAttributeSet(s.set())}
	})
	if !kept {
		return &a.others
	}
	return count
}

// observe registers the callback that reads the counters, for the first of several pools. Each pool
// calls end; the last call unregisters the callback.
func (a *activities) observe(m metric.Meter, active metric.Int64Observable) (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pools == 0 {
		// The SDK uses the same attribute for sets of attributes above its own limit.
		overflow := metric.WithAttributes(attribute.Bool("otel.metric.overflow", true))
		var err error
		a.registration, err = m.RegisterCallback(func(_ context.Context, to metric.Observer) error {
			for _, count := range a.counts.look() {
				to.ObserveInt64(active, count.Load(), count.with)
			}
			if n := a.others.Load(); n != 0 {
				to.ObserveInt64(active, n, overflow)
			}
			return nil
		}, active)
		if err != nil {
			otel.Handle(fmt.Errorf("observe: the metrics of a pool: %w", err))
			return func() {}
		}
	}
	a.pools++
	return a.leave
}

// leave unregisters the callback if the caller is the last pool.
func (a *activities) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pools--; a.pools == 0 {
		unregister(a.registration)
	}
}
