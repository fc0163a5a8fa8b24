package queue_test

import (
	"runtime"

	"github.com/seed56799101/taskmanager/queue"
)

// validate asks a queue what is wrong with how it was made.
func validate[T any](f queue.Factory[T]) error {
	return f().(interface{ Validate() error }).Validate()
}

// discarded lists what a queue has given up.
func discarded[T any](q queue.Queue[T]) (items []T) {
	d := q.(queue.Discarder[T])
	for item, ok, _ := d.Discarded(); ok; item, ok, _ = d.Discarded() {
		items = append(items, item)
	}
	return items
}

// heapInUse is the size of what is reachable.
func heapInUse() int64 {
	runtime.GC()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return int64(ms.HeapAlloc)
}
