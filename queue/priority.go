package queue

import (
	"fmt"
)

// Priority returns the discipline that runs the item with the highest level first, and
// items of equal level in the order in which they were pushed.
//
// An ageing of 0 means strict priority: an item waits as long as items of higher level
// arrive, possibly for ever. With a positive ageing, an item gains one level relative to
// newer items for each ageing items pushed after it. At most (pmax−p)·ageing newer items
// then overtake an item of level p, where pmax is the highest level in use. With an ageing
// of 1,000, for example, one level is worth a lead of 1,000 items.
//
// Ageing follows Jackson's urgency numbers (Some problems in queueing with dynamic
// priorities, Naval Research Logistics Quarterly 7, 1960), with the number of items
// pushed as the time. The relative order of two items never changes, so it is computed
// once, at Push.
//
// Push and Pop cost O(log n). The queue implements [Remover], [Evictor] and [Fronter]. With an
// ageing, an item that is put in front is as old as the last item of its level that was popped; the
// first use costs O(n). The [Worst] item is the last in this order; evicting the [Oldest] costs
// O(n). Levels are limited to ±2³⁰.
// Validate reports a nil level, and an ageing that is negative or above 2³⁰; see [Factory].
func Priority[T any](level func(item T) int, ageing int) Factory[T] {
	// Item i runs before item j if seqᵢ − levelᵢ·ageing < seqⱼ − levelⱼ·ageing.
	key := func(item T, seq int64) int64 { return seq - clampLevel(level(item))*int64(ageing) }
	if ageing == 0 {
		key = func(item T, _ int64) int64 { return -clampLevel(level(item)) }
	}
	var fault error
	switch {
	case level == nil:
		fault = errNilFunc("Priority", "level")
	case ageing < 0 || ageing > maxLevel:
		fault = fmt.Errorf("queue: Priority: the ageing is %d; it must be from 1 to %d items, or 0 for strict priority", ageing, maxLevel)
	}
	return func() Queue[T] { return &heap[T]{key: key, ages: ageing > 0, fault: fault} }
}

// maxLevel is the largest level and the largest ageing. Their product leaves enough room
// in an int64 for the sequence number of an item.
const maxLevel = 1 << 30

func clampLevel(level int) int64 { return int64(max(min(level, maxLevel), -maxLevel)) }

// errNilFunc reports that a required function is nil.
func errNilFunc(constructor, parameter string) error {
	return fmt.Errorf("queue: %s: the function %s is nil; it is required", constructor, parameter)
}
