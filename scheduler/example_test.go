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

// A pool that shares a queue with other processes fetches no more than it can run soon.
func ExamplePool_WaitRoom() {
	release := make(chan struct{})
	pool, err := scheduler.NewPool(
		scheduler.Config[string]{Max: 2},
		func(int32, string) { <-release },
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	room := func(ahead int) int {
		n, err := pool.WaitRoom(ctx, ahead)
		if err != nil {
			log.Fatal(err)
		}
		return n
	}
	fmt.Println("idle workers:", room(0))
	fmt.Println("with one item ahead:", room(1))
	for _, item := range []string{"a", "b"} {
		if err := pool.Submit(ctx, item); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("with one item ahead of busy workers:", room(1))
	close(release)
	fmt.Println(pool.Drain(ctx))
	_, err = pool.WaitRoom(ctx, 0)
	fmt.Println(err)
	// Output:
	// idle workers: 2
	// with one item ahead: 3
	// with one item ahead of busy workers: 1
	// <nil>
	// scheduler: the pool is stopped
}
