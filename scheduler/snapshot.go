package scheduler

import (
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// Snapshot returns the current state of the pool. Fields that need a clock are set only if
// the scaler reads them, except for Now. It takes constant time, except that withdrawn
// items at the front of a FIFO are removed first.
func (p *Pool[T]) Snapshot() scale.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.snapshotLocked()
	if s.Now.IsZero() {
		s.Now = time.Now()
	}
	return s
}

// snapshotLocked returns the current state, with a zero Now if the pool has no meter.
func (p *Pool[T]) snapshotLocked() scale.Snapshot {
	left := p.inboxLenLocked()
	s := scale.Snapshot{
		Min: p.min, Max: p.max,
		Workers: p.workers, Busy: p.busyLocked(), Inline: p.inline, Lent: p.lent, Queued: max(p.queuedLocked()+left, 0), Blocked: p.blocked,
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
	now := p.advanceLocked()
	s.Now = m.epoch.Add(now)
	p.skimLocked()
	if at, ok := m.arrivals.Peek(); ok {
		s.OldestWait = now - at
	}
	if w := p.firstWaiterLocked(); w != nil {
		s.OldestWait = max(s.OldestWait, now-w.since)
	}
	s.BusyTime, s.QueuedTime, s.WorkerTime = m.busyTime, m.queuedTime, m.workerTime
	s.ServiceTime, s.WaitTime = m.serviceTime, m.waitTime
	return s
}

// skimLocked removes withdrawn items from the front of a FIFO, so that OldestWait is that of an
// item that waits.
func (p *Pool[T]) skimLocked() {
	for p.fifo != nil && p.cfg.Hooks.Withdrawn != nil {
		item, ok := p.fifo.Peek()
		if !ok || !p.cfg.Hooks.Withdrawn(item) {
			return
		}
		p.fifo.Pop()
		p.skipLocked(item)
	}
}

// WorkerState is the state of one worker.
type WorkerState[T any] struct {
	ID   int32 // worker number, from 1
	Busy bool  // the worker runs an item
	Lent bool  // the item waits and has lent the slot of the worker; only if Busy
	Item T     // the running item; the zero value unless Busy
}

// Workers returns the states of all workers, ordered by their numbers. A worker that has
// no goroutine yet is listed with the number that it will get. It takes time linear in the
// largest number of workers that the pool has had.
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
		states = append(states, WorkerState[T]{ID: p.nextIDLocked(i)})
	}
	p.mu.Unlock()
	if len(states) > begun {
		slices.SortFunc(states, func(a, b WorkerState[T]) int { return int(a.ID - b.ID) })
	}
	return states
}
