package simulate

import (
	"math"
	"slices"
	"time"
)

const (
	mostIntervals = 512
	firstInterval = time.Millisecond
)

// series is what happens over time, in intervals of equal length. When there are too many, each two
// become one, so the series of a long replay takes no more memory than that of a short one.
type series struct {
	length    time.Duration
	at        time.Duration // until when the levels are counted
	intervals []interval

	// The time of the workers is known at some moments. Between them it is interpolated.
	workersAt  time.Duration
	workerTime float64
}

// interval is a part of the time. Sums over jobs are of integers, and end at the largest one. Sums over
// time may be of floating-point numbers, since time has an order.
type interval struct {
	arrivals, started, decisions     int
	offered, waited, longest         time.Duration
	queuedTime, busyTime, workerTime float64 // seconds of jobs and workers
	number                           uint64
	decision                         Decision
}

func newSeries() series {
	return series{length: firstInterval, intervals: make([]interval, 1)}
}

// now returns the interval of the time until which the series has advanced.
func (s *series) now() *interval { return &s.intervals[len(s.intervals)-1] }

// advance counts the levels until now, and reports whether a new interval has begun.
func (s *series) advance(now time.Duration, queued, busy int) (begun bool) {
	for int64(now/s.length) >= mostIntervals {
		s.halve()
	}
	for s.at < now {
		end := time.Duration(len(s.intervals)) * s.length
		d := min(now, end) - s.at
		i := s.now()
		i.queuedTime += d.Seconds() * float64(queued)
		i.busyTime += d.Seconds() * float64(busy)
		s.at += d
		if s.at == end {
			s.intervals = append(s.intervals, interval{})
			begun = true
		}
	}
	return begun
}

// halve makes each two intervals one.
func (s *series) halve() {
	merged := s.intervals[:0]
	for pair := range slices.Chunk(s.intervals, 2) {
		one := pair[0]
		if len(pair) == 2 {
			one.merge(&pair[1])
		}
		merged = append(merged, one)
	}
	s.intervals = merged
	s.length *= 2
}

// merge adds the interval that follows.
func (i *interval) merge(next *interval) {
	i.arrivals += next.arrivals
	i.started += next.started
	i.decisions += next.decisions
	i.offered = plus(i.offered, next.offered)
	i.waited = plus(i.waited, next.waited)
	i.longest = max(i.longest, next.longest)
	i.queuedTime += next.queuedTime
	i.busyTime += next.busyTime
	i.workerTime += next.workerTime
	if next.number > i.number {
		i.number, i.decision = next.number, next.decision
	}
}

func (i *interval) arrive(service time.Duration) {
	i.arrivals++
	i.offered = plus(i.offered, service)
}

func (i *interval) start(waited time.Duration) {
	i.started++
	i.waited = plus(i.waited, waited)
	i.longest = max(i.longest, waited)
}

// plus returns the sum of two durations that are not negative, or the longest duration if that is less. So
// the sum of several does not depend on their order.
func plus(a, b time.Duration) time.Duration { return a + min(b, math.MaxInt64-a) }

func (i *interval) decide(number uint64, d Decision) {
	i.decisions++
	if number > i.number {
		i.number, i.decision = number, d
	}
}

// workers takes the time of the workers until now into account.
func (s *series) workers(now time.Duration, workerTime float64) {
	if now <= s.workersAt {
		return
	}
	mean := (workerTime - s.workerTime) / (now - s.workersAt).Seconds()
	for at := s.workersAt; at < now; {
		i := int(at / s.length)
		end := min(now, time.Duration(i+1)*s.length)
		s.intervals[i].workerTime += mean * (end - at).Seconds()
		at = end
	}
	s.workersAt, s.workerTime = now, workerTime
}

// report returns the series until the end of the replay.
func (s *series) report(end time.Duration) (all []Interval) {
	for n, i := range s.intervals {
		at := time.Duration(n) * s.length
		length := min(s.length, end-at)
		if length <= 0 {
			break
		}
		mean := func(sum float64) float64 { return sum / length.Seconds() }
		one := Interval{
			At: at, Length: length,
			Arrivals: i.arrivals, Offered: mean(i.offered.Seconds()),
			Workers: mean(i.workerTime), Busy: mean(i.busyTime), Queued: mean(i.queuedTime),
			Started: i.started, MaxWait: i.longest,
			Decisions: i.decisions, Decision: i.decision,
		}
		if i.started > 0 {
			one.MeanWait = i.waited / time.Duration(i.started)
		}
		all = append(all, one)
	}
	return all
}
