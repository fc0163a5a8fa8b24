package scale

import (
	"time"
)

// window remembers snapshots, so that a scaler can measure over the last while:
// counters and integrals that only grow, the difference of two snapshots tells
// what happened in between exactly.
type window struct {
	length time.Duration
	past   []Snapshot // the oldest first; at most samples of them and one more
}

// samples is how many snapshots a window keeps: one more for each such part of
// its length that has passed, however often the scaler is asked.
const samples = 20

// since returns what to compare now with: the state of the pool as it was the window's
// length ago, or the oldest there is, which may be now itself. Between two snapshots
// things are taken to have gone on evenly: after an hour in which nobody asked, the
// last seconds of it are not an hour long.
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

// between is a snapshot of a time between two others, as far as measure reads it; or
// the first, if the time is before it.
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

// rates are what was measured between two snapshots.
type rates struct {
	throughput float64 // items that ended, a second
	growth     float64 // of what waits, in items a second
	busy       float64 // mean of Busy
	queued     float64 // mean of Queued
	service    float64 // mean time of an item on a worker, in seconds; 0: not known
}

// measure differences two snapshots. It reports false if they tell nothing,
// because no time lies between them.
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
	case to.done() > 0: // none has ended for so long; those before must do
		r.service = to.ServiceTime / float64(to.done())
	}
	return r, true
}
