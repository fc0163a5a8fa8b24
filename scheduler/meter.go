package scheduler

import (
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// meter measures what needs a clock, for scalers that want it. A reading of the clock
// costs about as much as the rest of a dispatch, so a pool whose scaler does not need
// time has no meter, unless Config.Times is set. The methods for items that leave the queue accept a nil meter. The
// pool's mu guards it.
type meter struct {
	epoch time.Time
	last  time.Duration // time since epoch up to which the integrals are computed

	busyTime, queuedTime, workerTime float64 // integrals, in seconds
	serviceTime, waitTime            float64 // sums, in seconds

	// arrivals has one arrival time, by waitClockLocked, per item in the queue, withdrawn
	// items included, the oldest first. When the discipline pops any item, the front is
	// removed. The sum of the waits does not depend on which item left, and the front says how
	// long the next item would have waited in a FIFO.
	arrivals queue.FIFO[time.Duration]
}

func newMeter() *meter { return &meter{epoch: time.Now()} }

// advance extends the integrals to now and returns now, as the time since epoch.
func (m *meter) advance(busy, queued, workers int) time.Duration {
	now := time.Since(m.epoch)
	dt := (now - m.last).Seconds()
	m.last = now
	m.busyTime += dt * float64(busy)
	m.queuedTime += dt * float64(queued)
	m.workerTime += dt * float64(workers)
	return now
}

// advanceLocked extends the integrals of the meter to now. It must be called before any of
// the integrated counts changes. It returns the time on the meter's clock, or 0 if the pool
// has no meter.
func (p *Pool[T]) advanceLocked() time.Duration {
	if p.meter == nil {
		return 0
	}
	queued := max(p.queue.Len()-p.withdrawn-p.heldLocked(), 0)
	if p.haltedLocked() {
		queued = 0 // what waits for the end of a pause does not wait for a worker
	}
	return p.meter.advance(p.busyLocked(), queued, p.workers)
}

// arrive records that an item was pushed at the time now, by waitClockLocked.
func (m *meter) arrive(now time.Duration) { m.arrivals.Push(now) }

// sweep removes the times of items that were removed from the queue. The verdicts are in
// the order in which the queue visited the items, which is that of arrival in a FIFO.
func (m *meter) sweep(verdicts []bool) {
	i := 0
	m.arrivals.Remove(func(time.Duration) bool {
		i++
		return verdicts[i-1]
	})
}

// leave records that an item has left the queue and will not run.
func (m *meter) leave() {
	if m != nil {
		m.arrivals.Pop()
	}
}

// evict records that an item was evicted to make room: the oldest item, or the worst one,
// which is taken to be the newest.
func (m *meter) evict(v queue.Victim) {
	if m != nil {
		m.arrivals.Evict(v)
	}
}

// start records that an item was popped to run at the time now, by waitClockLocked.
func (m *meter) start(now time.Duration) {
	if m == nil {
		return
	}
	if at, ok := m.arrivals.Pop(); ok {
		m.waitTime += (now - at).Seconds()
	}
}

// finish records that an item ran for d.
func (m *meter) finish(d time.Duration) { m.serviceTime += d.Seconds() }
