package restart

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// maxBurst is the largest burst of a Budget.
const maxBurst = 1 << 30

// Budget restarts as inner says while a budget lasts, which all tasks that share
// the policy draw on: over any stretch of time, there are at most burst restarts
// plus share for each first start of a task in it. So a failure that hits all
// tasks cannot multiply the load, while single ones do not notice. A task whose
// restart is refused is given up. A nil inner means [Default].
//
// This is a token bucket, as Finagle's RetryBudget (Twitter, 2016): each start of
// a task, restarts not counted, puts share of a token in, and each restart takes
// one out. It holds burst tokens at most, and that many to begin with; Finagle
// has tokens expire and adds some each second instead, for which one would need a
// clock. A token is taken only if inner agrees to the restart.
//
// The budget is kept by the value that Budget returns, and counts the starts of
// one manager (Failure.Starts): use a new one for each manager. It is safe for
// concurrent use.
//
// A share that is not above 0 and at most 1, and a burst that is not from 1 to
// 2³⁰, are reported by Validate. (With a burst of 0 there could never be a token.)
// A share is rounded to billionths, and a smaller one counts as one.
func Budget(share float64, burst int, inner Policy) Policy {
	var faults []error
	earns := uint64(0)
	if share > 0 && share <= 1 { // false for NaN
		earns = max(1, uint64(math.Round(share*token)))
	} else {
		faults = append(faults, fmt.Errorf("restart: Budget: the share is %v; it must be above 0 and at most 1, such as 0.1 for one restart in ten starts", share))
	}
	if burst < 1 || burst > maxBurst {
		faults = append(faults, fmt.Errorf("restart: Budget: the burst is %d; it must be from 1 to %d restarts, and there is Never to restart nothing", burst, maxBurst))
	}
	capacity := token * uint64(min(max(burst, 0), maxBurst))
	return &budget{over: decorate(inner, faults...), earns: earns, capacity: capacity, held: capacity}
}

// token is the units that a token is counted in: integers, since a sum of ten
// tenths in floating point is less than one.
const token = 1e9

type budget struct {
	over
	earns    uint64 // units a start
	capacity uint64 // units

	mu     sync.Mutex
	starts uint64 // the most that a Failure has told of
	held   uint64 // units
}

func (b *budget) Next(f Failure) (time.Duration, bool) {
	delay, ok := b.next(f) // without the lock: it is somebody else's
	if !ok || !b.take(f.Starts) {
		return 0, false
	}
	return delay, true
}

// take puts in what the starts have earned and takes a token out, if there is one.
//
// What is earned between two failures is put in at the second. That suffices for
// the bound over any stretch: its first failure leaves the bucket at no more than
// its capacity, burst, and what comes in later was earned by starts within the
// stretch. (Seen exactly, a stretch reaches back to when the first of its Failures
// was made.) Failures may come in another order than that of their Starts; the
// later ones of those earn nothing.
func (b *budget) take(starts uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if starts > b.starts {
		b.earn(starts - b.starts)
		b.starts = starts
	}
	if b.held < token {
		return false
	}
	b.held -= token
	return true
}

// earn puts in what a number of starts have earned, up to the capacity; written so
// that it cannot overflow. mu is held.
func (b *budget) earn(starts uint64) {
	if b.earns == 0 {
		return // bad arguments
	}
	room := b.capacity - b.held
	if starts > room/b.earns {
		b.held = b.capacity
		return
	}
	b.held += starts * b.earns
}
