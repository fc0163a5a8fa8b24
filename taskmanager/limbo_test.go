package taskmanager

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
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

// TestEndedTasksAreLetGo: no more than a number of them stay, whether submits come in
// between, which remove what is left of them, or not.
func TestEndedTasksAreLetGo(t *testing.T) {
	const tasks = 100_000
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
				for range mostInLimbo {
					h := &Handle{name: "late"}
					mustAdd(t, n, h)
					n.remove(h, nil)
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

func TestLotsShareNoCacheLine(t *testing.T) {
	var l limbo
	if got := unsafe.Sizeof(l.lots[0]); got%128 != 0 && unsafe.Sizeof(0) == 8 {
		t.Errorf("a lot's head takes %d bytes, want a multiple of 128", got)
	}
	if got := unsafe.Offsetof(l.mu) - unsafe.Offsetof(l.full); got < 64 {
		t.Errorf("what every submit reads is followed after %d bytes by what is written, want 64", got)
	}
}
