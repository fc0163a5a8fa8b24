package queuetest

import (
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// base is a correct FIFO that can remove and evict. A mutant overrides what it gets
// wrong.
type base struct {
	items []*Item // a window that slides over buf
	buf   []*Item
	calls int // of whatever a mutant counts
}

func (q *base) Len() int { return len(q.items) }

func (q *base) Push(i *Item) {
	if n := len(q.items); n == cap(q.items) {
		q.buf = make([]*Item, n, 2*n+8)
		copy(q.buf, q.items)
		q.items = q.buf
	}
	q.items = append(q.items, i)
}

func (q *base) Pop() (*Item, bool) {
	if len(q.items) == 0 {
		return nil, false
	}
	i := q.items[0]
	q.items[0] = nil
	if q.items = q.items[1:]; len(q.items) == 0 {
		q.items = q.buf[:0]
	}
	return i, true
}

func (q *base) Remove(gone func(*Item) bool) int {
	before := len(q.items)
	q.items = slices.DeleteFunc(q.items, gone)
	return before - len(q.items)
}

func (q *base) CanEvict(queue.Victim) bool { return true }

// Evict takes the front if it is to be the oldest: nothing here overtakes.
func (q *base) Evict(v queue.Victim) (*Item, bool) {
	if len(q.items) == 0 || v == queue.Oldest {
		return q.Pop()
	}
	last := len(q.items) - 1
	i := q.items[last]
	q.items[last] = nil
	q.items = q.items[:last]
	return i, true
}

// every reports true once in n calls.
func (q *base) every(n int) bool { q.calls++; return q.calls%n == 0 }

type loses struct{ base }

func (q *loses) Push(i *Item) {
	if !q.every(50) {
		q.base.Push(i)
	}
}

// losesQuietly still counts what it has lost.
type losesQuietly struct {
	base
	lost int
}

func (q *losesQuietly) Len() int { return q.base.Len() + q.lost }
func (q *losesQuietly) Push(i *Item) {
	if q.every(50) {
		q.lost++
		return
	}
	q.base.Push(i)
}

type duplicates struct{ base }

func (q *duplicates) Push(i *Item) {
	q.base.Push(i)
	if q.every(50) {
		q.base.Push(i)
	}
}

// swaps hands out one item twice in the place of another.
type swaps struct {
	base
	last *Item
}

func (q *swaps) Pop() (*Item, bool) {
	i, ok := q.base.Pop()
	if ok && q.last != nil && q.every(20) {
		return q.last, true
	}
	q.last = i
	return i, ok
}

type wrongLen struct{ base }

func (q *wrongLen) Len() int {
	if n := q.base.Len(); n < 40 {
		return n
	}
	return q.base.Len() - 1
}

type nilWhenEmpty struct{ base }

func (q *nilWhenEmpty) Pop() (*Item, bool) {
	i, _ := q.base.Pop()
	return i, true
}

type holdsBack struct{ base }

func (q *holdsBack) Pop() (*Item, bool) {
	if len(q.items) == 1 {
		return nil, false
	}
	return q.base.Pop()
}

// wrongOrder is a FIFO up to 30 items.
type wrongOrder struct{ base }

func (q *wrongOrder) Pop() (*Item, bool) {
	if len(q.items) > 30 {
		q.items[0], q.items[1] = q.items[1], q.items[0]
	}
	return q.base.Pop()
}

type keepsSlots struct{ base }

func (q *keepsSlots) Pop() (*Item, bool) {
	if len(q.items) == 0 {
		return nil, false
	}
	i := q.items[0]
	q.items = q.items[1:]
	return i, true
}

type keepsLast struct {
	base
	last *Item
}

func (q *keepsLast) Pop() (*Item, bool) {
	i, ok := q.base.Pop()
	q.last = i
	return i, ok
}

type allocates struct {
	base
	box *[]byte
}

func (q *allocates) Push(i *Item) {
	b := make([]byte, 64)
	q.box = &b
	q.base.Push(i)
}

type removesTooFew struct{ base }

func (q *removesTooFew) Remove(gone func(*Item) bool) int {
	kept := false
	return q.base.Remove(func(i *Item) bool {
		if !gone(i) {
			return false
		}
		if !kept && q.every(3) {
			kept = true
			return false
		}
		return true
	})
}

type removesTooMany struct{ base }

func (q *removesTooMany) Remove(gone func(*Item) bool) int {
	n := q.base.Remove(gone)
	q.Pop()
	return n
}

type asksTwice struct{ base }

func (q *asksTwice) Remove(gone func(*Item) bool) int {
	return q.base.Remove(func(i *Item) bool { gone(i); return gone(i) })
}

type forgetsToAsk struct{ base }

func (q *forgetsToAsk) Remove(gone func(*Item) bool) int {
	if len(q.items) < 2 {
		return q.base.Remove(gone)
	}
	first := q.items[0]
	rest := base{items: q.items[1:]}
	n := rest.Remove(gone)
	q.items = append([]*Item{first}, rest.items...)
	return n
}

type miscounts struct{ base }

func (q *miscounts) Remove(gone func(*Item) bool) int {
	return max(q.base.Remove(gone)-1, 0)
}

type reorders struct{ base }

func (q *reorders) Remove(gone func(*Item) bool) int {
	n := q.base.Remove(gone)
	slices.Reverse(q.items)
	return n
}

type evictsNothing struct{ base }

func (q *evictsNothing) Evict(queue.Victim) (*Item, bool) { return nil, false }

type evictsACopy struct{ base }

func (q *evictsACopy) Evict(queue.Victim) (*Item, bool) {
	if len(q.items) == 0 {
		return nil, false
	}
	return q.items[0], true // and keeps it
}

type keepsEvicted struct {
	base
	last *Item
}

func (q *keepsEvicted) Evict(v queue.Victim) (*Item, bool) {
	i, ok := q.base.Evict(v)
	q.last = i
	return i, ok
}

type evictsTheNewest struct{ base }

func (q *evictsTheNewest) Evict(queue.Victim) (*Item, bool) { return q.base.Evict(queue.Worst) }

// pauses makes a worker come twice, now and then.
type pauses struct{ base }

func (q *pauses) Pop() (*Item, bool) {
	if q.every(7) {
		return nil, false
	}
	return q.base.Pop()
}

// holdsUnseen lets two items run at a time, and does not tell that it holds others
// back.
type holdsUnseen struct {
	base
	running int
}

func (q *holdsUnseen) Finish(*Item, bool) { q.running-- }

func (q *holdsUnseen) Pop() (*Item, bool) {
	if q.running == 2 || len(q.items) == 0 {
		return nil, false
	}
	q.running++
	return q.base.Pop()
}

// twoAtOnce is correct: it lets two items run at a time.
type twoAtOnce struct{ holdsUnseen }

func (q *twoAtOnce) Held() int {
	if q.running == 2 {
		return len(q.items)
	}
	return 0
}

// heldWrong is twoAtOnce, which tells too few of those that it holds back.
type heldWrong struct{ twoAtOnce }

func (q *heldWrong) Held() int {
	if q.running == 2 {
		return len(q.items) / 2
	}
	return 0
}

// leaksSlots lets 10 items run at once, and forgets some that have ended.
type leaksSlots struct {
	base
	running int
}

func (q *leaksSlots) Pop() (*Item, bool) {
	if q.running == 10 {
		return nil, false
	}
	i, ok := q.base.Pop()
	if ok {
		q.running++
	}
	return i, ok
}

func (q *leaksSlots) Held() int {
	if q.running == 10 {
		return len(q.items)
	}
	return 0
}

func (q *leaksSlots) Finish(*Item, bool) {
	if !q.every(3) {
		q.running--
	}
}

// clocked is correct: it relies on what queue.Clocked promises, and gives up
// each third item.
type clocked struct {
	base
	ticked bool
	shed   []*Item
}

func (q *clocked) NeedsTime() bool { return true }
func (q *clocked) Tick(time.Time)  { q.ticked = true }

func (q *clocked) expect() {
	if !q.ticked {
		panic("Push or Pop without a Tick before it")
	}
	q.ticked = false
}

func (q *clocked) Push(i *Item) { q.expect(); q.base.Push(i) }

func (q *clocked) Pop() (*Item, bool) {
	q.expect()
	for {
		i, ok := q.base.Pop()
		if !ok || i.Seq%3 != 0 {
			return i, ok
		}
		q.shed = append(q.shed, i)
	}
}

func (q *clocked) Discarded() (*Item, bool, error) {
	if len(q.shed) == 0 {
		return nil, false, nil
	}
	i := q.shed[0]
	q.shed = slices.Delete(q.shed, 0, 1)
	return i, true, queue.ErrShed
}

// discardsWordlessly gives items up and does not say why.
type discardsWordlessly struct{ clocked }

func (q *discardsWordlessly) Discarded() (*Item, bool, error) {
	i, ok, _ := q.clocked.Discarded()
	return i, ok, nil
}

// neverTold is correct: it could be told the time, and does not need it.
type neverTold struct{ base }

func (q *neverTold) NeedsTime() bool { return false }
func (q *neverTold) Tick(time.Time)  { panic("Tick, though the time is not needed") }

// takesBack is correct: it hands out the newest item after one that did not run.
type takesBack struct {
	base
	newest bool
}

func (q *takesBack) Finish(_ *Item, ran bool) { q.newest = !ran }

func (q *takesBack) Pop() (*Item, bool) {
	if q.newest {
		q.newest = false
		return q.Evict(queue.Worst)
	}
	return q.base.Pop()
}

// ignoresRan is takesBack, which takes every item for one that ran.
type ignoresRan struct{ takesBack }

func (q *ignoresRan) Finish(i *Item, _ bool) { q.takesBack.Finish(i, true) }
