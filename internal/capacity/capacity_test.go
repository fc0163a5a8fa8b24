package capacity_test

import (
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
