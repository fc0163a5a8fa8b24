package scaletest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/scheduler/scale"
)

var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// patience is the number of decisions within which a scaler must react, or its target
// become constant.
const patience = 400

// tick returns the time between two decisions. It grows with the service time, because
// some scalers need to see items end.
func (p *plant) tick() time.Duration { return max(100*time.Millisecond, p.service/20) }

// plant simulates a pool with a given number of items in it. Workers run as many of them
// as they can. Its counters and integrals are consistent.
type plant struct {
	scale.Snapshot
	load    int           // running and waiting items
	service time.Duration // of an item
	since   time.Time     // start of the current backlog; zero if nothing waits
	begun   float64       // completed fraction of the next item
}

func newPlant(t *rapid.T) *plant {
	p := &plant{service: rapid.SampledFrom([]time.Duration{time.Millisecond, 40 * time.Millisecond, time.Second, time.Minute}).Draw(t, "service time")}
	p.Now = epoch
	p.Min = rapid.IntRange(0, 5).Draw(t, "min")
	p.Max = max(1, p.Min) + rapid.IntRange(0, 100).Draw(t, "more")
	p.Workers = rapid.IntRange(p.Min, p.Max).Draw(t, "workers")
	p.settle()
	return p
}

// settle assigns the load to the workers and derives the other fields.
func (p *plant) settle() {
	p.Busy = min(p.load, p.Workers)
	p.Idle = p.Workers - p.Busy
	p.Queued = p.load - p.Busy
	p.Submitted = max(p.Submitted, p.Completed+uint64(p.load)) //nolint:gosec // not negative
	p.Started = p.Submitted - uint64(p.Queued)                 //nolint:gosec // not negative
	switch {
	case p.Queued == 0:
		p.since = time.Time{}
	case p.since.IsZero():
		p.since = p.Now
	}
	p.OldestWait = 0
	if !p.since.IsZero() {
		p.OldestWait = p.Now.Sub(p.since)
	}
}

// pass advances the time at a constant load: for each item that ends, one arrives.
func (p *plant) pass(d time.Duration) {
	p.settle()
	p.Now = p.Now.Add(d)
	seconds := d.Seconds()
	p.BusyTime += seconds * float64(p.Busy)
	p.QueuedTime += seconds * float64(p.Queued)
	p.WorkerTime += seconds * float64(p.Workers)
	p.begun += seconds * float64(p.Busy) / p.service.Seconds()
	done := uint64(p.begun)
	p.begun -= float64(done)
	p.Completed += done
	p.Submitted += done
	p.ServiceTime += float64(done) * p.service.Seconds()
	p.settle()
}

// follow asks the scaler and obeys it as a pool does: workers start at once, and exit
// when they are idle or the decision is firm.
func (p *plant) follow(s Scaler) scale.Decision {
	d := s.Scale(p.Snapshot)
	p.Workers = max(min(d.Target, p.Max), p.Min)
	if !d.Firm {
		p.Workers = max(p.Workers, p.Busy)
	}
	p.settle()
	return d
}

// followEarly is follow at a moment at which some workers are still idle, just before
// they take their items.
func (p *plant) followEarly(s Scaler, onTheirWay int) scale.Decision {
	idle := min(onTheirWay, p.Busy)
	p.Busy -= idle
	p.Idle += idle
	p.Queued += idle
	return p.follow(s)
}

// history draws a sequence of snapshots of one pool. Load, bounds and the number of
// workers change at random.
func history(t *rapid.T) []scale.Snapshot {
	p := newPlant(t)
	past := make([]scale.Snapshot, rapid.IntRange(1, 30).Draw(t, "decisions"))
	for i := range past {
		if rapid.IntRange(0, 4).Draw(t, "resize in 0") == 0 {
			p.Min = rapid.IntRange(0, 5).Draw(t, "min")
			p.Max = max(1, p.Min) + rapid.IntRange(0, 100).Draw(t, "more")
		}
		p.Workers = rapid.IntRange(p.Min, p.Max).Draw(t, "workers")
		p.load = rapid.IntRange(0, 200).Draw(t, "load")
		p.Blocked = rapid.SampledFrom([]int{0, 0, 7}).Draw(t, "blocked")
		p.pass(rapid.SampledFrom([]time.Duration{0, 1, 30 * time.Millisecond, time.Second, time.Hour}).Draw(t, "time"))
		past[i] = p.Snapshot
	}
	if rapid.Bool().Draw(t, "from the very start") {
		past[0] = scale.Snapshot{Max: 1}
	}
	return past
}
