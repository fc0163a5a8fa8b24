package names

import (
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// They bound the number of entries that wait for their removal: about three thousand.
	buffers   = 32 // as many workers can end tasks without contention
	batchSize = 32
	maxFull   = 64 // full batches that are left to calls of Add
)

// removals are deferred removals: the links of ended tasks, whose entries are still in the
// table.
//
// If a worker removed each entry at once, the shard, its tags and the entry would go from the
// submitter's processor to the worker's and back for every task. With one submitter on two
// processors that was more than a third of the time of a task. So a worker only adds the link
// to a batch in a buffer of its own, and the first Add that follows removes a full batch, 32
// entries that are mostly in the cache of its processor. Beyond maxFull batches, as when
// nothing is added, workers remove entries themselves.
type removals[T any] struct {
	buffers [buffers]struct {
		mu    sync.Mutex // guards batch
		batch *batch[T]  // nil: none yet
		_     [112]byte
	}
	waiting atomic.Int32 // len(full), which every Add reads
	_       [124]byte

	mu    sync.Mutex // guards the rest
	full  []*batch[T]
	spare []*batch[T] // without links
	_     [72]byte
}

// batch holds links whose entries must be removed.
type batch[T any] struct {
	n     int
	links [batchSize]*link[T]
}

// Remove removes a task that has ended from its place in the table, now or later; the task is
// not kept in memory. A place is removed once. The number of the worker chooses a buffer:
// calls with different ones seldom wait for each other.
func (t *Table[T]) Remove(place Place[T], worker int32) {
	place.link.task.Store(nil)
	b := &t.ends.buffers[uint32(worker)%buffers]
	b.mu.Lock()
	full := b.batch
	if full == nil {
		full = t.ends.empty()
		b.batch = full
	}
	full.links[full.n] = place.link
	full.n++
	if full.n < batchSize {
		b.mu.Unlock()
		return
	}
	b.batch = nil
	b.mu.Unlock()
	if !t.ends.offer(full) {
		t.release(full)
	}
}

// removeBatch removes the entries of one full batch, if there is one.
func (t *Table[T]) removeBatch() {
	if full := t.ends.take(); full != nil {
		t.release(full)
	}
}

// release frees the entries of a full batch, which the caller owns, and returns it to the
// spare ones.
func (t *Table[T]) release(full *batch[T]) {
	for _, l := range full.links {
		t.shards[l.shard].release(l)
	}
	*full = batch[T]{}
	r := &t.ends
	r.mu.Lock()
	r.spare = append(r.spare, full)
	r.mu.Unlock()
}

// empty returns a batch without links.
func (r *removals[T]) empty() *batch[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.spare) - 1
	if last < 0 {
		return new(batch[T])
	}
	b := r.spare[last]
	r.spare = r.spare[:last]
	return b
}

// offer leaves a full batch to calls of Add, unless they have enough of them.
func (r *removals[T]) offer(full *batch[T]) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.full) == maxFull {
		return false
	}
	r.full = append(r.full, full)
	r.waiting.Store(int32(len(r.full)))
	return true
}

// take returns the batch that has been full for the longest time, or nil.
func (r *removals[T]) take() *batch[T] {
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
