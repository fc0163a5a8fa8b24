package names

import (
	"sync"
	"sync/atomic"
)

// shard is one part of a table: a list of entries in no particular order, and an index that
// can rule out a name.
//
// Nearly every look-up is that of a submit, for a name that is free. So the index is small,
// and made for the answer no. It is a hash table with open addressing and linear probing
// that holds one byte for each entry: a tag, made of eight bits of the hash of the name. The
// list is searched, from end to end, only if the tag of the name is found in its probe
// sequence: once in some 200 look-ups, or because the name is taken.
//
// The reason is the cache. With a million tasks, each access to a table of pointers waits for
// memory, and a Go map or a table with chaining needs four such accesses for a task: a task
// took three times as long as with a thousand tasks. The tags of a million names are two
// megabytes and stay in the cache. The accesses to the list are to neighbouring entries, as
// long as tasks end in about the order in which they were added. The price is the search for
// a name that is taken, some microseconds with a million tasks.
type shard[T any] struct {
	mu      sync.Mutex // guards the rest
	closed  bool
	tags    []byte     // the index: none, or a power of two of noTag, oldTag and tags of entries
	tagged  int        // tags that are not noTag
	entries []entry[T] // in use, or in the list of free ones
	free    int32      // the first free entry; -1: none
	n       int        // entries in use
	added   uint64     // tasks added so far
	_       [32]byte   // 128 in all: no two locks on one pair of cache lines
}

// entry is a name in use, or a stale one, whose task has ended. An entry that is not in use
// has no link, and its slot is the index of the next such entry.
type entry[T any] struct {
	link *link[T]
	hash uint32 // half of the hash of the name
	slot int32  // the place of the tag in tags
}

// link leads from an entry to its task, and from a task to its entry. Remove clears the field
// task, so that a stale entry does not keep the task in memory. Links that are made one after
// another are neighbours in memory, since workers mostly end tasks in the order of their
// submits: one cache line goes to the worker for four of them.
type link[T any] struct {
	task  atomic.Pointer[T] // nil: the task has ended
	shard uint32
	index int32 // of the entry, -1: another link has it; guarded by the lock of the shard
}

// allocator makes links, as many at once as fill a kilobyte, one of the sizes of Go's
// allocator. Its lock belongs to the whole table, as that of the pool's inbox does, and is
// held for less time. (A sync.Pool instead was not faster.)
type allocator[T any] struct {
	mu    sync.Mutex // guards the rest
	block *[64]link[T]
	used  int
	_     [104]byte
}

// next makes a link.
func (a *allocator[T]) next() *link[T] {
	a.mu.Lock()
	if a.block == nil || a.used == len(a.block) {
		a.block, a.used = new([64]link[T]), 0
	}
	l := &a.block[a.used]
	a.used++
	a.mu.Unlock()
	return l
}

const (
	noTag    = 0 // ends a probe sequence
	oldTag   = 1 // was in use; does not end a probe sequence
	firstTag = 2

	minTags = 64
)

// probeLocked returns the slot for a name's tag, and whether an equal tag is in its probe
// sequence, so that the name may be taken. The index has a slot without a tag, which ends
// the search.
func (s *shard[T]) probeLocked(k key) (slot int32, maybe bool) {
	mask := uint32(len(s.tags) - 1)
	slot = -1
	for i := k.hash & mask; ; i = (i + 1) & mask {
		switch s.tags[i] {
		case noTag:
			if slot < 0 {
				slot = int32(i)
			}
			return slot, maybe
		case oldTag:
			if slot < 0 {
				slot = int32(i)
			}
		case k.tag:
			maybe = true
		}
	}
}

// takeOverLocked gives a stale entry to a task whose name has an equal key. Without
// that, a name that is used again and again would fill the list. The link of the ended task,
// whose removal is still to come, then has no entry.
func (s *shard[T]) takeOverLocked(stale int, to *link[T]) {
	e := &s.entries[stale]
	e.link.index = -1
	e.link, to.index = to, int32(stale) //nolint:gosec // at most as many as names
}

// putLocked adds an entry to the list and tells its link the index.
func (s *shard[T]) putLocked(e entry[T]) {
	i := s.free
	if i >= 0 {
		s.free = s.entries[i].slot
		s.entries[i] = e
	} else {
		i = int32(len(s.entries))
		s.entries = append(s.entries, e)
	}
	e.link.index = i
	s.n++
}

// release frees the entry of a link, unless another link has it.
func (s *shard[T]) release(l *link[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.index < 0 {
		return
	}
	e := &s.entries[l.index]
	s.untagLocked(uint32(e.slot))
	*e = entry[T]{slot: s.free}
	s.free = l.index
	s.n--
	if len(s.tags) > minTags && s.n < len(s.tags)/16 {
		s.rebuildLocked()
	}
}

// untagLocked frees a slot. If the next slot has no tag, no probe sequence crosses this one,
// so it and the old tags before it become noTag again.
func (s *shard[T]) untagLocked(slot uint32) {
	mask := uint32(len(s.tags) - 1)
	s.tags[slot] = oldTag
	if s.tags[(slot+1)&mask] != noTag {
		return
	}
	for s.tags[slot] == oldTag {
		s.tags[slot] = noTag
		s.tagged--
		slot = (slot - 1) & mask
	}
}

// rebuildLocked makes room in the index, or gives memory back: it sizes the tags to be a
// quarter to half full, and drops the old ones.
func (s *shard[T]) rebuildLocked() {
	size := minTags
	for size < 2*(s.n+1) {
		size *= 2
	}
	if s.n < len(s.entries)/4 {
		s.compactLocked()
	}
	for i := range s.entries {
		if e := &s.entries[i]; e.link != nil {
			e.slot = int32(s.tags[e.slot]) // holds the tag until the loop below
		}
	}
	if size == len(s.tags) {
		clear(s.tags)
	} else {
		s.tags = make([]byte, size)
	}
	s.tagged = s.n
	mask := uint32(size - 1)
	for i := range s.entries {
		e := &s.entries[i]
		if e.link == nil {
			continue
		}
		to := e.hash & mask
		for s.tags[to] != noTag {
			to = (to + 1) & mask
		}
		s.tags[to], e.slot = byte(e.slot), int32(to)
	}
}

// compactLocked drops the free entries from the list.
func (s *shard[T]) compactLocked() {
	old := s.entries
	s.entries, s.free, s.n = make([]entry[T], 0, s.n), -1, 0
	for _, e := range old {
		if e.link != nil {
			s.putLocked(e)
		}
	}
}

// copyLinks returns the links of the shard, in buf if it is large enough. It reads only the
// list while it holds the lock: to follow a link may be to wait for memory, and an allocation
// may have to help the garbage collector.
func (s *shard[T]) copyLinks(buf []*link[T]) []*link[T] {
	s.mu.Lock()
	for s.n > cap(buf) {
		n := s.n
		s.mu.Unlock()
		buf = make([]*link[T], 0, n+n/8)
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	buf = buf[:0]
	for i := range s.entries {
		if l := s.entries[i].link; l != nil {
			buf = append(buf, l)
		}
	}
	return buf
}

// additions returns the number of tasks added so far.
func (s *shard[T]) additions() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.added
}
