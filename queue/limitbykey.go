package queue

import (
	"errors"
	"fmt"
	"time"
)

// LimitByKey returns the discipline that lets at most n items of a key run at
// once, and orders what may run as the inner discipline does; no inner one means
// NewFIFO. With an n of 1 the items of a key run strictly one after the other,
// in the order of arrival.
//
// An item whose key has fewer than n items running or about to run enters the
// inner queue at once. Others wait in the line of their key, first come, first
// served, and the first enters the inner queue when one of its key has ended, as in
// the work queues of Kubernetes' client-go. So a busy key holds up neither
// workers nor other keys. Over a FIFO its next item comes after all that may run
// already, also after what came later than it.
//
// Whatever the inner discipline counts, it counts from when an item is let in: its
// place among equals, the ageing of Priority, the waits of CoDel. It reads an
// item's attributes only then.
//
// It costs what the inner discipline costs, and O(1). It implements [Holder],
// [Finisher], [Remover], [Discarder] and, as far as the inner discipline does,
// [Evictor] and [Clocked]. Of the victims it can find the worst: of the longest line
// the newest item, in O(keys); without lines the worst of the inner discipline. If the
// inner discipline does not implement [Remover], those that a Remove leaves come
// before all that is pushed later. Bad arguments are reported by Validate; see
// [Factory].
func LimitByKey[T any, K comparable](n int, key func(item T) K, inner Factory[T]) Factory[T] {
	if inner == nil {
		inner = NewFIFO[T]
	}
	return func() Queue[T] {
		q := &limit[T, K]{n: n, key: key, inner: inner()}
		q.remover, _ = q.inner.(Remover[T])
		q.evictor, _ = q.inner.(Evictor[T])
		q.finisher, _ = q.inner.(Finisher[T])
		q.holder, _ = q.inner.(Holder)
		q.clock, _ = q.inner.(Clocked)
		q.discarder, _ = q.inner.(Discarder[T])
		return q
	}
}

// limit keeps in its inner queue only items that may run.
//
// Invariant: of each key, the items in the inner queue (or set aside from it) and
// those that were popped and have not ended are admitted in number, at most n; and
// fewer than n only if none waits in line. So whatever the inner queue pops may
// run, and what waits in line has somebody whose end will let it in: no wake-up is
// lost.
type limit[T any, K comparable] struct {
	n         int
	key       func(item T) K
	inner     Queue[T]
	remover   Remover[T]   // the inner queue, if it has the capability
	evictor   Evictor[T]   // likewise
	finisher  Finisher[T]  // likewise
	holder    Holder       // likewise
	clock     Clocked      // likewise
	discarder Discarder[T] // likewise
	aside     FIFO[T]      // popped from an inner queue that cannot remove; the next to run

	refused FIFO[refusal[T]]

	gates   table[K, gate[T]]
	nodes   nodes[T]
	waiting int // items in lines
	seq     int64
}

// refusal is an item that the inner queue could not take, and why.
type refusal[T any] struct {
	item   T
	reason error
}

// gate is the state of one key.
type gate[T any] struct {
	admitted int
	line     line[T]
}

// Validate reports bad arguments of the constructor, of the inner one too.
func (q *limit[T, K]) Validate() error {
	var faults []error
	if q.n < 1 {
		faults = append(faults, fmt.Errorf("queue: LimitByKey: the limit is %d; it must be 1 or more", q.n))
	}
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

// Len is the number of items held.
func (q *limit[T, K]) Len() int { return q.inner.Len() + q.aside.Len() + q.waiting }

// Push adds an item to the inner queue, or to the line of its key.
func (q *limit[T, K]) Push(item T) {
	g := q.gates.at(q.key(item))
	if g.admitted < q.n {
		q.inner.Push(item) // first: if it panics, nothing has changed
		q.admit(g)
		return
	}
	g.line.push(q.nodes.of(item, q.seq, 0))
	q.seq++
	q.waiting++
}

// Held is the number of items in lines, here or in an inner queue that has some.
func (q *limit[T, K]) Held() int {
	if q.holder != nil {
		return q.waiting + q.holder.Held()
	}
	return q.waiting
}

// Pop takes the next item of the inner queue.
func (q *limit[T, K]) Pop() (T, bool) {
	if item, ok := q.aside.Pop(); ok {
		return item, true
	}
	return q.inner.Pop()
}

// Finish lets the next of the item's key in.
func (q *limit[T, K]) Finish(item T, ran bool) {
	if q.finisher != nil {
		q.finisher.Finish(item, ran)
	}
	q.left(item)
}

func (q *limit[T, K]) admit(g *gate[T]) {
	if g.admitted == 0 {
		q.gates.wake()
	}
	g.admitted++
}

// left gives the place of an admitted item to the next in its line.
func (q *limit[T, K]) left(item T) {
	g := q.gates.at(q.key(item))
	for g.line.n > 0 {
		if q.letIn(q.drop(g, g.line.front)) {
			return
		}
	}
	g.admitted--
	if g.admitted == 0 {
		q.gates.rest(func(g *gate[T]) bool { return g.admitted == 0 })
	}
}

// letIn pushes an item into the inner queue. It is not its submitter who waits for
// that, but somebody else whose item has ended; so if a function that reads an
// attribute panics, the item is handed back to the owner.
func (q *limit[T, K]) letIn(item T) (in bool) {
	defer func() {
		if v := recover(); v != nil {
			q.refused.Push(refusal[T]{item, fmt.Errorf("queue: LimitByKey: the inner discipline panicked: %v", v)})
		}
	}()
	q.inner.Push(item)
	return true
}

// Discarded returns an item that the inner queue could not take, or one that it has
// given up. The place of the latter goes to the next of its key.
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

// NeedsTime reports whether the inner queue has to be told the time.
func (q *limit[T, K]) NeedsTime() bool { return q.clock != nil && q.clock.NeedsTime() }

// Tick sets the time of the inner queue. It is called only if NeedsTime says so.
func (q *limit[T, K]) Tick(now time.Time) { q.clock.Tick(now) }

// drop takes an item out of its line.
func (q *limit[T, K]) drop(g *gate[T], e *node[T]) T {
	g.line.remove(e)
	if q.waiting--; q.waiting == 0 {
		q.nodes.dwindle()
	}
	return q.nodes.free(e)
}

// Remove takes out every item for which gone reports true. O(n). Lines come
// first: what is let in meanwhile must not be asked about again.
func (q *limit[T, K]) Remove(gone func(item T) bool) int {
	before := q.Len()
	for _, g := range q.gates.states {
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

// setAside takes everything out of the inner queue, in its order.
func (q *limit[T, K]) setAside() {
	for {
		item, ok := q.inner.Pop()
		if !ok {
			return
		}
		q.aside.Push(item)
	}
}

// CanEvict reports whether the worst item can be found: if the inner queue can find
// its own. The oldest may be in the inner queue or in a line, and nothing tells which.
func (q *limit[T, K]) CanEvict(v Victim) bool {
	return v == Worst && q.evictor != nil && q.evictor.CanEvict(v)
}

// Evict takes the newest item of the longest line, which could not run for the
// longest time, or, without lines, what the inner queue would give up.
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

// longerThan compares the lines of two gates, and, so that the same calls give the
// same victim, the last items of lines of equal length.
func (g *gate[T]) longerThan(other *gate[T]) bool {
	if g.line.n != other.line.n {
		return g.line.n > other.line.n
	}
	return g.line.back.seq > other.line.back.seq
}
