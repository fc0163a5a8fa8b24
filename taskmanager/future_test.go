package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestFutureReturnsWhatTheFunctionReturns(t *testing.T) {
	m := start(t)
	f, err := taskmanager.Async(t.Context(), m, "answer", func(context.Context) (int, error) { return 42, nil })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := f.Result(t.Context()); got != 42 || err != nil {
			t.Errorf("the result is %d, %v; want 42", got, err)
		}
	}
	check.Equal(t, "the name", f.Name(), "answer")
}

// TestFailedFutureHasNoResult checks that a result that the function returned with an error
// is discarded.
func TestFailedFutureHasNoResult(t *testing.T) {
	m := start(t)
	f, err := taskmanager.Async(t.Context(), m, "fails", func(context.Context) (int, error) { return 42, errFailed })
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Result(t.Context()); got != 0 || !errors.Is(err, errFailed) {
		t.Errorf("the result is %d, %v; want 0 and the failure", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	forever, err := taskmanager.Async(t.Context(), m, "forever", func(ctx context.Context) (int, error) { return 1, untilCancelled(ctx) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := forever.Result(ctx); !errors.Is(err, context.Canceled) || forever.Err() != nil {
		t.Errorf("a wait whose context has ended returned %v, want context.Canceled", err)
	}
}

// TestFutureReleasesItsFunction checks that a future does not keep its function reachable
// after the task has ended, in whichever way.
func TestFutureReleasesItsFunction(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1))
	endings := map[string]func(h *taskmanager.Handle) error{
		"succeeds":            func(*taskmanager.Handle) error { return nil },
		"fails":               func(*taskmanager.Handle) error { return errFailed },
		"is cancelled before": func(h *taskmanager.Handle) error { h.Cancel(); return nil },
	}
	for name, end := range endings {
		collected := make(chan struct{})
		hold := make(chan struct{})
		blocker := submitFunc(t, m, "blocker", func(context.Context) error { <-hold; return nil })
		f, err := func() (*taskmanager.Future[int], error) {
			big := new([1 << 20]byte)
			runtime.AddCleanup(big, func(c chan struct{}) { close(c) }, collected)
			var f *taskmanager.Future[int]
			return taskmanager.Async(t.Context(), m, name, func(context.Context) (int, error) {
				return int(big[0]), end(&f.Handle)
			})
		}()
		if err != nil {
			t.Fatal(err)
		}
		if name == "is cancelled before" {
			f.Cancel()
		}
		close(hold)
		await(t, blocker)
		_, _ = f.Result(t.Context())
		deadline := time.After(time.Minute)
		for done := false; !done; {
			runtime.GC()
			select {
			case <-collected:
				done = true
			case <-deadline:
				t.Fatalf("a future whose task %s keeps what its function holds", name)
			default:
			}
		}
		runtime.KeepAlive(f)
	}
}

func TestAsyncRefusesBadInput(t *testing.T) {
	m := start(t)
	if _, err := taskmanager.Async[int](t.Context(), m, "a", nil); !errors.Is(err, taskmanager.ErrNilTask) {
		t.Errorf("no function: %v, want ErrNilTask", err)
	}
	if _, err := taskmanager.Async(t.Context(), nil, "a", func(context.Context) (int, error) { return 0, nil }); err == nil {
		t.Error("no manager: no error")
	}
}

func TestAsyncAllocatesLittle(t *testing.T) {
	m := start(t)
	names := taskNames(2000)
	ctx := t.Context()
	fn := func(context.Context) (int, error) { return 1, nil }
	i := 0
	allocs := testing.AllocsPerRun(len(names)-1, func() {
		f, err := taskmanager.Async(ctx, m, names[i], fn)
		if err != nil {
			t.Fatal(err)
		}
		i++
		if n, err := f.Result(ctx); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	})
	if allocs > 3 {
		t.Errorf("a future takes %v allocations, want at most 3", allocs)
	}
}

// TestManyGroupsLeaveNoMemory makes ten thousand groups under a context that does not end.
// Some of the groups fail.
func TestManyGroupsLeaveNoMemory(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := start(t)
	round := func(groups int) {
		for i := range groups {
			g := m.Group(ctx)
			for j := range 3 {
				_ = g.Go(fmt.Sprint(i, "/", j), func(context.Context) error {
					if i%5 == 0 && j == 2 {
						return errFailed
					}
					return nil
				})
			}
			if err := g.Wait(ctx); (err != nil) != (i%5 == 0) {
				t.Fatalf("group %d: %v", i, err)
			}
		}
	}
	round(1000)
	before := heap()
	round(10_000)
	expectLeft(t, "10,000 groups", before, 200_000)
}

// expectLeft fails the test unless the reachable heap has grown by at most limit bytes since before.
// The names of ended tasks are removed a moment after their end, so it measures for a while.
func expectLeft(t *testing.T, of string, before uint64, limit int64) {
	t.Helper()
	grown := int64(heap()) - int64(before)
	for began := time.Now(); grown > limit && time.Since(began) < 10*time.Second; {
		grown = int64(heap()) - int64(before)
	}
	if grown > limit {
		t.Errorf("%s have left %d bytes behind, want at most %d", of, grown, limit)
	}
}

// heap returns the size of the reachable heap.
func heap() uint64 {
	var s runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
