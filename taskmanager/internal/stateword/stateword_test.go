package stateword

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
)

// model is what the word means, field by field.
type model struct {
	State     State
	Begun     bool
	Extras    bool
	Special   bool
	Observers uint8
	Locked    bool
}

// modelOf decodes a word.
func modelOf(w *Word) model {
	return model{w.State(), w.Begun(), w.Extras(), w.Special(), w.Observers(), w.v.Load()&locked != 0}
}

var states = rapid.SampledFrom([]State{Queued, Admitting, Claimed, Running, Asking, Delayed, Ending, Ended})

// TestWordEqualsItsModel makes the same calls on a word and on its model. Each call changes what
// it should, and nothing else.
func TestWordEqualsItsModel(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		var w Word
		var m model
		m.State, m.Special = states.Draw(t, "state"), rapid.Bool().Draw(t, "special")
		w.Init(m.State, m.Special)
		m.Observers = rapid.Uint8().Draw(t, "observers")
		w.Observe(m.Observers)
		check.Equal(t, "ObservedOrSpecial", w.ObservedOrSpecial(), m.Special || m.Observers != 0)
		unlocked := func(call func(*rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) {
				if m.Locked {
					t.Skip("the lock is held")
				}
				call(t)
			}
		}
		locked := func(call func(*rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) {
				if !m.Locked {
					t.Skip("the lock is free")
				}
				call(t)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"Lock":   unlocked(func(*rapid.T) { w.Lock(); m.Locked = true }),
			"Unlock": locked(func(*rapid.T) { w.Unlock(); m.Locked = false }),
			"Set": locked(func(t *rapid.T) {
				m.State = states.Draw(t, "to")
				w.Set(m.State)
			}),
			"SetAndUnlock": locked(func(t *rapid.T) {
				m.State, m.Locked = states.Draw(t, "to"), false
				w.SetAndUnlock(m.State)
			}),
			"SetBegun": locked(func(t *rapid.T) {
				m.Begun = rapid.Bool().Draw(t, "begun")
				w.SetBegun(m.Begun)
			}),
			"MarkExtras": locked(func(*rapid.T) { w.MarkExtras(); m.Extras = true }),
			"BeginAndUnlock": locked(func(t *rapid.T) {
				m.State, m.Begun, m.Locked, m.Extras = Running, true, false, rapid.Bool().Draw(t, "extras")
				w.BeginAndUnlock(m.Extras)
			}),
			"Claim": unlocked(func(t *rapid.T) {
				want := m.State == Queued || m.State == Admitting
				if got := w.Claim(); got != want {
					t.Fatalf("Claim in state %d returned %v, want %v", m.State, got, want)
				}
				if want {
					m.State = Claimed
				}
			}),
			"Begin": func(t *rapid.T) {
				if m.State != Claimed {
					t.Skip("the caller owns the state Claimed")
				}
				want := !m.Locked && !m.Extras && !m.Special
				if got := w.Plain(); got != want {
					t.Fatalf("Plain returned %v for %+v", got, m)
				}
				if got := w.Begin(); got != want {
					t.Fatalf("Begin returned %v for %+v", got, m)
				}
				if want {
					m.State, m.Begun = Running, true
				}
			},
			"Over": func(t *rapid.T) {
				if m.State == Ended && m.Locked {
					t.Skip("Over waits for the lock")
				}
				if got := w.Over(); got != (m.State == Ended) {
					t.Fatalf("Over returned %v in state %d", got, m.State)
				}
				if got := w.OverWithoutExtras(); got != (m.State == Ended && !m.Extras && !m.Locked) {
					t.Fatalf("OverWithoutExtras returned %v for %+v", got, m)
				}
			},
			"": func(t *rapid.T) { check.Equal(t, "word", modelOf(&w), m) },
		})
	})
}

// life is a task that several goroutines fight for: the pool claims it, a goroutine cancels it,
// others lock it to look at its fields.
type life struct {
	word Word

	// Guarded by the lock.
	extra int

	// Owned by the goroutine that owns the state. Others read it with the lock held, in state
	// Running or later.
	worker int

	claims, ends atomic.Int32
}

// live runs one life, and checks that exactly one goroutine ends it, that the fields are never
// written by two goroutines (the race detector does), and that the begin misses no cancellation
// that came before it.
func live(t *testing.T, n int) {
	x := new(life)
	x.word.Init(Queued, false)
	var all sync.WaitGroup
	var cancelled atomic.Bool
	end := func() {
		x.ends.Add(1)
		x.word.Lock()
		x.extra++
		x.word.SetAndUnlock(Ended)
	}
	all.Go(func() { // the pool and its worker
		if !x.word.Claim() {
			return
		}
		x.claims.Add(1)
		before := cancelled.Load()
		plain := x.word.Plain()
		if plain {
			x.worker = n
		}
		if !plain || !x.word.Begin() {
			x.word.Lock()
			if x.extra > 0 {
				x.word.SetAndUnlock(Ending)
				end()
				return
			}
			x.worker = n
			x.word.BeginAndUnlock(false)
		} else if before {
			t.Error("the execution begins after a cancellation")
		}
		end()
	})
	all.Go(func() { // a goroutine that cancels
		x.word.Lock()
		switch x.word.State() {
		case Queued:
			x.word.SetAndUnlock(Ending)
			end()
		case Claimed:
			x.extra++
			x.word.MarkExtras()
			x.word.Unlock()
			cancelled.Store(true)
		default:
			x.word.Unlock()
		}
	})
	all.Go(func() { // a goroutine that looks
		for !x.word.Over() {
			x.word.Lock()
			if x.word.Begun() && x.worker != n {
				t.Errorf("the worker is %d in state %d, want %d", x.worker, x.word.State(), n)
			}
			x.word.Unlock()
			runtime.Gosched()
		}
	})
	all.Wait()
	if x.ends.Load() != 1 || x.word.State() != Ended {
		t.Errorf("the task ended %d times, and is in state %d", x.ends.Load(), x.word.State())
	}
}

// TestStress runs many lives on different numbers of processors.
func TestStress(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, processors := range []int{1, 2, 4, 8} {
		runtime.GOMAXPROCS(processors)
		for n := range 5_000 {
			live(t, 1+n)
		}
	}
}

// TestObserveDuringACancellation: a group may cancel a task whose submit is about to set the
// observers. Neither change is lost, and the lock is free afterwards.
func TestObserveDuringACancellation(t *testing.T) {
	words := make([]Word, 300_000)
	var both sync.WaitGroup
	var turn atomic.Int64
	each := func(do func(w *Word)) {
		both.Go(func() {
			for i := range words {
				turn.Add(1)
				for turn.Load() < 2*int64(i+1) { // the other goroutine has yet to come to this word
					runtime.Gosched()
				}
				do(&words[i])
			}
		})
	}
	each(func(w *Word) { w.Observe(7) })
	each(func(w *Word) { w.Lock(); w.MarkExtras(); w.Unlock() })
	both.Wait()
	for i := range words {
		if got, want := modelOf(&words[i]), (model{Extras: true, Observers: 7}); got != want {
			t.Fatalf("word %d is %+v, want %+v", i, got, want)
		}
	}
}

// TestLockExcludes counts with the lock held.
func TestLockExcludes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, processors := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(processors, " processors"), func(t *testing.T) {
			runtime.GOMAXPROCS(processors)
			const goroutines, rounds = 8, 5_000
			var w Word
			count := 0
			var all sync.WaitGroup
			for range goroutines {
				all.Go(func() {
					for range rounds {
						w.Lock()
						count++
						w.Unlock()
					}
				})
			}
			all.Wait()
			if count != goroutines*rounds {
				t.Errorf("%d turns were counted, want %d", count, goroutines*rounds)
			}
		})
	}
}
