package simulate

import (
	"time"

	"github.com/seed56799101/taskmanager/observe"
)

// tallyName identifies the jobs that a tally counts.
type tallyName struct{ key, kind string }

// tally is what a replay has measured of the jobs with one key and one kind.
type tally struct {
	name  tallyName
	share *keyShare

	jobs, done, failed, shed, dropped, cancelled int
	late, restarts                               int
	wait, run, sojourn, slowdown                 distribution
}

// end counts the end of a job.
func (y *tally) end(t *task, outcome observe.Outcome, now time.Duration) {
	switch outcome {
	case observe.Success:
		y.done++
	case observe.Failure:
		y.failed++
	case observe.Shed:
		y.shed++
	case observe.Dropped:
		y.dropped++
	default: // ended by a limit on its time, or by the manager
		y.cancelled++
	}
	if outcome != observe.Success && outcome != observe.Failure {
		return
	}
	sojourn := now - t.arrived
	y.sojourn.add(int64(sojourn))
	if t.job.Service > 0 {
		y.slowdown.addRatio(float64(sojourn) / (float64(t.job.Service) * float64(t.executions)))
	}
}

// groupOf returns the sum of tallies as a group.
func groupOf(name string, tallies []*tally) Group {
	g := Group{Name: name}
	ended := 0
	for _, t := range tallies {
		g.Jobs += t.jobs
		g.Done += t.done
		g.Failed += t.failed
		g.Shed += t.shed
		g.Dropped += t.dropped
		g.Cancelled += t.cancelled
		g.Late += t.late
		g.Restarts += t.restarts
		ended += t.done + t.failed + t.shed + t.dropped + t.cancelled
		g.Wait.d.merge(&t.wait)
		g.Run.d.merge(&t.run)
		g.Sojourn.d.merge(&t.sojourn)
		g.Slowdown.d.merge(&t.slowdown)
	}
	for _, d := range []*distribution{&g.Wait.d, &g.Run.d, &g.Sojourn.d, &g.Slowdown.d} {
		d.sort()
	}
	g.Unfinished = g.Jobs - ended
	return g
}
