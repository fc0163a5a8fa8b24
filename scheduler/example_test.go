package scheduler_test

import (
	"context"
	"fmt"
	"log"
	"sync/atomic"

	"github.com/seed56799101/taskmanager/scheduler"
)

// A pool runs items of any type.
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
