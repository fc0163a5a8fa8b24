package taskmanager

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"unsafe"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler"
)

// WithObserver sets observers; see package observe. They are called in addition to the
// built-in telemetry, after it, and in the given order. An [*observe.OTel] among them takes
// the place of the built-in one. A panic in an observer is logged and does not affect the
// task.
//
// The built-in telemetry is an [*observe.OTel] for the global providers of OpenTelemetry. It
// follows them: a task belongs to the providers that are installed when it is submitted, for
// all its events. So a program may install its SDK after it has started the manager, and
// replace it later. A manager follows at most 250 changes. While no SDK is installed, the
// telemetry costs a comparison of the providers for each submit.
func WithObserver(observers ...observe.Observer) Option {
	faults := []error{fault(len(observers) == 0, "there is no observer; leave the option out")}
	for i, o := range observers {
		faults = append(faults, fault(o == nil, "observer %d is nil", i+1))
	}
	return option{
		name:  "WithObserver",
		set:   func(c *config) { c.observers = observers },
		fault: errors.Join(faults...),
	}
}

// WithoutTelemetry disables the built-in telemetry, but not the observers of [WithObserver].
func WithoutTelemetry() Option {
	return option{name: "WithoutTelemetry", set: func(c *config) { c.silent = true }}
}

// observers is a set of observers, sorted by the interfaces that they implement. It never
// changes. When the global providers do, the manager makes another set, whose built-in
// telemetry is for them.
type observers struct {
	id      uint8      // identifies the set in handles; 0: no observer observes tasks
	older   *observers // the set before
	changes uint8      // the number of sets before

	submit  []observe.SubmitObserver
	run     []observe.RunObserver
	restart []observe.RestartObserver
	end     []observe.EndObserver
	pool    []observe.PoolObserver
	decide  []observe.DecisionObserver
	builtIn observe.PoolObserver // nil: no built-in telemetry
	asks    bool                 // some observer of tasks is not an OTel, and may call FromContext

	fixed   bool // the set does not depend on the global providers, which are:
	tracers trace.TracerProvider
	meters  metric.MeterProvider
}

// mostChanges limits the number of sets, so that the number of a set fits into a handle and
// a program that installs providers all the time does not fill the memory.
const mostChanges = 250

// newObservers returns the set of the observers that the options give, and of the built-in
// telemetry for the present global providers, unless it is disabled.
func newObservers(given []observe.Observer, silent bool, older *observers) (*observers, error) {
	s := &observers{older: older, fixed: silent}
	if older != nil {
		s.changes = older.changes + 1
	}
	for _, o := range given {
		if _, own := o.(*observe.OTel); own {
			s.fixed = true
		}
	}
	if !s.fixed {
		s.noteProviders() // before the observer is made: a change meanwhile is found at the next task
		builtIn, err := observe.Installed()
		if err != nil {
			return nil, fmt.Errorf("taskmanager: %w", err)
		}
		if builtIn != nil {
			s.add(builtIn)
			s.builtIn = builtIn
		}
	}
	for i, o := range given {
		if !s.add(o) {
			return nil, fmt.Errorf("taskmanager: WithObserver: observer %d, a %T, implements no interface of package observe", i+1, o)
		}
	}
	if s.submit != nil || s.run != nil || s.restart != nil || s.end != nil {
		s.id = s.changes + 1
	}
	return s, nil
}

// noteProviders notes the present global providers. A set with providers that cannot be
// compared is the last one.
func (s *observers) noteProviders() {
	s.tracers, s.meters = otel.GetTracerProvider(), otel.GetMeterProvider()
	s.fixed = s.changes == mostChanges || !reflect.ValueOf(s.tracers).Comparable() || !reflect.ValueOf(s.meters).Comparable()
}

// add adds an observer, and reports whether it implements an interface of package observe.
func (s *observers) add(o observe.Observer) bool {
	submit, submits := o.(observe.SubmitObserver)
	run, runs := o.(observe.RunObserver)
	restart, restarts := o.(observe.RestartObserver)
	end, ends := o.(observe.EndObserver)
	pool, pools := o.(observe.PoolObserver)
	if _, own := o.(*observe.OTel); !own {
		s.asks = true
	}
	decide, decides := o.(observe.DecisionObserver)
	if submits {
		s.submit = append(s.submit, submit)
	}
	if runs {
		s.run = append(s.run, run)
	}
	if restarts {
		s.restart = append(s.restart, restart)
	}
	if ends {
		s.end = append(s.end, end)
	}
	if pools {
		s.pool = append(s.pool, pool)
	}
	if decides {
		s.decide = append(s.decide, decide)
	}
	return submits || runs || restarts || ends || pools || decides
}

// presentObservers returns the observers of a task that is submitted now. Without a change
// of the global providers it takes two comparisons.
func (m *TaskManager) presentObservers() *observers {
	s := m.observers.Load()
	if s.fixed {
		return s
	}
	tracers, meters := otel.GetTracerProvider(), otel.GetMeterProvider()
	if identical(&tracers, &s.tracers) && identical(&meters, &s.meters) || tracers == s.tracers && meters == s.meters {
		return s
	}
	return m.followProviders(s)
}

// identical reports whether two values of an interface type have the same type and the same
// pointer, or the same copy, and so are equal. It takes a fifth of the time of a comparison with
// ==, which calls the runtime. It may return false for equal values.
func identical[I any](a, b *I) bool {
	type words [2]unsafe.Pointer
	return *(*words)(unsafe.Pointer(a)) == *(*words)(unsafe.Pointer(b))
}

// observersOf returns the observers of a task, for all its events: those of its submit. The
// task must have some.
func (m *TaskManager) observersOf(h *Handle) *observers {
	s := m.observers.Load()
	for s.id != h.word.Observers() {
		s = s.older
	}
	return s
}

// followProviders replaces the set was, since the global providers have changed. One
// goroutine does so, without a lock, since it calls the providers; others use the old set
// meanwhile.
func (m *TaskManager) followProviders(was *observers) *observers {
	if !m.following.CompareAndSwap(false, true) {
		return was
	}
	defer m.following.Store(false)
	if s := m.observers.Load(); s != was {
		return s // another goroutine has replaced it
	}
	same := *was // for providers that do not work
	same.noteProviders()
	s := &same
	err := guarded(func() error {
		changed, err := newObservers(m.given, false, was)
		if err == nil {
			s = changed
		}
		return err
	})
	if err != nil {
		m.log.fault("no telemetry for the providers that were installed", err)
	}
	m.observers.Store(s)
	if err == nil {
		callAll(m.pools.replace(m.observePool(s.builtIn)))
	}
	return s
}

// poolObservations are the functions that end observations of the pool.
type poolObservations struct {
	mu      sync.Mutex // guards the rest
	own     []func()   // of the built-in telemetry: none or one
	given   []func()   // of other observers
	stopped bool       // the manager has stopped: nothing observes the pool
}

// replace sets the observation by the built-in telemetry, and returns what must be called:
// the end of the one before or, if the manager has stopped, of the new one.
func (p *poolObservations) replace(own []func()) (stop []func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return own
	}
	stop, p.own = p.own, own
	return stop
}

// end returns the ends of all observations, once.
func (p *poolObservations) end() (stop []func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stop = slices.Concat(p.own, p.given)
	p.own, p.given, p.stopped = nil, nil, true
	return stop
}

// observePools passes the pool to the observers of a manager that starts.
func (m *TaskManager) observePools(s *observers) {
	for _, o := range s.pool {
		if o == s.builtIn {
			m.pools.own = m.observePool(o)
		} else {
			m.pools.given = append(m.pools.given, m.observePool(o)...)
		}
	}
}

// observePool passes the pool to an observer, which may be nil, and returns the function
// that ends the observation, if there is one.
func (m *TaskManager) observePool(o observe.PoolObserver) (stop []func()) {
	if o == nil {
		return nil
	}
	m.tell(userCall{what: observePoolCall, of: o}, func() {
		if end := o.ObservePool(observe.Pool{Manager: m.name, State: m.poolState, Describe: m.Describe}); end != nil {
			stop = []func(){func() { m.tell(userCall{what: unobserveCall, of: o}, end) }}
		}
	})
	return stop
}

// callAll calls functions that observePool has returned.
func callAll(ends []func()) {
	for _, end := range ends {
		end()
	}
}

// unobservePool ends the observation of the pool. Only the first call has an effect.
func (m *TaskManager) unobservePool() { callAll(m.pools.end()) }

// limitOf returns the limit of scheduler.Config as observers get it: -1 for no limit, and 0
// for HandOver.
func limitOf(limit int) int {
	switch limit {
	case 0:
		return -1
	case scheduler.HandOver:
		return 0
	}
	return limit
}

// poolState returns the state of the pool for observers.
func (m *TaskManager) poolState() observe.PoolState {
	s, desired := m.pool.Snapshot(), 0
	if made := m.pool.Decisions(); len(made) > 0 {
		desired = made[len(made)-1].Target
	}
	return observe.PoolState{
		Queued: s.Queued, Limit: m.limit, Busy: s.Busy, Idle: s.Idle, Lent: s.Lent,
		Desired: max(s.Min, min(desired, s.Max)), Min: s.Min, Max: s.Max,
		Increases: m.increases.Load(), Decreases: m.decreases.Load(),
	}
}
