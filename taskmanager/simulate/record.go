package simulate

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// record collects what happens in a replay. It observes the manager. Its sums over jobs are of
// integers, so that what happens at one instant, on several goroutines, may come in any order.
type record struct {
	replay *replay

	mu          sync.Mutex               // guards the rest
	mounted     bool                     // the manager has the observer
	manager     *taskmanager.TaskManager // nil until it has started
	outstanding map[int]*task            // by number
	ended       int
	fed         bool // all jobs have arrived
	idle        chan struct{}

	tallies   map[tallyName]*tally
	lastTally *tally // which the next job probably has too
	fairness  fairness
	series    series
	scaling   scaling

	waiting, running int           // jobs that have not started yet, or executions
	active           time.Duration // when a job last began or ended
	workerTime       float64       // when no job was outstanding last
}

// progressEvery is the number of ends between two reports of the progress.
const progressEvery = 1000

func newRecord(r *replay) *record {
	return &record{
		replay:      r,
		outstanding: make(map[int]*task),
		idle:        make(chan struct{}),
		tallies:     make(map[tallyName]*tally),
		fairness:    newFairness(r.weight),
		series:      newSeries(),
	}
}

var (
	_ observe.EndObserver      = (*record)(nil)
	_ observe.DecisionObserver = (*record)(nil)
	_ observe.PoolObserver     = (*record)(nil)
)

// ObservePool implements [observe.PoolObserver]. It shows that the manager has the observer.
func (r *record) ObservePool(observe.Pool) (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mounted = true
	return nil
}

// errUnmounted is the error of a start function that does not start the manager as it should.
var errUnmounted = errors.New("simulate: the manager does not have the observer of the replay; start must pass the options that it gets to taskmanager.Start, and leave out WithObserver")

// begin notes that the manager has started.
func (r *record) begin(m *taskmanager.TaskManager) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mounted {
		return errUnmounted
	}
	r.manager = m
	r.scaling.peak = max(r.scaling.peak, m.Snapshot().Workers)
	return nil
}

// advanceLocked accounts for the time until now.
func (r *record) advanceLocked(now time.Duration) {
	if r.series.advance(now, r.waiting, r.running) && r.manager != nil {
		r.series.workers(now, r.workerTimeLocked())
	}
	r.fairness.advance(now)
}

// workerTimeLocked returns the sum of the lifetimes of the workers so far, in seconds.
func (r *record) workerTimeLocked() float64 { return r.manager.Snapshot().WorkerTime }

// arrives notes that a job arrives.
func (r *record) arrives(t *task, now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.advanceLocked(now)
	t.arrived = now
	t.tally = r.tallyLocked(tallyName{t.job.Key, t.job.Kind})
	t.tally.jobs++
	r.outstanding[t.number] = t
	r.waiting++
	r.fairness.waits(t.tally.share, 1)
	r.series.now().arrive(t.job.Service)
}

// tallyLocked returns the tally of a key and a kind.
func (r *record) tallyLocked(name tallyName) *tally {
	if r.lastTally != nil && r.lastTally.name == name {
		return r.lastTally
	}
	t := r.tallies[name]
	if t == nil {
		t = &tally{name: name, share: r.fairness.shareOf(name.key)}
		r.tallies[name] = t
	}
	r.lastTally = t
	return t
}

// executionBegins notes that an execution begins, and returns its number, from 1.
func (r *record) executionBegins(t *task, now time.Duration) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.advanceLocked(now)
	r.active = max(r.active, now)
	r.running++
	r.fairness.runs(t.tally.share, 1)
	t.executions++
	if t.executions > 1 {
		t.tally.restarts++
		return t.executions
	}
	r.stopWaitingLocked(t)
	waited := now - t.arrived
	t.tally.wait.add(int64(waited))
	r.series.now().start(waited)
	if t.job.Deadline > 0 && now > t.job.At+t.job.Deadline {
		t.tally.late++
	}
	return t.executions
}

// stopWaitingLocked notes that a job no longer waits for its first execution.
func (r *record) stopWaitingLocked(t *task) {
	r.waiting--
	r.fairness.waits(t.tally.share, -1)
}

// executionEnds notes that an execution ends.
func (r *record) executionEnds(t *task, began, now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.advanceLocked(now)
	r.active = max(r.active, now)
	r.running--
	r.fairness.runs(t.tally.share, -1)
	t.tally.run.add(int64(now - began))
}

// TaskEnded implements [observe.EndObserver].
func (r *record) TaskEnded(_ context.Context, e observe.End) {
	number, ok := numberOf(e.Name)
	if !ok {
		return // a task of the user
	}
	r.mu.Lock()
	t := r.outstanding[number]
	r.mu.Unlock()
	if t != nil {
		r.ends(t, e.Outcome, r.replay.calendar.now())
	}
}

// ends notes that a job ends.
func (r *record) ends(t *task, outcome observe.Outcome, now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.advanceLocked(now)
	r.active = max(r.active, now)
	if t.executions == 0 {
		r.stopWaitingLocked(t)
	}
	t.tally.end(t, outcome, now)
	delete(r.outstanding, t.number)
	r.ended++
	if r.replay.progress != nil && r.ended%progressEvery == 0 {
		r.replay.progress(r.ended)
	}
	if len(r.outstanding) == 0 {
		r.workerTime = r.workerTimeLocked()
		r.closeIfIdleLocked()
	}
}

// whenIdle returns a channel that is closed when all jobs have ended. No job may arrive any more.
func (r *record) whenIdle() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fed = true
	r.closeIfIdleLocked()
	return r.idle
}

func (r *record) closeIfIdleLocked() {
	if r.fed && len(r.outstanding) == 0 {
		close(r.idle)
		r.fed = false
	}
}

// idleFor returns for how long nothing has run.
func (r *record) idleFor(now time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running > 0 {
		return 0
	}
	return now - r.active
}

// ScalerDecided implements [observe.DecisionObserver].
func (r *record) ScalerDecided(d observe.Decision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := d.At.Sub(r.replay.calendar.epoch)
	r.advanceLocked(now)
	r.scaling.decided(d)
	r.series.now().decide(d.Number, Decision{At: now, Workers: d.Workers, Target: d.Target, Reason: d.Reason})
}

// report returns the report so far.
func (r *record) report(partial bool) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	elapsed, workerTime := r.active, r.workerTime
	if len(r.outstanding) > 0 {
		elapsed = r.replay.calendar.now()
		r.advanceLocked(elapsed)
		workerTime = r.workerTimeLocked()
	}
	r.series.workers(elapsed, workerTime)
	if r.replay.progress != nil {
		r.replay.progress(r.ended)
	}
	return Report{
		Partial:     partial,
		Total:       groupOf("", slices.Collect(maps.Values(r.tallies))),
		Keys:        r.groupsLocked(func(n tallyName) string { return n.key }),
		Kinds:       r.groupsLocked(func(n tallyName) string { return n.kind }),
		Elapsed:     elapsed,
		WorkerTime:  workerTime,
		PeakWorkers: r.scaling.peak,
		Turns:       r.scaling.turns,
		Decisions:   r.scaling.made,
		Jain:        r.fairness.jain(),
		Series:      r.series.report(elapsed),
	}
}

// groupsLocked returns a group for each name, in the order of the names.
func (r *record) groupsLocked(nameOf func(tallyName) string) (groups []Group) {
	byName := make(map[string][]*tally)
	for name, t := range r.tallies {
		byName[nameOf(name)] = append(byName[nameOf(name)], t)
	}
	for name, tallies := range byName {
		groups = append(groups, groupOf(name, tallies))
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	return groups
}

// scaling follows the decisions of the scaler.
type scaling struct {
	peak, turns, made int
	target            int                         // of the last decision
	direction         int                         // of the last change of the target: 1, -1, or 0 before the first
	early             map[uint64]observe.Decision // that came before an earlier one
}

// decided takes a decision into account, in the order of their numbers.
func (s *scaling) decided(d observe.Decision) {
	if s.early == nil {
		s.early = make(map[uint64]observe.Decision)
	}
	s.early[d.Number] = d
	for {
		d, ok := s.early[uint64(s.made)+1] //nolint:gosec // a count
		if !ok {
			return
		}
		delete(s.early, d.Number)
		if s.made == 0 {
			s.target = d.Workers
		}
		s.made++
		s.peak = max(s.peak, d.Target)
		if direction := cmp.Compare(d.Target, s.target); direction != 0 {
			if direction == -s.direction {
				s.turns++
			}
			s.direction, s.target = direction, d.Target
		}
	}
}
