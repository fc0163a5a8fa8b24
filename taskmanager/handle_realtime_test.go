package taskmanager_test

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestNothingOfAnEndedTaskStays checks that neither the values of the submit's context nor
// the result of an ended task stay in memory while all workers are idle.
func TestNothingOfAnEndedTaskStays(t *testing.T) {
	const tasks = 64
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, tasks))
	if err != nil {
		t.Fatal(err)
	}
	type big = [1 << 16]byte
	type key struct{}
	var values, results []weak.Pointer[big]
	gate := make(chan struct{})
	func() { // a function, so that the stack does not refer to the task afterwards
		var futures []*taskmanager.Future[*big]
		for i := range tasks {
			value := new(big)
			values = append(values, weak.Make(value))
			ctx := context.WithValue(t.Context(), key{}, value)
			f, err := taskmanager.Async(ctx, m, strconv.Itoa(i), func(context.Context) (*big, error) {
				<-gate
				return new(big), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			futures = append(futures, f)
		}
		close(gate)
		for _, f := range futures {
			result, err := f.Result(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			results = append(results, weak.Make(result))
		}
	}()
	gone := func(p weak.Pointer[big]) bool { return p.Value() == nil }
	for begin := time.Now(); ; runtime.GC() { // a worker drops its reference when it parks
		values, results = slices.DeleteFunc(values, gone), slices.DeleteFunc(results, gone)
		if len(values) == 0 && len(results) == 0 {
			break
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("of %d ended tasks, %d values of contexts and %d results have not been collected", tasks, len(values), len(results))
		}
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestNameIsFreeOnceItsEndIsKnown checks that a name is free as soon as the status of its
// task is Finished.
func TestNameIsFreeOnceItsEndIsKnown(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1))
	for range 20_000 {
		h, err := m.SubmitFunc(t.Context(), "again", fn0)
		if err != nil {
			t.Fatalf("the name is taken after the end of its task: %v", err)
		}
		for h.Status().Status != taskmanager.Finished {
			runtime.Gosched()
		}
		if got, ok := m.Lookup("again"); ok {
			t.Errorf("Lookup returned %v after the end of the task", got)
		}
	}
}

// TestHandleIsSmall checks that a handle fits into the allocator's size class of 128 bytes.
func TestHandleIsSmall(t *testing.T) {
	if unsafe.Sizeof(0) != 8 {
		t.Skip("the sizes are those of 64 bits")
	}
	if got := unsafe.Sizeof(taskmanager.Handle{}); got > 128 {
		t.Errorf("a handle takes %d bytes, want at most 128", got)
	}
}
