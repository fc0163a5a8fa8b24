package queue

import (
	"math/bits"

	"github.com/seed56799101/taskmanager/internal/capacity"
)

// flowHeap is a binary heap of the keys of a [Fair] queue. The key whose first item finishes
// first is at index 0. Each flow knows its place.
type flowHeap[T any] []ranked[T]

// ranked is a flow with a copy of its rank.
type ranked[T any] struct {
	rank
	flow *flow[T]
}

// rank orders keys by the virtual time at which their first items finish. Of equal ones, the
// key that has waited longer comes first.
type rank struct{ finish, turn uint64 }

// after reports whether the virtual time a is after b. Virtual times wrap around, so only
// their difference counts; see maxLead.
func after(a, b uint64) bool { return int64(a-b) > 0 } //nolint:gosec // wraps around on purpose

// before returns 1 if the rank r comes before s, and 0 otherwise. It has no branches, which
// would be mispredicted half of the time: the sign of the difference is that of the finishes,
// and if they are equal, the borrow of the turns makes it negative.
func (r rank) before(s rank) int {
	_, borrow := bits.Sub64(r.turn, s.turn, 0)
	return int((r.finish - s.finish - borrow) >> 63) //nolint:gosec // 0 or 1
}

// add adds a flow.
func (h *flowHeap[T]) add(f *flow[T]) {
	*h = append(*h, ranked[T]{})
	h.up(len(*h)-1, f)
}

// remove removes a flow. The last one takes its place.
func (h *flowHeap[T]) remove(f *flow[T]) {
	last := len(*h) - 1
	moved := (*h)[last].flow
	(*h)[last] = ranked[T]{}
	*h = capacity.Shrink((*h)[:last])
	if moved != f {
		moved.place = f.place
		h.fix(moved)
	}
}

// fix restores the order after a change of the rank of f.
func (h *flowHeap[T]) fix(f *flow[T]) {
	if !h.down(f.place, f) {
		h.up(f.place, f)
	}
}

// up puts f at index i or above.
func (h *flowHeap[T]) up(i int, f *flow[T]) {
	for i > 0 {
		parent := (i - 1) / 2
		if f.before((*h)[parent].rank) == 0 {
			break
		}
		h.put(i, (*h)[parent])
		i = parent
	}
	h.put(i, ranked[T]{f.rank, f})
}

// down puts f at index i or below, and reports whether it moved.
func (h *flowHeap[T]) down(i int, f *flow[T]) bool {
	from, all, r := i, *h, f.rank
	for {
		child := 2*i + 1
		if child >= len(all) {
			break
		}
		if right := child + 1; right < len(all) {
			child += all[right].before(all[child].rank)
		}
		if all[child].before(r) == 0 {
			break
		}
		h.put(i, all[child])
		i = child
	}
	h.put(i, ranked[T]{r, f})
	return i > from
}

func (h *flowHeap[T]) put(i int, r ranked[T]) {
	(*h)[i] = r
	r.flow.place = i
}
