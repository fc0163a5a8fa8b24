package queue

import (
	"math/bits"
)

// heap is a queue ordered by a static key, the least first, and among equal keys
// by arrival: what [Priority] and [Deadline] are made of.
//
// It is a min-max heap (Atkinson, Sack, Santoro and Strothotte, Min-max heaps and
// generalized priority queues, CACM 29, 1986): a binary heap in one slice whose
// levels alternate. An entry on an even level comes before all of its
// descendants, one on an odd level after all of them. So the next to run is at
// the root and the last to run right below, and a full queue can give up the
// latter in O(log n), under the very overload in which it matters.
//
// Push costs O(1) on average and O(log n) at worst, Pop and Evict O(log n). The
// key is computed once, when the item is pushed, and stands beside it, so that
// no comparison leaves the slice.
type heap[T any] struct {
	key     func(item T, seq int64) int64
	fault   error // what is wrong with the arguments of the constructor
	entries []entry[T]
	seq     int64 // items pushed so far
}

type entry[T any] struct {
	// The key, with its sign bit turned over so that it orders without a sign,
	// and the place in the order of arrival.
	key, seq uint64
	item     T
}

// before reports, as 1 or 0, whether a runs before b, or, with a reverse of 1,
// after it. No two entries are equal.
//
// It is the borrow of a subtraction of 128 bits. Comparisons in a heap come out
// either way as often; as branches, half of which the processor guesses wrong,
// they took twice as long.
func before[T any](a, b *entry[T], reverse uint64) uint64 {
	_, borrow := bits.Sub64(a.seq, b.seq, 0)
	_, borrow = bits.Sub64(a.key, b.key, borrow)
	return borrow ^ reverse
}

// Validate reports bad arguments of the constructor.
func (q *heap[T]) Validate() error { return q.fault }

// Push adds an item.
func (q *heap[T]) Push(item T) {
	key := q.key(item, q.seq) // first: if it panics, nothing has changed
	q.entries = append(q.entries, entry[T]{key: uint64(key) ^ 1<<63, seq: uint64(q.seq), item: item})
	q.seq++
	q.up(len(q.entries) - 1)
}

// Pop takes the first item.
func (q *heap[T]) Pop() (item T, ok bool) {
	if len(q.entries) == 0 {
		return item, false
	}
	return q.take(0), true
}

// Len is the number of items held.
func (q *heap[T]) Len() int { return len(q.entries) }

// CanEvict reports that a heap can find any victim.
func (q *heap[T]) CanEvict(Victim) bool { return true }

// Evict takes the last item in O(log n), or the oldest in O(n).
func (q *heap[T]) Evict(v Victim) (item T, ok bool) {
	if len(q.entries) == 0 {
		return item, false
	}
	if v == Oldest {
		return q.take(q.oldest()), true
	}
	return q.take(q.last()), true
}

// last is the index of the last item in the order of the heap, which is not empty.
func (q *heap[T]) last() int {
	n := len(q.entries)
	if n > 2 {
		return q.first(1, 2, 1)
	}
	return n - 1
}

// oldest is the index of the item that was pushed first. The heap is not empty.
func (q *heap[T]) oldest() int {
	oldest := 0
	for i := range q.entries {
		if q.entries[i].seq < q.entries[oldest].seq {
			oldest = i
		}
	}
	return oldest
}

// Remove takes out every item for which gone reports true. O(n).
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
		q.shrink()
	}
	return removed
}

// take removes the entry at i, whose place the last one takes.
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
	q.shrink()
	return item
}

// minCapacity is the capacity that a heap keeps in any case.
const minCapacity = 4096

// shrink gives memory back after a burst: when an eighth is in use, half of it
// goes. Far from where it grows, so a queue that swings a little moves nothing.
func (q *heap[T]) shrink() {
	if c := cap(q.entries); c > minCapacity && len(q.entries) <= c/8 {
		q.entries = append(make([]entry[T], 0, c/2), q.entries...)
	}
}

// first returns which of the entries at i and j runs first, or, with a reverse
// of 1, last.
func (q *heap[T]) first(i, j int, reverse uint64) int {
	return i + (j-i)*int(before(&q.entries[j], &q.entries[i], reverse))
}

// reversed is 1 if the entry at i is on a level of those that come after their
// descendants, and 0 otherwise.
func reversed(i int) uint64 { return uint64(bits.Len(uint(i+1))+1) % 2 }

// up moves the entry at i towards the root, as far as it must not stay below
// what is above it. An ancestor that it passes may then have to go down from i.
func (q *heap[T]) up(i int) {
	if i == 0 {
		return
	}
	e, reverse := q.entries[i], reversed(i)
	// The parent is on a level of the other kind. If e is on its wrong side, so
	// it is of all the levels of e's kind, and on the right one of its own.
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

// down moves the entry at i away from the root, as far as it must not stay
// above what is below it.
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
			break // and it has no children, or one of them would have been the first
		}
		// The entry's new parent is on a level of the other kind.
		if parent := (first - 1) / 2; before(&q.entries[parent], &e, reverse) == 1 {
			q.entries[parent], e = e, q.entries[parent]
		}
	}
	q.entries[i] = e
}

// firstBelow is the first, in the order of i's level, of the children and
// grandchildren of i, which has some.
func (q *heap[T]) firstBelow(i int, reverse uint64) int {
	child, grandchild, n := 2*i+1, 4*i+3, len(q.entries)
	if grandchild+3 < n { // none of the children comes before all of its own
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
