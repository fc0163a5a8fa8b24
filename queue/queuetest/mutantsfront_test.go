package queuetest

import (
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// fronts is correct. It is a FIFO in which items can go to the front.
type fronts struct{ base }

func newFronts() queue.Queue[*Item] { return new(fronts) }

func (q *fronts) CanPushFront() bool { return true }
func (q *fronts) PushFront(i *Item)  { q.insert(0, i) }

func (q *fronts) insert(at int, i *Item) {
	q.items = slices.Insert(slices.Clone(q.items), at, i)
	q.buf = q.items
}

// frontsAmongEquals is correct. It puts an item before those of its Value only.
type frontsAmongEquals struct{ fronts }

func (q *frontsAmongEquals) PushFront(i *Item) {
	at := slices.IndexFunc(q.items, func(other *Item) bool { return other.Value == i.Value })
	if at < 0 {
		at = len(q.items)
	}
	q.insert(at, i)
}

// cannotFront is correct. Its CanPushFront returns false, so PushFront must not be called.
type cannotFront struct{ base }

func (q *cannotFront) CanPushFront() bool { return false }
func (q *cannotFront) PushFront(*Item)    { panic("PushFront called although CanPushFront is false") }

// frontsLikeNoModel puts an item first, which its model cannot follow. So it must not be asked to.
type frontsLikeNoModel struct{ fronts }

type frontsAtTheBack struct{ fronts }

func (q *frontsAtTheBack) PushFront(i *Item) { q.Push(i) }

type frontsBehindTheHead struct{ fronts }

func (q *frontsBehindTheHead) PushFront(i *Item) { q.insert(min(1, len(q.items)), i) }

// frontsInOrder keeps the order of the items that are put first, and runs them before the others.
type frontsInOrder struct {
	fronts
	first int // items that were put first and have not left
}

func (q *frontsInOrder) PushFront(i *Item) {
	q.insert(min(q.first, len(q.items)), i)
	q.first++
}

func (q *frontsInOrder) Pop() (*Item, bool) {
	q.first = max(q.first-1, 0)
	return q.base.Pop()
}

type losesFronts struct{ fronts }

func (q *losesFronts) PushFront(i *Item) {
	if !q.every(2) {
		q.fronts.PushFront(i)
	}
}

type duplicatesFronts struct{ fronts }

func (q *duplicatesFronts) PushFront(i *Item) {
	q.fronts.PushFront(i)
	q.fronts.PushFront(i)
}

// forgetsFrontsInLen does not count the items that are put first.
type forgetsFrontsInLen struct {
	fronts
	first map[*Item]bool
}

func (q *forgetsFrontsInLen) PushFront(i *Item) {
	q.first = map[*Item]bool{i: true}
	q.fronts.PushFront(i)
}

func (q *forgetsFrontsInLen) Len() (n int) {
	for _, i := range q.items {
		if !q.first[i] {
			n++
		}
	}
	return n
}

type keepsFronts struct {
	fronts
	last []*Item
}

func (q *keepsFronts) PushFront(i *Item) {
	q.last = append(q.last, i)
	q.fronts.PushFront(i)
}

// discardsFronts discards each item that is put first.
type discardsFronts struct {
	fronts
	discards
}

func (q *discardsFronts) PushFront(i *Item) { q.given = append(q.given, i) }

// ticks is correct. It panics if a call is not preceded by a Tick.
type ticks struct {
	lends
	ticked bool
}

func (q *ticks) NeedsTime() bool { return true }
func (q *ticks) Tick(time.Time)  { q.ticked = true }

func (q *ticks) expect(call string) {
	if !q.ticked {
		panic(call + " without a Tick before it")
	}
	q.ticked = false
}

func (q *ticks) Push(i *Item)       { q.expect("Push"); q.lends.Push(i) }
func (q *ticks) CanPushFront() bool { return true }
func (q *ticks) PushFront(i *Item) {
	q.expect("PushFront")
	q.items = slices.Insert(slices.Clone(q.items), 0, i)
	q.buf = q.items
}
func (q *ticks) Pop() (*Item, bool)       { q.expect("Pop"); return q.lends.Pop() }
func (q *ticks) Lent(i *Item, lends bool) { q.expect("Lent"); q.lends.Lent(i, lends) }
func (q *ticks) Finish(i *Item, ran bool) { q.expect("Finish"); q.lends.Finish(i, ran) }

func (q *ticks) Remove(gone func(*Item) bool) int {
	q.expect("Remove")
	return q.lends.Remove(gone)
}

func (q *ticks) Evict(v queue.Victim) (*Item, bool) {
	q.expect("Evict")
	return q.base.Evict(v)
}
