package scheduler

import (
	"runtime"
	"sync"
)

const (
	pauses = 4 // before giving way
	yields = 4 // before waiting in the mutex

	// In empty calls, of one to two nanoseconds each.
	leastPause = 400
	mostPause  = 12_800
)

// patience is with what a worker comes back to a mutex that goroutines hold for some 10 ns at
// a time and want again at once, as those of workers with short items do. Waiting a while in
// place of parking makes them take turns of many items each. With 100 workers on two cores,
// where the mutex itself never spins because other goroutines are runnable, that halved the
// time per item, which was spent on parking and waking. The pauses grow, as whoever met one
// holder by chance goes on soon.
//
// While only workers meet at the mutex, patience lasts. Who finds it taken once more after a
// pause has met others with short items, and is to begin with a longer pause from now on, so
// that what the cores exchange at each change of turns is shared by more items; who finds it
// free is to begin with a shorter one. Where submitters meet workers there, as in a pool with
// a limit, a worker that waits for long lets them have all the turns: with lasting patience
// it ran a quarter of the items.
//
// Who has paused in vain lets others run, and is the last to wait in the mutex itself. That
// hands itself on from one to the next, a switch of goroutines for each turn, once somebody
// has waited for a millisecond; with thousands of workers whose items sleep, somebody always
// has, and a million items took 3 to 6 s in place of 2.
//
// A patience belongs to one goroutine.
type patience struct{ pause int }

// lock locks a mutex that was found taken.
func (p *patience) lock(mu *sync.Mutex, lasting bool) {
	growth := 4
	if !lasting {
		growth, p.pause = 2, leastPause
	}
	for range pauses {
		p.pause = min(max(p.pause, leastPause), mostPause)
		for range p.pause {
			pass()
		}
		if mu.TryLock() {
			p.pause /= 2
			return
		}
		p.pause *= growth
	}
	for range yields {
		runtime.Gosched()
		if mu.TryLock() {
			return
		}
	}
	mu.Lock()
}

// pass does nothing, and is called to do so.
//
//go:noinline
func pass() {}
