package capacity_test

import (
	"runtime"
	"testing"

	"github.com/seed56799101/taskmanager/internal/capacity"
	"github.com/seed56799101/taskmanager/internal/check"
)

// TestShrinkFollowsTheLength removes one element after another.
func TestShrinkFollowsTheLength(t *testing.T) {
	const n = 100_000
	s := make([]int, n)
	moves, last := 0, cap(s)
	for i := range s {
		s[i] = i
	}
	for len(s) > 0 {
		s = capacity.Shrink(s[:len(s)-1])
		if c := cap(s); c > capacity.Kept && len(s) <= c/16 {
			t.Fatalf("the capacity is %d for %d elements", c, len(s))
		}
		if cap(s) != last {
			moves, last = moves+1, cap(s)
		}
		if len(s) > 0 && s[len(s)-1] != len(s)-1 {
			t.Fatalf("element %d became %d", len(s)-1, s[len(s)-1])
		}
	}
	check.Equal(t, "reallocations", moves, 5)
	if cap(s) > capacity.Kept {
		t.Errorf("the empty slice has a capacity of %d", cap(s))
	}
}

// TestMapGivesMemoryBack fills a map and removes one element after another, but for a few.
func TestMapGivesMemoryBack(t *testing.T) {
	const n, rest = 200_000, 10
	heap := func() int64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC() // a sync.Pool and a finalizer keep memory through one collection
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc) //nolint:gosec // small
	}
	var m capacity.Map[int, int]
	check.Equal(t, "a value in the empty map", m.Get(1), 0)
	before := heap()
	for i := range n {
		m.Set(i, 2*i)
	}
	if full := heap(); full-before < 1<<20 {
		t.Fatalf("the full map takes %d bytes, so the test checks nothing", full-before)
	}
	for i := range n - rest {
		m.Delete(i)
	}
	if left := heap() - before; left > 1<<19 {
		t.Errorf("a map of %d elements keeps %d bytes", m.Len(), left)
	}
	for i := range n {
		want := 0
		if i >= n-rest {
			want = 2 * i
		}
		if got := m.Get(i); got != want {
			t.Fatalf("the value of %d is %d, want %d", i, got, want)
		}
	}
	check.Equal(t, "length", m.Len(), rest)
}
