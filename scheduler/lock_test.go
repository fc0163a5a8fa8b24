package scheduler_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed56799101/taskmanager/scheduler"
)

// TestOneWorkerPausesInVain: while the holder of the lock does not run, only the first worker
// that finds it locked pauses. The others would delay the holder, one after the other.
func TestOneWorkerPausesInVain(t *testing.T) {
	var mu sync.Mutex
	var held atomic.Bool
	var first, second, third scheduler.Patience
	mu.Lock()
	locked := make(chan struct{})
	go func() {
		defer close(locked)
		first.Lock(&mu, &held)
	}()
	for !held.Load() { // the test hangs if the first worker does not tell the others
		runtime.Gosched()
	}
	if !first.Paused() {
		t.Error("the first worker has not paused")
	}
	mu.Unlock()
	<-locked
	mu.Unlock()
	if held.Load() {
		t.Error("the lock counts as held when the first worker has locked it")
	}

	held.Store(true)
	second.Lock(&mu, &held)
	mu.Unlock()
	if second.Paused() || held.Load() {
		t.Errorf("the second worker has paused: %v; the lock still counts as held: %v", second.Paused(), held.Load())
	}
	third.Lock(&mu, &held)
	mu.Unlock()
	if !third.Paused() {
		t.Error("workers do not pause when the holder runs again")
	}
}
