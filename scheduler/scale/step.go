package scale

import (
	"fmt"
	"time"
)

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
		return Decision{Target: now.Bound(now.Busy), Reason: "nothing waits"}
	}
	hold := s.wait - now.OldestWait
	if !s.jumped.IsZero() {
		hold = max(hold, s.wait-now.Now.Sub(s.jumped))
	}
	if hold > 0 || now.Workers >= now.Max {
		return Decision{Target: now.Bound(now.Workers), Again: max(hold, 0), Reason: "waiting before a jump"}
	}
	s.jumped = now.Now
	target := now.Workers + ceilDiv(now.Max-now.Workers, 2)
	return Decision{Target: now.Bound(target), Again: s.wait, Reason: fmt.Sprintf("the oldest item waited %v", now.OldestWait)}
}
