package scale

import (
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

// waiting is the number of items that wait, in the queue or for room in it.
func (s Snapshot) waiting() int { return s.Queued + s.Blocked }

// Bound is the number of workers nearest to n that the bounds allow.
func (s Snapshot) Bound(n int) int { return max(min(n, s.Max), s.Min) }

// done is the number of items whose run has ended.
func (s Snapshot) done() uint64 { return s.Completed + s.Failed }
