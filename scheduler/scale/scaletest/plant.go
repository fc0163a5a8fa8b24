package scaletest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/scheduler/scale"
)

var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// patience is how many questions a scaler has to react, or to come to rest.
const patience = 400

// tick is the time between two questions. Where items take long, so does the
// scaler that has to see some of them end.
func (p *plant) tick() time.Duration { return max(100*time.Millisecond, p.service/20) }

// plant is an imagined pool: what a scaler is told of a pool with a given number
// of items in it, of which the workers run as many as they can. Its counters and
// integrals fit together.
type plant struct {
	scale.Snapshot
	load    int           // items that run or wait
	service time.Duration // of an item
	since   time.Time     // since when something waits; zero: nothing does
	begun   float64       // parts of items done
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

// settle shares out the load.
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

// pass lets time pass with the load as it is: as much arrives as is done.
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

// follow does what the scaler says, as a pool does: workers come at once, and go
// when they have nothing to do, or the decision is firm.
func (p *plant) follow(s Scaler) scale.Decision {
	d := s.Scale(p.Snapshot)
	p.Workers = max(min(d.Target, p.Max), p.Min)
	if !d.Firm {
		p.Workers = max(p.Workers, p.Busy)
	}
	p.settle()
	return d
}

// followAsked is follow, with the question asked a moment before some of the workers
// take their items.
func (p *plant) followAsked(s Scaler, onTheirWay int) scale.Decision {
	idle := min(onTheirWay, p.Busy)
	p.Busy -= idle
	p.Idle += idle
	p.Queued += idle
	return p.follow(s)
}

// history draws what a scaler is told of a pool in the course of time, in which
// load, bounds and workers change as they like.
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
