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
	ages    bool  // the key depends on seq: it increases with it
	fault   error // the result of Validate
	entries []entry[T]
	seq     int64           // items pushed so far
	fronts  int64           // items put in front so far
	reached map[int64]int64 // of a heap that ages, from the first PushFront on; see front
}

// noSeq is the rank of an item with the number 0 among equal items. Those of items put in front
// are smaller.
const noSeq = 1 << 62

// entry stores the key with its item, so that comparisons follow no pointers.
type entry[T any] struct {
	key  uint64 // with the sign bit inverted, so that the unsigned order is right
	seq  uint64 // its rank among items with an equal key; increases with each item pushed
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

// rank returns the rank with which the item was added.
func (e *entry[T]) rank() int64 { return int64(e.seq) - noSeq } //nolint:gosec // see add

// Validate reports invalid arguments of the constructor.
func (q *heap[T]) Validate() error { return q.fault }

// Push adds an item.
func (q *heap[T]) Push(item T) {
	key := q.key(item, q.seq) // first, because it may panic
	q.add(item, key, q.seq)
	q.seq++
}

// add adds an item with a key and a rank among items with an equal key.
func (q *heap[T]) add(item T, key, rank int64) {
	q.entries = append(q.entries, entry[T]{key: uint64(key) ^ 1<<63, seq: uint64(rank + noSeq), item: item})
	q.up(len(q.entries) - 1)
}

// CanPushFront returns true.
func (q *heap[T]) CanPushFront() bool { return true }

// PushFront adds an item before all items of its level or deadline. In a queue that ages, it is as
// old as the last item of its level that was popped.
func (q *heap[T]) PushFront(item T) {
	key := q.key(item, q.front(item))
	q.fronts++
	q.add(item, key, -q.fronts)
}

// front returns the sequence number with which an item gets a key that no item of its level in the
// queue precedes.
func (q *heap[T]) front(item T) int64 {
	if !q.ages {
		return 0
	}
	if q.reached == nil {
		q.reached = map[int64]int64{}
		for i := range q.entries {
			if level, seq, ok := q.entries[i].level(); ok {
				if first, known := q.reached[level]; !known || seq < first {
					q.reached[level] = seq
				}
			}
		}
	}
	if seq, ok := q.reached[q.key(item, 0)]; ok {
		return seq
	}
	return q.seq
}

// Pop removes and returns the first item.
func (q *heap[T]) Pop() (item T, ok bool) {
	if len(q.entries) == 0 {
		return item, false
	}
	if q.reached != nil {
		q.reach(&q.entries[0])
	}
	return q.take(0), true
}

// maxReached limits the number of levels for which a heap that ages remembers an age.
const maxReached = 1024

// reach notes the age of an item that is popped. The items of its level in the queue are younger.
func (q *heap[T]) reach(e *entry[T]) {
	level, seq, ok := e.level()
	if !ok {
		return
	}
	if q.reached[level] = max(q.reached[level], seq); len(q.reached) > maxReached {
		q.reached = nil // the next PushFront looks at all items
	}
}

// level returns the key that an item of the level of e would have with the number 0, and the number
// of e, in a heap that ages. It returns false if e was put in front.
func (e *entry[T]) level() (level, seq int64, ok bool) {
	seq = e.rank()
	level = int64(e.key^1<<63) - seq //nolint:gosec // see add
	return level, seq, seq >= 0
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
