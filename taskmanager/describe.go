package taskmanager

import (
	"fmt"
	"strings"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// description holds the names of the configuration of a manager. It is constant after Start.
type description struct{ discipline, scaler, overflow string }

// Describe returns the name, the state and the configuration of the manager. It holds no lock
// that tasks need.
func (m *TaskManager) Describe() observe.Manager {
	return observe.Manager{
		Name: m.name, State: m.state(), Limit: m.limit,
		Discipline: m.described.discipline, Scaler: m.described.scaler, Overflow: m.described.overflow,
	}
}

// state returns what the manager does.
func (m *TaskManager) state() observe.State {
	if isDone(m.shutdown.done) {
		return observe.StateStopped
	}
	m.shutdown.mu.Lock()
	ends := m.shutdown.closing || m.shutdown.stopping
	m.shutdown.mu.Unlock()
	switch {
	case ends:
		return observe.StateDraining
	case m.paused.Load():
		return observe.StatePaused
	}
	return observe.StateRunning
}

// describe notes the names of the configuration, but for a custom discipline; see queueOf.
func (m *TaskManager) describe(cfg config) {
	m.described.discipline = cfg.discipline.String()
	if cfg.scaler == nil {
		cfg.scaler = scale.Demand(1)
	}
	m.described.scaler = nameOfStrategy(cfg.scaler)
	if cfg.limit != 0 {
		m.described.overflow = cfg.overflow.String()
	}
}

// queueOf returns the factory of the queue. It notes the name of a custom one, since a factory
// is called only once.
func (m *TaskManager) queueOf(d Discipline) queue.Factory[*Handle] {
	if !d.custom || d.queue == nil {
		return d.queue
	}
	return func() queue.Queue[*Handle] {
		q := d.queue()
		if q != nil {
			m.described.discipline = fmt.Sprintf("%s(%s)", d.name, nameOfStrategy(q))
		}
		return q
	}
}

// nameOfStrategy returns the result of the String method of a scaler or a queue or, if it has
// none or the method panics, its type without type arguments.
func nameOfStrategy(x any) (name string) {
	if s, ok := x.(fmt.Stringer); ok {
		if guarded(func() error { name = s.String(); return nil }) == nil && name != "" {
			return name
		}
	}
	full := fmt.Sprintf("%T", x)
	if name, _, _ = strings.Cut(full, "["); name == "" {
		return full
	}
	return name
}

// String returns the name of the discipline, such as FIFO or LimitByKey over Priority(8).
func (d Discipline) String() string { return d.name }
