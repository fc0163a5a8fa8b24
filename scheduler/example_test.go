package scheduler_test

import (
	"context"
	"fmt"
	"log"
	"sync/atomic"

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

// spare is a signal of one's own: how much memory there is to spare.
type spare struct{ waiting, megabytes int }

// frugal starts a worker for each item only while memory lasts, at 64 MB each.
type frugal struct{}

func (frugal) Scale(s spare) scheduler.Decision {
	return scheduler.Decision{Target: min(s.waiting, s.megabytes/64), Reason: "as memory allows"}
}

func ExampleWithSignals() {
	read := func(s scheduler.Snapshot) spare {
		return spare{waiting: s.Busy + s.Queued, megabytes: 200} // ask your runtime here
	}
	release := make(chan struct{})
	pool, err := scheduler.NewPool(
		scheduler.Config[int]{Max: 50, Scaler: scheduler.WithSignals(read, frugal{})},
		func(int32, int) { <-release },
	)
	if err != nil {
		log.Fatal(err)
	}
	if err := pool.SubmitAll(context.Background(), make([]int, 10)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(pool.Snapshot().Workers, "workers for 10 items")
	close(release)
	if err := pool.Drain(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: 3 workers for 10 items
}
