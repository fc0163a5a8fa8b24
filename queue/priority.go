package queue

import (
	"fmt"
)

// Priority returns the discipline that hands out the item of the highest level
// first, and among equals the one that came first.
//
// With an ageing of 0 it is strict: while items of a higher level come, those of
// a lower one wait, if need be for ever. A positive ageing prevents that: an
// item counts as one level higher than it is, compared with those that come
// later, for each ageing items pushed after it. Of items of level p, with pmax
// the highest level there is, no more than (pmax−p)·ageing later ones overtake
// any. So an ageing of 1,000 lets a level be worth a head start of 1,000 items.
//
// The order is by time of arrival less a head start for the level, so it is decided
// once and for all at the push: the urgency numbers of Jackson (Some problems in
// queueing with dynamic priorities, Naval Research Logistics Quarterly 7, 1960),
// with items for a clock.
//
// It costs O(log n) a push and pop. It implements [Remover] and [Evictor]; the worst
// item is the last in order, and the oldest is found in O(n).
// Levels beyond ±2³⁰ count as that. A level that is nil, or an ageing that is
// negative or above 2³⁰, is reported by Validate; see [Factory].
func Priority[T any](level func(item T) int, ageing int) Factory[T] {
	// An item of level p that is pushed as the seq-th goes before one of level p'
	// pushed as the seq'-th if seq − p·ageing < seq' − p'·ageing.
	key := func(item T, seq int64) int64 { return seq - clampLevel(level(item))*int64(ageing) }
	if ageing == 0 { // that is, without end: the level alone counts
		key = func(item T, _ int64) int64 { return -clampLevel(level(item)) }
	}
	var fault error
	switch {
	case level == nil:
		fault = errNilFunc("Priority", "level")
	case ageing < 0 || ageing > maxLevel:
		fault = fmt.Errorf("queue: Priority: the ageing is %d; it must be from 1 to %d items, or 0 for strict priority", ageing, maxLevel)
	}
	return func() Queue[T] { return &heap[T]{key: key, fault: fault} }
}

// maxLevel squared leaves room in an int64 for the number of items ever pushed.
const maxLevel = 1 << 30

func clampLevel(level int) int64 { return int64(max(min(level, maxLevel), -maxLevel)) }

// errNilFunc reports a function that a constructor cannot do without.
func errNilFunc(constructor, parameter string) error {
	return fmt.Errorf("queue: %s: the function %s is nil; the discipline reads it off each item", constructor, parameter)
}
