package queue_test

import (
	"runtime"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

func TestFIFOConforms(t *testing.T) {
	queuetest.Run(t, queue.NewFIFO[*queuetest.Item], list(first, last))
}

func TestFIFOPeekReturnsTheSameAsPop(t *testing.T) {
	var q queue.FIFO[int]
	if v, ok := q.Peek(); ok {
		t.Fatalf("Peek on an empty queue returned %d", v)
	}
	for i := range 100 {
		q.Push(i)
	}
	for i := range 100 {
		peeked, _ := q.Peek()
		popped, ok := q.Pop()
		if !ok || peeked != i || popped != i {
			t.Fatalf("Peek %d, Pop %d, %v; want %d for both", peeked, popped, ok, i)
		}
	}
}

func TestFIFOPushAllIsSeveralPushes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q, want queue.FIFO[int]
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"pushAll": func(t *rapid.T) {
				items := make([]int, rapid.IntRange(0, 400).Draw(t, "items"))
				for i := range items {
					next++
					items[i] = next
					want.Push(next)
				}
				q.PushAll(items)
			},
			"pop": func(t *rapid.T) {
				for range rapid.IntRange(1, 400).Draw(t, "items") {
					got, ok := q.Pop()
					if w, wok := want.Pop(); got != w || ok != wok {
						t.Fatalf("Pop returned %d, %v; want %d, %v", got, ok, w, wok)
					}
				}
			},
			"": func(t *rapid.T) {
				if q.Len() != want.Len() {
					t.Fatalf("Len is %d, want %d", q.Len(), want.Len())
				}
			},
		})
	})
}

func TestFIFOFreesMemoryAfterABurst(t *testing.T) {
	const burst = 1_000_000
	before := heapInUse()
	kept := func() int64 { return heapInUse() - before }
	var q queue.FIFO[int64]
	for i := range int64(burst) {
		q.Push(i)
	}
	if full := kept(); full < 8*burst || full > 9*burst {
		t.Errorf("a queue of %d items of 8 bytes uses %d bytes; want at most an eighth more than the items", burst, full)
	}
	for q.Len() > 0 {
		q.Pop()
	}
	limit := int64(4<<20 + 64<<10)
	if strconv.IntSize == 32 {
		limit += 16 << 10 // a segment has 1,008 bytes, and the allocator gives it 1 KiB
	}
	if got := kept(); got > limit {
		t.Errorf("the empty queue keeps %d bytes; want at most 4 MiB", got)
	}
	for range 5000 { // one item at a time
		q.Push(1)
		q.Pop()
	}
	if got := kept(); got > 64<<10 {
		t.Errorf("after 5,000 single items, the queue keeps %d bytes; want at most 64 KiB", got)
	}
	runtime.KeepAlive(&q)
}

func TestFIFORepeatedBurstsAllocateNothing(t *testing.T) {
	var q queue.FIFO[int]
	burst := func() {
		for i := range 50_000 {
			q.Push(i)
		}
		for q.Len() > 0 {
			q.Pop()
		}
	}
	burst()
	if got := testing.AllocsPerRun(10, burst); got > 1 {
		t.Errorf("a repeated burst of 50,000 items makes %v allocations, want at most 1", got)
	}
}
