package queue_test

import (
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/queue"
)

// wantEqual shows what differs.
func wantEqual[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// validate asks a queue what is wrong with how it was made.
func validate[T any](f queue.Factory[T]) error { return f().(queue.Validator).Validate() }

// heapInUse is the size of what is reachable.
func heapInUse() int64 {
	runtime.GC()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return int64(ms.HeapAlloc)
}
