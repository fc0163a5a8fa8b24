package queue

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ResourcesConfig configures [Resources].
type ResourcesConfig[T any] struct {
	// Capacity has the amount of each resource, in any unit: 1 or more. There must be 1 to 64
	// resources.
	Capacity map[string]int64
	// Amount returns how much of a resource an item needs, from 0 to the capacity. It is called
	// for each resource of Capacity, and must always return the same result. If the result is
	// out of range, Push panics and leaves the queue unchanged. Required.
	Amount func(item T, resource string) int64
}

// Resources returns the discipline that admits an item to the inner discipline when there is enough
// of each resource that it needs; nil means [NewFIFO]. The amounts of the items that are admitted and
// have not ended never exceed a capacity. An item uses its amounts from its admission, while it
// waits in the inner queue, until its end. An item that needs no resource is admitted at once.
//
// Held items that need the same resources are ordered by an instance of the inner discipline, so its
// guarantees hold among them: of levels, deadlines and keys, for example. Its next item is their
// head. It keeps this place: one item at most comes too late to overtake it. Of the heads of
// different sets of resources, the one that became a head first comes first.
//
// Large items do not starve. From the moment when an item is a head, what becomes free of the
// resources that it needs is kept for it and for the heads before it. A later item is admitted only
// if it leaves them what they need. So a head is admitted, at the latest, when all items have ended
// that had been admitted by then, and after them the heads before it, of which there is at most one
// for each other set of resources that held items need. If items need only one resource, and run
// for d at most after their admission, then a head waits for d at most.
//
// There is one exception. While items that have lent their places (see [Lender]) use so much that a
// held item cannot fit until they end, it is set aside, and others overtake it: they may be those
// for which these items wait. Items that need the same amounts do not overtake one another by that.
//
// The inner discipline sees an item when it becomes held, and again when it is admitted; see
// [LimitByKey] for what that means. If it panics in Push in the second case, the item is discarded.
// A limit per key may be inside or outside; see LimitByKey. While it holds an item back, nothing is
// kept for the item.
//
// Push, Pop and Finish add a cost of O(r + c²) to that of the inner discipline, for r resources and
// c sets of resources that held items need, however many items are held, plus O(log k) for each
// item that is set aside. The queue implements [Holder],
// [Finisher], [Lender], [Remover], [Discarder], and, as far as the inner queue does, [Evictor],
// [Fronter], [Clocked] and [Drainer]. The [Worst] item is that of the held items that need the same
// resources as most other held items, or that of the inner queue if none is held. The queue cannot
// find the [Oldest] item. The inner queue must implement [Remover]. Validate reports invalid
// arguments, also those of the inner discipline; see [Factory].
func Resources[T any](cfg ResourcesConfig[T], inner Factory[T]) Factory[T] {
	if inner == nil {
		inner = NewFIFO[T]
	}
	return func() Queue[T] {
		g := gateOver(inner)
		if g.resources != nil {
			g.faults = append(g.faults, errors.New("queue: Resources: the inner discipline has resources too; use one Resources for all"))
			return g
		}
		g.faults = append(g.faults, cfg.fault())
		g.amount = cfg.Amount
		for _, name := range slices.Sorted(maps.Keys(cfg.Capacity)) {
			n := cfg.Capacity[name]
			g.resources = append(g.resources, resource{name: name, capacity: n, free: n})
		}
		return g
	}
}

// fault returns the faults of the configuration.
func (c ResourcesConfig[T]) fault() error {
	var faults []error
	if c.Amount == nil {
		faults = append(faults, errNilFunc("Resources", "Amount"))
	}
	if n := len(c.Capacity); n < 1 || n > maxResources {
		faults = append(faults, fmt.Errorf("queue: Resources: there are %d resources; there must be 1 to %d", n, maxResources))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Capacity)) {
		if n := c.Capacity[name]; n < 1 {
			faults = append(faults, fmt.Errorf("queue: Resources: the capacity of %q is %d; it must be 1 or more", name, n))
		}
	}
	return errors.Join(faults...)
}
