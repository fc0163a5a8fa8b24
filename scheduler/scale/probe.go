package scale

import (
	"fmt"
	"time"
)

// DefaultProbeInterval is how long Probe tries a number of workers.
const DefaultProbeInterval = time.Second

// probeGain is by how much throughput has to rise for a step to have been good.
const probeGain = 1.02

// Probe looks for the number of workers with the highest throughput, for work that
// gets slower for all when too much of it runs: a disk, a database, a lock. While
// something waits it takes a step of one worker each interval, in the direction
// of the last one if throughput rose by 2% or more since, and else in the other;
// so it walks up to the best number, and then about it. When nothing waits, one
// worker less will do. An interval that is not positive means
// DefaultProbeInterval; several items should end in each.
//
// It is hill climbing, as in the thread pool of .NET (Hellerstein, Applying control
// theory in the real world: experience with building a controller for the .NET
// thread pool, 2009), without its filter. Its target is firm: workers above it
// leave even while items wait. What it promises is less than others do: with
// something waiting it may well go down.
func Probe(interval time.Duration) Scaler[Snapshot] {
	if interval <= 0 {
		interval = DefaultProbeInterval
	}
	return &probe{interval: interval, step: 1}
}

type probe struct {
	interval time.Duration
	step     int      // +1 or -1
	since    Snapshot // when the present target was set; its time is zero before that
	target   int
	rate     float64 // throughput before that; 0: not known
}

// NeedsTime reports that it reads the time.
func (p *probe) NeedsTime() bool { return true }

// Scale decides.
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

// set tries another number of workers.
func (p *probe) set(s Snapshot, target int, rate float64, reason string) Decision {
	p.since, p.target, p.rate = s, max(s.Bound(target), 1), rate
	return Decision{Target: s.Bound(p.target), Again: p.interval, Firm: true, Reason: reason}
}
