package dashboard

import (
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/histogram"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// recentPoints is the number of points over which the overview tells percentiles.
const recentPoints = 10

// recentTime is the age from which a point is not recent. A sample may be late.
const recentTime = recentPoints*fineStep + fineStep/2

// managed is a manager that a dashboard shows.
type managed struct {
	name      string
	m         *taskmanager.TaskManager
	collector *Collector // nil: none
	decisions *decisionLog
	asker     asker
	viewers   viewers
	keys      keyWindow
	weights   weights
	announced uint64 // number of the last decision that a tick has had; only for the sampling goroutine

	mu           sync.Mutex // guards the rest; held to add a point, or to copy points
	before       sight      // the last sample
	latest       sampled
	fine, coarse series
	fold         fold
	recent       [recentPoints]durations
	samples      int // so far
}

// durations are those of one step.
type durations struct {
	at                time.Time // the end of the step
	waits, executions histogram.Counts
}

// newManaged takes the first sample, from which the numbers of the next one count.
func newManaged(g given) *managed {
	x := &managed{
		name: g.name, m: g.m, collector: g.collector,
		fine: series{limit: finePoints}, coarse: series{limit: coarsePoints},
	}
	if x.decisions = new(decisionLog); x.collector != nil {
		x.decisions = &x.collector.decisions
	}
	x.announced = x.lastDecision().number
	s := x.look()
	x.before = s
	x.latest = sampled{s.at, x.pointSinceLocked(s)}
	if x.collector != nil {
		x.keys.add(s.at, x.collector.byKey())
	}
	return x
}

// lastDecision returns the last decision of the scaler.
func (x *managed) lastDecision() decision {
	if x.collector == nil {
		x.decisions.poll(x.m)
	}
	return x.decisions.last()
}

// sight is what a sample sees of the manager and of the collector, without a lock of the dashboard.
type sight struct {
	at     time.Time
	pool   scale.Snapshot
	counts taskmanager.Counts
	target int
	total  *sums // nil without a collector
}

func (x *managed) look() sight {
	s := sight{at: time.Now(), pool: x.m.Snapshot(), counts: x.m.Counts()}
	s.target = s.pool.Workers
	if d := x.lastDecision(); d.number > 0 {
		s.target = s.pool.Bound(d.target)
	}
	if x.collector != nil {
		s.total = x.collector.total()
	}
	return s
}

// sample adds a point to the series.
func (x *managed) sample() {
	s := x.look()
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.pointSinceLocked(s)
	d := &x.recent[x.samples%recentPoints]
	*d = durations{at: s.at}
	if s.total != nil {
		d.waits, d.executions = s.total.waits.Since(&x.before.total.waits), s.total.executions.Since(&x.before.total.executions)
	}
	p.setPercentiles(&d.waits, &d.executions)
	x.samples++
	x.before, x.latest = s, sampled{s.at, p}
	x.fine.add(x.latest)
	if coarse, complete := x.fold.add(x.latest, &d.waits, &d.executions); complete {
		x.coarse.add(coarse)
	}
}

// sampleKeys notes the numbers by key, from time to time.
func (x *managed) sampleKeys() {
	if x.collector == nil || !x.keys.due(time.Now()) {
		return
	}
	keys := x.collector.byKey()
	x.keys.add(time.Now(), keys)
}

// pointSinceLocked returns the point of a sight, without percentiles. x.mu is held.
func (x *managed) pointSinceLocked(s sight) point {
	p := point{
		colWorkers: float64(s.pool.Workers), colBusy: float64(s.pool.Busy), colLent: float64(s.pool.Lent),
		colTarget: float64(s.target), colQueued: float64(s.pool.Queued), colBlocked: float64(s.pool.Blocked),
		colDelayed: float64(s.counts.Delayed), colRestarting: float64(s.counts.Restarting), colOldest: oldest(&s.pool),

		colStarted: grown(s.pool.Started, x.before.pool.Started),
		colLost:    grown(s.counts.Dropped+s.counts.Shed, x.before.counts.Dropped+x.before.counts.Shed),
	}
	if s.total != nil {
		p[colSucceeded] = grown(s.total.succeeded(), x.before.total.succeeded())
		p[colFailed] = grown(s.total.failed, x.before.total.failed)
		p[colCancelled] = grown(s.total.cancelled, x.before.total.cancelled)
		p[colRestarts] = grown(s.total.restarts, x.before.total.restarts)
	} else { // tasks instead of executions
		p[colSucceeded] = grown(s.counts.Succeeded, x.before.counts.Succeeded)
		p[colFailed] = grown(s.counts.Failed+s.counts.TimedOut, x.before.counts.Failed+x.before.counts.TimedOut)
		p[colCancelled] = grown(s.counts.Cancelled+s.counts.Stopped, x.before.counts.Cancelled+x.before.counts.Stopped)
		p[colRestarts] = -1
	}
	p.setPercentiles(new(histogram.Counts), new(histogram.Counts))
	return p
}

// grown returns by how much a counter has grown.
func grown(now, before uint64) float64 { return float64(max(now, before) - before) }

// oldest returns the longest wait in the queue, in seconds, or -1 if the pool does not measure it.
func oldest(s *scale.Snapshot) float64 {
	if s.OldestWait == 0 && s.Queued+s.Blocked > 0 {
		return -1
	}
	return s.OldestWait.Seconds()
}

// lately returns the percentiles of the last ten seconds. They are those of all durations, not of
// other percentiles. Steps from before the last ten seconds do not count, since there may be no more samples.
func (x *managed) lately() (wait, run histogram.Percentiles) {
	var d durations
	x.mu.Lock()
	for i := range x.recent {
		if time.Since(x.recent[i].at) > recentTime {
			continue
		}
		d.waits.Plus(&x.recent[i].waits)
		d.executions.Plus(&x.recent[i].executions)
	}
	x.mu.Unlock()
	return d.waits.Percentiles(), d.executions.Percentiles()
}
