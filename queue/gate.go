package queue

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// gate is the queue behind [Resources], and behind a [LimitByKey] within another one or over
// Resources. It admits an item to its inner queue when all keys of the item have a place and all
// resources have what the item needs. So an item that one of the limits holds back uses up none of
// the others.
//
// Held items with the same keys that need the same resources form a lane, which is ordered by an
// instance of the inner discipline. Its next item is the head of the lane. A head waits for one of
// its keys that is used up, or, if all its keys have places, it competes for resources.
//
// Of the heads that compete, the one that became a head first comes first. What is free is kept for
// it: a later one gets only what it leaves. A head is set aside while items that have lent their
// places use so much that it cannot fit, since their ends may depend on other items; see [Lender].
//
// Invariants, except within a call:
//
//   - place.admitted is the number of items of a key that are in the inner queue, popped and not
//     ended, or discarded by it and not yet returned by Discarded. resource.free is the capacity
//     without the amounts of those items.
//   - There is a lane for each combination of keys and resources with held items, and for no other.
//   - A lane has a head, or all its items are set aside, and then none of them can fit.
//   - A head is in exactly one heap: of a key without a free place, or of its class. No head of a
//     class can be admitted; see settle.
type gate[T any] struct {
	make      Factory[T]
	inner     wrapped[T]
	limits    []keyLimit[T] // at most maxLimits
	resources []resource
	amount    func(item T, name string) int64
	faults    []error

	lanes   map[laneKey[T]]*lane[T]
	classes []*class[T]
	spare   []*lane[T] // for reuse
	refused FIFO[refusal[T]]
	held    int    // items in lanes
	turns   uint64 // heads so far
	born    uint64 // lanes so far
	aside   int    // lanes that may have items set aside
	now     time.Time
	ticked  bool
}

const (
	maxLimits     = 4
	maxResources  = 64
	maxSpareLanes = 64
)

// keyLimit is a limit of a gate.
type keyLimit[T any] interface {
	// placeOf returns the state of the key of an item, or nil if the key is not limited. The
	// functions of the user, which it calls, may panic.
	placeOf(item T) *place[T]
	// wake and rest count active keys.
	wake()
	rest()
}

// place is the state of a key. It is at rest if no item is admitted and none is held.
type place[T any] struct {
	most, admitted, held int
	waiting              laneHeap[T]
}

func (p *place[T]) resting() bool { return p.admitted+p.held == 0 }
func (p *place[T]) full() bool    { return p.admitted >= p.most }

// keyed is a limit by keys of type K.
type keyed[T any, K comparable] struct {
	key    func(item T) K
	most   func(item T) int
	places table[K, place[T]]
}

func (l *keyed[T, K]) placeOf(item T) *place[T] {
	key := l.key(item)
	p := l.places.states[key]
	if p != nil && !p.resting() {
		return p
	}
	most := validLimit(l.most(item), key)
	if most == math.MaxInt {
		return nil
	}
	if p == nil {
		p = l.places.add(key)
	}
	p.most = most
	return p
}

func (l *keyed[T, K]) wake() { l.places.wake() }
func (l *keyed[T, K]) rest() { l.places.rest((*place[T]).resting) }

// resource is the state of a resource.
type resource struct {
	name                 string
	capacity, free, lent int64
}

// laneKey identifies a lane: the places of its keys, and the set of its resources.
type laneKey[T any] struct {
	places [maxLimits]*place[T]
	needs  uint64
}

// lane holds items back.
type lane[T any] struct {
	laneKey[T]

	id      uint64
	n       int // items, with the head and those set aside
	waiting wrapped[T]
	given   int64     // items that the inner discipline has given so far
	aside   []heap[T] // by resource: items that lent amounts keep from fitting, by amount and number; nil: none
	head    T
	number  int64        // of the head, among the items that the inner discipline has given
	some    bool         // there is a head
	turn    uint64       // of the head
	in      *laneHeap[T] // nil without a head
	index   int          // in the heap
}

// class has the lanes whose heads compete for the same set of resources.
type class[T any] struct {
	needs uint64
	lanes laneHeap[T]
}

// newGate returns a gate without limits over an inner discipline.
func newGate[T any](inner Factory[T]) *gate[T] {
	return &gate[T]{make: inner, inner: wrap(inner()), lanes: map[laneKey[T]]*lane[T]{}}
}

// widener is implemented by queues to which a further limit can be added.
type widener[T any] interface{ widen() *gate[T] }

func (q *gate[T]) widen() *gate[T] { return q }

// gateOver returns the gate that an inner discipline makes, or one over it.
func gateOver[T any](inner Factory[T]) *gate[T] {
	if w, ok := inner().(widener[T]); ok {
		return w.widen()
	}
	return newGate(inner)
}

// addLimit adds a limit.
func (q *gate[T]) addLimit(l keyLimit[T], faults ...error) {
	q.limits = append(q.limits, l)
	q.faults = append(q.faults, faults...)
	if len(q.limits) == maxLimits+1 {
		q.faults = append(q.faults, fmt.Errorf("queue: LimitByKey: more than %d limits are inside one another; "+
			"use a key that combines some of them", maxLimits))
	}
}

// Validate reports invalid arguments of the constructors and of the inner discipline.
func (q *gate[T]) Validate() error {
	faults := slices.Clone(q.faults)
	switch {
	case q.inner.Queue == nil:
		faults = append(faults, errors.New("queue: the innermost factory returned nil"))
	case q.inner.remover == nil:
		faults = append(faults, fmt.Errorf("queue: the inner queue of Resources, or of several limits, must implement queue.Remover; %T does not", q.inner.Queue))
	}
	if v, ok := q.inner.Queue.(interface{ Validate() error }); ok {
		faults = append(faults, v.Validate())
	}
	return errors.Join(faults...)
}

// Len returns the number of items in the queue.
func (q *gate[T]) Len() int { return q.inner.Len() + q.held }

// Held returns the number of items that are not admitted, including those of the inner queue.
func (q *gate[T]) Held() int {
	if q.inner.holder != nil {
		return q.held + q.inner.holder.Held()
	}
	return q.held
}

// keyOf returns the lane of an item.
func (q *gate[T]) keyOf(item T) (key laneKey[T]) {
	for i, l := range q.limits {
		key.places[i] = l.placeOf(item)
	}
	for i := range q.resources {
		if q.needOf(item, i) > 0 {
			key.needs |= 1 << i
		}
	}
	return key
}

// needOf returns the amount of a resource that an item needs.
func (q *gate[T]) needOf(item T, i int) int64 {
	r := &q.resources[i]
	n := q.amount(item, r.name)
	if n < 0 || n > r.capacity {
		panic(fmt.Sprintf("queue: Resources: an item needs %d of resource %q; the amount must be from 0 to the capacity, %d", n, r.name, r.capacity))
	}
	return n
}

// needs returns the indexes of the resources in a set.
func (q *gate[T]) needs(set uint64) func(yield func(i int) bool) {
	return func(yield func(i int) bool) {
		for i := range q.resources {
			if set&(1<<i) != 0 && !yield(i) {
				return
			}
		}
	}
}

// Push admits an item, or adds it to its lane.
func (q *gate[T]) Push(item T) { q.put(item, false) }

// CanPushFront reports whether the inner queue can put an item first.
func (q *gate[T]) CanPushFront() bool { return q.inner.canPushFront() }

// PushFront puts an item first in the inner queue or, behind the head, in its lane.
func (q *gate[T]) PushFront(item T) { q.put(item, true) }

func (q *gate[T]) put(item T, front bool) {
	key := q.keyOf(item) // first, because it may panic
	l := q.lanes[key]
	if l == nil && q.fits(item, key) {
		q.inner.put(item, front)
		q.take(item, key)
		q.settle() // it may have used up the key of a head for which a resource was kept
		return
	}
	if l == nil {
		l = q.newLane(key)
	}
	q.tick(&l.waiting)
	defer q.tidy(l) // also if put panics
	l.waiting.put(item, front)
	q.hold(l, 1)
	q.advance(l)
	q.settle()
}

// fits reports whether an item that has no lane may be admitted: its keys have places, and so much
// is free that no held item that needs one of its resources must be considered.
func (q *gate[T]) fits(item T, key laneKey[T]) bool {
	if firstFull(key) != nil {
		return false
	}
	for _, c := range q.classes {
		if c.needs&key.needs != 0 && len(c.lanes) > 0 {
			return false // settle decides
		}
	}
	for i := range q.needs(key.needs) {
		if q.needOf(item, i) > q.resources[i].free {
			return false
		}
	}
	return true
}

// firstFull returns the first key that is used up, or nil.
func firstFull[T any](key laneKey[T]) *place[T] {
	for _, p := range key.places {
		if p != nil && p.full() {
			return p
		}
	}
	return nil
}

// take counts an item that was admitted.
func (q *gate[T]) take(item T, key laneKey[T]) {
	q.count(key, func(p *place[T]) { p.admitted++ })
	for i := range q.needs(key.needs) {
		q.resources[i].free -= q.needOf(item, i)
	}
}

// count changes the counts of the keys, and notes which of them become active or come to rest.
func (q *gate[T]) count(key laneKey[T], change func(p *place[T])) {
	for i, l := range q.limits {
		p := key.places[i]
		if p == nil {
			continue
		}
		rested := p.resting()
		change(p)
		switch {
		case rested && !p.resting():
			l.wake()
		case !rested && p.resting():
			l.rest()
		}
	}
}

// hold counts n more items in a lane.
func (q *gate[T]) hold(l *lane[T], n int) {
	l.n += n
	q.held += n
	q.count(l.laneKey, func(p *place[T]) { p.held += n })
}

// stand puts the head of a lane where it waits: at a key that is used up, or else in its class.
func (q *gate[T]) stand(l *lane[T]) {
	q.leave(l)
	l.in = q.whereabouts(l)
	l.in.add(l)
}

func (q *gate[T]) whereabouts(l *lane[T]) *laneHeap[T] {
	if p := firstFull(l.laneKey); p != nil {
		return &p.waiting
	}
	i := slices.IndexFunc(q.classes, func(c *class[T]) bool { return c.needs == l.needs })
	if i < 0 { // an empty class will do, so there are never more than the sets that held items need
		i = slices.IndexFunc(q.classes, func(c *class[T]) bool { return len(c.lanes) == 0 })
	}
	if i < 0 {
		i = len(q.classes)
		q.classes = append(q.classes, new(class[T]))
	}
	q.classes[i].needs = l.needs
	return &q.classes[i].lanes
}

// leave takes the head of a lane out of the heap in which it is.
func (q *gate[T]) leave(l *lane[T]) {
	if l.in != nil {
		l.in.remove(l.index)
		l.in = nil
	}
}

// behead removes the head of a lane and returns it.
func (q *gate[T]) behead(l *lane[T]) T {
	q.leave(l)
	var none T
	item := l.head
	l.head, l.some = none, false
	return item
}

// settle admits all heads that can be admitted.
func (q *gate[T]) settle() {
	for q.held > 0 && q.settleOne() {
	}
}

// settleOne admits one head, or moves one to where it must wait. It returns false if there is
// nothing to do. It costs O(c²) for c sets of resources that held items need.
func (q *gate[T]) settleOne() bool {
	var avail [maxResources]int64
	for i := range q.resources {
		avail[i] = q.resources[i].free
	}
	var last uint64
	for c := q.after(last); c != nil; c = q.after(last) {
		l := c.lanes[0]
		last = l.turn
		if i := q.beyond(l.head, l); i >= 0 {
			q.setAside(l, q.behead(l), l.number, i)
			q.advance(l)
			return true
		}
		if firstFull(l.laneKey) != nil {
			q.stand(l)
			return true
		}
		fits := true
		for i := range q.needs(c.needs) {
			n := q.needOf(l.head, i)
			fits = fits && n <= avail[i]
			avail[i] -= min(n, avail[i])
		}
		if fits {
			q.admit(l)
			return true
		}
	}
	return false
}

// admit admits the head of a lane.
func (q *gate[T]) admit(l *lane[T]) {
	item := q.behead(l)
	if q.pushInner(item) {
		q.take(item, l.laneKey)
	}
	q.hold(l, -1)
	q.advance(l)
}

// pushInner pushes an item to the inner queue, and reports whether that succeeded; see
// limit.pushInner.
func (q *gate[T]) pushInner(item T) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			q.refused.Push(refusal[T]{item, fmt.Errorf("queue: the inner discipline panicked: %v", v)})
		}
	}()
	q.inner.Push(item)
	return true
}

// Pop removes and returns the next admitted item.
func (q *gate[T]) Pop() (T, bool) { return q.inner.Pop() }

// Finish gives back what an item has used, and admits others.
func (q *gate[T]) Finish(item T, ran bool) {
	if q.inner.finisher != nil {
		q.inner.finisher.Finish(item, ran)
	}
	q.release(item)
}

// Lent notes that an item has lent its worker's place, or continues. The owner may call it for an
// item several times.
func (q *gate[T]) Lent(item T, lends bool) {
	q.inner.lent(item, lends)
	sign := int64(-1)
	if lends {
		sign = 1
	}
	for i := range q.resources {
		q.resources[i].lent += sign * q.needOf(item, i)
	}
	if !lends && q.aside > 0 {
		for _, l := range q.sorted() {
			q.advance(l)
		}
	}
	q.settle()
}
