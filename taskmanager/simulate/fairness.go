package simulate

import (
	"maps"
	"slices"
	"time"
)

// fairness measures how evenly keys share the workers while they compete: while at least two keys have
// jobs that wait. A key competes while it has such a job and another key has one too.
//
// The time of competition is one clock for all keys, so an event takes constant time.
type fairness struct {
	weight  func(key string) int // nil: equal weights
	shares  map[string]*keyShare
	waiting int           // keys with jobs that wait
	at      time.Duration // when the clock was read last
	clock   time.Duration // the time during which keys competed
}

// keyShare is what a key gets while it competes.
type keyShare struct {
	key              string
	waiting, running int           // jobs that wait, and executions
	clock            time.Duration // when the rest was brought up to date
	competed         time.Duration // the time during which the key competed
	attained         float64       // nanoseconds for which its executions ran in that time
}

func newFairness(weight func(key string) int) fairness {
	return fairness{weight: weight, shares: make(map[string]*keyShare)}
}

// shareOf returns the share of a key.
func (f *fairness) shareOf(key string) *keyShare {
	s := f.shares[key]
	if s == nil {
		s = &keyShare{key: key}
		f.shares[key] = s
	}
	return s
}

// advance accounts for the time until now.
func (f *fairness) advance(now time.Duration) {
	if f.waiting >= 2 {
		f.clock += max(now-f.at, 0)
	}
	f.at = max(f.at, now) // in real time, another goroutine may have read the clock later
}

// update brings a share up to date.
func (f *fairness) update(s *keyShare) {
	if s.waiting > 0 {
		s.competed += f.clock - s.clock
		s.attained += float64(f.clock-s.clock) * float64(s.running)
	}
	s.clock = f.clock
}

// waits changes the number of jobs of a key that wait.
func (f *fairness) waits(s *keyShare, change int) {
	f.update(s)
	was := s.waiting
	s.waiting += change
	switch {
	case was == 0 && s.waiting > 0:
		f.waiting++
	case was > 0 && s.waiting == 0:
		f.waiting--
	}
}

// runs changes the number of executions of a key.
func (f *fairness) runs(s *keyShare, change int) {
	f.update(s)
	s.running += change
}

// jain returns Jain's fairness index of the mean number of workers that each key had while it
// competed, divided by its weight.
func (f *fairness) jain() float64 {
	var n, sum, squares float64
	for _, key := range slices.Sorted(maps.Keys(f.shares)) { // in a fixed order, since sums are rounded
		s := f.shares[key]
		f.update(s)
		if s.competed == 0 {
			continue
		}
		x := s.attained / float64(s.competed)
		if f.weight != nil {
			x /= float64(max(1, f.weight(s.key)))
		}
		n++
		sum += x
		squares += x * x
	}
	if squares == 0 {
		return 1
	}
	return sum * sum / (n * squares)
}
