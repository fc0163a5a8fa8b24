package queue

import (
	"unsafe"
)

// segmentLen is how many items a segment of a FIFO holds: enough that the
// allocation of one costs each item next to nothing, and few enough that an
// almost empty queue takes little. With its links and the header of the
// allocator, a segment of pointers is exactly a kilobyte, one of the allocator's
// sizes.
const segmentLen = 125

const (
	// minSpares is how many empty segments a FIFO keeps in any case, once it has
	// had them: a queue that swings between empty and a thousand items never
	// allocates.
	minSpares = 8
	// maxSpareBytes bounds what the empty segments that it keeps may take.
	// Memory fresh from the allocator made the dispatch of a pool whose queue
	// swings by some 100,000 items three times as slow as memory used again.
	maxSpareBytes = 4 << 20
)

// FIFO hands items out in the order in which they came.
//
// It is a chain of segments of fixed length. Items enter at the tail and leave
// at the head; a segment that has been emptied is kept for the tail to use
// again. What a burst took is given back in two steps: of the segments that
// drain, no more than four megabytes are kept, and of those one is let go each
// time that the queue runs empty, so that a queue back at a trickle soon keeps
// only a few. A queue of steady depth allocates nothing.
//
// No operation moves what others have put in. A ring that doubles when it is
// full would: at a million items it stops its owner for milliseconds, and needs
// up to three times the memory of its items. Slots are zeroed as they are
// popped: an item that has left can be collected.
//
// The zero value is an empty queue, ready to use. A FIFO is not safe for
// concurrent use; its owner serialises the calls. It implements [Remover] and
// [Evictor]; the worst item is the newest, which would run last.
type FIFO[T any] struct {
	head, tail  *segment[T]
	first, last int // the oldest item in head; the first free slot in tail
	n           int // items held
	spares      int // empty segments kept for later, in a list from spare
	spare       *segment[T]
}

type segment[T any] struct {
	items      [segmentLen]T
	next, prev *segment[T] // towards the tail and towards the head
}

// NewFIFO returns an empty FIFO. It is a [Factory].
func NewFIFO[T any]() Queue[T] { return new(FIFO[T]) }

// Push adds an item at the back. O(1).
func (q *FIFO[T]) Push(item T) {
	if q.tail == nil || q.last == segmentLen {
		q.extend()
	}
	q.tail.items[q.last] = item
	q.last++
	q.n++
}

// PushAll adds items at the back, in their order. O(len(items)).
func (q *FIFO[T]) PushAll(items []T) {
	for len(items) > 0 {
		if q.tail == nil || q.last == segmentLen {
			q.extend()
		}
		n := copy(q.tail.items[q.last:], items)
		q.last += n
		q.n += n
		items = items[n:]
	}
}

// Pop takes the item at the front. O(1).
func (q *FIFO[T]) Pop() (item T, ok bool) {
	if q.n == 0 {
		return item, false
	}
	slot := &q.head.items[q.first]
	var zero T
	item, *slot = *slot, zero
	q.first++
	q.n--
	if q.n == 0 {
		q.emptied()
	} else if q.first == segmentLen {
		s := q.head
		q.head, q.first = s.next, 0
		q.head.prev = nil
		q.keep(s)
	}
	return item, true
}

// popBack takes the item at the back. O(1).
func (q *FIFO[T]) popBack() (item T, ok bool) {
	if q.n == 0 {
		return item, false
	}
	q.last-- // the tail of a queue that is not empty has an item
	slot := &q.tail.items[q.last]
	var zero T
	item, *slot = *slot, zero
	q.n--
	if q.n == 0 {
		q.emptied()
	} else if q.last == 0 {
		s := q.tail
		q.tail, q.last = s.prev, segmentLen
		q.tail.next = nil
		q.keep(s)
	}
	return item, true
}

// CanEvict reports that a FIFO can find any victim.
func (q *FIFO[T]) CanEvict(Victim) bool { return true }

// Evict takes the item at the front if it is to be the oldest, and else that at the
// back. O(1).
func (q *FIFO[T]) Evict(v Victim) (T, bool) {
	if v == Oldest {
		return q.Pop()
	}
	return q.popBack()
}

// Peek returns the item at the front and leaves it there. O(1).
func (q *FIFO[T]) Peek() (item T, ok bool) {
	if q.n == 0 {
		return item, false
	}
	return q.head.items[q.first], true
}

// Len is the number of items held.
func (q *FIFO[T]) Len() int { return q.n }

// Remove takes out every item for which gone reports true. O(n).
func (q *FIFO[T]) Remove(gone func(item T) bool) int {
	before := q.n
	for range before { // a full turn leaves the others in their order
		if item, _ := q.Pop(); !gone(item) {
			q.Push(item)
		}
	}
	return before - q.n
}

// extend adds an empty segment at the tail.
func (q *FIFO[T]) extend() {
	s := q.spare
	if s != nil {
		q.spare, s.next = s.next, nil
		q.spares--
	} else {
		s = new(segment[T])
	}
	if q.tail == nil {
		q.head = s
	} else {
		q.tail.next, s.prev = s, q.tail
	}
	q.tail = s
	q.last = 0
}

// emptied starts afresh in the one segment that is left, all of it free again.
func (q *FIFO[T]) emptied() {
	q.first, q.last = 0, 0
	if q.spares > minSpares {
		q.spare = q.spare.next
		q.spares--
	}
}

// keep saves an emptied segment for later, if there is not enough of that
// already.
func (q *FIFO[T]) keep(s *segment[T]) {
	if q.spares < max(minSpares, maxSpareBytes/int(unsafe.Sizeof(*s))) {
		s.next, s.prev, q.spare = q.spare, nil, s
		q.spares++
	}
}
