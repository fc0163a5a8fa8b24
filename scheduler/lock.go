package scheduler

import "sync"

const (
	// lockTries and lockPause are how often lockPatiently tries before it lets
	// the mutex park the goroutine, and how many empty calls, of about a
	// nanosecond each, it lets pass in between.
	lockTries = 3
	lockPause = 400
)

// lockPatiently locks a mutex that is held for some 20 ns at a time by
// goroutines that come back to it at once, as those of workers with short items
// do. Waiting a while in place of parking makes them take turns of several items
// each. With 100 workers on two cores, where the mutex itself never spins
// because other goroutines are runnable, that halved the time per item, which
// was spent on parking and waking; with two workers it makes no difference.
func lockPatiently(mu *sync.Mutex) {
	for range lockTries {
		if mu.TryLock() {
			return
		}
		for range lockPause {
			pass()
		}
	}
	mu.Lock()
}

// pass does nothing, and is called to do so.
//
//go:noinline
func pass() {}
