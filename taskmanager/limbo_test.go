package taskmanager

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
	"weak"
)

// entriesOf counts the entries, of outstanding tasks and of others.
func entriesOf(n *names) (entries int) {
	for i := range n.shards {
		s := &n.shards[i]
		s.mu.Lock()
		entries += s.n
		s.mu.Unlock()
	}
	return entries
}

func mustAdd(t *testing.T, n *names, h *Handle) {
	t.Helper()
	if err := n.add(h); err != nil {
		t.Fatal(err)
	}
}

const mostInLimbo = (limboLots + mostFull) * lotSize

// TestEndedTasksAreLetGo: no more than a number of their entries stay, whether submits come
// in between, which remove what is left of them, or not; and no task does.
func TestEndedTasksAreLetGo(t *testing.T) {
	const tasks = 20_000
	for _, workers := range []int{1, 2, 1000} {
		for _, atOnce := range []int{1, 1000, tasks} {
			t.Run(fmt.Sprint(workers, " workers, ", atOnce, " at once"), func(t *testing.T) {
				n := newNames()
				first := weak.Make(&Handle{name: "first"})
				mustAdd(t, n, first.Value())
				n.remove(first.Value(), nil)
				handles := make([]*Handle, atOnce)
				for done := 0; done < tasks; done += atOnce {
					for i := range handles {
						handles[i] = &Handle{name: strconv.Itoa(done + i), worker: int32((done + i) % workers)}
						mustAdd(t, n, handles[i])
					}
					for _, h := range handles {
						n.remove(h, nil)
					}
				}
				if got := entriesOf(n); got > mostInLimbo {
					t.Errorf("%d entries for no tasks, want at most %d", got, mostInLimbo)
				}
				if !n.empty() || n.some() != nil || len(n.all()) != 0 {
					t.Error("tasks that have ended are found")
				}
				runtime.GC()
				if first.Value() != nil {
					t.Error("the first task has not been collected")
				}
				runtime.KeepAlive(n)
			})
		}
	}
}

// TestNothingOfAnEndedTaskStays in memory: not the values of the context of its submit, nor
// its result, even if all workers have ended one and have nothing more to do.
func TestNothingOfAnEndedTaskStays(t *testing.T) {
	const tasks = 64
	m, err := Start(WithWorkers(1, tasks))
	if err != nil {
		t.Fatal(err)
	}
	type big = [1 << 16]byte
	type key struct{}
	var values, results []weak.Pointer[big]
	gate := make(chan struct{})
	func() { // so that nothing of it is on the stack afterwards
		var futures []*Future[*big]
		for i := range tasks {
			value := new(big)
			values = append(values, weak.Make(value))
			ctx := context.WithValue(t.Context(), key{}, value)
			f, err := Async(ctx, m, strconv.Itoa(i), func(context.Context) (*big, error) {
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
	for begin := time.Now(); ; runtime.GC() { // workers let go of their tasks when they park
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

// TestRemovalAddsNoTask: to clear away what is left is no reason for WaitIdle to look again.
func TestRemovalAddsNoTask(t *testing.T) {
	n := newNames()
	for i, name := range crowd(n, 2000) {
		mustAdd(t, n, &Handle{name: name, worker: int32(i % limboLots)})
	}
	added := func() (sum uint64) {
		for i := range n.shards {
			_, a := n.shards[i].last()
			sum += a
		}
		return sum
	}
	before := added()
	for _, h := range n.all() {
		n.remove(h, nil)
	}
	for range mostFull {
		n.clearLimbo()
	}
	if got := added(); got != before || before != 2000 {
		t.Errorf("%d tasks have been added, %d once they are removed, want 2000", before, got)
	}
}

// TestNameHasOneTaskAtATime while many goroutines fight for few names.
func TestNameHasOneTaskAtATime(t *testing.T) {
	const goroutines, rounds, few = 8, 20_000, 3
	n := newNames()
	var holders [few]atomic.Pointer[Handle]
	var refused atomic.Int64
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := range rounds {
				which := (g + i) % few
				h := &Handle{name: strconv.Itoa(which), worker: int32(g)}
				if n.add(h) != nil {
					refused.Add(1)
					continue
				}
				if other := holders[which].Swap(h); other != nil {
					t.Errorf("two tasks have the name %d", which)
				}
				if got := n.lookup(h.name); got != h {
					t.Errorf("the task of name %d is %p, want %p", which, got, h)
				}
				holders[which].Store(nil)
				n.remove(h, nil)
				if n.lookup(h.name) == h {
					t.Errorf("the task of name %d is found after its end", which)
				}
			}
		})
	}
	all.Wait()
	if refused.Load() == goroutines*rounds || !n.empty() || n.some() != nil {
		t.Errorf("%d of %d refused; %d tasks are left", refused.Load(), goroutines*rounds, len(n.all()))
	}
	for which := range few { // one entry each, or none
		if err := n.add(&Handle{name: strconv.Itoa(which)}); err != nil {
			t.Errorf("name %d: %v, after all have ended", which, err)
		}
	}
}

// TestNameIsFreeOnceItsEndIsKnown to anybody, who need not be the one that ends the task.
func TestNameIsFreeOnceItsEndIsKnown(t *testing.T) {
	n := newNames()
	ended := make(chan *Handle)
	var worker sync.WaitGroup
	worker.Go(func() {
		for h := range ended {
			n.remove(h, nil)
		}
	})
	for range 20_000 {
		h := &Handle{name: "again"}
		mustAdd(t, n, h)
		ended <- h
		for !h.over() {
			runtime.Gosched()
		}
		if got := n.lookup("again"); got != nil {
			t.Error("a task is found after its end")
		}
	}
	close(ended)
	worker.Wait()
}

// TestNothingSharesCacheLines of what submitters and workers write: the parts stand on pairs
// of lines of their own.
func TestNothingSharesCacheLines(t *testing.T) {
	if unsafe.Sizeof(0) != 8 {
		t.Skip("the sizes are those of 64 bits")
	}
	var n names
	for what, offset := range map[string]uintptr{
		"links": unsafe.Offsetof(n.links), "limbo": unsafe.Offsetof(n.limbo), "shards": unsafe.Offsetof(n.shards),
		"limbo.full": unsafe.Offsetof(n.limbo.full), "limbo.mu": unsafe.Offsetof(n.limbo.mu),
		"the end of a lot": unsafe.Sizeof(n.limbo.lots[0]), "the end of a shard": unsafe.Sizeof(n.shards[0]),
	} {
		if offset%128 != 0 {
			t.Errorf("%s is at %d, want a multiple of 128", what, offset)
		}
	}
	if got := unsafe.Sizeof(*n.links.list); got != 1024 {
		t.Errorf("the links that are made at once take %d bytes, want 1024", got)
	}
	if got := unsafe.Sizeof(Handle{}); got > 144 {
		t.Errorf("a handle takes %d bytes, want 144 at most, one of the allocator's sizes", got)
	}
}
