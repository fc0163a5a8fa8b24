package queue

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// LimitByKey returns the discipline that runs at most n items of a key at once. The inner
// discipline orders the items that may run; nil means [NewFIFO]. With n = 1, the items of a
// key run one after another, in the order in which they were pushed.
//
// An item is admitted to the inner queue at Push if fewer than n items of its key are
// admitted. Otherwise it waits in the line of its key. When an admitted item ends, the first
// item in the line of its key is admitted, as in the work queues of Kubernetes' client-go. A
// busy key therefore delays neither workers nor other keys. Over a FIFO, the item that
// is admitted runs after all items that are already admitted, even if they are newer.
//
// The inner discipline sees an item when it is admitted. Its sequence, the ageing of
// [Priority] and the waits of [CoDel] start at that time, and it reads the attributes then.
// If it panics in Push while LimitByKey admits an item from a line, LimitByKey recovers
// and discards the item; see [Discarder].
//
// If the inner discipline is a LimitByKey too, with other keys, or [Resources], an item is admitted
// when all of them allow it. An item that one of them holds back uses up none of the others. So
// with n = 1 the items of a key still run one after another, but one that another limit holds back
// is overtaken by those of its key that it does not hold back. Up to four limits can be inside one
// another. Held items with the same keys are ordered by an instance of the innermost discipline.
// The end of an item costs O(log k), for k combinations of keys of held items, and at worst O(k) for
// those that have a key in common with it.
//
// The queue adds a cost of O(1) to that of the inner discipline. It implements [Holder],
// [Finisher], [Remover], [Discarder], and, as far as the inner queue does, [Evictor], [Fronter],
// [Clocked] and [Drainer]. The [Worst] item is the newest in the longest line, found in O(k) for
// k keys, or that of the inner queue if there are no lines. The queue cannot find the [Oldest]
// item. If the inner queue does not implement [Remover], the items that a Remove leaves in it
// run before all items that are admitted later. Validate reports invalid arguments, also
// those of the inner discipline; see [Factory].
func LimitByKey[T any, K comparable](n int, key func(item T) K, inner Factory[T]) Factory[T] {
	var fault error
	if n < 1 {
		fault = fmt.Errorf("queue: LimitByKey: the limit is %d; it must be 1 or more", n)
	}
	return newLimit(func(T) int { return n }, key, inner, fault)
}

// LimitByKeyFunc is [LimitByKey] with a limit for each key. The function limit returns that of
// the key of an item: 1 or more, or 0 for no limit. It must return the same result for all items
// of a key. LimitByKeyFunc calls it when an item is pushed while no other item of its key is in
// the queue or running, and uses the result until none is. If the result is negative, Push
// panics and leaves the queue unchanged.
func LimitByKeyFunc[T any, K comparable](limit func(item T) int, key func(item T) K, inner Factory[T]) Factory[T] {
	var fault error
	if limit == nil {
		fault = errNilFunc("LimitByKeyFunc", "limit")
	}
	return newLimit(limit, key, inner, fault)
}

func newLimit[T any, K comparable](most func(item T) int, key func(item T) K, inner Factory[T], fault error) Factory[T] {
	if inner == nil {
		inner = NewFIFO[T]
	}
	return func() Queue[T] {
		in := inner()
		if w, ok := in.(widener[T]); ok {
			g := w.widen()
			g.addLimit(&keyed[T, K]{key: key, most: most}, fault, keyFault(key))
			return g
		}
		return &limit[T, K]{most: most, key: key, make: inner, inner: wrap(in), fault: fault}
	}
}

// keyFault reports a missing function for keys.
func keyFault[T any, K comparable](key func(item T) K) error {
	if key == nil {
		return errNilFunc("LimitByKey", "key")
	}
	return nil
}

// widen returns a gate with the limit of q, which is empty.
func (q *limit[T, K]) widen() *gate[T] {
	g := newGate(q.make)
	g.addLimit(&keyed[T, K]{key: q.key, most: q.most}, q.fault, keyFault(q.key))
	return g
}

// limit keeps only admitted items in its inner queue, so each item that the inner queue
// pops may run.
//
// Invariant: for each key, gateway.admitted is the number of its items that are in the inner
// queue, in aside, popped and not ended, or discarded by the inner queue and not yet returned
// by Discarded. It is at most gateway.most, and equal to it if the line of the key is not empty.
// Therefore each item in a line is admitted when enough other items have left.
type limit[T any, K comparable] struct {
	most  func(item T) int // the limit of the key of an item
	key   func(item T) K
	make  Factory[T] // of the inner queue
	inner wrapped[T]
	fault error // of the limits; a part of the result of Validate

	aside   FIFO[T]          // items popped by Remove from an inner queue that is no Remover; they run next
	refused FIFO[refusal[T]] // items to be discarded

	gates   table[K, gateway[T]] // active: admitted > 0
	nodes   nodes[T]
	waiting int   // items in lines
	seq     int64 // items that have entered a line at its back
	fronts  int64 // items that have entered a line at its front
}

// refusal is an item whose Push on the inner queue panicked.
type refusal[T any] struct {
	item   T
	reason error
}

// gateway is the state of one key.
type gateway[T any] struct {
	most     int // the limit, while admitted > 0
	admitted int
	line     line[T]
}

// Validate reports invalid arguments of the constructor and of the inner discipline.
func (q *limit[T, K]) Validate() error {
	faults := []error{q.fault, keyFault(q.key)}
	if q.inner.holder != nil && q.inner.remover == nil {
		faults = append(faults, fmt.Errorf("queue: LimitByKey: the inner queue, %T, implements queue.Holder, so it may hold items back; "+
			"it must implement queue.Remover too", q.inner.Queue))
	}
	if q.inner.Queue == nil {
		faults = append(faults, errors.New("queue: LimitByKey: the inner factory returned nil"))
	}
	if v, ok := q.inner.Queue.(interface{ Validate() error }); ok {
		faults = append(faults, v.Validate())
	}
	return errors.Join(faults...)
}

// Len returns the number of items in the queue.
func (q *limit[T, K]) Len() int { return q.inner.Len() + q.aside.Len() + q.waiting }

// Push adds an item to the inner queue, or to the line of its key.
func (q *limit[T, K]) Push(item T) {
	if g := q.gateOf(item); g.admitted < g.most {
		q.inner.Push(item) // first, because it may panic
		q.admit(g)
	} else {
		g.line.push(q.nodes.alloc(item, q.seq, 0))
		q.seq++
		q.waiting++
	}
}

// CanPushFront reports whether the inner queue can put an item first.
func (q *limit[T, K]) CanPushFront() bool { return q.inner.canPushFront() }

// PushFront puts an item first in the inner queue or in the line of its key.
func (q *limit[T, K]) PushFront(item T) {
	if g := q.gateOf(item); g.admitted < g.most {
		q.inner.fronter.PushFront(item)
		q.admit(g)
	} else {
		q.fronts++
		g.line.pushFront(q.nodes.alloc(item, -q.fronts, 0))
		q.waiting++
	}
}

// gateOf returns the state of the key of an item.
func (q *limit[T, K]) gateOf(item T) *gateway[T] {
	key := q.key(item)
	g := q.gates.at(key)
	if g.admitted == 0 {
		g.most = validLimit(q.most(item), key)
	}
	return g
}

// validLimit returns the limit of a key for which the function of the user has returned n.
func validLimit[K any](n int, key K) int {
	if n < 0 {
		panic(fmt.Sprintf("queue: LimitByKey: the limit of key %v is %d; it must be 1 or more, or 0 for none", key, n))
	}
	if n == 0 {
		return math.MaxInt
	}
	return n
}

// Held returns the number of items in lines, including those of the inner queue.
func (q *limit[T, K]) Held() int {
	if q.inner.holder != nil {
		return q.waiting + q.inner.holder.Held()
	}
	return q.waiting
}

// Pop removes and returns the next admitted item.
func (q *limit[T, K]) Pop() (T, bool) {
	if item, ok := q.aside.Pop(); ok {
		return item, true
	}
	return q.inner.Pop()
}

// Finish admits the next item of the key.
func (q *limit[T, K]) Finish(item T, ran bool) {
	if q.inner.finisher != nil {
		q.inner.finisher.Finish(item, ran)
	}
	q.left(item)
}

// admit counts an item that was pushed to the inner queue.
func (q *limit[T, K]) admit(g *gateway[T]) {
	if g.admitted == 0 {
		q.gates.wake()
	}
	g.admitted++
}

// left replaces an admitted item that has ended, or left in another way, by the first
// item in the line of its key.
func (q *limit[T, K]) left(item T) {
	g := q.gates.at(q.key(item))
	for g.line.n > 0 {
		if q.pushInner(q.drop(g, g.line.front)) {
			return
		}
	}
	g.admitted--
	if g.admitted == 0 {
		q.gates.rest(func(g *gateway[T]) bool { return g.admitted == 0 })
	}
}

// pushInner pushes an item from a line to the inner queue, and reports whether that
// succeeded. The caller is not the submitter of the item, so a panic of a function that reads
// an attribute must not reach it. The item is discarded instead.
func (q *limit[T, K]) pushInner(item T) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			q.refused.Push(refusal[T]{item, fmt.Errorf("queue: LimitByKey: the inner discipline panicked: %v", v)})
		}
	}()
	q.inner.Push(item)
	return true
}

// Discarded returns an item that the inner queue refused, or one that the inner queue
// discards.
func (q *limit[T, K]) Discarded() (item T, ok bool, reason error) {
	if r, ok := q.refused.Pop(); ok {
		return r.item, true, r.reason
	}
	if q.inner.discarder == nil {
		return item, false, nil
	}
	if item, ok, reason = q.inner.discarder.Discarded(); ok {
		q.left(item)
	}
	return item, ok, reason
}

// NeedsTime reports whether the inner queue needs the time.
func (q *limit[T, K]) NeedsTime() bool { return q.inner.needsTime() }

// Tick sets the time of the inner queue, which needs it.
func (q *limit[T, K]) Tick(now time.Time) { q.inner.clock.Tick(now) }

// Drain passes the call to the inner queue. LimitByKey itself gives up no item because of its
// wait.
func (q *limit[T, K]) Drain() { q.inner.drain() }

// Lent passes the call to the inner queue.
func (q *limit[T, K]) Lent(item T, lends bool) { q.inner.lent(item, lends) }

// drop removes an item from its line.
func (q *limit[T, K]) drop(g *gateway[T], e *node[T]) T {
	g.line.remove(e)
	if q.waiting--; q.waiting == 0 {
		q.nodes.shrink()
	}
	return q.nodes.free(e)
}

// lines returns the gates with a line, in the order of their first items. The order of a map
// would make equal queues differ, because an outer LimitByKey admits items in the order in
// which they are removed here.
func (q *limit[T, K]) lines() []*gateway[T] {
	var list []*gateway[T]
	for _, g := range q.gates.states {
		if g.line.n > 0 {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, func(a, b *gateway[T]) int { return cmp.Compare(a.line.front.seq, b.line.front.seq) })
	return list
}

// Remove removes each item for which gone returns true. It costs O(n), and O(k log k) for k
// keys with lines. It visits the lines before it admits any of their items, so that gone is
// called once for each.
func (q *limit[T, K]) Remove(gone func(item T) bool) int {
	before := q.Len()
	for _, g := range q.lines() {
		for e := g.line.front; e != nil; {
			next := e.next
			if gone(e.item) {
				q.drop(g, e)
			}
			e = next
		}
	}
	var removed []T
	isGone := func(item T) bool {
		if !gone(item) {
			return false
		}
		removed = append(removed, item)
		return true
	}
	if q.inner.remover != nil {
		q.inner.remover.Remove(isGone)
	} else {
		q.setAside()
		q.aside.Remove(isGone)
	}
	after := q.Len()
	for _, item := range removed {
		q.left(item)
	}
	return before - after
}

// setAside moves all items of the inner queue to aside, in the order in which they would
// run.
func (q *limit[T, K]) setAside() {
	for {
		item, ok := q.inner.Pop()
		if !ok {
			return
		}
		q.aside.Push(item)
	}
}

// CanEvict reports whether the queue can find the victim: only the worst item, and only if
// the inner queue can. The oldest item is in the inner queue or in a line, and the queue does
// not know which.
func (q *limit[T, K]) CanEvict(v Victim) bool {
	return v == Worst && q.inner.evictor != nil && q.inner.evictor.CanEvict(v)
}

// Evict removes and returns the newest item in the longest line: the one that waits
// longest. If there are no lines, it evicts an item of the inner queue.
func (q *limit[T, K]) Evict(v Victim) (item T, ok bool) {
	if q.waiting > 0 {
		var longest *gateway[T]
		for _, g := range q.gates.states {
			if g.line.n > 0 && (longest == nil || g.longerThan(longest)) {
				longest = g
			}
		}
		return q.drop(longest, longest.line.back), true
	}
	if item, ok = q.inner.evictor.Evict(v); !ok {
		item, ok = q.aside.Evict(v)
	}
	if ok {
		q.left(item)
	}
	return item, ok
}

// longerThan compares the lines of two gates by length, then by their last item. The
// second criterion makes the victim independent of the order of the map.
func (g *gateway[T]) longerThan(other *gateway[T]) bool {
	if g.line.n != other.line.n {
		return g.line.n > other.line.n
	}
	return g.line.back.seq > other.line.back.seq
}
