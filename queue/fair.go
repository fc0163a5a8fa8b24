package queue

import (
	"fmt"
	"iter"
)

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
	// Quantum is the cost that a key of weight 1 may run in one turn, at most 2⁴⁰. With a
	// smaller quantum, keys alternate more often, and Pop passes more keys that may not run
	// their next item yet. The default, 0, is the mean cost of the waiting items, computed
	// in each round: a turn is then about one item long, and Pop passes about one key.
	Quantum int64
}

// Fair returns the discipline that serves the keys of the items in turn and in proportion to
// their weights: deficit round robin (Shreedhar and Varghese, Efficient fair queueing using
// deficit round robin, SIGCOMM 1995). Items of one key run in the order in which they
// were pushed. A key that floods the queue delays only its own items.
//
// While two keys have items waiting, the service that they get, as cost divided by weight,
// differs by at most Q + Max/w₁ + Max/w₂, independent of other keys. Q is the quantum, Max
// the largest cost, and w₁ and w₂ are the weights. The default quantum is at most Max. A key
// that had no items waiting is not compensated for that time. An item that was withdrawn and
// did not run is not charged; see [Finisher].
//
// Push costs O(1). Pop costs O(1) amortised with the default quantum, and O(1) if no cost
// exceeds the quantum; a single Pop looks at each key at most twice. The queue implements
// [Remover], [Finisher] and [Evictor]. The [Worst] item is the newest of the key whose
// waiting cost divided by its weight is the largest. Evict costs O(number of keys). Validate
// reports an invalid configuration; see [Factory].
func Fair[T any, K comparable](cfg FairConfig[T, K]) Factory[T] {
	var fault error
	switch {
	case cfg.Key == nil:
		fault = errNilFunc("Fair", "Key")
	case cfg.Quantum < 0 || cfg.Quantum > maxCost:
		fault = fmt.Errorf("queue: Fair: the quantum is %d; it must be from 1 to %d, or 0 for the mean cost", cfg.Quantum, int64(maxCost))
	}
	return func() Queue[T] { return &fair[T, K]{cfg: cfg, fault: fault} }
}

const (
	maxCost   = 1 << 40
	maxWeight = 1 << 20 // maxCost·maxWeight fits into an int64
)

// fair is a ring of the keys that have items waiting. At the start of a key's turn, the
// quantum times its weight is added to its deficit. The key runs items while their cost
// fits into the deficit, which decreases by that cost. The rest of the deficit remains for
// the next turn. A key without items leaves the ring and loses its deficit.
//
// A round is one pass over the ring, and starts with the turn of first. The quantum is the
// same for all turns of a round. The default quantum can therefore change between rounds:
// of two keys that always wait, one is at most one turn ahead.
type fair[T any, K comparable] struct {
	cfg     FairConfig[T, K]
	fault   error             // the result of Validate
	flows   table[K, flow[T]] // active: in the ring
	turn    *flow[T]          // the key whose turn it is; nil if the ring is empty
	first   *flow[T]          // the key that starts a round
	nodes   nodes[T]
	quantum int64 // of this round
	cost    int64 // of all items in the queue
	n       int   // items in the queue
	seq     int64 // items pushed so far
}

// flow is the state of one key.
type flow[T any] struct {
	waiting line[T]
	cost    int64 // of all waiting items
	weight  int64
	deficit int64 // the cost that the key may still run
	begun   bool  // the quantum of this turn has been added
	// The neighbours in the ring, while items are waiting.
	next, prev *flow[T]
}

// backlog returns the cost of the waiting items divided by the weight.
func (f *flow[T]) backlog() float64 { return float64(f.cost) / float64(f.weight) }

// Validate reports an invalid configuration.
func (q *fair[T, K]) Validate() error { return q.fault }

// Len returns the number of items in the queue.
func (q *fair[T, K]) Len() int { return q.n }

// Push adds an item to the line of its key.
func (q *fair[T, K]) Push(item T) {
	// The functions of the configuration come first, because they may panic.
	key, weight, cost := q.cfg.Key(item), 1, q.costOf(item)
	f := q.flows.states[key]
	if q.cfg.Weight != nil && (f == nil || f.waiting.n == 0) {
		weight = min(max(q.cfg.Weight(item), 1), maxWeight)
	}
	if f == nil {
		f = q.flows.add(key)
	}
	if f.waiting.n == 0 {
		f.weight = int64(weight)
		q.join(f)
	}
	f.waiting.push(q.nodes.alloc(item, q.seq, cost))
	f.cost += cost
	q.cost += cost
	q.seq++
	q.n++
}

// costOf returns the cost of an item.
func (q *fair[T, K]) costOf(item T) int64 {
	if q.cfg.Cost == nil {
		return 1
	}
	return min(max(q.cfg.Cost(item), 1), maxCost)
}

// Finish refunds the cost of an item that did not run.
func (q *fair[T, K]) Finish(item T, ran bool) {
	if ran {
		return
	}
	if f := q.flows.states[q.cfg.Key(item)]; f != nil && f.waiting.n > 0 {
		f.deficit += q.costOf(item)
	}
}

// Pop removes and returns the first item of the next key whose deficit suffices for it.
func (q *fair[T, K]) Pop() (item T, ok bool) {
	if q.n == 0 {
		return item, false
	}
	for passed := 0; ; passed++ {
		if passed == q.flows.active { // no deficit sufficed
			q.skipRounds()
		}
		f := q.turn
		if !f.begun {
			if f == q.first {
				q.beginRound()
			}
			f.begun = true
			f.deficit += q.quantum * f.weight
		}
		if first := f.waiting.front; first.cost <= f.deficit {
			f.deficit -= first.cost
			return q.take(f, first), true
		}
		f.begun = false
		q.turn = f.next
	}
}

// beginRound sets the quantum of a round.
func (q *fair[T, K]) beginRound() {
	if q.quantum = q.cfg.Quantum; q.quantum == 0 {
		q.quantum = min(max(1+(q.cost-1)/int64(q.n), 1), maxCost) // the sum may overflow
	}
}

// skipRounds adds to the deficits what they gain in the full rounds in which no key could
// run an item. Pop then looks at each key at most twice, also if the quantum is far below
// the costs.
func (q *fair[T, K]) skipRounds() {
	if q.turn == q.first {
		q.beginRound()
	}
	rounds := int64(maxCost)
	for f := range q.ring() {
		grant := q.quantum * f.weight
		rounds = min(rounds, (f.waiting.front.cost-f.deficit-1)/grant) // that do not suffice for this key
	}
	for f := range q.ring() {
		f.deficit += rounds * q.quantum * f.weight
	}
}

// ring ranges over the keys in the ring, starting with the one whose turn it is. No key may
// leave meanwhile.
func (q *fair[T, K]) ring() iter.Seq[*flow[T]] {
	return func(yield func(*flow[T]) bool) {
		f := q.turn
		for range q.flows.active {
			if !yield(f) {
				return
			}
			f = f.next
		}
	}
}

// join adds a key to the ring, as the last one to get a turn.
func (q *fair[T, K]) join(f *flow[T]) {
	q.flows.wake()
	if q.turn == nil {
		q.turn, q.first, f.next, f.prev = f, f, f, f
		return
	}
	f.next, f.prev = q.turn, q.turn.prev
	f.prev.next, f.next.prev = f, f
}

// leave removes a key without items from the ring.
func (q *fair[T, K]) leave(f *flow[T]) {
	f.next.prev, f.prev.next = f.prev, f.next
	if q.turn == f {
		q.turn = f.next
	}
	if q.first == f {
		q.first = f.next
	}
	if f.next == f {
		q.turn, q.first = nil, nil
	}
	*f = flow[T]{}
	q.flows.rest(func(f *flow[T]) bool { return f.waiting.n == 0 })
}

// take removes an item of the key f, and f from the ring if it was the last one.
func (q *fair[T, K]) take(f *flow[T], e *node[T]) T {
	f.waiting.remove(e)
	f.cost -= e.cost
	q.cost -= e.cost
	q.n--
	if f.waiting.n == 0 {
		q.leave(f)
	}
	if q.n == 0 {
		q.nodes.shrink()
	}
	return q.nodes.free(e)
}

// Remove removes each item for which gone returns true. It costs O(n).
func (q *fair[T, K]) Remove(gone func(item T) bool) int {
	before := q.n
	f := q.turn
	for range q.flows.active {
		following := f.next // f may leave the ring
		for e := f.waiting.front; e != nil; {
			next := e.next
			if gone(e.item) {
				q.take(f, e)
			}
			e = next
		}
		f = following
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

// heaviest returns the key with the largest backlog. The queue is not empty.
func (q *fair[T, K]) heaviest() *flow[T] {
	heaviest := q.turn
	for f := range q.ring() {
		if f.backlog() > heaviest.backlog() {
			heaviest = f
		}
	}
	return heaviest
}

// oldest returns the key of the item that was pushed first. The queue is not empty.
func (q *fair[T, K]) oldest() *flow[T] {
	oldest := q.turn
	for f := range q.ring() {
		if f.waiting.front.seq < oldest.waiting.front.seq {
			oldest = f
		}
	}
	return oldest
}
