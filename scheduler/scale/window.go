package scale

import "time"

// window keeps past snapshots, so that a scaler can measure over the last length. The
// number of snapshots is bounded, however often the scaler is asked.
type window struct {
	length time.Duration
	past   []Snapshot // oldest first; the first may be older than length
}

// samples is the number of snapshots that a window keeps: one per length/samples.
const samples = 20

// since returns the state of the pool one length before now, or the oldest known state,
// which may be now itself. Values between two snapshots are interpolated linearly: a pool
// asks no scaler while it is quiet, and after an hour without a snapshot the mean over
// the last seconds must not be the mean over that hour.
func (w *window) since(now Snapshot) Snapshot {
	if n := len(w.past); n == 0 || now.Now.Sub(w.past[n-1].Now) >= w.length/samples {
		w.past = append(w.past, now)
	}
	old := 0
	for old+1 < len(w.past) && now.Now.Sub(w.past[old+1].Now) >= w.length {
		old++
	}
	w.past = append(w.past[:0], w.past[old:]...)
	next := now
	if len(w.past) > 1 {
		next = w.past[1]
	}
	return between(w.past[0], next, now.Now.Add(-w.length))
}

// between returns a with its time set to at, and the counters and integrals that measure
// reads interpolated linearly between a and b. It returns a itself if at is not after a,
// or if no time passed between a and b.
func between(a, b Snapshot, at time.Time) Snapshot {
	passed := at.Sub(a.Now)
	if passed <= 0 || !a.Now.Before(b.Now) {
		return a
	}
	part := min(passed.Seconds()/b.Now.Sub(a.Now).Seconds(), 1)
	mean := func(x, y float64) float64 { return x + part*(y-x) }
	count := func(x, y uint64) uint64 { return x + uint64(part*float64(y-x)) }
	a.Now = at
	a.Completed, a.Failed = count(a.Completed, b.Completed), count(a.Failed, b.Failed)
	a.BusyTime, a.QueuedTime = mean(a.BusyTime, b.BusyTime), mean(a.QueuedTime, b.QueuedTime)
	a.ServiceTime = mean(a.ServiceTime, b.ServiceTime)
	return a
}

// rates holds what measure found between two snapshots.
type rates struct {
	throughput float64 // items that ended, per second
	growth     float64 // growth of the backlog, in items per second
	busy       float64 // mean of Busy
	queued     float64 // mean of Queued
	service    float64 // mean service time of an item, in seconds; 0 if unknown
}

// measure compares two snapshots. It returns false if no time lies between them.
func measure(from, to Snapshot) (r rates, ok bool) {
	seconds := to.Now.Sub(from.Now).Seconds()
	if seconds <= 0 {
		return rates{}, false
	}
	done := float64(to.done() - from.done())
	r.throughput = done / seconds
	r.growth = float64(to.waiting()-from.waiting()) / seconds
	r.busy = (to.BusyTime - from.BusyTime) / seconds
	r.queued = (to.QueuedTime - from.QueuedTime) / seconds
	switch {
	case done > 0:
		r.service = (to.ServiceTime - from.ServiceTime) / done
	case to.done() > 0: // no item ended in this time: use the mean over the pool's lifetime
		r.service = to.ServiceTime / float64(to.done())
	}
	return r, true
}
