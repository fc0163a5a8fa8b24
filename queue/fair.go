package queue

import (
	"fmt"
	"iter"
)

// FairConfig says how [Fair] shares.
type FairConfig[T any, K comparable] struct {
	// Key tells whose an item is: the tenant, the user, the folder. Required.
	Key func(item T) K
	// Weight is what the item's key is worth in proportion to others. It is read
	// off an item that finds no other of its key waiting, and holds until none
	// is left. Weights below 1 count as 1, above 2²⁰ as that. The default is
	// the same for all.
	Weight func(item T) int
	// Cost is how much of its key's share an item uses up: a time, a size. It is
	// read when the item is pushed. Costs below 1 count as 1, above 2⁴⁰ as that.
	// The default is 1 for each.
	Cost func(item T) int64
	// Quantum is the cost that a key of weight 1 may run in each of its turns.
	// The smaller it is, the more often keys take turns, and the more of them pass
	// before one has saved up enough for its next item. The default, 0, is the
	// mean cost of what waits, taken anew in each round: turns are then about an
	// item long, whatever the unit of the costs, and about one of them passes for
	// each item.
	Quantum int64
}

// Fair returns the discipline that serves the keys of the items by turns, each
// in proportion to its weight, and the items of one key in their order: deficit
// round robin (Shreedhar and Varghese, Efficient fair queueing using deficit
// round robin, SIGCOMM 1995). A key that floods the queue delays its own items
// and no others.
//
// While two keys wait all the time, what they are served differs by no more
// than Q + Max/w₁ + Max/w₂ in cost over weight, with quantum Q, largest cost
// Max and weights w₁ and w₂; however many other keys there are. (No default quantum
// exceeds Max.) A key that had nothing waiting has no claim to make up for.
//
// A push costs O(1). So does a pop if no cost exceeds the quantum, and on average
// with the default one; a single pop may look at each key twice. It implements
// [Remover], [Finisher] and, in O(keys), [Evictor]; the worst item is the newest of the
// key with the most cost waiting for its weight. Bad values of the configuration are
// reported by Validate; see [Factory].
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
	maxWeight = 1 << 20 // a quantum of maxCost times this leaves room in an int64
)

// fair is a ring of the keys that have items waiting. The key whose turn it is
// may run items as long as their cost fits into its deficit, which its quantum
// is added to when its turn begins; what it could not use for want of a fitting
// item it keeps for its next turn. One that runs out of items leaves the ring
// and forfeits its deficit.
//
// A round is one pass over the ring, from first to first, and its quantum is the
// same for all. So the default quantum may change from round to round, and two
// keys that wait all the time are still granted the same but for one round.
type fair[T any, K comparable] struct {
	cfg     FairConfig[T, K]
	fault   error
	flows   table[K, flow[T]]
	turn    *flow[T] // whose turn it is; nil: the ring is empty
	first   *flow[T] // with whose turn a round begins
	nodes   nodes[T]
	quantum int64 // of this round
	cost    int64 // of all that waits
	n       int
	seq     int64 // items pushed so far
}

// flow is the state of one key.
type flow[T any] struct {
	waiting line[T]
	cost    int64 // of all that waits
	weight  int64
	deficit int64 // what it may still run; below the cost of its next item between turns
	begun   bool  // this turn's quantum has been added
	// The neighbours in the ring, while something waits.
	next, prev *flow[T]
}

// backlog is the cost that waits for the weight of the key.
func (f *flow[T]) backlog() float64 { return float64(f.cost) / float64(f.weight) }

// Validate reports bad values of the configuration.
func (q *fair[T, K]) Validate() error { return q.fault }

// Len is the number of items held.
func (q *fair[T, K]) Len() int { return q.n }

// Push adds an item at the end of its key's line.
func (q *fair[T, K]) Push(item T) {
	// First what others wrote: if it panics, nothing has changed.
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
	f.waiting.push(q.nodes.of(item, q.seq, cost))
	f.cost += cost
	q.cost += cost
	q.seq++
	q.n++
}

// costOf is what an item costs.
func (q *fair[T, K]) costOf(item T) int64 {
	if q.cfg.Cost == nil {
		return 1
	}
	return min(max(q.cfg.Cost(item), 1), maxCost)
}

// Finish gives the key back what an item that did not run has used up of its share.
func (q *fair[T, K]) Finish(item T, ran bool) {
	if ran {
		return
	}
	if f := q.flows.states[q.cfg.Key(item)]; f != nil && f.waiting.n > 0 {
		f.deficit += q.costOf(item)
	}
}

// Pop takes the first item of the key whose turn it is.
func (q *fair[T, K]) Pop() (item T, ok bool) {
	if q.n == 0 {
		return item, false
	}
	for passed := 0; ; passed++ {
		if passed == q.flows.active { // once round, and nothing fitted
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

// beginRound sets the quantum.
func (q *fair[T, K]) beginRound() {
	if q.quantum = q.cfg.Quantum; q.quantum == 0 {
		q.quantum = min(max(1+(q.cost-1)/int64(q.n), 1), maxCost) // the sum may overflow
	}
}

// skipRounds passes over those rounds in which no key could run anything, with
// what they would add to the deficits, so that a quantum far below the costs
// does not make Pop go round for ever.
func (q *fair[T, K]) skipRounds() {
	if q.turn == q.first {
		q.beginRound()
	}
	rounds := int64(maxCost)
	for f := range q.ring() {
		grant := q.quantum * f.weight
		rounds = min(rounds, (f.waiting.front.cost-f.deficit-1)/grant) // full rounds that do not suffice
	}
	for f := range q.ring() {
		f.deficit += rounds * q.quantum * f.weight
	}
}

// ring ranges over the keys that have items waiting, from the one whose turn it
// is. None may leave meanwhile.
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

// join puts a key at the end of the ring.
func (q *fair[T, K]) join(f *flow[T]) {
	q.flows.wake()
	if q.turn == nil {
		q.turn, q.first, f.next, f.prev = f, f, f, f
		return
	}
	f.next, f.prev = q.turn, q.turn.prev
	f.prev.next, f.next.prev = f, f
}

// leave takes a key without items out of the ring.
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

// take removes an item, and with the last one its key.
func (q *fair[T, K]) take(f *flow[T], e *node[T]) T {
	f.waiting.remove(e)
	f.cost -= e.cost
	q.cost -= e.cost
	q.n--
	if f.waiting.n == 0 {
		q.leave(f)
	}
	if q.n == 0 {
		q.nodes.dwindle()
	}
	return q.nodes.free(e)
}

// Remove takes out every item for which gone reports true. O(n).
func (q *fair[T, K]) Remove(gone func(item T) bool) int {
	before := q.n
	f := q.turn
	for range q.flows.active {
		following := f.next // f may leave
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

// CanEvict reports that Fair can find any victim.
func (q *fair[T, K]) CanEvict(Victim) bool { return true }

// Evict takes the oldest item, or the newest item of the key that has the most cost
// waiting for its weight, as fq_codel does (RFC 8290): the one that floods pays.
func (q *fair[T, K]) Evict(v Victim) (item T, ok bool) {
	if q.n == 0 {
		return item, false
	}
	if v == Oldest {
		f := q.oldest()
		return q.take(f, f.waiting.front), true
	}
	f := q.fattest()
	return q.take(f, f.waiting.back), true
}

// fattest is the key with the most cost waiting for its weight. Something waits.
func (q *fair[T, K]) fattest() *flow[T] {
	fattest := q.turn
	for f := range q.ring() {
		if f.backlog() > fattest.backlog() {
			fattest = f
		}
	}
	return fattest
}

// oldest is the key whose first item was pushed before all others. Something waits.
func (q *fair[T, K]) oldest() *flow[T] {
	oldest := q.turn
	for f := range q.ring() {
		if f.waiting.front.seq < oldest.waiting.front.seq {
			oldest = f
		}
	}
	return oldest
}
