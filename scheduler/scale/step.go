package scale

import (
	"fmt"
	"time"
)

// DefaultStepWait is the wait of [Step] if none is given.
const DefaultStepWait = 500 * time.Millisecond

// Step returns a scaler that jumps half-way to the maximum, to
// workers + ⌈(max−workers)/2⌉, when the oldest item has waited for at least wait and
// the last jump was at least wait ago. When nothing waits, the target is the number of
// busy workers. A wait that is not positive means [DefaultStepWait].
//
// Step suits workers that are expensive to start and load that comes in short bursts.
// [Demand] reacts faster and starts fewer workers.
func Step(wait time.Duration) Scaler[Snapshot] {
	if wait <= 0 {
		wait = DefaultStepWait
	}
	return &step{wait: wait}
}

type step struct {
	wait   time.Duration
	jumped time.Time // time of the last jump; zero if there was none
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
