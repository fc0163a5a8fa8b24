package scheduler_test

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed56799101/taskmanager/scheduler"
)

// backlog starts a pool of at most n workers, and gives it n items at once.
func backlog(t *testing.T, n int, run func(worker int32, item int)) *scheduler.Pool[int] {
	t.Helper()
	p, err := scheduler.NewPool(scheduler.Config[int]{Max: n}, run)
	if err != nil {
		t.Fatal(err)
	}
	p.Pause()
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	if err := p.SubmitAll(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestNewWorkersGiveWay: a goroutine is ready, though behind the second worker, and an item has just
// ended. That goroutine may be about to end an item too, so it runs before the second worker takes one.
func TestNewWorkersGiveWay(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const tries = 9 // of which the runtime may disturb some, by a preemption
	gave := 0
	for range tries {
		if givesWay(t) {
			gave++
		}
	}
	if gave <= tries/2 {
		t.Errorf("the second worker has given way %d times of %d", gave, tries)
	}
}

func givesWay(t *testing.T) bool {
	const items = 10
	var other atomic.Bool
	var before [items]bool // whether the other goroutine ran before the item
	var all sync.WaitGroup
	all.Add(items)
	gate := make(chan struct{})
	p := backlog(t, items, func(_ int32, item int) {
		before[item] = other.Load()
		if item == 0 { // the second worker is ready to run already
			go other.Store(true)
			go func() {}() // the goroutine that was started last runs first, and the others in their order
		}
		all.Done()
		if item == 1 {
			<-gate
		}
	})
	p.Resume()
	all.Wait()
	close(gate)
	mustStop(t, p)
	return before[2]
}

// TestNewWorkersInsist: beside a goroutine that computes, new workers soon do not give way any more.
// Each would lose 10 ms.
func TestNewWorkersInsist(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 20 { // the runtime may disturb a try, by a preemption
		if insist(t) {
			return
		}
	}
	t.Error("new workers still give way to a goroutine that computes")
}

func insist(t *testing.T) bool {
	const items, short = 60, 10
	var all sync.WaitGroup
	all.Add(items)
	gate := make(chan struct{})
	p := backlog(t, items, func(_ int32, item int) {
		all.Done()
		if item >= short {
			<-gate
		}
	})
	var stop atomic.Bool
	var computing sync.WaitGroup
	computing.Go(func() {
		for !stop.Load() {
			continue
		}
	})
	p.Resume()
	all.Wait()
	insists := p.Insists() > 0
	stop.Store(true)
	close(gate)
	computing.Wait()
	mustStop(t, p)
	return insists
}

// TestWorkersThatNeverParkedAreSmall measures what the pool allocates for a worker whose item
// blocks, without the goroutine itself: the worker, the closure of its goroutine and its place in
// the list of workers. The channel for parking would be another 112 bytes.
func TestWorkersThatNeverParkedAreSmall(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	const items, most = 10_000, 150
	blockAll := func(start func(block func())) int {
		var blocked, ended sync.WaitGroup
		blocked.Add(items)
		ended.Add(items)
		gate := make(chan struct{})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start(func() {
			blocked.Done()
			<-gate
			ended.Done()
		})
		blocked.Wait()
		runtime.ReadMemStats(&after)
		close(gate)
		ended.Wait()
		return int(after.TotalAlloc-before.TotalAlloc) / items //nolint:gosec // small
	}
	blockAll(func(block func()) { // the runtime keeps the goroutines for those of the pool
		for range items {
			go block()
		}
	})
	var p *scheduler.Pool[int]
	got := blockAll(func(block func()) {
		p = backlog(t, items, func(int32, int) { block() })
		p.Resume()
	})
	if got > most {
		t.Errorf("a worker that has never parked takes %d bytes, want %d at most", got, most)
	}
	mustStop(t, p)
}
