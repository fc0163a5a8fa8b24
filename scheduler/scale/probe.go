package scale

import (
	"fmt"
	"time"
)

// DefaultProbeInterval is the interval of [Probe] if none is given.
const DefaultProbeInterval = time.Second

// probeGain is the ratio of throughputs from which Probe counts a step as a success.
const probeGain = 1.02

// Probe returns a scaler that searches for the number of workers with the highest
// throughput. It is for work that slows down when too much of it runs at once, for
// example on a disk, a database or a lock.
//
// While items wait, Probe changes the target by one worker each interval. It keeps its
// direction if throughput rose by 2% or more since the last step, and reverses it
// otherwise. The target thus climbs to the best number and then oscillates around it.
// When nothing waits, the target falls by one. Several items should end in each
// interval. An interval that is not positive means [DefaultProbeInterval].
//
// This is hill climbing, as in the thread pool of .NET (Hellerstein, Morrison, Eilebrecht:
// Applying Control Theory in the Real World: Experience With Building a Controller for
// the .NET Thread Pool, 2009), without its signal filter. Decisions are Firm: workers
// above the target exit even while items wait. Probe therefore guarantees less than
// other scalers: the target may fall while items wait.
func Probe(interval time.Duration) Scaler[Snapshot] {
	if interval <= 0 {
		interval = DefaultProbeInterval
	}
	return &probe{interval: interval, step: 1}
}

type probe struct {
	interval time.Duration
	step     int      // +1 or -1
	since    Snapshot // taken when the target was last set; its Now is zero before that
	target   int
	rate     float64 // throughput at the previous target, in items per second; 0 if unknown
}

func (p *probe) NeedsTime() bool { return true }

func (p *probe) Scale(s Snapshot) Decision {
	passed := s.Now.Sub(p.since.Now)
	if p.since.Now.IsZero() {
		return p.set(s, max(s.Workers, 1), 0, "the first try")
	}
	if passed < p.interval {
		return Decision{Target: s.Bound(p.target), Again: p.interval - passed, Firm: true, Reason: "trying"}
	}
	if s.waiting() == 0 {
		return p.set(s, p.target-1, 0, "nothing waits")
	}
	r, _ := measure(p.since, s)
	if p.rate > 0 && r.throughput < probeGain*p.rate {
		p.step = -p.step
	}
	return p.set(s, p.target+p.step, r.throughput, fmt.Sprintf("%.3g/s before, %.3g/s now", p.rate, r.throughput))
}

// set starts an interval with a new target. The rate is the throughput at the old one.
func (p *probe) set(s Snapshot, target int, rate float64, reason string) Decision {
	p.since, p.target, p.rate = s, max(s.Bound(target), 1), rate
	return Decision{Target: s.Bound(p.target), Again: p.interval, Firm: true, Reason: reason}
}
