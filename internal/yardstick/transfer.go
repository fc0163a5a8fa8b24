package yardstick

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// State is how far apart the processors are, as far as memory is concerned. On a virtual
// machine it changes while programs run, as the host moves the processors between cores. The
// costs of code whose goroutines share data depend on it, and not all by the same factor, so
// figures that were measured in different states cannot be compared.
type State string

// The states.
const (
	// Unknown means that the transfer time could not be measured, or that it varied.
	Unknown State = "unknown"
	// Near means that a transfer takes less than [FarFrom], as between cores with a common
	// cache.
	Near State = "near"
	// Far means that a transfer takes [FarFrom] or more, as between cores without one.
	Far State = "far"
)

const (
	// FarFrom is the least transfer time of processors that are far apart, in nanoseconds.
	// Cores with a common cache take 20 to 100 ns, others 200 ns and more.
	FarFrom = 150.0
	// unlikely is more than any transfer takes, in nanoseconds. The two threads took turns
	// on one processor, or waited for other work.
	unlikely = 1000.0
)

// String returns near, far or unknown.
func (s State) String() string { return string(cmp.Or(s, Unknown)) }

// StateOf returns the state in which a transfer takes ns nanoseconds. It is Unknown if ns is
// not positive, or 1000 or more.
func StateOf(ns float64) State {
	switch {
	case 0 < ns && ns < FarFrom:
		return Near
	case FarFrom <= ns && ns < unlikely:
		return Far
	default:
		return Unknown
	}
}

// Transfer is a measurement of the time that it takes to pass a cache line from one processor to
// another: from a store until the other processor, which reads the line again and again, has
// seen it. That is the least cost of passing an item or a lock.
//
// Two threads pass a cache line to and fro, and half the time of a round trip is the transfer
// time. It includes the loop that waits, some nanoseconds. Hardware takes the line away from
// the reader before the store, and copies it back for the read, so the time stands for both
// steps. An interrupt, other work on one of the processors, or a change of the clock frequency
// makes it longer; the median of many short runs hides what disturbs less than half of them.
// On Linux the threads run on the first and the last processor that the process may use. With
// more than two processors, other pairs may be nearer.
type Transfer struct {
	Nanoseconds float64 // one way, median; 0 if nothing was measured
	State       State   // Unknown unless at least half of the runs agree
}

const (
	transferRuns  = 25
	transferTrips = 100                   // round trips in a run, which takes 20 to 50 µs
	transferLimit = 12 * time.Millisecond // of all runs
	transferTries = 3
)

// MeasureTransfer measures the transfer time. It takes one or two milliseconds, or some tens of
// them on a machine with other work. The result is unknown if GOMAXPROCS or the number of
// processors is 1.
//
// It uses two processors, so nothing else should run in the program meanwhile. The goroutines
// that it starts have ended when it returns.
func MeasureTransfer() (t Transfer) {
	if runtime.GOMAXPROCS(0) < 2 || runtime.NumCPU() < 2 {
		return Transfer{State: Unknown}
	}
	for range transferTries {
		if t = summarise(exchange(), transferRuns); t.State != Unknown {
			break
		}
	}
	return t
}

// exchange lets two new threads pass a line to and fro, and returns the times of one way. The
// threads end with their goroutines, which never unlock them, so no other goroutine is bound to
// their processors.
func exchange() (times []float64) {
	var l line
	var sides sync.WaitGroup
	sides.Go(func() {
		runtime.LockOSThread()
		runOn(true)
		l.answer()
	})
	sides.Go(func() {
		runtime.LockOSThread()
		runOn(false)
		times = l.ask(transferRuns, transferTrips, transferLimit)
	})
	sides.Wait()
	return times
}

// summarise returns the median of the runs, and the state if the middle half of them agrees
// on it. If fewer than half of the planned runs were completed, the time is unknown.
func summarise(runs []float64, planned int) Transfer {
	if 2*len(runs) < planned || len(runs) == 0 {
		return Transfer{State: Unknown}
	}
	slices.Sort(runs)
	n := len(runs)
	t := Transfer{Nanoseconds: runs[n/2], State: StateOf(runs[n/2])}
	if StateOf(runs[n/4]) != t.State || StateOf(runs[n-1-n/4]) != t.State {
		t.State = Unknown
	}
	return t
}

// line is a cache line that two threads pass to and fro. Invariant: the side that asks stores an
// odd number when it has seen the even one before it, and over at the end. The side that
// answers replaces an odd number by the next even one, and never replaces over.
type line struct {
	_ [128]byte // processors fetch lines in pairs
	n atomic.Uint32
	_ [128]byte
}

// over ends the exchange. It is even, so it is no question.
const over = 1 << 31

// ask makes round trips, and returns the time of one way of each completed run in
// nanoseconds. It gives up after the limit. In any case the other side ends.
func (l *line) ask(runs, trips int, limit time.Duration) (times []float64) {
	defer l.n.Store(over)
	end := time.Now().Add(limit)
	var n uint32
	for run := range 1 + runs {
		begin := time.Now()
		for range trips {
			l.n.Store(n + 1)
			n += 2
			if !l.await(n, end) {
				return times
			}
		}
		if run > 0 { // the first one waited for the start of the other side
			times = append(times, float64(time.Since(begin).Nanoseconds())/float64(2*trips))
		}
	}
	return times
}

// await waits until the line has n. It returns false if that takes until the end. It does
// not yield: the system separates two threads that share a processor if both are busy.
func (l *line) await(n uint32, end time.Time) bool {
	const patience = 10_000 // reads between readings of the clock, some microseconds
	for {
		for range patience {
			if l.n.Load() == n {
				return true
			}
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// answer answers until the exchange is over.
func (l *line) answer() {
	for n := l.n.Load(); n != over; n = l.n.Load() {
		if n%2 == 1 {
			l.reply(n)
		}
	}
}

// reply answers a question, unless the other side has given up meanwhile.
func (l *line) reply(question uint32) { l.n.CompareAndSwap(question, question+1) }
