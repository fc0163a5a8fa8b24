package scheduler

import (
	"fmt"
	"time"
)

// The scalers below go by the state of the moment. Those that measure over time
// have files of their own.

// Fixed keeps n workers, or as many as the bounds allow. An n below 1 means the
// maximum.
func Fixed(n int) Scaler[Snapshot] { return fixed(n) }

type fixed int

func (f fixed) NeedsTime() bool { return false }

func (f fixed) Scale(s Snapshot) Decision {
	if f < 1 {
		return Decision{Target: s.Max, Reason: "fixed at the maximum"}
	}
	return Decision{Target: s.bound(int(f)), Reason: "fixed"}
}

// Demand has a worker for each item that runs and one more for each backlog items
// that wait, queued or for room: busy + ⌈waiting/backlog⌉. Items that an idle worker
// is about to take count as running. With a backlog of 1, the default of a pool, an
// item that finds no idle worker gets a new one at once. A backlog below 1 counts
// as 1.
func Demand(backlog int) Scaler[Snapshot] { return demand(max(backlog, 1)) }

type demand int

func (d demand) NeedsTime() bool { return false }

func (d demand) Scale(s Snapshot) Decision {
	// Or the answer would depend on how far idle workers are on their way, and might
	// leave the last items to nobody, as nobody asks again.
	taken := min(s.waiting(), max(s.Workers-s.Busy, 0))
	return Decision{Target: s.bound(s.Busy + taken + ceilDiv(s.waiting()-taken, int(d))), Reason: "demand"}
}

// DefaultStepWait is how long Step lets an item wait, and the pool settle, when
// nothing else was asked for.
const DefaultStepWait = 500 * time.Millisecond

// Step jumps half-way to the maximum, workers + ⌈(max−workers)/2⌉, when the
// oldest item has waited for wait and the last jump is at least as long ago. A
// wait that is not positive counts as DefaultStepWait. It suits work whose
// workers are dear to start and that comes in short bursts; Demand reacts
// faster and starts fewer.
func Step(wait time.Duration) Scaler[Snapshot] {
	if wait <= 0 {
		wait = DefaultStepWait
	}
	return &step{wait: wait}
}

type step struct {
	wait   time.Duration
	jumped time.Time // when it last jumped; zero: never
}

func (s *step) NeedsTime() bool { return true }

func (s *step) Scale(now Snapshot) Decision {
	if now.waiting() == 0 {
		return Decision{Target: now.bound(now.Busy), Reason: "nothing waits"}
	}
	hold := s.wait - now.OldestWait
	if !s.jumped.IsZero() {
		hold = max(hold, s.wait-now.Now.Sub(s.jumped))
	}
	if hold > 0 || now.Workers >= now.Max {
		return Decision{Target: now.bound(now.Workers), Again: max(hold, 0), Reason: "waiting before a jump"}
	}
	s.jumped = now.Now
	target := now.Workers + ceilDiv(now.Max-now.Workers, 2)
	return Decision{Target: now.bound(target), Again: s.wait, Reason: fmt.Sprintf("the oldest item waited %v", now.OldestWait)}
}

// ceilDiv is a/b rounded up, for a ≥ 0 and b > 0, without overflow.
func ceilDiv(a, b int) int {
	q := a / b
	if a%b != 0 {
		q++
	}
	return q
}
