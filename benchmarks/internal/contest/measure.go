package contest

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
)

// Bout measures one contender in one workload.
type Bout struct {
	Contender Contender
	Workload  Workload
	session   drive.Session
}

// Open makes the pool, and lets it do about a tenth of the work, so that its data structures
// reach their size.
func (b *Bout) Open() error {
	s, err := b.Contender.open(b.Workload)
	if err != nil {
		return fmt.Errorf("contest: %s: %w", b.Contender.Name, err)
	}
	b.session = s
	warm := b.Workload
	warm.Tasks, warm.Producers = max(1, min(warm.Tasks/10, 10_000)), 1
	if m := warm.Round(s); m.Err != "" {
		return fmt.Errorf("contest: %s in %q: %s", b.Contender.Name, b.Workload.Name, m.Err)
	}
	return nil
}

// Round measures once.
func (b *Bout) Round() Measure { return b.Workload.Round(b.session) }

// Close ends the pool.
func (b *Bout) Close() error {
	if b.session == nil {
		return nil
	}
	return b.session.Close()
}

// Alone makes the pool and measures once, in a process that does nothing else. The
// measurement includes the peaks of memory and goroutines.
func (b *Bout) Alone() (Measure, error) {
	s, err := b.Contender.open(b.Workload)
	if err != nil {
		return Measure{}, fmt.Errorf("contest: %s: %w", b.Contender.Name, err)
	}
	peak := watchGoroutines()
	m := b.Workload.Round(s)
	m.PeakGoroutines = peak()
	m.PeakBytes, err = drive.PeakMemory()
	if err != nil {
		return m, err
	}
	return m, s.Close()
}

// watchGoroutines counts the goroutines periodically. The function that it returns stops the
// count and returns the peak.
func watchGoroutines() (most func() int) {
	var watcher sync.WaitGroup
	done, peak := make(chan struct{}), 0
	watcher.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, runtime.NumGoroutine()-1) // without this one
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return func() int {
		close(done)
		watcher.Wait()
		return peak
	}
}
