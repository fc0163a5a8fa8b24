package scheduler

import (
	"slices"
	"time"
)

// Snapshot is the state of a pool at one moment.
//
// The counters only grow, so the difference of two snapshots tells exactly what
// happened between them. Submitted equals Completed + Failed + Withdrawn + Shed
// + Dropped + Busy + Inline + Lent + Queued, save for items that are being withdrawn at
// the moment.
//
// What a scaler is shown differs in one thing: items that the queue holds back (see
// queue.Holder) are not Queued there, as no worker could take them.
//
// The fields from Now on need a clock. In a pool whose scaler does not read
// time (see Timed) they are zero, save for Now in a snapshot taken with
// Pool.Snapshot.
type Snapshot struct {
	Min, Max int // the bounds on Workers
	Workers  int // that run items or wait for one; some may have no goroutine yet
	Busy     int // workers that run an item
	Idle     int // Workers - Busy
	Inline   int // items that run while their submitter waits, under CallerRuns
	Lent     int // items that wait, having lent the slot of their worker
	Queued   int // items that wait
	Blocked  int // items of submitters that wait for room

	Submitted uint64 // items taken, each time they were
	Started   uint64 // items that began to run
	Completed uint64 // items that ran and returned
	Failed    uint64 // items whose run ended in a panic or in runtime.Goexit
	Withdrawn uint64 // items given up through Withdraw while they waited
	Shed      uint64 // items given up by the queue, having waited too long
	Dropped   uint64 // items given up by Stop, or for want of room

	Now time.Time
	// OldestWait is how long the item at the front of the queue has waited, or
	// the submitter that has waited longest for room. With a discipline other
	// than FIFO it is how long it would be under FIFO: what a discipline passes
	// over is not for want of workers.
	OldestWait time.Duration
	// Integrals over time since the pool was made, in seconds times items (or
	// workers), and sums over items, in seconds.
	BusyTime    float64 // ∫ Busy dt
	QueuedTime  float64 // ∫ Queued dt, without items that the queue holds back
	WorkerTime  float64 // ∫ Workers dt
	ServiceTime float64 // how long the items ran that have ended
	WaitTime    float64 // how long the items waited that have started
}

// Snapshot returns the present state.
func (p *Pool[T]) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.snapshot()
	if s.Now.IsZero() {
		s.Now = time.Now()
	}
	return s
}

// snapshot is Snapshot without a clock of its own. mu is held.
func (p *Pool[T]) snapshot() Snapshot {
	left := p.inboxLen()
	s := Snapshot{
		Min: p.min, Max: p.max,
		Workers: p.workers, Busy: p.busy(), Inline: p.inline, Lent: p.lent, Queued: max(p.queued()+left, 0), Blocked: p.blocked,
		Submitted: p.counts.submitted + uint64(left),
		Started:   p.counts.started,
		Completed: p.counts.completed,
		Failed:    p.rare.failed,
		Withdrawn: p.rare.withdrawn,
		Shed:      p.rare.shed,
		Dropped:   p.rare.dropped,
	}
	s.Idle = s.Workers - s.Busy
	m := p.meter
	if m == nil {
		return s
	}
	now := m.advance(p)
	s.Now = m.epoch.Add(now)
	p.skim()
	if at, ok := m.arrivals.Peek(); ok {
		s.OldestWait = now - at
	}
	if w := p.firstWaiter(); w != nil {
		s.OldestWait = max(s.OldestWait, now-w.since)
	}
	s.BusyTime, s.QueuedTime, s.WorkerTime = m.busyTime, m.queuedTime, m.workerTime
	s.ServiceTime, s.WaitTime = m.serviceTime, m.waitTime
	return s
}

// skim takes withdrawn items off the front of a FIFO, so that the front is one
// that waits. mu is held.
func (p *Pool[T]) skim() {
	for p.fifo != nil && p.cfg.Withdrawn != nil {
		item, ok := p.fifo.Peek()
		if !ok || !p.cfg.Withdrawn(item) {
			return
		}
		p.fifo.Pop()
		p.skip(item)
	}
}

// workerCount is the number of live workers. mu is held.
func (p *Pool[T]) workerCount() int { return p.workers }

// WorkerState is what one live worker does.
type WorkerState[T any] struct {
	ID   int32 // its number
	Busy bool  // it runs an item
	Lent bool  // its item waits, and has lent its slot; only where Busy
	Item T     // what it runs; the zero value unless Busy
}

// Workers lists the live workers in the order of their numbers; those that have no
// goroutine yet by the numbers that they will get. It takes time
// in proportion to the largest number of workers that there have been.
func (p *Pool[T]) Workers() []WorkerState[T] {
	p.mu.Lock()
	states := make([]WorkerState[T], 0, p.workers+p.lent)
	for _, w := range p.live {
		if w != nil {
			states = append(states, WorkerState[T]{ID: w.id, Busy: w.busy, Lent: w.lease != nil, Item: w.item})
		}
	}
	begun := len(states)
	for i := range p.dormant {
		states = append(states, WorkerState[T]{ID: p.nextID(i)})
	}
	p.mu.Unlock()
	if len(states) > begun {
		slices.SortFunc(states, func(a, b WorkerState[T]) int { return int(a.ID - b.ID) })
	}
	return states
}

// waiting is the number of items that wait, in the queue or for room in it.
func (s Snapshot) waiting() int { return s.Queued + s.Blocked }

// bound is the number of workers nearest to n that the bounds allow.
func (s Snapshot) bound(n int) int { return max(min(n, s.Max), s.Min) }

// done is the number of items whose run has ended.
func (s Snapshot) done() uint64 { return s.Completed + s.Failed }
