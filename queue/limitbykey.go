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
// The queue adds a cost of O(1) to that of the inner discipline. It implements [Holder],
// [Finisher], [Remover], [Discarder], and, as far as the inner queue does, [Evictor],
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
		q := &limit[T, K]{most: most, key: key, inner: inner(), fault: fault}
		q.remover, _ = q.inner.(Remover[T])
		q.evictor, _ = q.inner.(Evictor[T])
		q.finisher, _ = q.inner.(Finisher[T])
		q.holder, _ = q.inner.(Holder)
		q.clock, _ = q.inner.(Clocked)
		q.discarder, _ = q.inner.(Discarder[T])
		return q
	}
}

// limit keeps only admitted items in its inner queue, so each item that the inner queue
// pops may run.
//
// Invariant: for each key, gate.admitted is the number of its items that are in the inner
// queue, in aside, popped and not ended, or discarded by the inner queue and not yet returned
// by Discarded. It is at most gate.most, and equal to it if the line of the key is not empty.
// Therefore each item in a line is admitted when enough other items have left.
type limit[T any, K comparable] struct {
	most  func(item T) int // the limit of the key of an item
	key   func(item T) K
	inner Queue[T]
	fault error // of the limits; a part of the result of Validate
	// The optional interfaces of the inner queue; nil if it does not implement them.
	remover   Remover[T]
	evictor   Evictor[T]
	finisher  Finisher[T]
	holder    Holder
	clock     Clocked
	discarder Discarder[T]

	aside   FIFO[T]          // items popped by Remove from an inner queue that is no Remover; they run next
	refused FIFO[refusal[T]] // items to be discarded

	gates   table[K, gate[T]] // active: admitted > 0
	nodes   nodes[T]
	waiting int   // items in lines
	seq     int64 // items that have entered a line
}

// refusal is an item whose Push on the inner queue panicked.
type refusal[T any] struct {
	item   T
	reason error
}

// gate is the state of one key.
type gate[T any] struct {
	most     int // the limit, while admitted > 0
	admitted int
	line     line[T]
}

// Validate reports invalid arguments of the constructor and of the inner discipline.
func (q *limit[T, K]) Validate() error {
	faults := []error{q.fault}
	if q.key == nil {
		faults = append(faults, errNilFunc("LimitByKey", "key"))
	}
	if q.holder != nil && q.remover == nil {
		faults = append(faults, fmt.Errorf("queue: LimitByKey: the inner queue, %T, implements queue.Holder, so it may hold items back; "+
			"it must implement queue.Remover too", q.inner))
	}
	if q.inner == nil {
		faults = append(faults, errors.New("queue: LimitByKey: the inner factory returned nil"))
	}
	if v, ok := q.inner.(interface{ Validate() error }); ok {
		faults = append(faults, v.Validate())
	}
	return errors.Join(faults...)
}

// Len returns the number of items in the queue.
func (q *limit[T, K]) Len() int { return q.inner.Len() + q.aside.Len() + q.waiting }

// Push adds an item to the inner queue, or to the line of its key.
func (q *limit[T, K]) Push(item T) {
	g := q.gates.at(q.key(item))
	if g.admitted == 0 {
		g.most = q.limitOf(item)
	}
	if g.admitted < g.most {
		q.inner.Push(item) // first, because it may panic
		q.admit(g)
		return
	}
	g.line.push(q.nodes.alloc(item, q.seq, 0))
	q.seq++
	q.waiting++
}

// limitOf returns the limit of the key of an item.
func (q *limit[T, K]) limitOf(item T) int {
	n := q.most(item)
	if n < 0 {
		panic(fmt.Sprintf("queue: LimitByKey: the limit of key %v is %d; it must be 1 or more, or 0 for none", q.key(item), n))
	}
	if n == 0 {
		return math.MaxInt
	}
	return n
}

// Held returns the number of items in lines, including those of the inner queue.
func (q *limit[T, K]) Held() int {
	if q.holder != nil {
		return q.waiting + q.holder.Held()
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
	if q.finisher != nil {
		q.finisher.Finish(item, ran)
	}
	q.left(item)
}

// admit counts an item that was pushed to the inner queue.
func (q *limit[T, K]) admit(g *gate[T]) {
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
		q.gates.rest(func(g *gate[T]) bool { return g.admitted == 0 })
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
	if q.discarder == nil {
		return item, false, nil
	}
	if item, ok, reason = q.discarder.Discarded(); ok {
		q.left(item)
	}
	return item, ok, reason
}

// NeedsTime reports whether the inner queue needs the time.
func (q *limit[T, K]) NeedsTime() bool { return q.clock != nil && q.clock.NeedsTime() }

// Tick sets the time of the inner queue, which needs it.
func (q *limit[T, K]) Tick(now time.Time) { q.clock.Tick(now) }

// Drain passes the call to the inner queue. LimitByKey itself gives up no item because of its
// wait.
func (q *limit[T, K]) Drain() {
	if d, ok := q.inner.(Drainer); ok {
		d.Drain()
	}
}

// drop removes an item from its line.
func (q *limit[T, K]) drop(g *gate[T], e *node[T]) T {
	g.line.remove(e)
	if q.waiting--; q.waiting == 0 {
		q.nodes.shrink()
	}
	return q.nodes.free(e)
}

// lines returns the gates with a line, in the order of their first items. The order of a map
// would make equal queues differ, because an outer LimitByKey admits items in the order in
// which they are removed here.
func (q *limit[T, K]) lines() []*gate[T] {
	var list []*gate[T]
	for _, g := range q.gates.states {
		if g.line.n > 0 {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, func(a, b *gate[T]) int { return cmp.Compare(a.line.front.seq, b.line.front.seq) })
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
	if q.remover != nil {
		q.remover.Remove(isGone)
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
	return v == Worst && q.evictor != nil && q.evictor.CanEvict(v)
}

// Evict removes and returns the newest item in the longest line: the one that waits
// longest. If there are no lines, it evicts an item of the inner queue.
func (q *limit[T, K]) Evict(v Victim) (item T, ok bool) {
	if q.waiting > 0 {
		var longest *gate[T]
		for _, g := range q.gates.states {
			if g.line.n > 0 && (longest == nil || g.longerThan(longest)) {
				longest = g
			}
		}
		return q.drop(longest, longest.line.back), true
	}
	if item, ok = q.evictor.Evict(v); !ok {
		item, ok = q.aside.Evict(v)
	}
	if ok {
		q.left(item)
	}
	return item, ok
}

// longerThan compares the lines of two gates by length, then by their last item. The
// second criterion makes the victim independent of the order of the map.
func (g *gate[T]) longerThan(other *gate[T]) bool {
	if g.line.n != other.line.n {
		return g.line.n > other.line.n
	}
	return g.line.back.seq > other.line.back.seq
}
