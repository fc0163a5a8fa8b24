package scheduler

import (
	"sync"
	"sync/atomic"
)

// Pauses are in empty calls of less than a nanosecond each.
const (
	leastPause = 400
	mostPause  = 12_800
	tries      = 4 // before waiting like others
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
// it ran a quarter of the items. Nor does it last while somebody has lost patience and waits
// in the mutex itself. That hands itself on from one to the next once they wait for a
// millisecond; then nobody else finds it free, and pauses only keep those in the queue from
// running. With thousands of workers whose items sleep, long pauses came to take all the time,
// and a million items 20 s in place of 2.
//
// A patience belongs to one goroutine.
type patience struct{ pause int }

// lock locks a mutex that was found taken. Waiting is how many have lost patience with it.
func (p *patience) lock(mu *sync.Mutex, waiting *atomic.Int32, lasting bool) {
	growth := 4
	lasting = lasting && waiting.Load() == 0
	if !lasting {
		growth, p.pause = 2, leastPause
	}
	for range tries {
		p.pause = min(max(p.pause, leastPause), mostPause)
		for range p.pause {
			pass()
		}
		if mu.TryLock() {
			p.pause /= 2
			return
		}
		if lasting && waiting.Load() > 0 {
			break
		}
		p.pause *= growth
	}
	waiting.Add(1)
	mu.Lock()
	waiting.Add(-1)
}

// pass does nothing, and is called to do so.
//
//go:noinline
func pass() {}
