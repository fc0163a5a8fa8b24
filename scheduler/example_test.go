package scheduler_test

import (
	"context"
	"fmt"
	"log"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
)

// A pool of its own, for items of a type of your choice.
func ExamplePool() {
	var sum atomic.Int64
	pool, err := scheduler.NewPool(
		scheduler.Config[int]{Min: 2, Max: 8, Limit: 100},
		func(_ int32, item int) { sum.Add(int64(item)) },
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for i := range 1000 {
		if err := pool.Submit(ctx, i); err != nil { // waits while 100 are queued
			log.Fatal(err)
		}
	}
	if err := pool.Drain(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Load(), pool.Snapshot().Completed)
	// Output: 499500 1000
}

// reserve is a scaler of one's own: what runs and what waits, and a tenth of
// the maximum in reserve.
type reserve struct{}

func (reserve) NeedsTime() bool { return false }

func (reserve) Scale(s scheduler.Snapshot) scheduler.Decision {
	return scheduler.Decision{Target: s.Busy + s.Queued + s.Max/10, Reason: "demand and a reserve"}
}

func ExampleScaler() {
	pool, err := scheduler.NewPool(
		scheduler.Config[func()]{Max: 50, Scaler: reserve{}},
		func(_ int32, work func()) { work() },
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pool.Snapshot().Workers, "workers before the first item")
	if err := pool.Stop(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: 5 workers before the first item
}

// memory is a signal of one's own: what the process uses, in bytes.
type memory struct {
	scheduler.Snapshot
	inUse uint64
}

// readMemory asks the runtime.
func readMemory(s scheduler.Snapshot) memory {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return memory{Snapshot: s, inUse: sample[0].Value.Uint64()}
}

// frugal starts a worker for each item that waits as long as there is room for what
// it will need.
type frugal struct{ limit, perWorker uint64 }

func (f frugal) Scale(m memory) scheduler.Decision {
	room := (f.limit - min(m.inUse, f.limit)) / f.perWorker
	return scheduler.Decision{
		Target: m.Workers + min(m.Queued+m.Blocked, int(room)),
		Again:  time.Second, // memory may have been given back
		Reason: fmt.Sprintf("room for %d more", room),
	}
}

// A pool is held back by the memory in use: with items of 64 MB, and three and a
// half times that left, there are three workers.
func ExampleWithSignals() {
	const item = 64 << 20
	limit := readMemory(scheduler.Snapshot{}).inUse + 3*item + item/2
	release := make(chan struct{})
	pool, err := scheduler.NewPool(
		scheduler.Config[int]{Max: 50, Scaler: scheduler.WithSignals(readMemory, frugal{limit, item})},
		func(int32, int) { <-release },
	)
	if err != nil {
		log.Fatal(err)
	}
	pool.Pause() // so that the scaler sees all of them at once, before they use memory
	if err := pool.SubmitAll(context.Background(), make([]int, 10)); err != nil {
		log.Fatal(err)
	}
	pool.Resume()
	fmt.Println(pool.Snapshot().Workers, "workers for 10 items")
	close(release)
	if err := pool.Drain(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: 3 workers for 10 items
}
