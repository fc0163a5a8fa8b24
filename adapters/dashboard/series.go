package dashboard

import (
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/histogram"
)

// The columns of a point.
const (
	colTime = iota // set when a point is shown

	// Levels at the time of the point; in a coarse series their means, and the highest colOldest.
	colWorkers
	colBusy
	colLent
	colTarget
	colQueued
	colBlocked
	colDelayed
	colRestarting
	colOldest

	// Numbers of the step.
	colStarted
	colSucceeded
	colFailed
	colCancelled
	colRestarts
	colLost

	// Percentiles of the step, in seconds.
	colWait
	_
	_
	colRun
	_
	_

	columnCount
)

// columns are the names of the columns.
var columns = [columnCount]string{
	"t", "workers", "busy", "lent", "target", "queued", "blocked", "delayed", "restarting", "oldest",
	"started", "succeeded", "failed", "cancelled", "restarts", "lost",
	"wait50", "wait95", "wait99", "run50", "run95", "run99",
}

// point has the value of each column at some time; -1 is unknown.
type point [columnCount]float64

// sampled is a point and its time. The time is a moment, since the wall clock may be set.
type sampled struct {
	at time.Time
	point
}

// shown returns the point with its time.
func (s *sampled) shown() point {
	p := s.point
	p[colTime] = unix(s.at)
	return p
}

// setPercentiles sets the columns of percentiles.
func (p *point) setPercentiles(waits, executions *histogram.Counts) {
	w, r := waits.Percentiles(), executions.Percentiles()
	copy(p[colWait:], w[:])
	copy(p[colRun:], r[:])
}

// The steps of the two series, and their lengths: 15 minutes and 4 hours.
const (
	fineStep     = time.Second
	coarseStep   = 15 * time.Second
	finePoints   = 900
	coarsePoints = 960
	folded       = int(coarseStep / fineStep)
)

// series keeps the last points at a fixed distance.
type series struct {
	points []sampled
	next   int // index of the oldest point, once there are as many as the limit
	limit  int
}

func (s *series) add(p sampled) {
	if len(s.points) < s.limit {
		s.points = append(s.points, p)
		return
	}
	s.points[s.next] = p
	s.next = (s.next + 1) % s.limit
}

// last returns a copy of the last n points, the oldest one first. It goes by their number, since the
// wall clock may jump.
func (s *series) last(n int) []sampled {
	all := slices.Concat(s.points[s.next:], s.points[:s.next])
	return all[max(0, len(all)-n):]
}

// byColumn returns points as one list for each column.
func byColumn(points []sampled) [][]float64 {
	lists := make([][]float64, columnCount)
	for c := range lists {
		lists[c] = make([]float64, len(points))
	}
	for i := range points {
		for c, v := range points[i].shown() {
			lists[c][i] = v
		}
	}
	return lists
}

// fold makes one coarse point of several fine ones.
type fold struct {
	points            []sampled
	waits, executions histogram.Counts
}

// add adds a fine point with its durations. It returns the coarse point when it is complete.
func (f *fold) add(p sampled, waits, executions *histogram.Counts) (coarse sampled, complete bool) {
	f.points = append(f.points, p)
	f.waits.Plus(waits)
	f.executions.Plus(executions)
	if len(f.points) < folded {
		return coarse, false
	}
	coarse.at = p.at
	for c := colWorkers; c < colOldest; c++ {
		coarse.point[c] = f.sum(c) / float64(folded)
	}
	for i := range f.points {
		coarse.point[colOldest] = max(coarse.point[colOldest], f.points[i].point[colOldest])
	}
	if p.point[colOldest] < 0 {
		coarse.point[colOldest] = -1
	}
	for c := colStarted; c < colWait; c++ {
		coarse.point[c] = f.sum(c)
	}
	coarse.setPercentiles(&f.waits, &f.executions)
	*f = fold{points: f.points[:0]}
	return coarse, true
}

// sum returns the sum of a column, or -1 if a value is unknown.
func (f *fold) sum(column int) (sum float64) {
	for i := range f.points {
		v := f.points[i].point[column]
		if v < 0 {
			return -1
		}
		sum += v
	}
	return sum
}
