package queuetest

import (
	"runtime"
	"testing"
	"weak"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
)

// conservesWork reports whether the rule WorkConservation applies.
func (s *suite) conservesWork() bool {
	q := own(s.make())
	return q.holder == nil && q.discarder == nil
}

// station is a queue with workers.
type station struct {
	q       *owned
	running []*Item
}

// start gives items to idle workers.
func (s *station) start(workers int) {
	for len(s.running) < workers {
		item, ok, _ := s.q.Pop()
		if !ok {
			return
		}
		s.running = append(s.running, item)
	}
}

// finish ends n running items.
func (s *station) finish(n int) {
	for _, item := range s.running[:n] {
		s.q.Finish(item, true)
	}
	s.running = s.running[n:]
}

// inSystem returns the number of items that wait or run.
func (s *station) inSystem() int { return s.q.Len() + len(s.running) }

// workConservation compares a queue and a FIFO under the same workload. The discipline decides
// which items wait, but not how many.
func (s *suite) workConservation(t *rapid.T) {
	workers := rapid.IntRange(1, 4).Draw(t, "workers")
	ours, fifo := &station{q: own(s.make())}, &station{q: own(queue.NewFIFO[*Item]())}
	seq := 0
	t.Repeat(map[string]func(*rapid.T){
		"arrive": func(t *rapid.T) {
			for range rapid.IntRange(1, 12).Draw(t, "items") {
				seq++
				item := &Item{Seq: seq, Value: rapid.IntRange(0, 9).Draw(t, "value")}
				ours.q.Push(item)
				fifo.q.Push(item)
			}
		},
		"end": func(t *rapid.T) {
			if len(fifo.running) == 0 {
				t.Skip("no item is running")
			}
			n := rapid.IntRange(1, len(fifo.running)).Draw(t, "items")
			ours.finish(n)
			fifo.finish(n)
		},
		"": func(t *rapid.T) {
			ours.start(workers)
			fifo.start(workers)
			if len(ours.running) != len(fifo.running) || ours.inSystem() != fifo.inSystem() {
				t.Fatalf("%d of %d workers are busy, with %d items waiting or running; with a FIFO, %d workers and %d items",
					len(ours.running), workers, ours.inSystem(), len(fifo.running), fifo.inSystem())
			}
		},
	})
}

// independence checks that two queues of one factory share no state.
func (s *suite) independence(t *testing.T) {
	a, b := own(s.make()), own(s.make())
	a.Push(&Item{Seq: 1})
	if got := b.Len(); got != 0 {
		t.Fatalf("after a Push to one queue, the Len of another is %d", got)
	}
	if item, ok, _ := b.Pop(); ok {
		t.Fatalf("a queue pops %v, which was pushed to another one", item)
	}
}

// memory checks that the queue does not keep items reachable that have left it.
func (s *suite) memory(t *testing.T) {
	push := (*owned).Push
	s.collectable(t, "Pop", push, leaveByPop)
	if q := own(s.make()); q.fronter != nil {
		s.collectable(t, "Pop after PushFront", (*owned).PushFront, leaveByPop)
	}
	if q := own(s.make()); q.remover != nil {
		s.collectable(t, "Remove", push, func(q *owned) []*Item { return one(removeOne(q)) })
	}
	for _, v := range []queue.Victim{queue.Worst, queue.Oldest} {
		if q := own(s.make()); q.canEvict(v) {
			s.collectable(t, "Evict", push, func(q *owned) []*Item { return one(q.Evict(v)) })
		}
	}
}

// leaveByPop pops an item, which lends its place, continues and ends.
func leaveByPop(q *owned) []*Item {
	item, ok, given := q.Pop()
	left := one(item, ok)
	if ok {
		q.Lent(item, true)
		given = append(given, q.discarded()...)
		q.Lent(item, false)
		given = append(given, q.discarded()...)
		q.Finish(item, true)
	}
	for _, d := range given {
		left = append(left, d.item)
	}
	return left
}

// collectable checks one way of leaving a queue, for items that push puts there. The function leave
// makes items leave, and returns them. It looks at a queue with one item, which keeps its memory, at
// an empty one, and at one with a new item: a queue may keep only the last item, until it becomes
// empty, or until the next Push.
func (s *suite) collectable(t *testing.T, way string, push func(q *owned, item *Item), leave func(q *owned) []*Item) {
	t.Helper()
	const items = 100
	q := own(s.make())
	for i := range items {
		push(q, &Item{Seq: i + 1, Value: i % 10})
	}
	var gone []weak.Pointer[Item]
	shrink := func(to int) {
		for tries := 0; q.Len() > to && tries < items; tries++ {
			for _, item := range leave(q) {
				gone = append(gone, weak.Make(item))
			}
		}
		if q.Len() > to {
			t.Fatalf("after %d calls of %s, %d of %d items are still in the queue", items, way, q.Len(), items)
		}
	}
	verify := func(state string) {
		t.Helper()
		runtime.GC()
		for _, w := range gone {
			if item := w.Value(); item != nil {
				t.Fatalf("%v has left by %s and is still reachable from the queue, which %s; zero its slot", item, way, state)
			}
		}
	}
	shrink(1)
	verify("has one item")
	shrink(0)
	verify("is empty")
	q.Push(&Item{Seq: items + 1})
	verify("was empty and has a new item")
	runtime.KeepAlive(q)
}

// one returns a slice with the item if ok is true.
func one(item *Item, ok bool) []*Item {
	if !ok {
		return nil
	}
	return []*Item{item}
}

// removeOne removes one item.
func removeOne(q *owned) (removed *Item, ok bool) {
	q.Remove(func(item *Item) bool {
		if ok {
			return false
		}
		removed, ok = item, true
		return true
	})
	return removed, ok
}

// allocations checks the rule Allocations at several lengths of the queue.
func (s *suite) allocations(t *testing.T) {
	for _, depth := range []int{0, 1, 1000} {
		q := own(s.make())
		for i := range depth {
			q.Push(&Item{Seq: i + 1, Value: i % 10})
		}
		next := &Item{Seq: depth + 1}
		got := testing.AllocsPerRun(1000, func() {
			q.Push(next)
			next, _, _ = q.Pop()
			q.Finish(next, true)
		})
		if got > s.allocs {
			t.Errorf("a Push and a Pop at length %d make %v allocations, want at most %v", depth, got, s.allocs)
		}
	}
}
