package scheduler

import (
	"slices"

	"github.com/seed56799101/taskmanager/internal/clock"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// Snapshot returns the current state of the pool. Fields that need a clock are set only if
// the scaler reads them or [Config].Times is set, except for Now. It takes constant time, except that withdrawn
// items at the front of a FIFO are removed first.
func (p *Pool[T]) Snapshot() scale.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.snapshotLocked()
	if s.Now.IsZero() {
		s.Now = clock.Now()
	}
	return s
}

// snapshotLocked returns the current state, with a zero Now if the pool has no meter.
//
// It may count fewer than no items as queued: those that were withdrawn before their submit
// has pushed them. Such a withdrawal counts when the item has been pushed.
func (p *Pool[T]) snapshotLocked() scale.Snapshot {
	left := p.inboxLenLocked()
	queued := p.queuedLocked() + left + p.detached
	early := max(-queued, 0)
	s := scale.Snapshot{
		Min: p.min, Max: p.max,
		Workers: p.workers, Busy: p.busyLocked(), Inline: p.inline, Lent: p.lent, Queued: queued + early, Blocked: p.blocked,
		Submitted: p.counts.submitted + uint64(left),
		Started:   p.counts.started,
		Completed: p.counts.completed,
		Failed:    p.rare.failed,
		Withdrawn: p.rare.withdrawn - uint64(early), //nolint:gosec // not negative
		Shed:      p.rare.shed,
		Dropped:   p.rare.dropped,
	}
	s.Idle = s.Workers - s.Busy - p.comingLocked(s.Queued)
	m := p.meter
	if m == nil {
		return s
	}
	now := p.advanceLocked()
	s.Now = clock.Wall(m.epoch.Add(now))
	p.skimLocked()
	waitClock := p.waitClockLocked()
	if at, ok := m.arrivals.Peek(); ok {
		s.OldestWait = waitClock - at
	}
	if w := p.firstWaiterLocked(); w != nil {
		s.OldestWait = max(s.OldestWait, waitClock-w.since)
	}
	s.BusyTime, s.QueuedTime, s.WorkerTime = m.busyTime, m.queuedTime, m.workerTime
	s.ServiceTime, s.WaitTime = m.serviceTime, m.waitTime
	return s
}

// comingLocked returns the number of workers that are free and about to take one of the queued
// items, or one whose submitter waits for room. Most of them are on their way: woken, or starting.
func (p *Pool[T]) comingLocked(queued int) int {
	if p.haltedLocked() || p.phase == stopped {
		return 0
	}
	return max(min(queued+p.pending-p.heldLocked(), p.workers-p.busyLocked()), 0)
}

// skimLocked removes withdrawn items from the front of a FIFO, so that OldestWait is that of an
// item that waits.
func (p *Pool[T]) skimLocked() {
	for p.fifo != nil && p.sweeps() {
		item, ok := p.fifo.Peek()
		if !ok || !p.goneLocked(item) {
			break
		}
		p.fifo.Pop()
		p.skipLocked(item)
	}
	p.enterLocked()
}

// WorkerState is the state of one worker.
type WorkerState[T any] struct {
	ID   int32 // worker number, from 1
	Busy bool  // the worker runs an item
	Lent bool  // the item waits and has lent the slot of the worker; only if Busy
	Item T     // the running item; the zero value unless Busy
}

// workersPortion is the number of workers that Workers reads while mu is held once.
const workersPortion = 1024

// Workers returns the states of all workers, ordered by their numbers. A worker that has no
// goroutine yet is listed with the number that it will get. It takes time linear in the
// largest number of workers that the pool has had.
//
// It locks the pool for short times only, for 1,024 running workers at once. In a larger pool
// an item may thus move meanwhile, and be listed with two workers or with none.
func (p *Pool[T]) Workers() []WorkerState[T] {
	states := p.dormantWorkers()
	for first := 0; first < len(states); first += workersPortion {
		p.readWorkers(states, first)
	}
	return slices.DeleteFunc(states, func(w WorkerState[T]) bool { return w.ID == 0 })
}

// dormantWorkers returns a list with a place for each worker, by its number, in which the
// places of workers without a goroutine are filled in.
func (p *Pool[T]) dormantWorkers() []WorkerState[T] {
	p.mu.Lock()
	most := p.dormant
	p.mu.Unlock()
	ids := make([]int32, most) // without mu, as a large allocation takes long
	p.mu.Lock()
	dormant, begun := min(p.dormant, most), len(p.live)
	free := min(dormant, len(p.freeIDs))
	copy(ids, p.freeIDs[len(p.freeIDs)-free:]) // the next numbers; the others follow those in use
	p.mu.Unlock()
	states := make([]WorkerState[T], begun+dormant-free)
	for _, id := range ids[:free] {
		states[id-1].ID = id
	}
	for i := begun; i < len(states); i++ {
		states[i].ID = int32(i + 1) //nolint:gosec // max is at most MaxInt32
	}
	return states
}

// readWorkers fills in the states of workersPortion workers that have a goroutine.
func (p *Pool[T]) readWorkers(states []WorkerState[T], first int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := first; i < min(first+workersPortion, len(states), len(p.live)); i++ {
		if w := p.live[i]; w != nil {
			states[i] = WorkerState[T]{ID: w.id, Busy: w.busy, Lent: w.lease != nil, Item: w.item}
		}
	}
}
