package queue

import (
	"unsafe"
)

// segmentLen is the number of items in a segment of a FIFO. It is large enough to make
// the cost of allocation per item negligible, and small enough for a nearly empty
// queue to be small. A segment of pointers, with its links and the allocator's header,
// takes exactly 1 KiB, which is a size class of the allocator.
const segmentLen = 125

const (
	// minSpares is the number of empty segments that a FIFO keeps in any case. A queue
	// whose length varies between 0 and 1,000 allocates nothing.
	minSpares = 8
	// maxSpareBytes limits the total size of the empty segments that a FIFO keeps.
	// When the length of a pool's queue varies by 100,000 items, dispatch is three times
	// as fast with reused segments as with new ones.
	maxSpareBytes = 4 << 20
)

// FIFO is a first-in, first-out queue. The zero value is an empty queue, ready to use.
// A FIFO is not safe for concurrent use.
//
// It implements [Remover], [Evictor] and [Fronter]. The [Worst] item is the newest.
//
// A FIFO is a doubly linked list of segments of fixed length. Items enter at the tail
// and leave at the head, and emptied segments are reused. A queue of steady length
// allocates nothing. No operation but Remove moves items, so there is no pause to
// grow. After a burst, the queue keeps at most 4 MiB of empty segments, and frees one
// of them each time it becomes empty. It does not keep items that have left reachable.
type FIFO[T any] struct {
	head, tail  *segment[T]
	first, last int         // the oldest item in head; the first free slot in tail
	n           int         // items in the queue
	spare       *segment[T] // a list of empty segments, linked by next
	spares      int         // its length
}

type segment[T any] struct {
	items      [segmentLen]T
	next, prev *segment[T] // towards the tail and towards the head
}

// NewFIFO returns an empty [FIFO]. It is a [Factory].
func NewFIFO[T any]() Queue[T] { return new(FIFO[T]) }

// Push adds an item at the back. It costs O(1).
func (q *FIFO[T]) Push(item T) {
	if q.tail == nil || q.last == segmentLen {
		q.extend()
	}
	q.tail.items[q.last] = item
	q.last++
	q.n++
}

// PushAll adds items at the back in their order. It costs O(len(items)).
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

// CanPushFront returns true.
func (q *FIFO[T]) CanPushFront() bool { return true }

// PushFront adds an item at the front. It costs O(1).
func (q *FIFO[T]) PushFront(item T) {
	if q.n == 0 {
		q.Push(item)
		return
	}
	if q.first == 0 {
		s := q.empty()
		s.next, q.head.prev = q.head, s
		q.head, q.first = s, segmentLen
	}
	q.first--
	q.head.items[q.first] = item
	q.n++
}

// Pop removes and returns the item at the front. It costs O(1).
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

// popBack removes and returns the item at the back.
func (q *FIFO[T]) popBack() (item T, ok bool) {
	if q.n == 0 {
		return item, false
	}
	q.last-- // the tail of a nonempty queue is not empty
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

// CanEvict returns true.
func (q *FIFO[T]) CanEvict(Victim) bool { return true }

// Evict removes and returns the item at the front for [Oldest], and the item at the back
// for [Worst]. It costs O(1).
func (q *FIFO[T]) Evict(v Victim) (T, bool) {
	if v == Oldest {
		return q.Pop()
	}
	return q.popBack()
}

// Peek returns the item at the front without removing it. It costs O(1).
func (q *FIFO[T]) Peek() (item T, ok bool) {
	if q.n == 0 {
		return item, false
	}
	return q.head.items[q.first], true
}

// Len returns the number of items in the queue.
func (q *FIFO[T]) Len() int { return q.n }

// Remove removes each item for which gone returns true. It costs O(n).
func (q *FIFO[T]) Remove(gone func(item T) bool) int {
	before := q.n
	for range before { // one full rotation keeps the order
		if item, _ := q.Pop(); !gone(item) {
			q.Push(item)
		}
	}
	return before - q.n
}

// empty returns an empty segment.
func (q *FIFO[T]) empty() *segment[T] {
	s := q.spare
	if s == nil {
		return new(segment[T])
	}
	q.spare, s.next = s.next, nil
	q.spares--
	return s
}

// extend appends an empty segment.
func (q *FIFO[T]) extend() {
	s := q.empty()
	if q.tail == nil {
		q.head = s
	} else {
		q.tail.next, s.prev = s, q.tail
	}
	q.tail = s
	q.last = 0
}

// emptied resets the positions in the only segment of an empty queue, and frees a spare
// segment.
func (q *FIFO[T]) emptied() {
	q.first, q.last = 0, 0
	if q.spares > minSpares {
		q.spare = q.spare.next
		q.spares--
	}
}

// keep adds an emptied segment to the spares, unless there are enough of them.
func (q *FIFO[T]) keep(s *segment[T]) {
	if q.spares < max(minSpares, maxSpareBytes/int(unsafe.Sizeof(*s))) {
		s.next, s.prev, q.spare = q.spare, nil, s
		q.spares++
	}
}
