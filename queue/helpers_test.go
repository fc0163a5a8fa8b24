package queue_test

import (
	"runtime"

	"github.com/seed56799101/taskmanager/queue"
)

// validate calls Validate on a queue of the factory.
func validate[T any](f queue.Factory[T]) error {
	return f().(interface{ Validate() error }).Validate()
}

// discarded returns the items that a queue has given up.
func discarded[T any](q queue.Queue[T]) (items []T) {
	d := q.(queue.Discarder[T])
	for item, ok, _ := d.Discarded(); ok; item, ok, _ = d.Discarded() {
		items = append(items, item)
	}
	return items
}

// heapInUse returns the size of all reachable objects. It collects twice, because a sync.Pool and a
// finalizer keep memory through one collection.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return int64(ms.HeapAlloc)
}
