package names

import (
	"sync"
)

// shard is one part of a table: a list of entries in no particular order, and an index that
// can rule out a name.
//
// Nearly every look-up is that of a submit, for a name that is free. So the index is small,
// and made for the answer no. It is a hash table with open addressing and linear probing
// that holds two bytes for each entry: a tag, made of 15 bits of the hash of the name. The
// list is searched, from end to end, only if the tag of the name is found in its probe
// sequence: once in some 20,000 look-ups, or because the name is taken.
//
// The reason is the cache. With a million tasks, each access to a table of pointers waits for
// memory, and a Go map or a table with chaining needs four such accesses for a task: a task
// took three times as long as with a thousand tasks. The tags of a million names are five
// megabytes. The accesses to the list are to neighbouring entries, as long as tasks end in
// about the order in which they were added. The price is the search for a name that is taken,
// some microseconds with a million tasks.
type shard[T any] struct {
	mu      sync.Mutex // guards the rest
	closed  bool
	tags    []uint16   // the index: none, or a power of two of noTag, oldTag and tags of entries
	tagged  int        // tags that are not noTag
	entries []entry[T] // in use, or in the list of free ones
	free    int        // the first free entry, or none
	n       int        // entries in use
	added   uint64     // tasks added so far
	next    uint32     // the position of the next entry that is appended
	era     uint32     // how often the positions were numbered anew
	_       [24]byte   // 128 in all: no two locks on one pair of cache lines
}

// entry is a name in use, or a stale one, whose task has ended. An entry that is not in use
// has no task, and its slot is the index of the next such entry, or none.
//
// Only goroutines that add tasks touch entries, as long as enough of them do: a worker, on
// another processor, notes only the place of a task that has ended. The serial number is that of
// the addition to the shard. It tells a removal whether the entry is still the one of its
// task: the entry may belong to another task meanwhile, or to none. Serial numbers repeat
// only after 2^32 additions to the shard, while a removal is deferred for milliseconds.
//
// The position stays with the entry when the list is compacted, and positions ascend in the list.
// So a walk in portions can continue behind a position; see [Table.Read].
type entry[T any] struct {
	task     *T
	hash     uint32 // half of the hash of the name
	slot     int32  // the place of the tag in tags
	serial   uint32
	position uint32 // set when the entry is appended to the list
}

const (
	noTag    = 0 // ends a probe sequence
	oldTag   = 1 // was in use; does not end a probe sequence
	firstTag = 2 // a bit that all other tags have

	minTags = 64

	none = -1 // no entry
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

// freeEntryLocked takes an entry that is not in use, and returns its index.
func (s *shard[T]) freeEntryLocked() int {
	i := s.free
	if i != none {
		s.free = int(s.entries[i].slot)
	} else {
		i = len(s.entries)
		s.entries = append(s.entries, entry[T]{position: s.next})
		s.next++
	}
	s.n++
	return i
}

// release frees the entry at a place, unless it belongs to another task meanwhile.
func (t *Table[T]) release(p Place) {
	s, i := &t.shards[p.shard()], p.index()
	s.mu.Lock()
	if i >= len(s.entries) || s.entries[i].serial != p.serial() || s.entries[i].task == nil {
		s.mu.Unlock()
		return
	}
	e := &s.entries[i]
	s.untagLocked(uint32(e.slot))
	*e = entry[T]{slot: int32(s.free), position: e.position}
	s.free = i
	s.n--
	s.mu.Unlock()
}

// shrink gives memory back if most of what a large shard has is unused. A sweep calls it, at most
// every few milliseconds, and not the removal of an entry: the number of outstanding tasks
// may swing between a few and thousands many times within that time.
func (t *Table[T]) shrink(which uint32) {
	s := &t.shards[which]
	s.mu.Lock()
	if s.n < len(s.entries)/4 && len(s.entries) > minTags {
		t.compactLocked(which)
	}
	if s.n < len(s.tags)/16 && len(s.tags) > minTags {
		s.rebuildLocked()
	}
	if len(s.entries) <= minTags && len(s.tags) <= minTags {
		t.large[which/64].And(^(uint64(1) << (which % 64)))
	}
	s.mu.Unlock()
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
	for i := range s.entries {
		if e := &s.entries[i]; e.task != nil {
			e.slot = int32(s.tags[e.slot]) // holds the tag until the loop below
		}
	}
	size := minTags
	for size < 2*(s.n+1) {
		size *= 2
	}
	if size == len(s.tags) {
		clear(s.tags)
	} else {
		s.tags = make([]uint16, size)
	}
	s.tagged = s.n
	mask := uint32(size - 1)
	for i := range s.entries {
		e := &s.entries[i]
		if e.task == nil {
			continue
		}
		to := e.hash & mask
		for s.tags[to] != noTag {
			to = (to + 1) & mask
		}
		s.tags[to], e.slot = uint16(e.slot), int32(to)
	}
}

// compactLocked drops the free entries from the list, and tells the tasks of the others their
// new places. If a task has ended, its removal will come with the old place, at which no entry
// has its serial number then, so its entry is dropped too.
func (t *Table[T]) compactLocked(which uint32) {
	s := &t.shards[which]
	old := s.entries
	s.entries, s.free = make([]entry[T], 0, s.n), none
	renumber := s.next >= renumberAt
	for _, e := range old {
		if renumber {
			e.position = uint32(len(s.entries)) //nolint:gosec // see placeOf
		}
		switch {
		case e.task == nil:
		case t.moved(e.task, placeOf(which, e.serial, len(s.entries))):
			s.entries = append(s.entries, e)
		default:
			s.untagLocked(uint32(e.slot))
		}
	}
	s.n = len(s.entries)
	if renumber {
		s.next = uint32(s.n) //nolint:gosec // see placeOf
		s.era++
	}
}

// additions returns the number of tasks added so far.
func (s *shard[T]) additions() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.added
}
