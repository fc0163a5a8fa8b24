package scheduler_test

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// model is a sequential model of a pool with the scaler Demand. Each event, such as a submit
// or the end of an item, is atomic.
type model struct {
	min, max, limit, backlog int
	overflow                 scheduler.Overflow
	order                    order
	metered                  bool
	timeout                  time.Duration

	now     time.Time
	alarm   modelAlarm
	paused  bool
	stood   time.Duration // length of all pauses
	idle    []time.Time   // start of the idle time of each idle worker; the one that parked last on top
	queue   []*job        // in the order of arrival, with withdrawn items until they are popped or swept
	waiting []*submission
	busy    map[int]*job
	inline  map[int]*inlineRun
	drops   []drop
	looked  bool // a worker has looked for an item since the alarm was set
	peak    int  // largest number of workers so far
	count   scale.Snapshot
}

// inlineRun is an item that runs for its submitter under CallerRuns.
type inlineRun struct {
	job *job
	by  *submission
}

// submission is a call of Submit, TrySubmit or SubmitAll.
type submission struct {
	left    []*job // items not admitted yet
	since   time.Time
	total   int
	settled bool
	err     error // result, once settled
}

func newModel(minimum, maximum int, now time.Time) *model {
	m := &model{min: minimum, max: maximum, backlog: 1, now: now, busy: map[int]*job{}, inline: map[int]*inlineRun{}}
	m.start(minimum)
	m.settle(false)
	return m
}

func (m *model) workers() int { return len(m.busy) + len(m.idle) }

// free returns the number of workers that can take an item.
func (m *model) free() int {
	if m.paused {
		return 0
	}
	return len(m.idle)
}

// queued returns the number of accepted items in the queue.
func (m *model) queued() int {
	n := 0
	for _, j := range m.queue {
		if !j.out() && j.waits == nil {
			n++
		}
	}
	return n
}

// out reports whether a job in the queue will not run.
func (j *job) out() bool { return j.quit || j.gone.Load() }

// outs returns the number of items in the queue that will not run.
func (m *model) outs() (n int) {
	for _, j := range m.queue {
		if j.out() {
			n++
		}
	}
	return n
}

func (m *model) room() bool {
	return m.limit == 0 || m.queued() < max(m.limit, 0)+m.free()
}

// start raises the number of workers to n.
func (m *model) start(n int) {
	m.looked = m.looked || m.workers() < n
	for m.workers() < n {
		m.idle = append(m.idle, m.now)
	}
	m.peak = max(m.peak, m.workers())
}

// blocked returns the number of items whose submitters wait for room.
func (m *model) blocked() int {
	n := 0
	for _, s := range m.waiting {
		n += len(s.left)
	}
	return n
}

// target returns the target of Demand within the bounds.
func (m *model) target(waiting int) int {
	taken := min(waiting, len(m.idle))
	return min(max(len(m.busy)+taken+(waiting-taken+m.backlog-1)/m.backlog, m.min), m.max)
}

// grow starts the workers that Demand asks for, if more items wait than workers are free.
// Items whose submitters wait for room count.
func (m *model) grow() {
	waits := m.queued() + m.blocked()
	if m.paused || m.workers() >= m.max || waits <= len(m.idle) {
		return
	}
	m.start(m.target(waits))
}

// settle runs the model until it is quiescent: it admits waiting submitters, starts workers
// and takes items. Without a limit it asks the scaler only if the event is one at which the
// pool asks.
func (m *model) settle(ask bool) {
	for again := true; again; {
		before := [4]int{len(m.busy), len(m.idle), len(m.waiting), len(m.queue)}
		m.admit()
		if ask || m.limit != 0 {
			m.grow()
			m.admit()
		}
		m.serve()
		again = m.limit != 0 && before != [4]int{len(m.busy), len(m.idle), len(m.waiting), len(m.queue)}
	}
	if m.looked && len(m.idle) > 0 && m.idle[len(m.idle)-1].Equal(m.now) {
		m.watch() // a worker looked for an item and parked
	}
	m.looked = false
	for m.alarm.due(m.now) {
		m.ring()
	}
}

// serve makes idle workers take queued items.
func (m *model) serve() {
	for !m.paused && len(m.idle) > 0 && len(m.queue) > 0 && m.arrive() {
	}
}

// arrive makes the worker that parked last look for an item. If there is none, it parks
// again.
func (m *model) arrive() bool {
	m.idle = m.idle[:len(m.idle)-1]
	if m.take() {
		return true
	}
	m.idle = append(m.idle, m.now)
	m.looked = true
	return false
}

// admit admits waiting submitters, in order, while there is room.
func (m *model) admit() {
	for len(m.waiting) > 0 && m.queued() < m.limit {
		m.accept(m.waiting[0])
	}
}

// accept admits the next item of a waiting submitter.
func (m *model) accept(s *submission) {
	s.left[0].waits = nil
	m.count.Submitted++
	if s.left = s.left[1:]; len(s.left) > 0 {
		m.enter(s)
		return
	}
	s.settled = true
	m.waiting = slices.DeleteFunc(m.waiting, func(x *submission) bool { return x == s })
}

// enter puts the next item of a waiting submitter into the queue.
func (m *model) enter(s *submission) {
	j := s.left[0]
	j.waits, j.queued = s, m.waitClock()
	m.queue = append(m.queue, j)
}

// waitClock returns the time on a clock that stands still during a pause.
func (m *model) waitClock() time.Time { return m.now.Add(-m.stood) }

// oldestWait returns the longest wait of the first queued item and of the first waiting
// submitter. Like the pool it removes withdrawn items from the front.
func (m *model) oldestWait() (longest time.Duration) {
	for len(m.queue) > 0 && m.queue[0].out() {
		m.queue = m.queue[1:]
	}
	for _, j := range m.queue {
		if !j.out() {
			longest = max(longest, m.waitClock().Sub(j.queued))
		}
	}
	for _, s := range m.waiting {
		longest = max(longest, m.waitClock().Sub(s.since))
	}
	return longest
}

func (m *model) push(j *job) {
	j.queued = m.waitClock()
	m.queue = append(m.queue, j)
	m.count.Submitted++
}

// take pops the next item that is not withdrawn and runs it.
func (m *model) take() bool {
	for len(m.queue) > 0 {
		i := m.first()
		j := m.queue[i]
		m.queue = slices.Delete(m.queue, i, i+1)
		if !j.out() {
			if j.waits != nil {
				m.accept(j.waits)
			}
			m.busy[j.id] = j
			m.count.Started++
			m.sweep(m.outs() == len(m.queue))
			m.admit()
			return true
		}
	}
	return false
}

// submit models Submit and SubmitAll, and TrySubmit, which never waits.
func (m *model) submit(s *submission, try bool) {
	if s.total == 0 {
		s.settled = true
		return
	}
	if len(m.waiting) == 0 {
		m.fill(s)
	}
	m.spill(s, try)
	m.settle(true)
}

// spill applies the overflow policy to the rest of a submission.
func (m *model) spill(s *submission, try bool) {
	switch {
	case len(s.left) == 0:
		s.settled = true
	case m.overflow == scheduler.Block && !try:
		s.since = m.waitClock()
		m.waiting = append(m.waiting, s)
		m.enter(s)
	case m.overflow == scheduler.CallerRuns && !try && !m.paused:
		j := s.left[0]
		s.left = s.left[1:]
		m.count.Submitted++
		m.count.Started++
		m.inline[j.id] = &inlineRun{j, s}
	case m.overflow == scheduler.DropNewest, m.overflow == scheduler.DropOldest, m.overflow == scheduler.DropWorst:
		for _, j := range s.left {
			m.push(j)
			m.evict()
		}
		s.left, s.settled = nil, true
	default:
		s.settled, s.err = true, scheduler.ErrQueueFull
	}
}

// evict gives up the oldest item that is not withdrawn, or the newest, which is also the
// worst in a FIFO.
func (m *model) evict() {
	for {
		i := len(m.queue) - 1
		switch m.overflow {
		case scheduler.DropOldest:
			i = 0
		case scheduler.DropWorst:
			i = m.worst()
		default:
		}
		j := m.queue[i]
		m.queue = slices.Delete(m.queue, i, i+1)
		if !j.out() {
			m.count.Dropped++
			m.drops = append(m.drops, drop{j.id, scheduler.ErrDropped})
			return
		}
		m.sweep(true)
	}
}

// withdraw models Withdraw of a queued job.
func (m *model) withdraw(j *job) {
	j.gone.Store(true)
	m.count.Withdrawn++
	m.sweepIfDue()
	m.settle(true)
}

func (m *model) sweepIfDue() {
	n, out := len(m.queue), m.outs()
	m.sweep(out == n || out > 16 && out > n/2)
}

// sweep removes withdrawn jobs from the queue if a sweep is due and the queue supports it.
func (m *model) sweep(due bool) {
	if due && m.order != lifoed {
		m.queue = slices.DeleteFunc(m.queue, (*job).out)
	}
}

// fill pushes items while there is room or growth can make room. An item that starts leaves
// the queue but occupies a worker, so the room does not depend on how far the workers are.
// They continue only when all items are pushed.
func (m *model) fill(s *submission) {
	for len(s.left) > 0 {
		if !m.room() {
			if m.paused || m.workers() >= m.max {
				return
			}
			m.start(m.target(m.queued() + 1))
			if !m.room() {
				return
			}
		}
		m.push(s.left[0])
		s.left = s.left[1:]
	}
}

// cancel ends the wait of a submission.
func (m *model) cancel(s *submission, err error) {
	i := slices.Index(m.waiting, s)
	m.waiting = slices.Delete(m.waiting, i, i+1)
	s.settled, s.err = true, err
	s.left[0].waits, s.left[0].quit = nil, true
	m.sweepIfDue()
	m.settle(true)
}

// finish ends a running job. Its worker leaves, parks, or takes the next item.
func (m *model) finish(j *job, how ending) {
	if run := m.inline[j.id]; run != nil {
		m.finishInline(run, how)
		return
	}
	delete(m.busy, j.id)
	if how == requeues { // its worker is still busy, so no other is started
		m.busy[-j.id] = j
		m.push(j)
		m.serve()
		delete(m.busy, -j.id)
	}
	m.tally(how)
	if m.workers() < m.max {
		m.idle = append(m.idle, m.now)
		m.looked = true
	}
	m.settle(false)
}

// finishInline ends a job that runs for its submitter, which continues with the next one.
func (m *model) finishInline(run *inlineRun, how ending) {
	if how == requeues {
		m.push(run.job)
		m.settle(true)
	}
	delete(m.inline, run.job.id)
	m.tally(how)
	m.submit(run.by, false)
}

// tally counts an execution.
func (m *model) tally(how ending) {
	if how == panics || how == exits {
		m.count.Failed++
	} else {
		m.count.Completed++
	}
}

// running returns the ids of the running jobs.
func (m *model) running() []*job {
	jobs := maps.Clone(m.busy)
	for id, run := range m.inline {
		jobs[id] = run.job
	}
	return outstanding(jobs)
}

// resize models Resize.
func (m *model) resize(minimum, maximum int) {
	m.min, m.max = minimum, maximum
	m.start(minimum)
	if excess := min(m.workers()-maximum, len(m.idle)); excess > 0 {
		m.idle = m.idle[excess:]
	}
	for i := range m.idle {
		m.idle[i] = m.now
	}
	m.alarm.keptAt = time.Time{}
	m.watch()
	m.settle(true)
}

// snapshot returns the expected result of Pool.Snapshot, without times.
func (m *model) snapshot() scale.Snapshot {
	s := m.count
	s.Min, s.Max = m.min, m.max
	s.Workers, s.Busy, s.Idle, s.Queued = m.workers(), len(m.busy), len(m.idle), m.queued()
	s.Blocked, s.Inline = m.blocked(), len(m.inline)
	return s
}

// outstanding returns the jobs of a set, sorted by id.
func outstanding(jobs map[int]*job) []*job {
	out := []*job{}
	for _, j := range jobs {
		out = append(out, j)
	}
	slices.SortFunc(out, func(a, b *job) int { return cmp.Compare(a.id, b.id) })
	return out
}
