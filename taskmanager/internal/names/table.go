// Package names holds the table of outstanding tasks by name.
//
// # Invariants
//
// A name is reserved from Add until its task has ended. The end is one change, which the
// task's owner makes under the task's own lock; the table asks for it with the function
// ended, which waits for that lock. So the end of the task and the release of its name are the
// same event: a goroutine that knows of the end can use the name at once, and a goroutine
// that finds the name free can rely on the end. An entry whose task has ended counts as
// absent everywhere, and [Table.Remove], which is called after the end, only frees memory.
//
// # Locks
//
// Each shard has a lock, which guards the shard and, together with the lock of the task, the
// place of each task in it. The deferred removals have locks of their own. The order is
//
//	a sweep → shard → task's own lock
//	a sweep → buffer of a worker → full batches
//
// So a caller must not hold the lock of a task when it calls the table.
//
// # Walks
//
// [Table.Read] walks over the tasks in portions. The caller may wait between two portions for as
// long as it likes: a place is a [Cursor], which no change of the table invalidates.
//
// # Memory
//
// A name takes an entry of 24 bytes and a tag of two. With the free space of lists that grow
// and of an index that is at most three quarters full, that is 27 to 38 bytes. The text of
// the name belongs to the task.
//
// An entry refers to its task until it is removed, so a task can be in memory for a while
// after its end: at most some three thousand tasks, for some 20 ms; see [Table.Remove].
package names

import (
	"errors"
	"hash/maphash"
	"sync/atomic"
	"time"
)

var (
	// ErrTaken means that an outstanding task has the name.
	ErrTaken = errors.New("names: the name is taken")
	// ErrClosed means that the table accepts no more tasks.
	ErrClosed = errors.New("names: the table is closed")
)

// Table holds outstanding tasks of type *T by name. It is safe for concurrent use.
//
// It is split into shards with a lock each, so that no goroutine waits while another one
// searches or rebuilds a different shard.
type Table[T any] struct {
	seed   maphash.Seed
	name   func(*T) string
	ended  func(*T) bool
	moved  func(*T, Place) bool
	_      [96]byte // the fields below start on pairs of cache lines, which processors fetch together
	ends   removals
	large  [shardCount / 64]atomic.Uint64 // a bit for each shard that has more memory than a new one; changes under the shard's lock
	_      [112]byte
	shards [shardCount]shard[T]
}

const (
	// shardCount is a power of two, large enough that submitters and workers
	// seldom meet, and that copying one shard of 100,000 names takes microseconds.
	shardCount = 1 << shardBits
	shardBits  = 7
)

// Functions are what a table asks of tasks. They must not call the table.
type Functions[T any] struct {
	Name  func(*T) string // returns the name
	Ended func(*T) bool   // reports whether the task has ended, under the lock under which it ends
	// Moved sets the place of the task, under the same lock, and returns true; if the task
	// has ended, it returns false and does nothing.
	Moved func(*T, Place) bool
}

// New makes an empty table.
func New[T any](f Functions[T]) *Table[T] {
	t := &Table[T]{seed: maphash.MakeSeed(), name: f.Name, ended: f.Ended, moved: f.Moved}
	for i := range t.shards {
		t.shards[i].free = none
	}
	t.ends.timer.timer = time.AfterFunc(time.Hour, t.sweep)
	t.ends.timer.timer.Stop()
	return t
}

// Place is the place of a task in the table: a field of the task, for Remove. It holds the
// shard, the index in its list, and the serial number of the entry in the shard. The zero Place is none.
type Place uint64

const indexBits = 32 - shardBits

func placeOf(shard, serial uint32, index int) Place {
	return Place(serial)<<32 | Place(shard)<<indexBits | Place(index) //nolint:gosec // as many entries do not fit into memory
}

func (p Place) shard() uint32  { return uint32(p) >> indexBits }
func (p Place) index() int     { return int(p & (1<<indexBits - 1)) }
func (p Place) serial() uint32 { return uint32(p >> 32) }

// Add reserves a name for a task, or returns ErrTaken or ErrClosed. It sets place before
// another goroutine can find the task.
func (t *Table[T]) Add(name string, task *T, place *Place) error {
	if t.ends.waiting.Load() > 0 {
		t.removeBatch()
	}
	k := t.keyOf(name)
	s := &t.shards[k.shard]
	s.mu.Lock() // unlocked by hand: a deferred call costs 2 ns
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	if 4*(s.tagged+1) > 3*len(s.tags) {
		s.rebuildLocked()
		if len(s.tags) > minTags { // which they are before there are more than minTags entries
			t.large[k.shard/64].Or(1 << (k.shard % 64))
		}
	}
	slot, maybe := s.probeLocked(k)
	stale := none
	if maybe {
		var holder *T
		if holder, stale = t.findLocked(s, k, name); holder != nil {
			s.mu.Unlock()
			return ErrTaken
		}
	}
	if stale == none {
		if s.tags[slot] == noTag {
			s.tagged++
		}
		s.tags[slot] = k.tag
		stale = s.freeEntryLocked()
		e := &s.entries[stale]
		e.hash, e.slot = k.hash, slot
	}
	s.added++
	e := &s.entries[stale]
	e.task, e.serial = task, uint32(s.added) //nolint:gosec // see entry
	*place = placeOf(k.shard, e.serial, stale)
	s.mu.Unlock()
	return nil
}

// Join calls join with the outstanding task of a name, if there is one. The function decides
// whether another task waits for the end of that one, to succeed it with Succeed; that counts as an
// addition. Join holds the lock of the shard, so no task takes the name, is added or is moved
// meanwhile. The error is ErrClosed.
func (t *Table[T]) Join(name string, join func(holder *T) bool) error {
	k := t.keyOf(name)
	s := &t.shards[k.shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if holder, _ := t.findLocked(s, k, name); holder != nil && join(holder) {
		s.added++
	}
	return nil
}

// Succeed calls end, which ends the outstanding task of a name and returns the task that gets the
// name, or nil, and the place of both. The lock of the shard is held, so there is no moment without
// a task of that name. If there is a next task, the place of the one that has ended must not be
// removed.
func (t *Table[T]) Succeed(name string, end func() (next *T, at Place)) {
	s := &t.shards[t.keyOf(name).shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	if next, at := end(); next != nil {
		s.entries[at.index()].task = next
	}
}

// key is where a name belongs.
type key struct {
	shard uint32
	hash  uint32 // half of the hash of the name
	tag   uint16
}

func (t *Table[T]) keyOf(name string) key {
	sum := maphash.String(t.seed, name)
	return key{shard: uint32(sum % shardCount), hash: uint32(sum >> 32), tag: uint16(sum>>shardBits) | firstTag}
}

// Lookup returns the outstanding task of a name, or nil.
func (t *Table[T]) Lookup(name string) (task *T) {
	k := t.keyOf(name)
	s := &t.shards[k.shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		return nil
	}
	if _, maybe := s.probeLocked(k); maybe {
		task, _ = t.findLocked(s, k, name)
	}
	return task
}

// findLocked searches the entries of a shard for the outstanding task of a name. If there is
// none, it returns the index of a stale entry with an equal key, or none. That entry can be
// given to a task with this key. Without that, a name that is used again and again would fill
// the list.
func (t *Table[T]) findLocked(s *shard[T], k key, name string) (task *T, stale int) {
	stale = none
	for i := range s.entries {
		e := &s.entries[i]
		if e.hash != k.hash || e.task == nil {
			continue
		}
		if t.ended(e.task) {
			if s.tags[e.slot] == k.tag {
				stale = i
			}
		} else if t.name(e.task) == name {
			return e.task, none
		}
	}
	return nil, stale
}

// Some returns an outstanding task, or nil if it finds none. It prefers one that was added
// late, which is likely to end late.
func (t *Table[T]) Some() *T {
	for i := range t.shards {
		if task, _ := t.last(i); task != nil {
			return task
		}
	}
	return nil
}

// Empty reports whether there was a moment during the call at which no task was outstanding.
//
// It visits each shard twice. In the first round no shard has an outstanding task, and in the
// second round no shard has got one since its first visit, since the count of its additions
// is the same. Only an addition makes a task outstanding. So each shard was without one from
// its first visit to its second, and all were at the moment between the rounds.
func (t *Table[T]) Empty() bool {
	var added [shardCount]uint64
	for i := range t.shards {
		var task *T
		if task, added[i] = t.last(i); task != nil {
			return false
		}
	}
	for i := range t.shards {
		if t.shards[i].additions() != added[i] {
			return false
		}
	}
	return true
}

// last returns the last outstanding task in the list of a shard, or nil, and the number of
// tasks added to the shard so far.
func (t *Table[T]) last(shard int) (task *T, added uint64) {
	s := &t.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.entries) - 1; i >= 0 && s.n > 0; i-- {
		if task := s.entries[i].task; task != nil && !t.ended(task) {
			return task, s.added
		}
	}
	return nil, s.added
}

// Added returns the number of tasks added so far.
func (t *Table[T]) Added() (n uint64) {
	for i := range t.shards {
		n += t.shards[i].additions()
	}
	return n
}

// Close makes every later Add return ErrClosed. What All returns after Close is complete.
func (t *Table[T]) Close() {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
	}
}

// Closed reports whether a call of Close has closed all shards.
func (t *Table[T]) Closed() bool {
	last := &t.shards[len(t.shards)-1]
	last.mu.Lock()
	defer last.mu.Unlock()
	return last.closed
}
