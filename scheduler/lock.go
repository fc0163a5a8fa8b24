package scheduler

import "sync"

// leastPause and mostPause bound the pauses of a patience, in empty calls of less than a
// nanosecond each. It tries so many times before it waits like others.
const (
	leastPause = 400
	mostPause  = 12_800
	tries      = 4
)

// patience locks a mutex that is held for some 10 ns at a time by goroutines that come back
// to it at once, as those of workers with short items do. Waiting a while in place of parking
// makes them take turns of many items each. With 100 workers on two cores, where the mutex
// itself never spins because other goroutines are runnable, that halved the time per item,
// which was spent on parking and waking.
//
// The pauses adapt. Whoever finds the mutex taken once more after a pause has met others with
// short items, and is to pause longer from now on, so that what the cores exchange at each
// change of turns is shared by more items. Who finds it free has met one by chance, and is to
// pause less. It belongs to one goroutine.
type patience struct{ pause int }

func (p *patience) lock(mu *sync.Mutex) {
	if !mu.TryLock() {
		p.lockAfterPause(mu) // a function of its own, so that the rest is inlined
	}
}

func (p *patience) lockAfterPause(mu *sync.Mutex) {
	for range tries {
		for range max(p.pause, leastPause) {
			pass()
		}
		if mu.TryLock() {
			p.pause /= 2
			return
		}
		p.pause = min(4*max(p.pause, leastPause), mostPause)
	}
	mu.Lock()
}

// pass does nothing, and is called to do so.
//
//go:noinline
func pass() {}
