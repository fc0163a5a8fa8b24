package queue

import (
	"math/bits"

	"github.com/seed56799101/taskmanager/internal/capacity"
)

// heap is the queue behind [Priority] and [Deadline]. It orders items by a key that is
// computed once, at Push. Smaller keys run first, and equal keys run in the order in
// which the items were pushed.
//
// It is a min-max heap (Atkinson, Sack, Santoro and Strothotte, Min-max heaps and
// generalized priority queues, CACM 29, 1986): a binary heap in a slice, with alternating
// levels. An entry on an even level runs before all its descendants, an entry on an odd
// level after all its descendants. The first entry is therefore at the root, the last
// one is a child of the root, and both can be removed in O(log n).
//
// Push costs O(1) on average and O(log n) at worst.
type heap[T any] struct {
	key     func(item T, seq int64) int64
	fault   error // the result of Validate
	entries []entry[T]
	seq     int64 // items pushed so far
}

// entry stores the key with its item, so that comparisons follow no pointers.
type entry[T any] struct {
	key  uint64 // with the sign bit inverted, so that the unsigned order is right
	seq  uint64 // increases with each item pushed
	item T
}

// before returns 1 if a runs before b, and 0 if it runs after b. A reverse of 1 swaps the
// results. No two entries are equal.
//
// The result is the borrow of a 128-bit subtraction. A conditional branch would be
// mispredicted half of the time, and makes Pop take twice as long.
func before[T any](a, b *entry[T], reverse uint64) uint64 {
	_, borrow := bits.Sub64(a.seq, b.seq, 0)
	_, borrow = bits.Sub64(a.key, b.key, borrow)
	return borrow ^ reverse
}

// Validate reports invalid arguments of the constructor.
func (q *heap[T]) Validate() error { return q.fault }

// Push adds an item.
func (q *heap[T]) Push(item T) {
	key := q.key(item, q.seq) // first, because it may panic
	q.entries = append(q.entries, entry[T]{key: uint64(key) ^ 1<<63, seq: uint64(q.seq), item: item})
	q.seq++
	q.up(len(q.entries) - 1)
}

// Pop removes and returns the first item.
func (q *heap[T]) Pop() (item T, ok bool) {
	if len(q.entries) == 0 {
		return item, false
	}
	return q.take(0), true
}

// Len returns the number of items in the queue.
func (q *heap[T]) Len() int { return len(q.entries) }

// CanEvict returns true.
func (q *heap[T]) CanEvict(Victim) bool { return true }

// Evict removes and returns the last item in O(log n), or the oldest in O(n).
func (q *heap[T]) Evict(v Victim) (item T, ok bool) {
	if len(q.entries) == 0 {
		return item, false
	}
	if v == Oldest {
		return q.take(q.oldest()), true
	}
	return q.take(q.last()), true
}

// last returns the index of the entry that runs last. The heap is not empty.
func (q *heap[T]) last() int {
	n := len(q.entries)
	if n > 2 {
		return q.first(1, 2, 1)
	}
	return n - 1
}

// oldest returns the index of the entry that was pushed first. The heap is not empty.
func (q *heap[T]) oldest() int {
	oldest := 0
	for i := range q.entries {
		if q.entries[i].seq < q.entries[oldest].seq {
			oldest = i
		}
	}
	return oldest
}

// Remove removes each item for which gone returns true. It costs O(n).
func (q *heap[T]) Remove(gone func(item T) bool) int {
	kept := q.entries[:0]
	for _, e := range q.entries {
		if !gone(e.item) {
			kept = append(kept, e)
		}
	}
	removed := len(q.entries) - len(kept)
	clear(q.entries[len(kept):])
	q.entries = kept
	if removed > 0 {
		for i := len(kept)/2 - 1; i >= 0; i-- {
			q.down(i)
		}
		q.entries = capacity.Shrink(q.entries)
	}
	return removed
}

// take removes the entry at i and returns its item. The last entry of the slice replaces
// it.
func (q *heap[T]) take(i int) T {
	item := q.entries[i].item
	last := len(q.entries) - 1
	q.entries[i] = q.entries[last]
	q.entries[last] = entry[T]{}
	q.entries = q.entries[:last]
	if i < last {
		q.up(i)
		q.down(i)
	}
	q.entries = capacity.Shrink(q.entries)
	return item
}

// first returns i or j: the index of the entry that runs first, or last if reverse is 1.
func (q *heap[T]) first(i, j int, reverse uint64) int {
	return i + (j-i)*int(before(&q.entries[j], &q.entries[i], reverse))
}

// reversed returns 1 if index i is on an odd level, and 0 otherwise.
func reversed(i int) uint64 { return uint64(bits.Len(uint(i+1))+1) % 2 }

// up moves the entry at i towards the root until its ancestors are in order. The entry
// that replaces it at i may then have to move down.
func (q *heap[T]) up(i int) {
	if i == 0 {
		return
	}
	e, reverse := q.entries[i], reversed(i)
	// The parent is on a level of the other kind. If e is out of order with it, e belongs
	// on the parent's kind of level, and is in order with its ancestors on its own kind.
	if parent := (i - 1) / 2; before(&e, &q.entries[parent], reverse^1) == 1 {
		q.entries[i] = q.entries[parent]
		i, reverse = parent, reverse^1
	}
	for i > 2 {
		grandparent := (i - 3) / 4
		if before(&e, &q.entries[grandparent], reverse) == 0 {
			break
		}
		q.entries[i] = q.entries[grandparent]
		i = grandparent
	}
	q.entries[i] = e
}

// down moves the entry at i away from the root until its descendants are in order.
func (q *heap[T]) down(i int) {
	e, reverse := q.entries[i], reversed(i)
	for 2*i+1 < len(q.entries) {
		first := q.firstBelow(i, reverse)
		if before(&q.entries[first], &e, reverse) == 0 {
			break
		}
		q.entries[i] = q.entries[first]
		child := first <= 2*i+2
		i = first
		if child {
			break // it has no children: one of them would have been first
		}
		// The new parent of e is on a level of the other kind.
		if parent := (first - 1) / 2; before(&q.entries[parent], &e, reverse) == 1 {
			q.entries[parent], e = e, q.entries[parent]
		}
	}
	q.entries[i] = e
}

// firstBelow returns the index of the first entry among the children and grandchildren
// of i, in the order of the level of i. There is at least one child.
func (q *heap[T]) firstBelow(i int, reverse uint64) int {
	child, grandchild, n := 2*i+1, 4*i+3, len(q.entries)
	if grandchild+3 < n { // both children have children, so neither is first
		return q.first(
			q.first(grandchild, grandchild+1, reverse),
			q.first(grandchild+2, grandchild+3, reverse), reverse)
	}
	first := child
	if child+1 < n {
		first = q.first(first, child+1, reverse)
	}
	for ; grandchild < n; grandchild++ {
		first = q.first(first, grandchild, reverse)
	}
	return first
}
