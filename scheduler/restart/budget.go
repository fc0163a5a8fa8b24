package restart

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// maxBurst is the largest burst of a Budget. It keeps burst*token within a uint64.
const maxBurst = 1 << 30

// Budget returns a policy that limits the restarts of all tasks that share it: in any
// interval there are at most burst restarts, plus share for each execution that starts in
// that interval. A failure that hits all tasks thus cannot multiply the load, while the
// failure of a single task still restarts it. When the budget is exhausted, Budget gives
// up; otherwise inner decides. A nil inner means [Default].
//
// This is a token bucket, as in the RetryBudget of Finagle (Twitter, 2016). Each start of a
// task, restarts not counted, adds share of a token, and each restart takes one. The
// bucket holds at most burst tokens and starts full. In Finagle, tokens expire and some
// are added each second, which needs a clock. The retry throttling of gRPC (gRFC A6) is
// similar. A token is taken only if inner grants the restart.
//
// The returned policy holds the budget and relies on [Failure.Starts] of one manager, so
// each manager needs its own. It is safe for concurrent use.
//
// Validate reports a share outside 0 < share ≤ 1 and a burst outside 1 to 2³⁰. A share is
// rounded to multiples of 1e-9, and to at least one of them.
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

// token is the number of units in a token. Units are integers, because in floating point
// the sum of ten tenths is less than one.
const token = 1e9

type budget struct {
	over
	earns    uint64 // units per start
	capacity uint64 // in units

	mu     sync.Mutex
	starts uint64 // largest Failure.Starts so far
	held   uint64 // in units, at most capacity
}

func (b *budget) Next(f Failure) (time.Duration, bool) {
	delay, ok := b.next(f) // without the lock, since inner may belong to the user
	if !ok || !b.take(f.Starts) {
		return 0, false
	}
	return delay, true
}

// take adds what the starts have earned since the last call and then takes a token. It
// returns false if there is none.
//
// Adding late keeps the bound for any interval. At the first failure in the interval the
// bucket holds at most its capacity, and all that is added later was earned by starts in
// the interval. (The interval begins when the first of its Failures was made.) Failures
// may arrive in a different order than their Starts; one with fewer Starts than an
// earlier one earns nothing.
func (b *budget) take(starts uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if starts > b.starts {
		b.earnLocked(starts - b.starts)
		b.starts = starts
	}
	if b.held < token {
		return false
	}
	b.held -= token
	return true
}

// earnLocked adds what a number of starts earn, up to the capacity. It does not overflow.
func (b *budget) earnLocked(starts uint64) {
	if b.earns == 0 {
		return // invalid arguments
	}
	room := b.capacity - b.held
	if starts > room/b.earns {
		b.held = b.capacity
		return
	}
	b.held += starts * b.earns
}
