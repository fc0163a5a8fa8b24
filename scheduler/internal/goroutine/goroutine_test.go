package goroutine_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/scheduler/internal/goroutine"
)

func TestIDTellsGoroutinesApart(t *testing.T) {
	const goroutines = 1000
	ids := make([]uint64, goroutines)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			ids[i] = goroutine.ID()
			if again := goroutine.ID(); again != ids[i] {
				t.Errorf("a goroutine is called %d and %d", ids[i], again)
			}
		})
	}
	wg.Wait()
	seen := map[uint64]bool{0: true, goroutine.ID(): true}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("%d is the number of no goroutine, or of two", id)
		}
		seen[id] = true
	}
}

// TestIDInABubble: traces have another form there.
func TestIDInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine := goroutine.ID()
		theirs := make(chan uint64)
		go func() { theirs <- goroutine.ID() }()
		if got := <-theirs; mine == 0 || got == 0 || got == mine {
			t.Errorf("two goroutines are called %d and %d", mine, got)
		}
	})
}

// callers are the number of the calling goroutine, and of those for which it acts.
func callers() (chain []uint64) {
	for id, ok := goroutine.ID(), true; ok; id, ok = goroutine.Principal(id) {
		chain = append(chain, id)
	}
	return chain
}

// TestPrincipal: a goroutine that acts for another one that acts for a third.
func TestPrincipal(t *testing.T) {
	mine := goroutine.ID()
	var chain []uint64
	act := func(principal uint64, then func(id uint64)) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer goroutine.ActFor(principal)()
			then(goroutine.ID())
		}()
		<-done
	}
	var second, third uint64
	act(mine, func(id uint64) {
		second = id
		act(id, func(id uint64) {
			third = id
			chain = callers()
		})
	})
	if want := []uint64{third, second, mine}; !slices.Equal(chain, want) {
		t.Errorf("the chain is %v, want %v", chain, want)
	}
	if alone := callers(); !slices.Equal(alone, []uint64{mine}) {
		t.Errorf("afterwards the chain is %v, want %v", alone, mine)
	}
}

func BenchmarkID(b *testing.B) {
	for b.Loop() {
		if goroutine.ID() == 0 {
			b.Fatal("no number")
		}
	}
}
