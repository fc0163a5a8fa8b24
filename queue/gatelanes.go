package queue

import (
	"cmp"
	"slices"
)

// newLane returns a lane, whose key has none.
func (q *gate[T]) newLane(key laneKey[T]) *lane[T] {
	l := &lane[T]{}
	if last := len(q.spare) - 1; last >= 0 {
		l, q.spare[last] = q.spare[last], nil
		q.spare = q.spare[:last]
	} else {
		l.waiting = wrap(q.make())
	}
	q.born++
	l.laneKey, l.id = key, q.born
	q.lanes[key] = l
	return l
}

// tidy removes a lane that has become empty.
func (q *gate[T]) tidy(l *lane[T]) {
	if l.n > 0 || q.lanes[l.laneKey] != l {
		return
	}
	delete(q.lanes, l.laneKey)
	if l.aside != nil {
		q.aside--
	}
	if len(q.spare) < maxSpareLanes {
		*l = lane[T]{waiting: l.waiting}
		q.spare = append(q.spare, l)
	}
}

// advance gives a lane a head, unless it has one, or removes the lane if it is empty.
func (q *gate[T]) advance(l *lane[T]) {
	for !l.some {
		item, number, ok := q.next(l)
		if !ok {
			q.tidy(l)
			return
		}
		if i := q.beyond(item, l); i >= 0 {
			q.setAside(l, item, number, i)
			continue
		}
		q.turns++
		l.head, l.number, l.some, l.turn = item, number, true, q.turns
		q.stand(l)
	}
}

// next removes and returns the next item of a lane and its number: of the items that were set aside
// and can fit, the earliest one of those with the smallest amounts, or else the next item of the
// inner discipline.
func (q *gate[T]) next(l *lane[T]) (item T, number int64, ok bool) {
	var from *heap[T]
	for i := range l.aside {
		h := &l.aside[i]
		if h.Len() == 0 || !q.canFit(q.needOf(h.entries[0].item, i), i) {
			continue
		}
		if n := h.entries[0].rank(); from == nil || n < number {
			from, number = h, n
		}
	}
	if from != nil {
		item, ok = from.Pop()
		return item, number, ok
	}
	q.tick(&l.waiting)
	item, ok = l.waiting.Pop()
	if ok {
		l.given++
		if l.waiting.finisher != nil {
			l.waiting.finisher.Finish(item, true)
		}
	}
	q.collect(l)
	return item, l.given, ok
}

// canFit reports whether so much of a resource becomes free when only items end that have not lent
// their places.
func (q *gate[T]) canFit(n int64, i int) bool {
	return n <= q.resources[i].capacity-q.resources[i].lent
}

// beyond returns the first resource of which lent amounts keep an item from fitting, or -1.
func (q *gate[T]) beyond(item T, l *lane[T]) int {
	for i := range q.needs(l.needs) {
		if !q.canFit(q.needOf(item, i), i) {
			return i
		}
	}
	return -1
}

// setAside sets an item of a lane aside, because of a resource. Its number is its rank among items
// with an equal amount, so that they keep their order however often they are set aside.
func (q *gate[T]) setAside(l *lane[T], item T, number int64, i int) {
	if l.aside == nil {
		q.aside++
		l.aside = make([]heap[T], len(q.resources))
	}
	l.aside[i].add(item, q.needOf(item, i), number)
}

// collect takes the items that the discipline of a lane has given up.
func (q *gate[T]) collect(l *lane[T]) {
	for l.waiting.discarder != nil {
		item, ok, reason := l.waiting.discarder.Discarded()
		if !ok {
			return
		}
		q.refused.Push(refusal[T]{item, reason})
		q.hold(l, -1)
	}
}

// sorted returns the lanes in the order in which they were made.
func (q *gate[T]) sorted() []*lane[T] {
	list := make([]*lane[T], 0, len(q.lanes))
	for _, l := range q.lanes {
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b *lane[T]) int { return cmp.Compare(a.id, b.id) })
	return list
}

// severalKeys reports whether the items have more than one limited key.
func (k laneKey[T]) severalKeys() bool {
	n := 0
	for _, p := range k.places {
		if p != nil {
			n++
		}
	}
	return n > 1
}

// after returns the class whose first head is the next one after a turn.
func (q *gate[T]) after(turn uint64) (next *class[T]) {
	for _, c := range q.classes {
		if len(c.lanes) > 0 && c.lanes[0].turn > turn && (next == nil || c.lanes[0].turn < next.lanes[0].turn) {
			next = c
		}
	}
	return next
}

// release gives back what an admitted item has used, and admits others.
func (q *gate[T]) release(item T) { q.offer(q.giveBack(item)) }

// giveBack gives back what an admitted item has used, and returns its key. The caller must call offer
// afterwards.
func (q *gate[T]) giveBack(item T) laneKey[T] {
	key := q.keyOf(item)
	for i := range q.needs(key.needs) {
		q.resources[i].free += q.needOf(item, i)
	}
	q.count(key, func(p *place[T]) { p.admitted-- })
	return key
}

// offer admits the heads that can be admitted when items with some keys have left. All heads that wait
// for one of these look for what they lack before any is admitted, so that the first ones come first.
//
// If only one item has left, at most one head is admitted for each of its keys, and a few heads are
// enough to find it. If several have left, or if there are resources, an earlier head may take the place
// of another key of a later one. Then all heads look that have several keys, since the next one must
// have looked before anything goes to one that came after it.
func (q *gate[T]) offer(keys ...laneKey[T]) {
	few := len(keys) == 1 && len(q.resources) == 0
	for {
		// A key that is not watched is not watched later either, since no place becomes free.
		keys = slices.DeleteFunc(keys, func(key laneKey[T]) bool { return !watched(key) })
		for _, key := range keys {
			for _, p := range key.places {
				q.wake(p, few)
			}
		}
		q.settle()
		if len(keys) == 0 {
			return
		}
	}
}

// watched reports whether a head waits for one of the keys although it has a place.
func watched[T any](key laneKey[T]) bool {
	for _, p := range key.places {
		if p != nil && !p.full() && len(p.waiting) > 0 {
			return true
		}
	}
	return false
}

// wake lets the heads that wait for a key look for what they lack next, the first ones first, until
// as many as it has places need nothing else. A head that has another key counts only if few are enough.
func (q *gate[T]) wake(p *place[T], few bool) {
	if p == nil {
		return
	}
	for n := p.most - p.admitted; n > 0 && len(p.waiting) > 0; {
		l := p.waiting[0]
		q.stand(l)
		if l.needs == 0 && firstFull(l.laneKey) == nil && (few || !l.severalKeys()) {
			n--
		}
	}
}
