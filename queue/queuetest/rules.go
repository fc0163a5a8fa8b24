package queuetest

import (
	"runtime"
	"testing"
	"weak"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
)

// conservesWork reports whether the queue has no reason to leave a worker idle.
func (s *suite) conservesWork() bool {
	q := own(s.make())
	return q.holder == nil && q.discarder == nil
}

// station is a queue with workers.
type station struct {
	q       *owned
	running int
}

// serve gives work to workers that are idle.
func (s *station) serve(workers int) {
	for s.running < workers {
		if _, ok, _ := s.q.Pop(); !ok {
			return
		}
		s.running++
	}
}

// inSystem is the number of items that wait or run.
func (s *station) inSystem() int { return s.q.Len() + s.running }

// workConservation: no worker is idle while something waits. So the order may
// change who waits, but not how many.
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
			if fifo.running == 0 {
				t.Skip("nothing runs")
			}
			n := rapid.IntRange(1, fifo.running).Draw(t, "items")
			ours.running -= n
			fifo.running -= n
		},
		"": func(t *rapid.T) {
			ours.serve(workers)
			fifo.serve(workers)
			if ours.running != fifo.running || ours.inSystem() != fifo.inSystem() {
				t.Fatalf("%d of %d workers are busy with %d items in the system; under FIFO %d are, with %d",
					ours.running, workers, ours.inSystem(), fifo.running, fifo.inSystem())
			}
		},
	})
}

// independence: two queues of one factory share nothing.
func (s *suite) independence(t *testing.T) {
	a, b := own(s.make()), own(s.make())
	a.Push(&Item{Seq: 1})
	if got := b.Len(); got != 0 {
		t.Fatalf("a second queue has Len %d after a push to the first", got)
	}
	if item, ok, _ := b.Pop(); ok {
		t.Fatalf("a second queue pops %v, which was pushed to the first", item)
	}
}

// memory: the queue keeps no item that has left it, in whichever way.
func (s *suite) memory(t *testing.T) {
	s.collectable(t, "Pop", func(q *owned) []*Item {
		item, ok, given := q.Pop()
		left := one(item, ok)
		if ok {
			q.Finish(item, true)
		}
		for _, d := range given {
			left = append(left, d.item)
		}
		return left
	})
	if q := own(s.make()); q.remover != nil {
		s.collectable(t, "Remove", func(q *owned) []*Item { return one(removeOne(q)) })
	}
	for _, v := range []queue.Victim{queue.Worst, queue.Oldest} {
		if q := own(s.make()); q.canEvict(v) {
			s.collectable(t, "Evict", func(q *owned) []*Item { return one(q.Evict(v)) })
		}
	}
}

// collectable checks one way to leave a queue, which returns what has left.
func (s *suite) collectable(t *testing.T, way string, leave func(q *owned) []*Item) {
	t.Helper()
	const items = 100
	q := own(s.make())
	for i := range items {
		q.Push(&Item{Seq: i + 1, Value: i % 10})
	}
	gone := make([]weak.Pointer[Item], 0, items)
	for tries := 0; q.Len() > 1 && tries < items; tries++ { // one stays, so that no slice is dropped whole
		for _, item := range leave(q) {
			gone = append(gone, weak.Make(item))
		}
	}
	if q.Len() > 1 {
		t.Fatalf("%d items of %d are left after %d calls of %s", q.Len(), items, items, way)
	}
	runtime.GC()
	for _, w := range gone {
		if item := w.Value(); item != nil {
			t.Errorf("%v has left by %s and is still reachable from the queue: zero the slot", item, way)
		}
	}
	runtime.KeepAlive(q)
}

// one is a list of what a call returned.
func one(item *Item, ok bool) []*Item {
	if !ok {
		return nil
	}
	return []*Item{item}
}

// removeOne removes one item.
func removeOne(q *owned) (removed *Item, ok bool) {
	q.remover.Remove(func(item *Item) bool {
		if ok {
			return false
		}
		removed, ok = item, true
		return true
	})
	return removed, ok
}

// allocations: a push and a pop cost no more than the budget at several depths.
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
			t.Errorf("a push and a pop at depth %d cost %v allocations, want at most %v", depth, got, s.allocs)
		}
	}
}
