package queuetest

import (
	"fmt"

	"github.com/seed56799101/taskmanager/queue"
)

// lends is correct. At most two items run at once that have not lent their places. It panics if it
// is not told of the places as package queue says.
type lends struct {
	base
	running map[*Item]bool // popped and not finished
	lent    map[*Item]bool
}

func newLends() queue.Queue[*Item] { return new(lends) }

func (q *lends) free() bool { return len(q.running)-len(q.lent) < 2 }

func (q *lends) Held() int {
	if q.free() {
		return 0
	}
	return len(q.items)
}

func (q *lends) Pop() (*Item, bool) {
	if !q.free() {
		return nil, false
	}
	i, ok := q.base.Pop()
	if ok {
		if q.running == nil {
			q.running, q.lent = map[*Item]bool{}, map[*Item]bool{}
		}
		q.running[i] = true
	}
	return i, ok
}

func (q *lends) Lent(i *Item, lends bool) {
	if !q.running[i] || q.lent[i] == lends {
		panic(fmt.Sprintf("Lent(%v, %v) of an item that runs: %v; that has lent its place: %v", i, lends, q.running[i], q.lent[i]))
	}
	if delete(q.lent, i); lends {
		q.lent[i] = true
	}
}

func (q *lends) Finish(i *Item, _ bool) {
	if !q.running[i] || q.lent[i] {
		panic(fmt.Sprintf("Finish(%v) of an item that runs: %v; that has lent its place: %v", i, q.running[i], q.lent[i]))
	}
	delete(q.running, i)
}

// lendsUnfinished is correct. It is a FIFO that is told of places, but not of ends.
type lendsUnfinished struct {
	base
	lent map[*Item]bool
}

func (q *lendsUnfinished) Lent(i *Item, lends bool) {
	if q.lent[i] == lends {
		panic(fmt.Sprintf("Lent(%v, %v) comes twice", i, lends))
	}
	if q.lent == nil {
		q.lent = map[*Item]bool{}
	}
	if delete(q.lent, i); lends {
		q.lent[i] = true
	}
}

// losesUnfinished loses an item when another one lends its place.
type losesUnfinished struct{ base }

func (q *losesUnfinished) Lent(*Item, bool) { q.Pop() }

// lendsLikeNoModel pops the newest item after another one has lent its place, which its model cannot
// follow. So it must not be told of places.
type lendsLikeNoModel struct{ takesBack }

func (q *lendsLikeNoModel) Lent(*Item, bool) { q.newest = true }

// ignoresLent has places for two items, also if they have lent them.
type ignoresLent struct{ lends }

func (q *ignoresLent) Lent(*Item, bool) {}

// keepsPlaces does not notice that an item continues.
type keepsPlaces struct{ lends }

func (q *keepsPlaces) Lent(i *Item, lends bool) {
	if lends {
		q.lends.Lent(i, true)
	}
}
func (q *keepsPlaces) Finish(i *Item, ran bool) { delete(q.lent, i); q.lends.Finish(i, ran) }

// losesWhenLent loses the next item when another one lends its place.
type losesWhenLent struct{ lends }

func (q *losesWhenLent) Lent(i *Item, lends bool) {
	q.lends.Lent(i, lends)
	if lends {
		q.base.Pop()
	}
}

// sticks admits nothing any more when an item has continued.
type sticks struct {
	lends
	stuck bool
}

func (q *sticks) Lent(i *Item, lends bool) {
	q.lends.Lent(i, lends)
	q.stuck = q.stuck || !lends
}

func (q *sticks) Held() int {
	if q.stuck {
		return len(q.items)
	}
	return q.lends.Held()
}

func (q *sticks) Pop() (*Item, bool) {
	if q.stuck {
		return nil, false
	}
	return q.lends.Pop()
}

// holdsLent counts the items as held for which others have lent their places.
type holdsLent struct{ lends }

func (q *holdsLent) Held() int {
	if len(q.running) >= 2 {
		return len(q.items)
	}
	return 0
}

// heldTooManyWhenLent counts an item as held that has left.
type heldTooManyWhenLent struct{ lends }

func (q *heldTooManyWhenLent) Held() int { return q.lends.Held() + len(q.lent) }

// keepsLent keeps the items that have lent their places.
type keepsLent struct {
	lends
	all []*Item
}

func (q *keepsLent) Lent(i *Item, lends bool) {
	q.all = append(q.all, i)
	q.lends.Lent(i, lends)
}

// discardsWhenLent gives up the next item when another one lends its place.
type discardsWhenLent struct {
	lends
	discards
}

func (q *discardsWhenLent) Lent(i *Item, lends bool) {
	q.lends.Lent(i, lends)
	if next, ok := q.base.Pop(); ok {
		q.given = append(q.given, next)
	}
}
