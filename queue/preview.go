package queue

import (
	stdheap "container/heap"
	"slices"
)

// This file has the previews of the disciplines. Each one walks its structure from the item that runs
// first, and looks at no more items than it returns and their neighbours.

// CanPreview returns true.
func (q *FIFO[T]) CanPreview() bool { return true }

// Preview returns the items at the front. It costs O(n).
func (q *FIFO[T]) Preview(n int) []T {
	items := make([]T, 0, max(min(n, q.n), 0))
	for s, i := q.head, q.first; len(items) < cap(items); i++ {
		if i == segmentLen {
			s, i = s.next, 0
		}
		items = append(items, s.items[i])
	}
	return items
}

// previewBack returns the items at the back, the last one first.
func (q *FIFO[T]) previewBack(n int) []T {
	items := make([]T, 0, max(min(n, q.n), 0))
	for s, i := q.tail, q.last-1; len(items) < cap(items); i-- {
		if i < 0 {
			s, i = s.prev, segmentLen-1
		}
		items = append(items, s.items[i])
	}
	return items
}

// CanPreview returns true.
func (q *lifo[T]) CanPreview() bool { return true }

// Preview returns the items on top.
func (q *lifo[T]) Preview(n int) []T { return q.chain.previewBack(n) }

// CanPreview returns true.
func (q *codel[T]) CanPreview() bool { return true }

// previewSheds limits the number of items at which a preview looks that Pop would shed.
const previewSheds = 1000

// Preview returns the items that run next at the time of the last Tick. It follows Pop on a copy of the state.
// It returns fewer items if Pop would shed more than a thousand before them.
func (q *codel[T]) Preview(n int) []T {
	n = max(min(n, q.Len()), 0)
	items := make([]T, 0, n)
	state := *q // without the items, which are only read
	fronts, backs := q.items.Preview(n+previewSheds), q.items.previewBack(n)
	left := q.Len()
	for ; len(items) < n && left > 0 && len(fronts) > 0; left-- {
		shed, newest := state.next(q.now - fronts[0].at)
		switch {
		case shed:
			fronts = fronts[1:]
		case newest:
			items, backs = append(items, backs[0].item), backs[1:]
		default:
			items, fronts = append(items, fronts[0].item), fronts[1:]
		}
	}
	return items
}

// CanPreview reports whether the inner queue can tell its order.
func (q *limit[T, K]) CanPreview() bool { return q.inner.canPreview() }

// Preview returns the admitted items that run next.
func (q *limit[T, K]) Preview(n int) []T {
	items := q.aside.Preview(n)
	return append(items, q.inner.previewer.Preview(n-len(items))...)
}

// CanPreview reports whether the inner queue can tell its order.
func (q *gate[T]) CanPreview() bool { return q.inner.canPreview() }

// Preview returns the admitted items that run next.
func (q *gate[T]) Preview(n int) []T { return q.inner.previewer.Preview(n) }

// canPreview reports whether the queue can tell its order.
func (w *wrapped[T]) canPreview() bool { return w.previewer != nil && w.previewer.CanPreview() }

// frontier holds the candidates for the next item of a preview. Each structure adds the neighbours of the
// candidate that it takes: those that run after it, and after no other one that is left.
type frontier[C any] struct {
	candidates []C
	before     func(a, b *C) bool
}

func (f *frontier[C]) Len() int           { return len(f.candidates) }
func (f *frontier[C]) Less(i, j int) bool { return f.before(&f.candidates[i], &f.candidates[j]) }
func (f *frontier[C]) Swap(i, j int) {
	f.candidates[i], f.candidates[j] = f.candidates[j], f.candidates[i]
}
func (f *frontier[C]) Push(c any) { f.candidates = append(f.candidates, c.(C)) }

func (f *frontier[C]) Pop() any {
	last := len(f.candidates) - 1
	c := f.candidates[last]
	f.candidates = slices.Delete(f.candidates, last, last+1)
	return c
}

// add adds a candidate.
func (f *frontier[C]) add(c C) { stdheap.Push(f, c) }

// take removes and returns the first candidate.
func (f *frontier[C]) take() C { return stdheap.Pop(f).(C) }

// CanPreview returns true.
func (q *heap[T]) CanPreview() bool { return true }

// Preview returns the first items. It costs O(n log n).
//
// The candidates are indexes. An entry on an even level runs before all below it, and one on an odd level
// after all below it. So what is taken from an even level makes its children and its grandchildren
// candidates: the grandchildren run before all below them, and a child runs after all below it.
func (q *heap[T]) Preview(n int) []T {
	items := make([]T, 0, max(min(n, len(q.entries)), 0))
	next := frontier[int]{before: func(a, b *int) bool { return before(&q.entries[*a], &q.entries[*b], 0) == 1 }}
	if len(q.entries) > 0 {
		next.add(0)
	}
	for len(items) < cap(items) {
		i := next.take()
		items = append(items, q.entries[i].item)
		if reversed(i) == 1 {
			continue
		}
		for _, below := range [...]int{2*i + 1, 2*i + 2, 4*i + 3, 4*i + 4, 4*i + 5, 4*i + 6} {
			if below < len(q.entries) {
				next.add(below)
			}
		}
	}
	return items
}

// turn is the turn of a key in a preview: a copy of the part of its flow that changes when its items run.
type turn[T any] struct {
	rank
	flow *flow[T]
	item *node[T]
	part int64
	at   int // in the heap, if it is the first turn of the key; otherwise -1
}

// CanPreview returns true.
func (q *fair[T, K]) CanPreview() bool { return true }

// Preview returns the items that run next. It costs O(n log n).
//
// The candidates are turns of keys. After the first turn of a key, the keys below it in the heap become
// candidates. After each turn, the key gets its next one, as in Pop.
func (q *fair[T, K]) Preview(n int) []T {
	items := make([]T, 0, max(min(n, q.n), 0))
	next := frontier[turn[T]]{before: func(a, b *turn[T]) bool { return a.before(b.rank) == 1 }}
	first := func(i int) {
		if i < len(q.heap) {
			f := q.heap[i].flow
			next.add(turn[T]{rank: f.rank, flow: f, item: f.waiting.front, part: f.part, at: i})
		}
	}
	first(0)
	for turns := q.turns; len(items) < cap(items); {
		t := next.take()
		items = append(items, t.item.item)
		if t.at >= 0 {
			first(2*t.at + 1)
			first(2*t.at + 2)
			t.at = -1
		}
		turns++
		if t.after(turns) {
			next.add(t)
		}
	}
	return items
}

// after moves a turn to the next item of its key, as flow.serve and flow.schedule do. It returns false if
// there is none.
func (t *turn[T]) after(number uint64) bool {
	f := t.flow
	t.part = (service(t.item.cost) + t.part) % f.weight
	if t.item = t.item.next; t.item == nil {
		return false
	}
	t.finish += uint64((service(t.item.cost) + t.part) / f.weight) //nolint:gosec // not negative
	t.turn = number
	return true
}
