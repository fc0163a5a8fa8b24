package batch_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"weak"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

// TestMemoryOfManyItems: of 100,000 handles, items and results, only those in flight stay in memory,
// and for some milliseconds those that have ended last.
func TestMemoryOfManyItems(t *testing.T) {
	const (
		items  = 100_000
		flight = 100
		kept   = 3072 + 10_000 // see DESIGN.md of package taskmanager; and what ends during the collection
	)
	type large [64]byte
	m := start(t, taskmanager.WithWorkers(1, 2))
	var mu sync.Mutex
	var handles []weak.Pointer[taskmanager.Handle]
	var values []weak.Pointer[large]
	sequence := func(yield func(*large) bool) {
		for range items {
			item := new(large)
			mu.Lock()
			values = append(values, weak.Make(item))
			mu.Unlock()
			if !yield(item) {
				return
			}
		}
	}
	most, n := 0, 0
	for result, err := range batch.Map(context.Background(), m, "a", sequence, func(ctx context.Context, item *large) (*large, error) {
		h, _ := taskmanager.FromContext(ctx)
		result := new(large)
		mu.Lock()
		handles, values = append(handles, weak.Make(h)), append(values, weak.Make(result))
		mu.Unlock()
		return result, nil
	}, batch.WithInFlight(flight)) {
		if err != nil || result == nil {
			t.Fatalf("item %d: %v", n, err)
		}
		if n++; n%20_000 == 0 {
			runtime.GC()
			mu.Lock()
			alive := 0
			for _, h := range handles {
				if h.Value() != nil {
					alive++
				}
			}
			for _, v := range values {
				if v.Value() != nil {
					alive++
				}
			}
			mu.Unlock()
			most = max(most, alive)
		}
	}
	check.Equal(t, "results", n, items)
	if most > kept {
		t.Errorf("%d handles, items and results were in memory at once, want at most %d", most, kept)
	}
	t.Logf("at most %d of %d handles, items and results were in memory", most, 3*items)
}
