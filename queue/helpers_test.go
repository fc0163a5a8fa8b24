package queue_test

import (
	"runtime"

	"github.com/seed56799101/taskmanager/queue"
)

// validate asks a queue what is wrong with how it was made.
func validate[T any](f queue.Factory[T]) error { return f().(queue.Validator).Validate() }

// heapInUse is the size of what is reachable.
func heapInUse() int64 {
	runtime.GC()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return int64(ms.HeapAlloc)
}
