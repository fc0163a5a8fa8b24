package taskmanager

import (
	"errors"
	"fmt"
	"time"
)

// The optional interfaces of a Task below tell the discipline of the queue (see
// WithQueue) what it orders by. Each method is called once, at the submit, by
// the goroutine that submits, and only if the discipline wants to know; if it
// panics the submit fails. The task option of the same name wins over it.

// TaskWithPriority is an optional interface of a Task that is more or less
// important than others.
type TaskWithPriority interface {
	Task
	// Priority is the level of the task: higher runs first. The default is 0.
	Priority() int
}

// TaskWithKey is an optional interface of a Task that belongs to somebody: a
// tenant, a user, an account.
type TaskWithKey interface {
	Task
	// Key tells whose the task is. The default is "", the key of all that have
	// none.
	Key() string
}

// TaskWithDeadline is an optional interface of a Task that is urgent.
type TaskWithDeadline interface {
	Task
	// Deadline is when the task ought to run; false: it has no deadline, which
	// is the default. A task that is late runs all the same; WithDeadline, which wins
	// over this, sets one by which it must have ended.
	Deadline() (deadline time.Time, ok bool)
}

// TaskWithCost is an optional interface of a Task that is a larger piece of work
// than others.
type TaskWithCost interface {
	Task
	// Cost is how much of its key's share the task uses up, in a unit of your
	// choice; positive. The default is 1.
	Cost() int64
}

// attribute is a set of attributes of tasks.
type attribute uint8

const (
	priorityAttribute attribute = 1 << iota
	keyAttribute
	deadlineAttribute
	costAttribute

	noAttributes  attribute = 0
	allAttributes           = priorityAttribute | keyAttribute | deadlineAttribute | costAttribute
)

// attributes are what disciplines order tasks by. They do not change once the
// task is submitted.
type attributes struct {
	given    attribute // by options
	priority int
	key      string
	deadline time.Time // zero: none
	cost     int64
	weight   int // of the key
}

// defaultAttributes are those of a task that has none.
var defaultAttributes = attributes{cost: 1, weight: 1}

// attributes are the attributes of the task.
func (h *Handle) attributes() *attributes {
	if h.cfg == nil {
		return &defaultAttributes
	}
	return &h.cfg.attributes
}

// Priority is the task's priority as the discipline of its manager sees it: that
// of WithPriority, of a TaskWithPriority, or 0.
func (h *Handle) Priority() int { return h.attributes().priority }

// Key is the task's key, likewise: that of WithKey, of a TaskWithKey, or "".
func (h *Handle) Key() string { return h.attributes().key }

// Deadline is the task's deadline, likewise: that of WithDeadline, of a
// TaskWithDeadline, or false for none.
func (h *Handle) Deadline() (deadline time.Time, ok bool) {
	deadline = h.attributes().deadline
	return deadline, !deadline.IsZero()
}

// Cost is the task's cost, likewise: that of WithCost, of a TaskWithCost, or 1.
func (h *Handle) Cost() int64 { return h.attributes().cost }

// weight is what the key of the task is worth beside others.
func (h *Handle) weight() int { return h.attributes().weight }

// enqueued is when the task was queued, the last time.
func (h *Handle) enqueued() time.Time {
	// Without the lock: queuedAt changes only while the task is not in the queue,
	// and this is called by the queue.
	return h.m.epoch.Add(h.queuedAt)
}

func (a *attributes) setPriority(level int) error { a.priority = level; return nil }
func (a *attributes) setKey(key string) error     { a.key = key; return nil }

func (a *attributes) setDeadline(t time.Time) error {
	a.deadline = t
	return fault(t.IsZero(), "the deadline is the zero time; leave it out for a task without one")
}

func (a *attributes) setCost(cost int64) error {
	a.cost = cost
	return fault(cost < 1, "the cost is %d; it must be positive", cost)
}

// WithPriority sets the level of the task: higher runs first under the discipline
// Priority. Others ignore it.
func WithPriority(level int) TaskOption {
	return attributeOption("WithPriority", priorityAttribute, (*attributes).setPriority, level)
}

// WithKey says whose the task is, for the disciplines Fair and LimitByKey. Others
// ignore it.
func WithKey(key string) TaskOption {
	return attributeOption("WithKey", keyAttribute, (*attributes).setKey, key)
}

// WithCost sets how much of its key's share the task uses up, under the
// discipline Fair; in a unit of your choice, positive. Others ignore it.
func WithCost(cost int64) TaskOption {
	return attributeOption("WithCost", costAttribute, (*attributes).setCost, cost)
}

func attributeOption[V any](name string, which attribute, set func(*attributes, V) error, value V) TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.given |= which
		if err := set(&c.attributes, value); err != nil {
			return fmt.Errorf("taskmanager: %s: %w", name, err)
		}
		return nil
	})
}

// attributesOf completes the configuration of a task, which may be nil, with
// those attributes that the discipline wants to know and no option has given.
func (d *Discipline) attributesOf(task Task, cfg *taskConfig) (*taskConfig, error) {
	if d.wants == noAttributes {
		return cfg, nil
	}
	a := defaultAttributes
	if cfg != nil {
		a = cfg.attributes
	}
	faults := d.ask(task, &a)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if cfg == nil && a != defaultAttributes {
		cfg = new(taskConfig)
	}
	if cfg != nil {
		cfg.attributes = a
	}
	return cfg, nil
}

// ask asks a task for its attributes, and the discipline for its key's weight.
func (d Discipline) ask(task Task, a *attributes) (faults []error) {
	// ask calls a method, unless nobody wants to know the answer.
	ask := func(which attribute, method string, call func() error) {
		if d.wants&which == 0 || a.given&which != 0 {
			return
		}
		if err := guarded(call); err != nil {
			faults = append(faults, fmt.Errorf("taskmanager: the %s method of %T: %w", method, task, err))
		}
	}
	if t, ok := task.(TaskWithPriority); ok {
		ask(priorityAttribute, "Priority", func() error { return a.setPriority(t.Priority()) })
	}
	if t, ok := task.(TaskWithKey); ok {
		ask(keyAttribute, "Key", func() error { return a.setKey(t.Key()) })
	}
	if t, ok := task.(TaskWithCost); ok {
		ask(costAttribute, "Cost", func() error { return a.setCost(t.Cost()) })
	}
	if t, ok := task.(TaskWithDeadline); ok {
		ask(deadlineAttribute, "Deadline", func() error {
			if deadline, ok := t.Deadline(); ok {
				return a.setDeadline(deadline)
			}
			return nil
		})
	}
	if d.weight != nil {
		err := guarded(func() error {
			a.weight = d.weight(a.key)
			return fault(a.weight < 1, "the weight is %d; it must be positive", a.weight)
		})
		if err != nil {
			faults = append(faults, fmt.Errorf("taskmanager: the weight of key %q: %w", a.key, err))
		}
	}
	return faults
}

// guarded makes an error of a panic.
func guarded(call func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = recovered(v)
		}
	}()
	return call()
}
