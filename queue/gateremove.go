package queue

import (
	containerheap "container/heap"
	"time"
)

// Discarded returns an item that the inner queue or the discipline of a lane has given up.
func (q *gate[T]) Discarded() (item T, ok bool, reason error) {
	if r, ok := q.refused.Pop(); ok {
		return r.item, true, r.reason
	}
	if q.inner.discarder == nil {
		return item, false, nil
	}
	if item, ok, reason = q.inner.discarder.Discarded(); ok {
		q.release(item)
	}
	return item, ok, reason
}

// NeedsTime reports whether the inner discipline needs the time.
func (q *gate[T]) NeedsTime() bool { return q.inner.needsTime() }

// Tick sets the time.
func (q *gate[T]) Tick(now time.Time) {
	q.inner.clock.Tick(now)
	q.now, q.ticked = now, true
}

// tick sets the time of the discipline of a lane, before it is used.
func (q *gate[T]) tick(w *wrapped[T]) {
	if q.ticked && w.needsTime() {
		w.clock.Tick(q.now)
	}
}

// Drain passes the call on. Lanes made afterwards are emptied at once, or in the order of a
// discipline that may shed, so they get the call too.
func (q *gate[T]) Drain() {
	q.inner.drain()
	for _, l := range q.lanes {
		l.waiting.drain()
	}
	for _, l := range q.spare {
		l.waiting.drain()
	}
	made := q.make
	q.make = func() Queue[T] {
		inner := made()
		if d, ok := inner.(Drainer); ok {
			d.Drain()
		}
		return inner
	}
}

// Remove removes each item for which gone returns true. It costs O(n), and O(k log k) for k
// lanes. It visits all items before it admits any, so that gone is called once for each. Lanes that
// have lost their heads get new ones before that, in the order in which the lanes were made, so that
// the order of what is admitted depends neither on the order of a map nor on that of the removals.
func (q *gate[T]) Remove(gone func(item T) bool) int {
	before := q.Len()
	lanes := q.sorted()
	for _, l := range lanes {
		q.removeFrom(l, gone)
	}
	var removed []T
	q.tick(&q.inner)
	q.inner.remover.Remove(func(item T) bool {
		if !gone(item) {
			return false
		}
		removed = append(removed, item)
		return true
	})
	after := q.Len()
	left := make([]laneKey[T], len(removed))
	for i, item := range removed {
		left[i] = q.giveBack(item)
	}
	for _, l := range lanes {
		q.advance(l)
	}
	q.offer(left...)
	return before - after
}

// removeFrom removes items from a lane.
func (q *gate[T]) removeFrom(l *lane[T], gone func(item T) bool) {
	n := 0
	if l.some && gone(l.head) {
		q.behead(l)
		n++
	}
	for i := range l.aside {
		n += l.aside[i].Remove(gone)
	}
	q.tick(&l.waiting)
	n += l.waiting.remover.Remove(gone)
	q.hold(l, -n)
}

// CanEvict reports whether the queue can find the victim: only the worst item, and only if
// the inner queue can.
func (q *gate[T]) CanEvict(v Victim) bool {
	return v == Worst && q.inner.evictor != nil && q.inner.evictor.CanEvict(v)
}

// Evict removes and returns the worst item of the lane with the most items or, if nothing is held,
// of the inner queue.
func (q *gate[T]) Evict(v Victim) (item T, ok bool) {
	if q.held == 0 {
		if item, ok = q.inner.evictor.Evict(v); ok {
			q.release(item)
		}
		return item, ok
	}
	var longest *lane[T]
	for _, l := range q.lanes {
		if longest == nil || l.n > longest.n || l.n == longest.n && l.id > longest.id {
			longest = l
		}
	}
	item = q.evictFrom(longest, v)
	q.hold(longest, -1)
	q.advance(longest)
	q.settle()
	return item, true
}

// evictFrom removes an item from a lane.
func (q *gate[T]) evictFrom(l *lane[T], v Victim) T {
	q.tick(&l.waiting)
	if item, ok := l.waiting.evictor.Evict(v); ok {
		return item
	}
	for i := range l.aside {
		if item, ok := l.aside[i].Evict(v); ok {
			return item
		}
	}
	return q.behead(l)
}

// laneHeap is a heap of lanes by the turns of their heads.
type laneHeap[T any] []*lane[T]

func (h *laneHeap[T]) add(l *lane[T])    { containerheap.Push(h, l) }
func (h *laneHeap[T]) remove(index int)  { containerheap.Remove(h, index) }
func (h laneHeap[T]) Len() int           { return len(h) }
func (h laneHeap[T]) Less(i, j int) bool { return h[i].turn < h[j].turn }

func (h laneHeap[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *laneHeap[T]) Push(x any) {
	l := x.(*lane[T])
	l.index = len(*h)
	*h = append(*h, l)
}

// Pop implements heap.Interface.
func (h *laneHeap[T]) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}
