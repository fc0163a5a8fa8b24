package scheduler

import (
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// meter gathers what needs a clock, for scalers that want it. A reading of the
// clock costs about as much as the rest of a dispatch, so a pool whose scaler
// does not ask for time has no meter. It is guarded by the pool's mu.
type meter struct {
	epoch time.Time
	last  time.Duration // since epoch: the time up to which the integrals run

	busyTime, queuedTime, workerTime float64 // integrals, in seconds
	serviceTime, waitTime            float64 // sums, in seconds

	// arrivals holds the times of arrival of as many items as are in the queue
	// (withdrawn ones included), the oldest first. Whatever the discipline pops,
	// the front is taken off: the sum of the waits does not depend on which item
	// left, and the front says how long a FIFO would have had its next item wait.
	arrivals queue.FIFO[time.Duration]
}

func newMeter() *meter { return &meter{epoch: time.Now()} }

// metered is what a meter reads off its pool.
type metered interface {
	busy() int
	queued() int
	held() int
	workerCount() int
}

// advance brings the integrals up to now and returns now. It must be called
// before any of the counts that it integrates changes.
func (m *meter) advance(p metered) time.Duration {
	now := time.Since(m.epoch)
	dt := (now - m.last).Seconds()
	m.last = now
	m.busyTime += dt * float64(p.busy())
	m.queuedTime += dt * float64(max(p.queued()-p.held(), 0))
	m.workerTime += dt * float64(p.workerCount())
	return now
}

// arrive notes that an item was pushed.
func (m *meter) arrive(now time.Duration) { m.arrivals.Push(now) }

// sweep takes off the times of items that were removed: the verdicts on all
// items, in their order of arrival where the discipline keeps it.
func (m *meter) sweep(verdicts []bool) {
	i := 0
	m.arrivals.Remove(func(time.Duration) bool {
		i++
		return verdicts[i-1]
	})
}

// leave notes that an item has left the queue and will not run.
func (m *meter) leave() { m.arrivals.Pop() }

// evict notes that an item was given up to make room: the oldest, or, as far as
// is known, one of the newest.
func (m *meter) evict(oldest bool) {
	if oldest {
		m.arrivals.Pop()
	} else {
		m.arrivals.Evict()
	}
}

// start notes that an item was popped to run.
func (m *meter) start(now time.Duration) {
	if at, ok := m.arrivals.Pop(); ok {
		m.waitTime += (now - at).Seconds()
	}
}

// finish notes that an item ran for d.
func (m *meter) finish(d time.Duration) { m.serviceTime += d.Seconds() }
