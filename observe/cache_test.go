package observe

import (
	"sync"
	"testing"
)

// TestCacheMakesEachOnce, for all who ask at the same time, and is bounded.
func TestCacheMakesEachOnce(t *testing.T) {
	var c cache[int, *int]
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for key := range cached {
				v := c.of(key, func(key int) *int { return &key })
				if *v != key || c.of(key, nil) != v {
					t.Errorf("what was made of %d is %d, or made twice", key, *v)
				}
			}
		})
	}
	all.Wait()
	for key := range 10 {
		if v := c.of(cached+key, func(key int) *int { return &key }); *v != cached+key {
			t.Errorf("what was made of %d is %d", cached+key, *v)
		}
	}
	if n := len(*c.made.Load()); n != cached {
		t.Errorf("%d keys are kept, want %d", n, cached)
	}
}
