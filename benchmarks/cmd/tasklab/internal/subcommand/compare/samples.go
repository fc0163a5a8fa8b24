package compare

import (
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/comparison"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
)

// sampler is a display that keeps what it is shown.
type sampler struct {
	interval time.Duration
	samples  []comparison.Sample
}

func (s *sampler) Interval() time.Duration { return s.interval }

func (*sampler) WantsTotal() bool { return false }

func (s *sampler) Update(v progress.View) {
	s.samples = append(s.samples, comparison.Sample{At: v.Elapsed.Seconds(), Workers: v.Workers, Busy: v.Busy, Queued: v.Queued})
}

func (*sampler) Close(progress.View) {}

// until returns the samples up to a time. The last sample may be of a manager
// that has stopped.
func (s *sampler) until(end time.Duration) []comparison.Sample {
	kept := []comparison.Sample{} // never null in JSON
	for _, one := range s.samples {
		if one.At <= end.Seconds() {
			kept = append(kept, one)
		}
	}
	return kept
}

// peak returns the largest number of workers in the samples, or least if that is
// larger.
func peak(samples []comparison.Sample, least int) int {
	for _, s := range samples {
		least = max(least, s.Workers)
	}
	return least
}

// turns counts how often the number of workers changed from growing to shrinking
// or back.
func turns(samples []comparison.Sample) (n int) {
	before, rising := 0, true
	for _, s := range samples {
		if s.Workers != before && s.Workers > before != rising {
			n++
			rising = !rising
		}
		before = s.Workers
	}
	return n
}
