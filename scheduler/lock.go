package scheduler

import (
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	pauses = 4 // tries before the goroutine yields
	yields = 4 // tries before it blocks in the mutex

	// Lengths of a pause, in empty calls of one to two nanoseconds each.
	leastPause = 400
	mostPause  = 12_800
)

// patience is a worker's backoff before it blocks on the pool mutex. Workers with short
// items hold the mutex for about 10 ns and lock it again at once. With pauses, each worker
// runs many items in turn before another one gets the mutex. With 100 workers on two
// processors this halved the time per item, which was spent on parking and waking. The
// mutex itself does not spin there, because other goroutines are runnable. Pauses get
// longer, so a worker that met one short holder by chance continues soon.
//
// If lasting is true, the length of the first pause carries over to the next call. A
// worker that finds the mutex locked after a pause competes with other workers that have
// short items. It pauses longer the next time, so that the cost of moving the cache lines
// to another processor is shared by more items. A worker that finds the mutex free pauses
// less the next time. If submitters compete with workers for the mutex, as in a pool with
// a limit, lasting must be false: with long pauses a worker ran only a quarter of the
// items.
//
// After its pauses a worker yields the processor, and only then blocks in the mutex. A
// mutex on which a goroutine has waited for a millisecond is handed from waiter to waiter,
// with a switch of goroutines for each turn. With thousands of workers whose items sleep
// there was always such a waiter, and a million items took 3 to 6 s instead of 2 s.
//
// The hint held says that all pauses of a worker were in vain: the holder of the mutex does not
// run, because the operating system has given its processor to another program, or Go has
// preempted it. Other workers then do not pause, since each pause delays the holder. Without
// the hint, a burst of thousands of workers whose items have slept took turns at pausing for
// 30 µs each. On two processors that other programs used too, a million items took 50 s and 20 s
// of processor time instead of 5 s and 3 s.
//
// A patience belongs to one goroutine.
type patience struct{ pause int32 }

// lock locks mu, which was locked when the caller tried. The callers for a mutex share held.
func (p *patience) lock(mu *sync.Mutex, held *atomic.Bool, lasting bool) {
	if !held.Load() && p.pauseFor(mu, lasting) {
		return
	}
	held.Store(true)
	defer held.Store(false)
	for range yields {
		runtime.Gosched()
		if mu.TryLock() {
			return
		}
	}
	mu.Lock()
}

// pauseFor pauses until it has locked mu. It returns false if all pauses were in vain.
func (p *patience) pauseFor(mu *sync.Mutex, lasting bool) bool {
	growth := int32(4)
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
			return true
		}
		p.pause *= growth
	}
	return false
}

// pass does nothing. It is not inlined, so the loop around it takes time.
//
//go:noinline
func pass() {}
