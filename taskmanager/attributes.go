package taskmanager

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
)

// TaskWithPriority is an optional interface of a [Task] with a priority, for the
// discipline [Priority].
type TaskWithPriority interface {
	Task
	// Priority returns the level of the task. Higher levels run first; the default is 0.
	// It is called once, at the submit, under every discipline. If it panics, the submit
	// fails. [WithPriority] overrides it, and then it is not called.
	Priority() int
}

// TaskWithKey is an optional interface of a [Task] that belongs to a tenant, a user or an
// account, for example. The disciplines [Fair] and [LimitByKey] use the key, and so does
// [WithKeyQueueLimit].
type TaskWithKey interface {
	Task
	// Key returns the key of the task. Tasks without a key share the key "". It is called
	// once, at the submit, under every discipline. If it panics, the submit fails.
	// [WithKey] overrides it, and then it is not called.
	Key() string
}

// TaskWithDeadline is an optional interface of a [Task] that should run by some time, for
// the discipline [Deadline].
type TaskWithDeadline interface {
	Task
	// Deadline returns the time by which the task should run, or false if it has no
	// deadline, which is the default. The deadline only orders tasks: a late task still
	// runs. For a deadline by which the task must have ended, use [WithDeadline], which
	// overrides this one.
	//
	// It is called once, at the submit, under every discipline, unless [WithDeadline] is
	// given. If it panics or returns the zero time and true, the submit fails.
	Deadline() (deadline time.Time, ok bool)
}

// TaskWithCost is an optional interface of a [Task] that counts for more or less than
// other tasks, under the discipline [Fair].
type TaskWithCost interface {
	Task
	// Cost returns how much of the share of its key the task uses, in any unit. It must
	// be positive; the default is 1. It is called once, at the submit, under every
	// discipline. If it panics, the submit fails. [WithCost] overrides it, and then it is
	// not called.
	Cost() int64
}

// attribute is a set of attributes.
type attribute uint8

const (
	priorityAttribute attribute = 1 << iota
	keyAttribute
	deadlineAttribute
	costAttribute
)

// attributes are the values by which disciplines order tasks, and which the status shows under
// every discipline. They do not change after the submit.
type attributes struct {
	priority int
	key      string
	deadline time.Time // a moment (see package clock); zero: none
	cost     int64
	weight   int // of the key
	keyLimit int // how many tasks of the key may run at once; 0: any number
}

// defaultAttributes are the attributes of a task that sets none.
var defaultAttributes = attributes{cost: 1, weight: 1}

// attributes returns the attributes of the task.
func (h *Handle) attributes() *attributes {
	if h.cfg == nil {
		return &defaultAttributes
	}
	return &h.cfg.attributes
}

// Priority returns the priority of the task, also if the discipline of the manager ignores it:
// that of [WithPriority], or else of [TaskWithPriority], or else 0.
func (h *Handle) Priority() int { return h.attributes().priority }

// Key returns the key of the task, also if the discipline of the manager ignores it: that of
// [WithKey], or else of [TaskWithKey], or else "".
func (h *Handle) Key() string { return h.attributes().key }

// Deadline returns the deadline of the task, also if the discipline of the manager ignores it: that of
// [WithDeadline], or else of [TaskWithDeadline]. It reports false if there is none. The
// result has a reading of the monotonic clock, by which [time.Time.Before] and similar
// methods compare it; see [WithDeadline].
func (h *Handle) Deadline() (deadline time.Time, ok bool) {
	deadline = h.attributes().deadline
	return deadline, !deadline.IsZero()
}

// Cost returns the cost of the task, also if the discipline of the manager ignores it: that of
// [WithCost], or else of [TaskWithCost], or else 1.
func (h *Handle) Cost() int64 { return h.attributes().cost }

// weight returns the weight of the key of the task.
func (h *Handle) weight() int { return h.attributes().weight }

// keyLimit returns how many tasks of the task's key may run at once, or 0 for any number.
func (h *Handle) keyLimit() int { return h.attributes().keyLimit }

// enqueued returns the time at which the task was last queued.
func (h *Handle) enqueued() time.Time {
	// No lock is needed: queuedAt changes only while the task is not in the queue, and
	// only the queue calls this method.
	return h.m.epoch.Add(h.queuedAt) // compared by its monotonic reading, as deadlines are
}

func (a *attributes) setPriority(level int) error { a.priority = level; return nil }
func (a *attributes) setKey(key string) error     { a.key = key; return nil }

func (a *attributes) setDeadline(t time.Time) error {
	a.deadline = clock.Pin(t)
	return fault(t.IsZero(), "the deadline is the zero time; leave it out for a task without one")
}

func (a *attributes) setCost(cost int64) error {
	a.cost = cost
	return fault(cost < 1, "the cost is %d; it must be positive", cost)
}

func (a *attributes) setWeight(weight int) error {
	a.weight = weight
	return fault(weight < 1, "the weight is %d; it must be positive", weight)
}

func (a *attributes) setKeyLimit(n int) error {
	a.keyLimit = n
	return fault(n < 0, "the limit is %d; it must be 1 or more, or 0 for none", n)
}

// WithPriority sets the level of the task for the discipline [Priority]: higher levels
// run first. Other disciplines ignore it, except for [Custom] ones.
func WithPriority(level int) TaskOption {
	return attributeOption("WithPriority", priorityAttribute, (*attributes).setPriority, level)
}

// WithKey sets the key of the task, for the disciplines [Fair] and [LimitByKey] and for
// [WithKeyQueueLimit]. Other disciplines ignore it, except for [Custom] ones.
func WithKey(key string) TaskOption {
	return attributeOption("WithKey", keyAttribute, (*attributes).setKey, key)
}

// WithCost sets how much of the share of its key the task uses under the discipline
// [Fair], in any unit. The cost must be positive. Other disciplines ignore it, except for
// [Custom] ones.
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

// hasMethods reports whether a task has methods that return its kind or its attributes.
func hasMethods(task Task) bool {
	switch task.(type) {
	case closure: // the usual case, and the cheapest question
		return false
	case forgetful: // a future, which has the methods of its handle
		return false
	case TaskWithKind, TaskWithPriority, TaskWithKey, TaskWithCost, TaskWithDeadline:
		return true
	}
	return false
}

// attributesOf adds the attributes that no option has set to the configuration of a task, which
// may be nil.
func (d *Discipline) attributesOf(task Task, cfg *taskConfig) (*taskConfig, error) {
	if !d.asksByKey() && !hasMethods(task) {
		return cfg, nil
	}
	a := defaultAttributes
	if cfg != nil {
		a = cfg.attributes
	}
	given := attribute(0)
	if cfg != nil {
		given = cfg.given
	}
	faults := d.ask(task, &a, given)
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

// ask calls the methods of a task that return attributes, except the given ones, and the functions of
// the discipline.
func (d Discipline) ask(task Task, a *attributes, given attribute) (faults []error) {
	_, future := task.(forgetful) // it has the methods of its handle
	// The inner ask calls a method if no option has set its attribute.
	ask := func(which attribute, method string, call func() error) {
		if future || given&which != 0 {
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
	// The inner askKey calls a function of the discipline with the key.
	askKey := func(what string, call func(key string) int, set func(n int) error) {
		if call == nil {
			return
		}
		if err := guarded(func() error { return set(call(a.key)) }); err != nil {
			faults = append(faults, fmt.Errorf("taskmanager: the %s of key %q: %w", what, a.key, err))
		}
	}
	askKey("weight", d.weight, a.setWeight)
	askKey("limit", d.limit, a.setKeyLimit)
	return faults
}

// guarded calls a function and converts a panic to an error.
func guarded(call func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = recovered(v)
		}
	}()
	return call()
}
