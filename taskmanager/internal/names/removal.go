package names

import (
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// They bound the number of entries that wait for their removal: about three thousand.
	buffers   = 32 // as many workers can end tasks without contention
	batchSize = 64
	maxFull   = 16 // full batches that are left to calls of Add

	// sweepInterval bounds the time for which an entry waits, to between one and two
	// intervals: long enough that sweeps cost nothing beside a busy pool, and short beside
	// the time between two runs of the garbage collector.
	sweepInterval = 10 * time.Millisecond
)

// removals are deferred removals: the places of ended tasks, whose entries are still in the
// table.
//
// If a worker removed each entry at once, the shard, its tags and the entry would go from the
// submitter's processor to the worker's and back for every task. With one submitter on two
// processors that was more than a third of the time of a task. So a worker only adds the place
// to a batch in a buffer of its own, eight to a cache line, and the first Add that follows
// removes a full batch, 64 entries that are mostly in the cache of its processor. Beyond
// maxFull batches, as when nothing is added, workers remove the oldest batch themselves.
//
// An entry keeps its ended task in memory. So a timer removes what is left in the buffers when the
// workers have become idle, or run long tasks. It is set only while something waits for its removal.
//
// A pool that ends a few tasks a second would set the timer for each of them. So after a sweep that
// has removed only a few, workers remove the entries of the next batchSize tasks at once, before they
// try again.
type removals struct {
	buffers [buffers]struct {
		mu    sync.Mutex // guards the rest
		batch *batch     // nil: none yet
		old   bool       // the batch was there at the last sweep
		_     [104]byte
	}
	waiting atomic.Int32 // len(full), which every Add reads
	_       [124]byte
	begun   atomic.Uint32 // a bit for each buffer that has a batch; changes under the lock of the buffer
	_       [124]byte
	mu      sync.Mutex // guards full and spare
	full    []*batch
	spare   []*batch // empty
	_       [72]byte

	timer sweeper
	_     [88]byte
}

// sweeper is the timer for sweeps. It is set while something waits for its removal: a worker that
// begins a batch, or leaves a full one to calls of Add, looks at set afterwards, and a sweep clears
// set before it looks for batches.
type sweeper struct {
	set  atomic.Bool  // from when the timer is set until its sweep begins; changes with mu held
	mode atomic.Int32 // deferring, seldom or done
	left atomic.Int32 // while seldom: how many entries are still removed at once

	mu       sync.Mutex  // guards the timer
	timer    *time.Timer // made by New: it belongs to the bubble of package synctest that has the table, or to none
	sweeping sync.Mutex  // held by a sweep
}

// The modes of a sweeper. No mode follows done.
const (
	deferring = iota // removals are deferred
	seldom           // they are not, because tasks seldom end
	done             // they are not any more
)

// few is the number of entries that a sweep removes, at most, when tasks seldom end.
const few = 8

// batch holds the places of entries that must be removed.
type batch struct {
	n      int
	places [batchSize]Place
}

// Remove removes a task that has ended from its place in the table: at once, or after less than
// some 20 ms, and no more than some three thousand removals are due at any time. Until then the
// table keeps the task in memory. A place is removed once. The number of the worker chooses a
// buffer: calls with different ones seldom wait for each other.
func (t *Table[T]) Remove(place Place, worker int32) {
	r := &t.ends
	if r.timer.mode.Load() != deferring && !r.timer.defersAgain() {
		t.release(place)
		return
	}
	i := uint32(worker) % buffers //nolint:gosec // any buffer will do
	b := &r.buffers[i]
	b.mu.Lock()
	full := b.batch
	if full == nil {
		full = r.empty()
		b.batch, b.old = full, false
		r.begun.Or(1 << i)
	}
	full.places[full.n] = place
	full.n++
	if full.n < batchSize {
		first := full.n == 1
		b.mu.Unlock()
		if first {
			t.arm()
		}
		return
	}
	b.batch = nil
	r.begun.And(^(uint32(1) << i))
	b.mu.Unlock()
	if surplus := r.offer(full); surplus != nil {
		t.releaseAll(surplus)
	}
	t.arm() // a sweep may have missed the batch, which was in no list for a moment, or after its turn
}

// defersAgain reports whether the removal of an entry is deferred again.
func (r *sweeper) defersAgain() bool {
	return r.mode.Load() == seldom && r.left.Add(-1) < 0 && r.mode.CompareAndSwap(seldom, deferring)
}

// arm makes sure that there will be a sweep: it sets the timer, or sweeps at once after Flush.
func (t *Table[T]) arm() {
	r := &t.ends.timer
	if r.set.Load() {
		return
	}
	r.mu.Lock()
	over := r.mode.Load() == done
	if !over && !r.set.Load() {
		r.set.Store(true)
		r.timer.Reset(sweepInterval)
	}
	r.mu.Unlock()
	if over {
		t.sweepBuffers(true)
	}
}

// sweep removes the full batches, and those that have been in a buffer since the last sweep.
func (t *Table[T]) sweep() {
	r := &t.ends.timer
	r.sweeping.Lock()
	defer r.sweeping.Unlock()
	r.mu.Lock()
	r.set.Store(false)
	r.mu.Unlock()
	switch removed, left := t.sweepBuffers(false); {
	case left:
		t.arm()
	case removed <= few:
		r.left.Store(batchSize)
		r.mode.CompareAndSwap(deferring, seldom)
	}
}

// Flush removes what is deferred, and ends the timer. After Flush, Remove removes at once.
func (t *Table[T]) Flush() {
	r := &t.ends.timer
	r.mu.Lock()
	r.mode.Store(done)
	if r.timer.Stop() {
		r.set.Store(false)
	}
	r.mu.Unlock()
	for r.set.Load() { // the timer has fired, and its sweep is about to begin
		runtime.Gosched()
	}
	r.sweeping.Lock() // after that sweep
	defer r.sweeping.Unlock()
	t.sweepBuffers(true)
}

// sweepBuffers removes the full batches and those in the buffers: all of them, or only old
// ones. It gives unused memory back, and reports how many it removed, and whether it left any.
func (t *Table[T]) sweepBuffers(all bool) (removed int, left bool) {
	for i := 0; i < maxFull && t.ends.waiting.Load() > 0; i++ { // a busy pool may fill as many again meanwhile
		t.removeBatch()
		removed += batchSize
	}
	for begun := t.ends.begun.Load(); begun != 0; begun &= begun - 1 {
		i := bits.TrailingZeros32(begun)
		b := &t.ends.buffers[i]
		b.mu.Lock()
		found := b.batch
		switch {
		case found == nil:
		case all || b.old:
			b.batch = nil
			t.ends.begun.And(^(uint32(1) << i))
		default:
			b.old, left, found = true, true, nil
		}
		b.mu.Unlock()
		if found != nil {
			removed += found.n
			t.releaseAll(found)
		}
	}
	for word := range t.large {
		for large := t.large[word].Load(); large != 0; large &= large - 1 {
			t.shrink(uint32(64*word + bits.TrailingZeros64(large))) //nolint:gosec // the number of a shard
		}
	}
	return removed, left
}

// removeBatch removes the entries of one full batch, if there is one.
func (t *Table[T]) removeBatch() {
	if full := t.ends.take(); full != nil {
		t.releaseAll(full)
	}
}

// releaseAll frees the entries of a batch, which the caller owns, and adds the batch to the spare
// ones.
func (t *Table[T]) releaseAll(b *batch) {
	for _, p := range b.places[:b.n] {
		t.release(p)
	}
	b.n = 0 // the places stay, since a batch that moves to another processor should be read there, not written
	r := &t.ends
	r.mu.Lock()
	r.spare = append(r.spare, b)
	r.mu.Unlock()
}

// empty returns an empty batch.
func (r *removals) empty() *batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.spare) - 1
	if last < 0 {
		return new(batch)
	}
	b := r.spare[last]
	r.spare = r.spare[:last]
	return b
}

// offer leaves a full batch to calls of Add. If they have enough of them, it returns the
// oldest one instead.
func (r *removals) offer(full *batch) (surplus *batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.full) == maxFull {
		surplus = r.full[0]
		r.full = slices.Delete(r.full, 0, 1)
	}
	r.full = append(r.full, full)
	r.waiting.Store(int32(len(r.full)))
	return surplus
}

// take returns the batch that has been full for the longest time, or nil.
func (r *removals) take() *batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.full) == 0 {
		return nil
	}
	full := r.full[0]
	r.full = slices.Delete(r.full, 0, 1)
	r.waiting.Store(int32(len(r.full)))
	return full
}
