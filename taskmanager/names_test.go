package taskmanager

import (
	"strconv"
	"testing"
	"time"
)

// TestStatusHoldsNoLockForLong times the longest stretch for which a status of
// 100,000 outstanding tasks locks anything that a dispatch needs. It takes the
// best of several tries, since on a busy machine any stretch can be interrupted.
func TestStatusHoldsNoLockForLong(t *testing.T) {
	const tasks, limit, tries = 100_000, time.Millisecond, 5
	n := newNames()
	for i := range tasks {
		if err := n.add(&Handle{name: "task/" + strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	best := time.Hour
	for range tries {
		var longest time.Duration
		all := make([]*Handle, 0, 2*tasks)
		for i := range n.shards {
			start := time.Now()
			all = n.shards[i].appendTo(all)
			longest = max(longest, time.Since(start))
		}
		if len(all) != tasks {
			t.Fatalf("%d tasks listed, want %d", len(all), tasks)
		}
		best = min(best, longest)
	}
	if best > limit {
		t.Errorf("the status of %d tasks locks a shard for %v, want at most %v", tasks, best, limit)
	}
}
