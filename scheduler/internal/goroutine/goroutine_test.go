package goroutine_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
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

// act calls then on a goroutine that acts for another one.
func act(principal uint64, owner any, then func(id uint64)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer goroutine.ActFor(principal, owner)()
		then(goroutine.ID())
	}()
	<-done
}

// principals returns the goroutines for which a goroutine acts.
func principals(id uint64) (list []uint64) {
	for _, p := range goroutine.Principals(id) {
		list = append(list, p.ID)
	}
	return list
}

// TestPrincipals: goroutines of owners a and b act for each other, six deep.
func TestPrincipals(t *testing.T) {
	root := goroutine.ID()
	var ids []uint64
	var lists [][]uint64
	var nest func(id uint64)
	nest = func(id uint64) {
		ids, lists = append(ids, id), append(lists, principals(id))
		if depth := len(ids) - 1; depth < 6 {
			act(id, string("aababb"[depth]), nest)
			return
		}
		var elsewhere []uint64
		done := make(chan struct{})
		go func() { defer close(done); elsewhere = principals(goroutine.ID()) }()
		<-done
		check.Equal(t, "principals of a goroutine that was only started", elsewhere, nil)
	}
	nest(root)
	check.Equal(t, "principals, from the root", lists, [][]uint64{
		nil,
		{root},
		{ids[1], root},
		{ids[2], root},
		{ids[3], ids[2], root},
		{ids[4], ids[3], root},
		{ids[5], ids[4], root},
	})
	check.Equal(t, "principals afterwards", principals(ids[6]), nil)
}

// TestLongChainsOfPrincipalsAreShort: the list does not grow with the chain.
func TestLongChainsOfPrincipalsAreShort(t *testing.T) {
	depth, longest := 0, 0
	var nest func(id uint64)
	nest = func(id uint64) {
		longest = max(longest, len(goroutine.Principals(id)))
		if depth++; depth < 1000 {
			act(id, depth%3, nest)
		}
	}
	nest(goroutine.ID())
	check.Equal(t, "the longest list, of three owners and the root", longest, 4)
}

func BenchmarkID(b *testing.B) {
	for b.Loop() {
		if goroutine.ID() == 0 {
			b.Fatal("no number")
		}
	}
}
