package taskmanager

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// Discipline says in which order waiting tasks run; see WithQueue. Make one with
// the functions of this package that return one. It may be used for several
// managers.
type Discipline struct {
	name   string
	queue  queue.Factory[*Handle]
	wants  attribute
	weight func(key string) int // nil: all keys weigh the same
	perKey int                  // how many tasks of a key may run at once; 0: any number
	custom bool                 // its factory is somebody else's
}

// WithQueue sets the discipline, which says in which order waiting tasks run. The
// default is FIFO.
func WithQueue(d Discipline) Option {
	return option{name: "WithQueue", set: func(c *config) { c.discipline = d }, fault: d.fault()}
}

// fault is what is wrong with the arguments that the discipline was made of.
func (d Discipline) fault() error {
	if d.queue == nil {
		return errors.New("the discipline has no queue; make one with FIFO, LIFO, Priority, Deadline, Fair, LimitByKey, CoDel or Custom")
	}
	if d.custom {
		return nil // its factory is called once, by the pool, which asks too
	}
	if v, ok := d.queue().(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// clash is what keeps the discipline from going with an overflow policy.
func (d Discipline) clash(o Overflow) error {
	if d.custom || d.queue == nil {
		return nil // the pool will tell
	}
	q := d.queue()
	evictor, evicts := q.(queue.Evictor[*Handle])
	cannotEvict := func(v queue.Victim) bool { return !evicts || !evictor.CanEvict(v) }
	_, limits := q.(queue.Holder)
	switch {
	case o == DropOldest && cannotEvict(queue.Oldest):
		return fmt.Errorf("taskmanager: WithLimit: DropOldest does not go with %s, which cannot tell the oldest task; choose DropWorst or DropNewest", d.name)
	case o == DropWorst && cannotEvict(queue.Worst):
		return fmt.Errorf("taskmanager: WithLimit: DropWorst does not go with %s, which cannot tell the worst task; choose DropNewest", d.name)
	case o == CallerRuns && limits:
		return fmt.Errorf("taskmanager: WithLimit: CallerRuns does not go with %s, whose limits it would pass by; choose Block or Reject", d.name)
	}
	return nil
}

// FIFO runs tasks in the order of their submits. It is the default, and the
// quickest.
func FIFO() Discipline { return Discipline{name: "FIFO", queue: queue.NewFIFO[*Handle]} }

// LIFO runs the newest task first. With WithLimit and DropOldest it serves work
// whose value fades.
func LIFO() Discipline { return Discipline{name: "LIFO", queue: queue.NewLIFO[*Handle]} }

// Priority runs the most important task first: that with the highest level, from
// WithPriority or a TaskWithPriority, 0 by default.
//
// With an ageing of 0 it is strict, and tasks of a lower level may wait for ever.
// With a positive one a task gains a level, compared with those that come later,
// for each ageing tasks submitted after it: one of level p is overtaken by at
// most (pmax−p)·ageing of them, pmax being the highest level in use. See
// queue.Priority.
func Priority(ageing int) Discipline {
	return Discipline{name: "Priority", queue: queue.Priority((*Handle).Priority, ageing), wants: priorityAttribute}
}

// Deadline runs the most urgent task first: that with the earliest deadline, from
// WithDeadline or a TaskWithDeadline. A task without one counts as due the
// horizon after it was queued; with a horizon of 0 such tasks come last, and may
// wait for ever. A task that is late runs all the same. See queue.Deadline.
func Deadline(horizon time.Duration) Discipline {
	return Discipline{
		name: "Deadline",
		queue: queue.Deadline(queue.DeadlineConfig[*Handle]{
			Deadline: (*Handle).Deadline, Horizon: horizon, Enqueued: (*Handle).enqueued,
		}),
		wants: deadlineAttribute,
	}
}

// Fair shares the workers between keys, from WithKey or a TaskWithKey, in
// proportion to their weights, so that one that floods the queue delays only
// itself. Tasks without a key have the key "". The tasks of a key run in
// the order of their submits.
//
// A share is counted in the costs of tasks, from WithCost or a TaskWithCost, 1 by
// default. The weight of a key is asked for when a task is submitted; it must be
// positive, and a panic makes the submit fail. A nil function means that all keys
// are worth the same. See queue.Fair for what is guaranteed.
func Fair(weight func(key string) int) Discipline {
	return Discipline{
		name: "Fair",
		queue: queue.Fair(queue.FairConfig[*Handle, string]{
			Key: (*Handle).Key, Weight: (*Handle).weight, Cost: (*Handle).Cost,
		}),
		wants:  keyAttribute | costAttribute,
		weight: weight,
	}
}

// LimitByKey runs at most n tasks of a key at once, from WithKey or a
// TaskWithKey. With an n of 1 the tasks of a key run one after the other, in the
// order of their submits. Tasks without a key have the key "", which is limited
// too. A task that waits to restart does not count, so that others of its key may
// run meanwhile.
//
// What may run is ordered by inner, from the moment on at which it may: over FIFO the
// next task of a key comes after all that may run already, and what inner counts,
// an ageing or a wait, begins then. See queue.LimitByKey.
func LimitByKey(n int, inner Discipline) Discipline {
	d := inner
	if inner.queue != nil {
		d.name = "LimitByKey over " + inner.name
		d.queue = queue.LimitByKey(n, (*Handle).Key, inner.queue)
		d.wants |= keyAttribute
		if d.perKey == 0 || n < d.perKey {
			d.perKey = n
		}
	}
	return d
}

// CoDelConfig adjusts CoDel; zero values mean defaults.
type CoDelConfig = queue.CoDelConfig

// CoDel runs tasks in the order of their submits and, while the manager is
// overloaded, sheds those that have waited for too long, so that the others run
// in time: a shed task ends with ErrShed, without having run. See queue.CoDel for
// when that is.
func CoDel(cfg CoDelConfig) Discipline {
	return Discipline{name: "CoDel", queue: queue.CoDel[*Handle](cfg)}
}

// Custom is a discipline of your own. It can order by the Priority, Key, Deadline
// and Cost of a Handle, and by nothing else of it: the pool calls it with a lock
// held, and other methods may wait for that. If it panics in Push, that task ends
// with the panic; anywhere else, the process does. Package queue/queuetest checks
// that it does what it must.
func Custom(factory queue.Factory[*Handle]) Discipline {
	return Discipline{name: "Custom", queue: factory, wants: allAttributes, custom: true}
}
