package scheduler_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
)

// TestDispatchAllocatesNothing checks that neither submitting an item nor running it
// allocates, one by one or in batches.
func TestDispatchAllocatesNothing(t *testing.T) {
	const items = 20_000
	pool, err := scheduler.NewPool(scheduler.Config[*sync.WaitGroup]{Min: 2, Max: 2},
		func(_ int32, wg *sync.WaitGroup) { wg.Done() })
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var wg sync.WaitGroup
	batch := make([]*sync.WaitGroup, 64)
	for i := range batch {
		batch[i] = &wg
	}
	round := func() {
		wg.Add(items + 64*(items/64))
		for range items {
			if err := pool.Submit(ctx, &wg); err != nil {
				t.Fatal(err)
			}
		}
		for range items / 64 {
			if err := pool.SubmitAll(ctx, batch); err != nil {
				t.Fatal(err)
			}
		}
		wg.Wait()
	}
	round()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	round()
	runtime.ReadMemStats(&after)
	// The queue allocates a segment when the backlog exceeds all earlier ones.
	if got := float64(after.Mallocs-before.Mallocs) / (2 * items); got > 0.02 {
		t.Errorf("%.3f allocations an item, want none", got)
	}
	if err := pool.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestListOfWorkersIsQuick checks that listing a thousand busy workers, which locks the
// pool, takes less than a millisecond. It takes the best of several tries, since on a busy
// machine any try can be interrupted.
func TestListOfWorkersIsQuick(t *testing.T) {
	const workers, limit = 1000, time.Millisecond
	release := make(chan struct{})
	pool, err := scheduler.NewPool(scheduler.Config[int]{Min: workers, Max: workers},
		func(int32, int) { <-release })
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.SubmitAll(t.Context(), make([]int, 100*workers)); err != nil {
		t.Fatal(err)
	}
	best := time.Hour
	for range 20 {
		begin := time.Now()
		if got := len(pool.Workers()); got != workers {
			t.Fatalf("%d workers listed, want %d", got, workers)
		}
		best = min(best, time.Since(begin))
	}
	if best > limit {
		t.Errorf("the list takes %v at best, want at most %v", best, limit)
	}
	close(release)
	if err := pool.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
}
