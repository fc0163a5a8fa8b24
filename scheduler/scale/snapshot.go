package scale

import (
	"encoding/json"
	"math"
	"time"
)

// Snapshot is the state of a pool at one moment.
//
// The counters never decrease, so the difference of two snapshots says exactly what
// happened between them. (Withdrawn decreases if an item is withdrawn during its submit and
// the pool then refuses it.) In each snapshot, Submitted is the sum of Completed, Failed,
// Withdrawn, Shed, Dropped, Busy, Inline, Lent and Queued: each item is in one place.
//
// A scaler gets a Snapshot whose Queued and Blocked leave out items that the queue holds back
// (see queue.Holder), because no worker could take them.
//
// The fields from Now on need a clock. They are zero in a pool whose scaler does not
// read them (see [Timed]) unless its configuration asks for times. An exception is the Now of a
// snapshot that Pool.Snapshot returns.
type Snapshot struct {
	Min     int `json:"min"` // bounds on Workers
	Max     int `json:"max"`
	Workers int `json:"workers"` // workers that run an item or may take one; some may have no goroutine yet
	Busy    int `json:"busy"`    // workers that run an item
	Idle    int `json:"idle"`    // workers that neither run an item nor are about to take one that is queued
	Inline  int `json:"inline"`  // items that run for a waiting submitter, under the overflow policy CallerRuns
	Lent    int `json:"lent"`    // items that have begun, wait, and have lent the slot of their worker meanwhile
	Queued  int `json:"queued"`  // items that wait in the queue, or that Stop has yet to drop
	Blocked int `json:"blocked"` // items whose submitters wait for room in the queue

	Submitted uint64 `json:"submitted"` // items accepted; an item that is queued again counts again
	Started   uint64 `json:"started"`   // items that began to run
	Completed uint64 `json:"completed"` // items that ran and returned
	Failed    uint64 `json:"failed"`    // items whose run ended in a panic or in runtime.Goexit, or was marked as failed
	Withdrawn uint64 `json:"withdrawn"` // items withdrawn while they waited
	Shed      uint64 `json:"shed"`      // items that the queue gave up because they waited too long
	Dropped   uint64 `json:"dropped"`   // items given up by Stop, because the queue was full, or because Push panicked

	// Now is the time of the snapshot. It has a reading of the monotonic clock, by which
	// [time.Time.Sub] measures. The wall time may jump between two snapshots.
	Now time.Time `json:"now,omitzero"`
	// OldestWait is the longest time that an item has waited in the queue, or that a
	// submitter has waited for room, whichever is longer. With a discipline other than
	// FIFO it is the wait that the same arrivals would have under FIFO: an item that
	// its discipline passes over does not call for more workers. The time for which the
	// pool was paused does not count.
	OldestWait time.Duration `json:"oldest_wait"`

	// Integrals over the lifetime of the pool, in worker seconds or item seconds.

	BusyTime   float64 `json:"busy_time"`   // ∫ Busy dt
	QueuedTime float64 `json:"queued_time"` // ∫ n dt for the n items in the queue, without those that it holds back, with those whose submitters wait for room, and without pauses
	WorkerTime float64 `json:"worker_time"` // ∫ Workers dt

	// Sums over items, in seconds.

	ServiceTime float64 `json:"service_time"` // run times of the items that have ended
	WaitTime    float64 `json:"wait_time"`    // waiting times of the items that have started, with the waits for room, and without pauses
}

// plainSnapshot is a Snapshot without methods.
type plainSnapshot Snapshot

// snapshotJSON is a Snapshot in JSON. Its OldestWait hides that of the embedded one.
type snapshotJSON struct {
	*plainSnapshot

	OldestWait float64 `json:"oldest_wait"` // in seconds
}

// MarshalJSON implements [json.Marshaler]. OldestWait is in seconds, like the other times.
func (s Snapshot) MarshalJSON() ([]byte, error) {
	return json.Marshal(snapshotJSON{(*plainSnapshot)(&s), s.OldestWait.Seconds()})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Snapshot) UnmarshalJSON(data []byte) error {
	j := snapshotJSON{plainSnapshot: (*plainSnapshot)(s)}
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	// The product of all seconds and a billion would be rounded once more, to another nanosecond
	// from 48 days on.
	whole, rest := math.Modf(j.OldestWait)
	s.OldestWait = time.Duration(whole)*time.Second + time.Duration(math.Round(rest*float64(time.Second)))
	return nil
}

// Bound returns n limited to the range from Min to Max.
func (s Snapshot) Bound(n int) int { return max(min(n, s.Max), s.Min) }

// waiting returns the number of items that wait, in the queue or for room in it.
func (s Snapshot) waiting() int { return s.Queued + s.Blocked }

// done returns the number of items whose run has ended.
func (s Snapshot) done() uint64 { return s.Completed + s.Failed }
