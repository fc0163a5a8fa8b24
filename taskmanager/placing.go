package taskmanager

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed56799101/taskmanager/queue"
)

// placing has what few tasks need to get their place in the queue. It does not change after the
// submit.
type placing struct {
	needs  []need   // of WithResource; one for each resource
	values []string // of the limits of LimitBy, from the innermost on; nil: all are ""
	front  bool     // WithRestartAtFront
}

// need is an amount of a resource.
type need struct {
	resource string
	amount   int64
}

// noPlacing is that of most tasks.
var noPlacing placing

// placing returns the placing of the task.
func (h *Handle) placing() *placing {
	if h.cfg == nil || h.cfg.placing == nil {
		return &noPlacing
	}
	return h.cfg.placing
}

// placed returns the placing to write to.
func (c *taskConfig) placed() *placing {
	if c.placing == nil {
		c.placing = new(placing)
	}
	return c.placing
}

// amountOf returns how much of a resource the task needs.
func (h *Handle) amountOf(resource string) int64 {
	for _, n := range h.placing().needs {
		if n.resource == resource {
			return n.amount
		}
	}
	return 0
}

// valueOf returns the value of an attribute of LimitBy.
func (h *Handle) valueOf(limit int) string {
	if v := h.placing().values; v != nil {
		return v[limit]
	}
	return ""
}

// Resources starts a task only when there is enough of each resource that it needs: memory,
// connections or licences, for example. The map has the capacity of each resource, in any unit,
// and [WithResource] says what a task needs. What the running tasks need together never exceeds a
// capacity. The discipline inner orders the tasks, those that wait for the same resources too; nil
// amounts are not limited, and a task that needs nothing does not wait.
//
// A large task does not starve. When it is the next one of those that need the same resources, what
// becomes free is kept for it: a later task may overtake it only if it leaves enough. If tasks need
// one resource only, the next one starts as soon as tasks have ended that had their resources
// before. See [queue.Resources] for the bound with several resources.
//
// A task has its resources from the moment when there are enough, while it waits for a worker, until
// its execution ends. It gives them back while it waits to restart. It keeps them while it lends its
// slot, in [Handle.Wait] or [Blocking]; meanwhile those that need more than the rest are overtaken by
// others. A wait for a task that cannot get what it needs before the waiting tasks end returns
// [ErrWouldDeadlock].
//
// Resources, [LimitByKey] and [LimitBy] can be combined in any order. A task that one of them
// holds back uses up none of the others.
func Resources(capacity map[string]int64, inner Discipline) Discipline {
	d := inner
	if inner.queue == nil {
		return d // WithQueue reports it
	}
	capacity = maps.Clone(capacity)
	d.name = "Resources over " + inner.name
	d.queue = queue.Resources(queue.ResourcesConfig[*Handle]{Capacity: capacity, Amount: (*Handle).amountOf}, inner.queue)
	d.resources = capacity
	return d
}

// WithResource says that each execution of the task needs an amount of a resource of the discipline
// [Resources]. The amount is from 0 to the capacity. The option can be given for several resources.
// The submit fails if the discipline has no such resource, or less of it.
func WithResource(name string, amount int64) TaskOption {
	return taskOption(func(c *taskConfig) error {
		p := c.placed()
		p.needs = slices.DeleteFunc(p.needs, func(n need) bool { return n.resource == name })
		if amount > 0 {
			p.needs = append(p.needs, need{name, amount})
		}
		return fault(amount < 0, "taskmanager: WithResource: the amount of %q is %d; it must not be negative", name, amount)
	})
}

// attributeLimit is a limit of LimitBy.
type attributeLimit struct {
	most      int
	attribute func(h *Handle) string
}

// LimitBy runs at most n tasks at once whose attribute is the same, as [LimitByKey] does for the
// key. So different attributes can be limited at once, and the key remains for [Fair]: with
// LimitBy(2, (*Handle).Kind, Fair(nil)), tenants take turns, and at most two tasks of a kind run.
// Tasks whose attribute is "" are not limited. A task that one of several limits holds back does not
// count for the others.
//
// The function attribute is called once for each task, at the submit, on the goroutine of the
// submitter, and must be safe for concurrent use. It may call the Name, Kind, Key, Priority,
// Deadline and Cost of the task and no other methods. If it panics, the submit fails.
//
// LimitBy, LimitByKey and [Resources] can be inside one another, in any order, but LimitBy at most
// three times.
func LimitBy(n int, attribute func(h *Handle) string, inner Discipline) Discipline {
	d := inner
	if inner.queue == nil {
		return d // WithQueue reports it
	}
	d.invalid = errors.Join(d.invalid,
		fault(n < 1, "LimitBy: the limit is %d; it must be 1 or more", n),
		fault(attribute == nil, "LimitBy: the function is nil; it returns the attribute of a task"),
		fault(len(inner.limitBy) == maxLimitBy, "LimitBy: there are more than %d; combine two attributes to one", maxLimitBy))
	at := len(inner.limitBy)
	d.name = "LimitBy over " + inner.name
	d.limitBy = append(slices.Clip(inner.limitBy), attributeLimit{n, attribute})
	value := func(h *Handle) string { return h.valueOf(at) }
	most := func(h *Handle) int {
		if value(h) == "" {
			return 0
		}
		return n
	}
	d.queue = queue.LimitByKeyFunc(most, value, inner.queue)
	return d
}

// maxLimitBy is one less than the number of limits that a queue can have, for LimitByKey.
const maxLimitBy = 3

// place completes the placing of a task that is being submitted, and checks it. No other goroutine
// knows h yet.
func (m *TaskManager) place(h *Handle) error {
	p := h.placing()
	var faults []error
	if p.front && !m.pool.CanRequeueFirst() {
		faults = append(faults, fmt.Errorf("taskmanager: WithRestartAtFront: the discipline %s cannot put a task first; leave the option out, or choose another discipline", m.queue.name))
	}
	for _, n := range p.needs {
		faults = append(faults, m.queue.needFault(n))
	}
	for i, l := range m.queue.limitBy {
		value := ""
		if err := guarded(func() error { value = l.attribute(h); return nil }); err != nil {
			faults = append(faults, fmt.Errorf("taskmanager: the function of LimitBy, for task %q: %w", h.name, err))
		}
		if value == "" {
			continue
		}
		if h.cfg == nil {
			h.cfg = &taskConfig{attributes: defaultAttributes}
		}
		if p = h.cfg.placed(); p.values == nil {
			p.values = make([]string, len(m.queue.limitBy))
		}
		p.values[i] = value
	}
	return errors.Join(faults...)
}

// needFault returns an error if the discipline does not have what a task needs.
func (d *Discipline) needFault(n need) error {
	capacity, known := d.resources[n.resource]
	switch {
	case d.resources == nil:
		return fmt.Errorf("taskmanager: WithResource: the task needs %q, and the manager has no resources; use the discipline Resources", n.resource)
	case !known:
		return fmt.Errorf("taskmanager: WithResource: there is no resource %q; the discipline has %q", n.resource, slices.Sorted(maps.Keys(d.resources)))
	case n.amount > capacity:
		return fmt.Errorf("taskmanager: WithResource: the task needs %d of %q; the capacity is %d", n.amount, n.resource, capacity)
	}
	return nil
}

// holdsBack reports whether the discipline may hold tasks back until others end.
func (d *Discipline) holdsBack() bool {
	return d.limit != nil || d.limitBy != nil || d.resources != nil
}

// WithRestartAtFront lets a failed task that restarts queue at the front: before the tasks of its
// level under [Priority], of its key under [Fair], of its deadline under [Deadline], and before all
// others under [FIFO] and [LIFO]. With a delay between the failure and the restart, it queues at the
// front when the delay has passed. Otherwise a restart queues at the back, as a new task does.
//
// As an option of a manager it applies to all tasks, and as an option of a submit to one. Under
// [LimitByKey], [LimitBy] and [Resources] a task that is held back is the next one of those that
// wait for the same, behind the one that the discipline has already chosen, if any. With an ageing,
// Priority counts it as old as the last task of its level that a worker took. [CoDel] cannot put a
// task first, nor can a [Custom] queue without the capability of a [queue.Fronter]: Start, or the
// submit, returns an error.
func WithRestartAtFront() RestartOption { return frontOption{} }

type frontOption struct{}

func (frontOption) apply(c *config) error { c.atFront = true; return nil }

func (frontOption) applyTask(c *taskConfig) error { c.placed().front = true; return nil }

// restartFault returns an error if restarted tasks cannot be put first.
func (c *config) restartFault() error {
	if d := c.discipline; c.atFront && !d.custom && d.queue != nil { // the pool checks a custom one
		if f, ok := d.queue().(queue.Fronter[*Handle]); !ok || !f.CanPushFront() {
			return fmt.Errorf("taskmanager: WithRestartAtFront: the discipline %s cannot put a task first; leave the option out, or choose another discipline", d.name)
		}
	}
	return nil
}

// restartsAtFront reports whether the task queues at the front when it restarts.
func (h *Handle) restartsAtFront() bool { return h.m.atFront || h.placing().front }
