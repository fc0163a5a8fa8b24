package queuetest

import (
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// base is a correct FIFO, a Remover and an Evictor. A mutant embeds it and overrides a method
// with a wrong one.
type base struct {
	items []*Item // a part of buf
	buf   []*Item
	calls int // of every
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

// Evict removes the front for queue.Oldest, and the back for queue.Worst.
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

// every returns true in each n-th call.
func (q *base) every(n int) bool { q.calls++; return q.calls%n == 0 }

type loses struct{ base }

func (q *loses) Push(i *Item) {
	if !q.every(50) {
		q.base.Push(i)
	}
}

// losesQuietly counts lost items in Len.
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

// swaps returns an item again instead of the next one.
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

// wrongOrder is a FIFO only while it has at most 30 items.
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

// keepsLastOfAll keeps the item that leaves the queue empty.
type keepsLastOfAll struct {
	base
	last *Item
}

func (q *keepsLastOfAll) Pop() (*Item, bool) {
	i, ok := q.base.Pop()
	if len(q.items) == 0 && ok {
		q.last = i
	}
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

// pauses sometimes returns nothing, and the item in the next call.
type pauses struct{ base }

func (q *pauses) Pop() (*Item, bool) {
	if q.every(7) {
		return nil, false
	}
	return q.base.Pop()
}

// holdsUnseen runs at most two items at once, but is not a Holder.
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

// twoAtOnce is correct. It runs at most two items at once.
type twoAtOnce struct{ holdsUnseen }

func (q *twoAtOnce) Held() int {
	if q.running == 2 {
		return len(q.items)
	}
	return 0
}

// heldWrong returns too small a number of held items.
type heldWrong struct{ twoAtOnce }

func (q *heldWrong) Held() int {
	if q.running == 2 {
		return len(q.items) / 2
	}
	return 0
}

// leaksSlots runs at most 10 items at once, and ignores some calls of Finish.
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

// discards is the part of a queue that passes on the items which the queue has given up.
type discards struct {
	given  []*Item
	reason error
}

func (q *discards) Discarded() (*Item, bool, error) {
	if len(q.given) == 0 {
		return nil, false, nil
	}
	i := q.given[0]
	q.given = slices.Delete(q.given, 0, 1)
	return i, true, q.reason
}

// clocked is correct. It discards each third item, and panics if a call of Tick is missing.
type clocked struct {
	base
	discards
	ticked bool
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
		q.given = append(q.given, i)
	}
}

func (q *clocked) Discarded() (*Item, bool, error) {
	q.reason = queue.ErrShed
	return q.discards.Discarded()
}

// drains is correct. It discards no item after Drain.
type drains struct {
	clocked
	draining bool
}

func (q *drains) Drain() { q.draining = true }

func (q *drains) Pop() (*Item, bool) {
	if q.draining {
		q.expect()
		return q.base.Pop()
	}
	return q.clocked.Pop()
}

// ignoresDrain discards items after Drain.
type ignoresDrain struct{ clocked }

func (q *ignoresDrain) Drain() {}

// discardsWithoutReason discards items without a reason.
type discardsWithoutReason struct{ clocked }

func (q *discardsWithoutReason) Discarded() (*Item, bool, error) {
	i, ok, _ := q.clocked.Discarded()
	return i, ok, nil
}

// needsNoTime is correct. Its NeedsTime returns false, so Tick must not be called.
type needsNoTime struct{ base }

func (q *needsNoTime) NeedsTime() bool { return false }
func (q *needsNoTime) Tick(time.Time)  { panic("Tick called although NeedsTime is false") }

// takesBack is correct. After an item that did not run, it pops the newest item.
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

// ignoresRan ignores that an item did not run.
type ignoresRan struct{ takesBack }

func (q *ignoresRan) Finish(i *Item, _ bool) { q.takesBack.Finish(i, true) }
