package taskmanager

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// Discipline is the order in which waiting tasks run; see [WithQueue]. Functions of this
// package, such as [FIFO], make disciplines. A Discipline may be used for several
// managers.
type Discipline struct {
	name    string
	queue   queue.Factory[*Handle]
	fair    bool                 // Fair, also inside limits
	weight  func(key string) int // nil: equal weights
	limit   func(key string) int // how many tasks of a key may run at once, 0: any number; nil: no limits
	custom  bool                 // the factory is user code
	invalid error                // a fault that Validate of the queue does not find

	limitBy   []attributeLimit // LimitBy, from the innermost on
	resources map[string]int64 // capacities; nil: none
}

// WithQueue sets the discipline, which decides the order in which waiting tasks run. The
// default is [FIFO].
func WithQueue(d Discipline) Option {
	return option{name: "WithQueue", set: func(c *config) { c.discipline = d }, fault: d.fault()}
}

// asks reports whether each submit calls a function of the discipline.
func (d *Discipline) asks() bool { return d.asksByKey() || d.limitBy != nil }

// asksByKey reports whether each submit calls a function of the discipline with the key of its task.
func (d *Discipline) asksByKey() bool { return d.weight != nil || d.limit != nil }

// fault returns the faults of the arguments from which the discipline was made.
func (d Discipline) fault() error {
	if d.queue == nil {
		return errors.New("the discipline has no queue; make one with FIFO, LIFO, Priority, Deadline, Fair, LimitByKey, LimitBy, Resources, CoDel or Custom")
	}
	if d.custom || d.invalid != nil {
		return d.invalid // the pool validates a custom queue, so that the factory is called only once
	}
	if v, ok := d.queue().(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// clash returns an error if the discipline cannot be combined with an overflow policy.
func (d Discipline) clash(o Overflow) error {
	if d.custom || d.queue == nil {
		return nil // the pool checks it
	}
	q := d.queue()
	evictor, evicts := q.(queue.Evictor[*Handle])
	cannotEvict := func(v queue.Victim) bool { return !evicts || !evictor.CanEvict(v) }
	_, limits := q.(queue.Holder)
	switch {
	case o == DropOldest && cannotEvict(queue.Oldest):
		return fmt.Errorf("taskmanager: WithLimit: DropOldest cannot be combined with %s, which cannot find the oldest task; choose DropWorst or DropNewest", d.name)
	case o == DropWorst && cannotEvict(queue.Worst):
		return fmt.Errorf("taskmanager: WithLimit: DropWorst cannot be combined with %s, which cannot find the worst task; choose DropNewest", d.name)
	case o == CallerRuns && limits:
		return fmt.Errorf("taskmanager: WithLimit: CallerRuns cannot be combined with %s, whose limits it would bypass; choose Block or Reject", d.name)
	}
	return nil
}

// FIFO runs tasks in the order of their submits. It is the default and the fastest
// discipline.
func FIFO() Discipline { return Discipline{name: "FIFO", queue: queue.NewFIFO[*Handle]} }

// LIFO runs the newest task first. Combine it with [WithLimit] and [DropOldest] for work
// that loses its value with time.
func LIFO() Discipline { return Discipline{name: "LIFO", queue: queue.NewLIFO[*Handle]} }

// Priority runs the task with the highest level first, and tasks of equal level in the
// order of their submits. The level is set by [WithPriority] or [TaskWithPriority]; the
// default is 0.
//
// An ageing of 0 means strict priority: tasks of lower levels may wait for ever. With a
// positive ageing, a task gains one level, relative to newer tasks, for each ageing tasks
// that are submitted after it. At most (pmax−p)·ageing newer tasks then overtake a task
// of level p, where pmax is the highest level in use. See [queue.Priority].
func Priority(ageing int) Discipline {
	return Discipline{name: fmt.Sprintf("Priority(%d)", ageing), queue: queue.Priority((*Handle).Priority, ageing)}
}

// Deadline runs the task with the earliest deadline first. The deadline is set by
// [WithDeadline] or [TaskWithDeadline]. A task without a deadline is due horizon after it
// was queued; with a horizon of 0, tasks without a deadline run last and may wait for
// ever. A task that is late under its TaskWithDeadline still runs. See [queue.Deadline].
func Deadline(horizon time.Duration) Discipline {
	return Discipline{
		name: fmt.Sprintf("Deadline(%v)", horizon),
		queue: queue.Deadline(queue.DeadlineConfig[*Handle]{
			Deadline: (*Handle).Deadline, Horizon: horizon, Enqueued: (*Handle).enqueued,
		}),
	}
}

// Fair shares the workers between keys, in proportion to their weights. The key of a task
// is set by [WithKey] or [TaskWithKey]; tasks without a key share the key "". A key that
// floods the queue delays only its own tasks. Tasks of one key run in the order of their
// submits.
//
// Shares are measured in the costs of tasks, which [WithCost] or [TaskWithCost] set; the
// default is 1. The function weight returns the weight of a key, which must be positive.
// It is called when a task is submitted, and by [TaskManager.Weight], possibly by several
// goroutines at once; if it panics in a submit, the submit fails. If weight is
// nil, all keys have the same weight. See [queue.Fair] for the guarantees.
func Fair(weight func(key string) int) Discipline {
	return Discipline{
		name: "Fair",
		queue: queue.Fair(queue.FairConfig[*Handle, string]{
			Key: (*Handle).Key, Weight: (*Handle).weight, Cost: (*Handle).Cost,
		}),
		fair: true, weight: weight,
	}
}

// LimitByKey runs at most n tasks of a key at once. With n = 1, the tasks of a key run
// one after another, in the order of their submits. The key of a task is set by [WithKey]
// or [TaskWithKey]. Tasks without a key are not limited; [LimitByKeyFunc] can limit them
// too. A task that waits to restart does not count, so other tasks of its key may run
// during that wait.
//
// The discipline inner orders the tasks that the limits of their keys allow to run. It
// sees a task only from that moment, and counts waits and ageing from then on. Over
// [FIFO], for example, a task that was held back runs after all tasks that were allowed
// to run before it. See [queue.LimitByKey].
func LimitByKey(n int, inner Discipline) Discipline {
	d := LimitByKeyFunc(func(key string) int {
		if key == "" {
			return 0
		}
		return n
	}, inner)
	if n < 1 {
		d.invalid = errors.Join(d.invalid, fmt.Errorf("LimitByKey: the limit is %d; it must be 1 or more", n))
	}
	return d
}

// LimitByKeyFunc is [LimitByKey] with a limit for each key. The function limit returns that of
// a key: 1 or more, or 0 for no limit. It is also called for "", the key of tasks without one.
//
// The function must always return the same result for a key, and be safe for concurrent use. It
// is called in each submit. If it panics or returns a negative number, the submit fails. If one
// LimitByKeyFunc or LimitByKey is inside another, the lower limit of a key counts.
func LimitByKeyFunc(limit func(key string) int, inner Discipline) Discipline {
	d := inner
	if inner.queue == nil {
		return d // WithQueue reports it
	}
	if limit == nil {
		d.invalid = errors.Join(d.invalid, errors.New("LimitByKeyFunc: the function is nil; it returns the limit of a key"))
		return d
	}
	d.name = "LimitByKey over " + inner.name
	if inner.limit == nil { // otherwise the queue asks keyLimit already
		d.queue = queue.LimitByKeyFunc((*Handle).keyLimit, (*Handle).Key, inner.queue)
	}
	d.limit = lower(limit, inner.limit)
	return d
}

// lower returns the function that returns the lower one of two limits; 0 is no limit. The
// second function may be nil.
func lower(limit, other func(key string) int) func(key string) int {
	if other == nil {
		return limit
	}
	return func(key string) int {
		n, m := limit(key), other(key)
		if n == 0 || m == 0 {
			return n + m
		}
		return min(n, m)
	}
}

// CoDelConfig configures [CoDel]. Zero values mean the defaults.
type CoDelConfig = queue.CoDelConfig

// CoDel runs tasks in the order of their submits. While the manager is overloaded, it
// sheds tasks that have waited too long, so that the others run in time. A shed task ends
// with [ErrShed] without having run. See [queue.CoDel] for the algorithm.
func CoDel(cfg CoDelConfig) Discipline {
	return Discipline{name: "CoDel", queue: queue.CoDel[*Handle](cfg)}
}

// Custom makes a discipline from a queue of your own. The queue may order by the
// Priority, Key, Deadline and Cost of a [Handle]. It must call no other method of a
// Handle, because the pool calls the queue with a lock held for which these methods may
// wait.
//
// If the queue panics in Push, the task being pushed ends with that panic. A panic in
// another method ends the process. Package queue/queuetest checks an implementation. [Resources]
// over it, or several limits, call the factory for each group of tasks that they hold back, and need
// a queue that implements [queue.Remover].
func Custom(factory queue.Factory[*Handle]) Discipline {
	return Discipline{name: "Custom", queue: factory, custom: true}
}
