package queue

import "slices"

// FairConfig configures [Fair].
type FairConfig[T any, K comparable] struct {
	// Key returns the key of an item: its tenant, user or folder, for example. Required.
	Key func(item T) K
	// Weight returns the weight of the item's key, from 1 to 2²⁰; other values are limited
	// to that range. Fair reads it when an item is pushed while no other item of the key is
	// waiting, and uses it until none is waiting. The default is 1.
	Weight func(item T) int
	// Cost returns the cost of an item, from 1 to 2⁴⁰, in any unit: a time or a size, for
	// example. Other values are limited to that range. Fair reads it at Push. The
	// default is 1.
	Cost func(item T) int64
}

// Fair returns the discipline that serves keys in proportion to their weights: self-clocked
// fair queueing (Golestani, A self-clocked fair queueing scheme for broadband applications,
// INFOCOM 1994). Items of one key run in the order in which they were pushed. A key that floods
// the queue, with many items or with expensive ones, delays only its own items.
//
// While the first waiting item of a key, of weight w and cost c, waits for its turn, the items
// of another key of weight v that are popped cost less than c·v/w, not counting the first one
// of them. With equal costs and weights, keys thus alternate. The bound does not depend
// on the costs of other items, on their number, nor on the number of keys. It follows that
// while two keys have items waiting, the service that they get, as cost divided by weight,
// differs by at most Max/w₁ + Max/w₂, where Max is the largest cost of the two keys.
//
// A key that had no items waiting is not compensated for that time. An item that was withdrawn
// and did not run is not charged; see [Finisher]. The items of its key then run earlier by
// its cost. All bounds hold up to an error of 2⁻¹⁹ in cost divided by weight, from rounding.
//
// Push and Pop cost O(log k) for k keys with items waiting. Push costs O(1) if an item of the
// key is waiting. The queue implements [Remover], [Finisher], [Fronter] and [Evictor]. The [Worst] item is
// the newest of the key whose waiting cost divided by its weight is the largest. Evict
// costs O(k). Validate reports an invalid configuration; see [Factory].
func Fair[T any, K comparable](cfg FairConfig[T, K]) Factory[T] {
	var fault error
	if cfg.Key == nil {
		fault = errNilFunc("Fair", "Key")
	}
	return func() Queue[T] { return &fair[T, K]{cfg: cfg, fault: fault} }
}

const (
	maxCost   = 1 << 40
	maxWeight = 1 << 20

	// costUnit is the virtual time of a cost of 1 at a weight of 1.
	costUnit = 1 << 20
	// maxLead limits how far a refund sets a key ahead of the virtual time. An item takes
	// at most maxCost·costUnit = 2⁶⁰, so all virtual times in use are within less than 2⁶³
	// of each other, and their differences show their order although they wrap around.
	maxLead = 1 << 61
)

// fair keeps a virtual time for each key that has items waiting. Each item takes its cost,
// divided by the weight of its key, on the clock of the key. Pop takes the item that
// finishes first. The virtual time of the queue is the finish of the last item popped; a key
// that gets its first item starts there. A key that has run out of items is not ahead of that
// time, so nothing needs to be remembered of it.
type fair[T any, K comparable] struct {
	cfg   FairConfig[T, K]
	fault error             // the result of Validate
	flows table[K, flow[T]] // active: in the heap
	heap  flowHeap[T]       // the keys with items waiting
	nodes nodes[T]
	now   uint64 // the virtual time
	turns uint64 // the last flow.turn given
	n     int    // items in the queue
	seq   int64  // items pushed so far, without those put in front

	fronts int64 // items put in front so far
}

// flow is the state of one key. The fields below weight are in use while items are waiting.
type flow[T any] struct {
	waiting line[T]
	cost    float64 // of all waiting items; an int64 could overflow
	weight  int64
	start   uint64 // when its first item starts
	part    int64  // the fraction that start leaves out, times the weight
	rank           // its first item finishes at rank.finish
	place   int    // in the heap
}

// backlog returns the cost of the waiting items divided by the weight.
func (f *flow[T]) backlog() float64 { return f.cost / float64(f.weight) }

// service returns the virtual time that a cost takes, multiplied by the weight.
func service(cost int64) int64 { return cost * costUnit }

// schedule sets the finish of the first item.
func (f *flow[T]) schedule() {
	f.finish = f.start + uint64((service(f.waiting.front.cost)+f.part)/f.weight) //nolint:gosec // not negative
}

// serve moves the start past the first item.
func (f *flow[T]) serve() {
	f.part = (service(f.waiting.front.cost) + f.part) % f.weight
	f.start = f.finish
}

// Validate reports an invalid configuration.
func (q *fair[T, K]) Validate() error { return q.fault }

// Len returns the number of items in the queue.
func (q *fair[T, K]) Len() int { return q.n }

// Push adds an item to the line of its key.
func (q *fair[T, K]) Push(item T) {
	q.put(item, q.seq, (*line[T]).push)
	q.seq++
}

// CanPushFront returns true.
func (q *fair[T, K]) CanPushFront() bool { return true }

// PushFront adds an item at the front of the line of its key. The turn of the key does not change.
func (q *fair[T, K]) PushFront(item T) {
	q.put(item, -1-q.fronts, (*line[T]).pushFront)
	q.fronts++
}

// put adds an item to the line of its key with one of the methods of the line.
func (q *fair[T, K]) put(item T, seq int64, add func(*line[T], *node[T])) {
	// The functions of the configuration come first, because they may panic.
	key, weight, cost := q.cfg.Key(item), 1, q.costOf(item)
	f := q.flows.states[key]
	if q.cfg.Weight != nil && (f == nil || f.waiting.n == 0) {
		weight = min(max(q.cfg.Weight(item), 1), maxWeight)
	}
	if f == nil {
		f = q.flows.add(key)
	}
	e := q.nodes.alloc(item, seq, cost)
	add(&f.waiting, e)
	f.cost += float64(cost)
	q.n++
	switch {
	case f.waiting.n == 1:
		q.flows.wake()
		f.weight, f.start, f.turn = int64(weight), q.now, q.nextTurn()
		f.schedule()
		q.heap.add(f)
	case f.waiting.front == e:
		f.schedule()
		q.heap.fix(f)
	}
}

// costOf returns the cost of an item.
func (q *fair[T, K]) costOf(item T) int64 {
	if q.cfg.Cost == nil {
		return 1
	}
	return min(max(q.cfg.Cost(item), 1), maxCost)
}

func (q *fair[T, K]) nextTurn() uint64 {
	q.turns++
	return q.turns
}

// Pop removes and returns the item that finishes first.
func (q *fair[T, K]) Pop() (item T, ok bool) {
	if q.n == 0 {
		return item, false
	}
	f := q.heap[0].flow
	if after(f.finish, q.now) { // not so for a key with a refund
		q.now = f.finish
	}
	f.serve()
	f.turn = q.nextTurn()
	return q.take(f, f.waiting.front), true
}

// Finish refunds the cost of an item that did not run, if other items of its key are waiting.
func (q *fair[T, K]) Finish(item T, ran bool) {
	if ran {
		return
	}
	f := q.flows.states[q.cfg.Key(item)]
	if f == nil || f.waiting.n == 0 {
		return
	}
	f.start -= uint64(service(q.costOf(item)) / f.weight) //nolint:gosec // not negative
	if earliest := q.now - maxLead; after(earliest, f.start) {
		f.start = earliest
	}
	f.schedule()
	q.heap.fix(f)
}

// take removes an item of the key f, and f itself if it was the last one.
func (q *fair[T, K]) take(f *flow[T], e *node[T]) T {
	first := e == f.waiting.front
	f.waiting.remove(e)
	f.cost -= float64(e.cost)
	q.n--
	switch {
	case f.waiting.n == 0:
		q.heap.remove(f)
		*f = flow[T]{}
		q.flows.rest(func(f *flow[T]) bool { return f.waiting.n == 0 })
	case first:
		f.schedule()
		q.heap.fix(f)
	}
	if q.n == 0 {
		q.nodes.shrink()
	}
	return q.nodes.free(e)
}

// Remove removes each item for which gone returns true. It costs O(n).
func (q *fair[T, K]) Remove(gone func(item T) bool) int {
	before := q.n
	for _, r := range slices.Clone(q.heap) { // a copy, as the heap changes
		f := r.flow
		for e := f.waiting.front; e != nil; {
			next := e.next
			if gone(e.item) {
				q.take(f, e)
			}
			e = next
		}
	}
	return before - q.n
}

// CanEvict returns true.
func (q *fair[T, K]) CanEvict(Victim) bool { return true }

// Evict removes and returns the oldest item, or the newest item of the key with the largest
// backlog, as fq_codel does (RFC 8290).
func (q *fair[T, K]) Evict(v Victim) (item T, ok bool) {
	if q.n == 0 {
		return item, false
	}
	if v == Oldest {
		f := q.oldest()
		return q.take(f, f.waiting.front), true
	}
	f := q.heaviest()
	return q.take(f, f.waiting.back), true
}

// heaviest returns the key with the largest backlog. Of several, it returns the one that runs
// last. The queue is not empty.
func (q *fair[T, K]) heaviest() *flow[T] {
	heaviest := q.heap[0].flow
	for _, r := range q.heap {
		if f := r.flow; f.backlog() > heaviest.backlog() || f.backlog() == heaviest.backlog() && heaviest.before(f.rank) == 1 {
			heaviest = f
		}
	}
	return heaviest
}

// oldest returns the key of the item that was pushed first. The queue is not empty.
func (q *fair[T, K]) oldest() *flow[T] {
	oldest := q.heap[0].flow
	for _, r := range q.heap {
		if f := r.flow; f.waiting.front.seq < oldest.waiting.front.seq {
			oldest = f
		}
	}
	return oldest
}
