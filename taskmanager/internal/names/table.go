// Package names holds the table of outstanding tasks by name.
//
// # Invariants
//
// A name is reserved from Add until its task has ended. The end is one change, which the
// task's owner makes under the task's own lock; the table asks for it with the function
// ended, which takes that lock. So the end of the task and the release of its name are the
// same event: a goroutine that knows of the end can use the name at once, and a goroutine
// that finds the name free can rely on the end. An entry whose task has ended counts as
// absent everywhere, and [Table.Remove], which is called after the end, only frees memory.
//
// # Locks
//
// Each shard has a lock, which guards the shard and the index field of the links to it. The
// field task of a link is atomic: Add sets it before the link is in the table, Remove clears
// it. The allocator of links and the deferred removals have locks of their own. The order is
//
//	shard → task's own lock
//	shard → allocator
//	buffer of a worker → full batches
//
// So a caller must not hold the lock of a task when it calls the table, except for Closed
// and Remove, which never ask a task.
//
// # Memory
//
// A name takes a link of 16 bytes, an entry of 16 and a tag of one byte, allocated for many
// names at once. With the free space of lists that grow and of an index that is at most three
// quarters full, that is 35 to 50 bytes. The text of the name belongs to the task.
package names

import (
	"errors"
	"hash/maphash"
	"iter"
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
	_      [104]byte // the fields below start on pairs of cache lines, which processors fetch together
	links  allocator[T]
	ends   removals[T]
	shards [shardCount]shard[T]
}

const (
	// shardCount is a power of two, large enough that submitters and workers
	// seldom meet, and that copying one shard of 100,000 names takes microseconds.
	shardCount = 1 << shardBits
	shardBits  = 7
)

// New makes an empty table. The function name returns the name of a task, and ended reports
// whether it has ended, under the lock under which it ends.
func New[T any](name func(*T) string, ended func(*T) bool) *Table[T] {
	t := &Table[T]{seed: maphash.MakeSeed(), name: name, ended: ended}
	for i := range t.shards {
		t.shards[i].free = -1
	}
	return t
}

// Place is the place of a task in the table: a field of the task, for Remove. The zero Place
// is none.
type Place[T any] struct{ link *link[T] }

// Add reserves a name for a task, or returns ErrTaken or ErrClosed. It sets place before
// another goroutine can find the task.
func (t *Table[T]) Add(name string, task *T, place *Place[T]) error {
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
	}
	slot, maybe := s.probeLocked(k)
	stale := -1
	if maybe {
		var holder *T
		if holder, stale = t.findLocked(s, k, name); holder != nil {
			s.mu.Unlock()
			return ErrTaken
		}
	}
	l := t.links.next()
	l.task.Store(task)
	l.shard = k.shard
	place.link = l
	s.added++
	if stale >= 0 {
		s.takeOverLocked(stale, l)
	} else {
		if s.tags[slot] == noTag {
			s.tagged++
		}
		s.tags[slot] = k.tag
		s.putLocked(entry[T]{link: l, hash: k.hash, slot: slot})
	}
	s.mu.Unlock()
	return nil
}

// key is where a name belongs.
type key struct {
	shard uint32
	hash  uint32 // half of the hash of the name
	tag   byte
}

func (t *Table[T]) keyOf(name string) key {
	sum := maphash.String(t.seed, name)
	return key{shard: uint32(sum % shardCount), hash: uint32(sum >> 32), tag: byte(firstTag + sum>>shardBits%(256-firstTag))}
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
// none, it returns the index of a stale entry with an equal key, or -1.
func (t *Table[T]) findLocked(s *shard[T], k key, name string) (task *T, stale int) {
	stale = -1
	for i := range s.entries {
		e := &s.entries[i]
		if e.hash != k.hash || e.link == nil {
			continue
		}
		if task = t.outstanding(e.link); task == nil {
			if s.tags[e.slot] == k.tag {
				stale = i
			}
		} else if t.name(task) == name {
			return task, -1
		}
	}
	return nil, stale
}

// outstanding returns the task of a link, or nil if it has ended or the link is nil.
func (t *Table[T]) outstanding(l *link[T]) *T {
	if l == nil {
		return nil
	}
	task := l.task.Load()
	if task == nil || t.ended(task) { // a task ends before Remove clears its link
		return nil
	}
	return task
}

// All ranges over the outstanding tasks, in no particular order. A task that is added or
// ends during the loop may be included or not. No lock is held while the loop body runs.
func (t *Table[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		var links []*link[T]
		for i := range t.shards {
			links = t.shards[i].copyLinks(links)
			for _, l := range links {
				if task := t.outstanding(l); task != nil && !yield(task) {
					return
				}
			}
		}
	}
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
		if task := t.outstanding(s.entries[i].link); task != nil {
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
