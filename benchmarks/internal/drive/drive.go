// Package drive submits work to pools and measures them. It depends on no pool.
package drive

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// Session is a pool in use.
type Session interface {
	// Submit submits a task n times. It returns when the pool has accepted all of them,
	// or returned all results. Producers are numbered from 0; each calls Submit on a
	// goroutine of its own.
	Submit(producer, n int, task func()) error
	// Close ends an idle pool.
	Close() error
}

// Timed measures the time from the first submit to the end of the last of n tasks, of which
// each producer submits an equal share. A task does the work, or nothing if work is nil. If a
// task ran twice, Timed would panic; if a task did not run, it would hang. After an error the
// session is lost.
func Timed(s Session, producers, n int, work func()) (time.Duration, error) {
	var all sync.WaitGroup
	all.Add(n)
	task := all.Done
	if work != nil {
		task = func() { work(); all.Done() }
	}
	begin := time.Now()
	if err := produce(s, producers, n, task); err != nil {
		return 0, err
	}
	all.Wait()
	return time.Since(begin), nil
}

// produce lets all producers submit shares of n tasks at the same time, and waits until the
// submits have returned.
func produce(s Session, producers, n int, task func()) error {
	if producers == 1 {
		return s.Submit(0, n, task)
	}
	faults := make(chan error, producers)
	for p := range producers {
		share := n / producers
		if p < n%producers {
			share++
		}
		go func() { faults <- s.Submit(p, share, task) }()
	}
	var first error
	for range producers {
		if err := <-faults; err != nil {
			first = err
		}
	}
	return first
}

// Latencies are percentiles in seconds.
type Latencies struct{ P50, P99, P999 float64 }

// PingPong submits n tasks, each when the previous one has started and the pause after that
// is over, and measures the times from submit to start. The submitter computes during a
// pause, so it uses a processor.
func PingPong(s Session, n int, pause time.Duration) (Latencies, error) {
	waits := make([]float64, 0, n)
	started := make(chan time.Time)
	task := func() { started <- time.Now() }
	for range n {
		if pause > 0 {
			for begin := time.Now(); time.Since(begin) < pause; {
			}
		}
		begin := time.Now()
		if err := s.Submit(0, 1, task); err != nil {
			return Latencies{}, err
		}
		waits = append(waits, (<-started).Sub(begin).Seconds())
	}
	slices.Sort(waits)
	at := func(share float64) float64 { return waits[int(share*float64(len(waits)-1))] }
	return Latencies{P50: at(0.5), P99: at(0.99), P999: at(0.999)}, nil
}

// Allocated collects the garbage, calls f, and returns how many objects and bytes the program
// allocated meanwhile.
func Allocated(f func()) (objects, bytes uint64) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc
}
