package scheduler_test

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// model is what a pool with the scaler Demand must do, without any
// concurrency: a submit, a finish and so on happen at once and as a whole.
type model struct {
	min, max, limit, backlog int
	overflow                 scheduler.Overflow
	lifo, metered            bool
	timeout                  time.Duration

	now     time.Time
	alarm   time.Time // when idle workers are looked at next; zero: never
	paused  bool
	idle    []time.Time // since when each idle worker is; the one that parked last on top
	queue   []*job      // withdrawn ones included, until they are popped
	waiting []*submission
	busy    map[int]*job
	inline  map[int]*inlineRun
	drops   []drop
	looked  bool // a worker has looked for an item since the alarm was last set
	peak    int  // the most workers that there have been
	count   scale.Snapshot
}

// inlineRun is an item that its submitter runs.
type inlineRun struct {
	job *job
	by  *submission
}

// submission is a call of Submit, TrySubmit or SubmitAll.
type submission struct {
	left    []*job // not admitted yet
	since   time.Time
	total   int
	settled bool
	err     error // once settled
}

func newModel(minimum, maximum int, now time.Time) *model {
	m := &model{min: minimum, max: maximum, backlog: 1, now: now, busy: map[int]*job{}, inline: map[int]*inlineRun{}}
	m.start(minimum)
	m.settle(false)
	return m
}

func (m *model) workers() int { return len(m.busy) + len(m.idle) }

// free is how many workers can come for an item.
func (m *model) free() int {
	if m.paused {
		return 0
	}
	return len(m.idle)
}

func (m *model) queued() int {
	n := 0
	for _, j := range m.queue {
		if !j.gone.Load() {
			n++
		}
	}
	return n
}

func (m *model) room() bool {
	return m.limit == 0 || m.queued() < max(m.limit, 0)+m.free()
}

// start adds workers until there are n.
func (m *model) start(n int) {
	m.looked = m.looked || m.workers() < n
	for m.workers() < n {
		m.idle = append(m.idle, m.now)
	}
	m.peak = max(m.peak, m.workers())
}

// watch sets the alarm for the worker that has been idle longest.
func (m *model) watch() {
	if m.workers() > m.min && len(m.idle) > 0 {
		m.setAlarm(m.idle[0].Add(m.timeout))
	}
}

func (m *model) setAlarm(at time.Time) {
	if m.alarm.IsZero() || at.Before(m.alarm) {
		m.alarm = at
	}
}

// blocked is the number of items whose submitter waits for room.
func (m *model) blocked() int {
	n := 0
	for _, s := range m.waiting {
		n += len(s.left)
	}
	return n
}

// target is the formula of Demand, within the bounds.
func (m *model) target(waiting int) int {
	taken := min(waiting, len(m.idle))
	return min(max(len(m.busy)+taken+(waiting-taken+m.backlog-1)/m.backlog, m.min), m.max)
}

// grow starts the workers that Demand asks for, if more items wait than workers
// are free; items whose submitter waits for room count.
func (m *model) grow() {
	waits := m.queued() + m.blocked()
	if m.paused || m.workers() >= m.max || waits <= len(m.idle) {
		return
	}
	m.start(m.target(waits))
}

// settle lets things run until nothing more happens: submitters that wait are
// admitted, workers started, items taken. Unless the pool is bounded, the
// scaler is asked only if the event was one of those at which it is.
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
		m.watch() // somebody looked for an item and parked
	}
	m.looked = false
	for !m.alarm.IsZero() && !m.alarm.After(m.now) {
		m.ring()
	}
}

// serve has idle workers take what is queued.
func (m *model) serve() {
	for !m.paused && len(m.idle) > 0 && len(m.queue) > 0 && m.arrive() {
	}
}

// arrive has the worker that parked last look for an item. If there is none it
// parks again.
func (m *model) arrive() bool {
	m.idle = m.idle[:len(m.idle)-1]
	if m.take() {
		return true
	}
	m.idle = append(m.idle, m.now)
	m.looked = true
	return false
}

// admit pushes what waits for room, in order, while there is room.
func (m *model) admit() {
	for len(m.waiting) > 0 {
		s := m.waiting[0]
		for len(s.left) > 0 && m.room() {
			m.push(s.left[0])
			s.left = s.left[1:]
		}
		if len(s.left) > 0 {
			return
		}
		s.settled = true
		m.waiting = m.waiting[1:]
	}
}

// oldestWait is how long the first of the queue, or of those that wait for room,
// has waited. To tell, a pool takes withdrawn items off the front.
func (m *model) oldestWait() (longest time.Duration) {
	for len(m.queue) > 0 && m.queue[0].gone.Load() {
		m.queue = m.queue[1:]
	}
	for _, j := range m.queue {
		if !j.gone.Load() {
			longest = max(longest, m.now.Sub(j.queued))
		}
	}
	for _, s := range m.waiting {
		longest = max(longest, m.now.Sub(s.since))
	}
	return longest
}

func (m *model) push(j *job) {
	j.queued = m.now
	m.queue = append(m.queue, j)
	m.count.Submitted++
}

// take pops the next item that was not withdrawn and runs it.
func (m *model) take() bool {
	for len(m.queue) > 0 {
		i := 0
		if m.lifo {
			i = len(m.queue) - 1
		}
		j := m.queue[i]
		m.queue = slices.Delete(m.queue, i, i+1)
		if !j.gone.Load() {
			m.busy[j.id] = j
			m.count.Started++
			m.sweep(m.queued() == 0)
			return true
		}
	}
	return false
}

// submit is Submit and SubmitAll; a try never waits.
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

// spill does with the rest of a submission, which there is no room for, what the
// overflow policy says.
func (m *model) spill(s *submission, try bool) {
	switch {
	case len(s.left) == 0:
		s.settled = true
	case m.overflow == scheduler.Block && !try:
		s.since = m.now
		m.waiting = append(m.waiting, s)
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

// evict gives up the oldest item that was not withdrawn, or the newest, which is
// also the worst of a FIFO.
func (m *model) evict() {
	for {
		i := len(m.queue) - 1
		if m.overflow == scheduler.DropOldest {
			i = 0
		}
		j := m.queue[i]
		m.queue = slices.Delete(m.queue, i, i+1)
		if !j.gone.Load() {
			m.count.Dropped++
			m.drops = append(m.drops, drop{j.id, scheduler.ErrDropped})
			return
		}
		m.sweep(true)
	}
}

// withdraw is Withdraw of a job of the queue.
func (m *model) withdraw(j *job) {
	j.gone.Store(true)
	m.count.Withdrawn++
	n := len(m.queue)
	gone := n - m.queued()
	m.sweep(gone == n || gone > 16 && gone > n/2)
	m.settle(true)
}

// sweep takes withdrawn jobs out of the queue if that is due, and the queue can.
func (m *model) sweep(due bool) {
	if due && !m.lifo {
		m.queue = slices.DeleteFunc(m.queue, func(j *job) bool { return j.gone.Load() })
	}
}

// fill pushes as much as there is room for, or can be made by growing. What
// runs leaves the queue, and the worker with it, so room does not depend on how
// far the workers are; they are let go on only when all is pushed.
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
	m.settle(true)
}

// finish ends a running job: its worker leaves, rests, or takes the next item.
func (m *model) finish(j *job, how ending) {
	if run := m.inline[j.id]; run != nil {
		m.finishInline(run, how)
		return
	}
	delete(m.busy, j.id)
	if how == requeues { // its worker stays busy meanwhile, and no other is started
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

// finishInline ends a job that its submitter runs, who goes on with the next.
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

// running lists what is being executed.
func (m *model) running() []*job {
	jobs := maps.Clone(m.busy)
	for id, run := range m.inline {
		jobs[id] = run.job
	}
	return outstanding(jobs)
}

// resize changes the bounds.
func (m *model) resize(minimum, maximum int) {
	m.min, m.max = minimum, maximum
	m.start(minimum)
	if excess := min(m.workers()-maximum, len(m.idle)); excess > 0 {
		m.idle = m.idle[excess:]
	}
	for i := range m.idle {
		m.idle[i] = m.now
	}
	m.watch()
	m.settle(true)
}

// pass lets time go by.
func (m *model) pass(d time.Duration) {
	end := m.now.Add(d)
	for !m.alarm.IsZero() && !m.alarm.After(end) {
		m.now = m.alarm
		m.ring()
	}
	m.now = end
}

// ring lets idle workers go that have been idle for the timeout, and that
// neither the minimum nor Demand wants.
func (m *model) ring() {
	m.alarm = time.Time{}
	expired := m.expired()
	if expired == 0 {
		m.watch()
		return
	}
	keep := m.target(m.queued() + m.blocked())
	if n := min(expired, m.workers()-max(m.min, keep)); n > 0 {
		m.idle = m.idle[n:]
	}
	if m.expired() > 0 {
		m.setAlarm(m.now.Add(m.timeout))
		return
	}
	m.watch()
}

func (m *model) expired() int {
	n := 0
	for n < len(m.idle) && n < m.workers()-m.min && m.now.Sub(m.idle[n]) >= m.timeout {
		n++
	}
	return n
}

// snapshot is what Pool.Snapshot must return, times aside.
func (m *model) snapshot() scale.Snapshot {
	s := m.count
	s.Min, s.Max = m.min, m.max
	s.Workers, s.Busy, s.Idle, s.Queued = m.workers(), len(m.busy), len(m.idle), m.queued()
	s.Blocked, s.Inline = m.blocked(), len(m.inline)
	return s
}

// outstanding lists the jobs of a set, by id.
func outstanding(jobs map[int]*job) []*job {
	out := []*job{}
	for _, j := range jobs {
		out = append(out, j)
	}
	slices.SortFunc(out, func(a, b *job) int { return cmp.Compare(a.id, b.id) })
	return out
}
