package taskmanager

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const (
	// shardCount is a power of two, large enough that submitters and workers
	// seldom meet, and that copying one shard of 100,000 names takes microseconds.
	shardCount = 1 << shardBits
	shardBits  = 7
)

// names holds the outstanding tasks by name. It is split into shards with a
// lock each, so that nobody waits while another one's shard is searched or rebuilt.
//
// A name is free from the moment at which its task has ended: an entry whose task
// is over counts for nothing. It is removed later, see limbo.
type names struct {
	seed   maphash.Seed
	_      [120]byte // what follows comes in pairs of cache lines, which processors fetch together
	links  links
	limbo  limbo
	shards [shardCount]shard
}

// shard is one part of the names: a list of entries in no particular order, and
// an index that tells which names are surely not in it.
//
// Nearly every look-up is that of a submit, for a name that is free. So the
// index is made for the answer no, and to be small: a table with open
// addressing and linear probing in which each entry owns one byte, a tag made
// of eight bits of its name's hash. Only when the tag of the name looked for is
// found in its probe sequence (once in some 200 look-ups, or because the name
// is taken) is the list searched, from end to end.
//
// The reason is the cache. With a million tasks, each touch of a table that
// holds pointers waits for memory, 150 ns on the machine where this was
// measured, and a map of the language or one with chaining needs four of them
// for a task: it took three times as long as with a thousand tasks. The tags of
// a million names are two megabytes and stay in the cache. The list is touched
// where it was touched just before, as far as tasks end in about the order in
// which they came. The price is the search for a name that is taken, or was
// until just now, some microseconds with a million outstanding.
type shard struct {
	mu      sync.Mutex // guards the rest
	closed  bool
	tags    []byte   // a power of two of them, or none: noTag, oldTag, or the tag of an entry
	tagged  int      // tags that are not noTag
	entries []entry  // in use, or in the list of free ones
	free    int32    // the first free entry; -1: none
	n       int      // entries in use
	added   uint64   // entries so far
	_       [32]byte // 128 in all: no two locks on one pair of cache lines
}

// entry is a name in use, or what is left of one: the link to its task, half of its hash,
// and where in tags its tag is. An entry not in use has no link, and in slot the number of
// the next such.
type entry struct {
	link *link
	hash uint32
	slot int32
}

// link leads from an entry to its task, and from a task to its entry. Whoever ends the task
// cuts it, so that what is left of a task in limbo keeps nothing of it in memory. The links
// that a submitter makes one after another stand side by side, as workers mostly end tasks
// in the order in which they came: one cache line goes to the worker for four of them.
type link struct {
	h     atomic.Pointer[Handle] // nil: the task is over
	shard uint32
	index int32 // of the entry, -1: another link has it; guarded by the lock of the shard
}

// links makes links, as many at once as fill a kilobyte, one of the allocator's sizes. Its lock
// is one of the whole manager, but so is that of the pool's inbox, and it is held for less. (A
// sync.Pool in its place was not faster.)
type links struct {
	mu   sync.Mutex // guards the rest
	list *[64]link
	used int
	_    [104]byte
}

const (
	noTag    = 0 // ends a probe sequence
	oldTag   = 1 // was in use; does not end one
	firstTag = 2

	minTags = 64
)

func newNames() *names {
	n := &names{seed: maphash.MakeSeed()}
	for i := range n.shards {
		n.shards[i].free = -1
	}
	return n
}

// add reserves h's name for it: nil, ErrAlreadyExists or ErrStopped.
func (n *names) add(h *Handle) error {
	if n.limbo.full.Load() > 0 {
		n.clearLimbo()
	}
	shard, tag, hash := n.hash(h.name)
	s := &n.shards[shard]

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrStopped
	}
	if 4*(s.tagged+1) > 3*len(s.tags) {
		s.rebuild()
	}
	slot, maybe := s.probe(hash, tag)
	left := -1 // what is left of an ended task of that name
	if maybe {
		var taken *Handle
		if taken, left = s.find(h.name, hash, tag); taken != nil {
			return ErrAlreadyExists
		}
	}
	h.link = n.links.next()
	h.link.h.Store(h)
	h.link.shard = shard
	s.added++
	if left >= 0 {
		s.takeOver(left, h.link)
		return nil
	}
	if s.tags[slot] == noTag {
		s.tagged++
	}
	s.tags[slot] = tag
	s.put(entry{link: h.link, hash: hash, slot: slot})
	return nil
}

// next makes a link.
func (l *links) next() *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.list == nil || l.used == len(l.list) {
		l.list, l.used = new([64]link), 0
	}
	l.used++
	return &l.list[l.used-1]
}

// hash says where a name belongs: the shard, the tag, and half of the hash.
func (n *names) hash(name string) (shard uint32, tag byte, hash uint32) {
	sum := maphash.String(n.seed, name)
	return uint32(sum % shardCount), byte(firstTag + sum>>shardBits%(256-firstTag)), uint32(sum >> 32)
}

// lookup returns the handle of a name, or nil.
func (n *names) lookup(name string) (h *Handle) {
	shard, tag, hash := n.hash(name)
	s := &n.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		return nil
	}
	if _, maybe := s.probe(hash, tag); maybe {
		h, _ = s.find(name, hash, tag)
	}
	return h
}

// probe returns the slot that a name's tag may take, and whether an equal tag
// stands in its way, so that the name may be taken. There is a slot without a
// tag, which ends the search.
func (s *shard) probe(hash uint32, tag byte) (slot int32, maybe bool) {
	mask := uint32(len(s.tags) - 1)
	slot = -1
	for i := hash & mask; ; i = (i + 1) & mask {
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
		case tag:
			maybe = true
		}
	}
}

// find searches the list for the outstanding task of a name. If there is none, it may have
// found the entry of one that has ended.
func (s *shard) find(name string, hash uint32, tag byte) (h *Handle, left int) {
	left = -1
	for i := range s.entries {
		e := &s.entries[i]
		if e.hash != hash || e.link == nil {
			continue
		}
		if h = e.link.outstanding(); h == nil {
			if s.tags[e.slot] == tag {
				left = i
			}
		} else if h.name == name {
			return h, -1
		}
	}
	return nil, left
}

// takeOver gives the entry of a task that has ended to another one of equal hash and tag, as
// a name that comes back again and again would fill the list. Its link, which is in limbo,
// leads nowhere from now on.
func (s *shard) takeOver(i int, to *link) {
	e := &s.entries[i]
	e.link.index = -1
	e.link, to.index = to, int32(i) //nolint:gosec // as many as there are names
}

// outstanding is the task that a link leads to, or nil: there is no link, as the entry is
// not in use, or the task is over.
func (l *link) outstanding() *Handle {
	if l == nil {
		return nil
	}
	h := l.h.Load()
	if h == nil || h.over() { // the end comes first, and then its link is cut
		return nil
	}
	return h
}

// put adds an entry to the list and tells its link where.
func (s *shard) put(e entry) {
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

// release makes an entry, whose link this is, one that is not in use.
func (s *shard) release(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.index < 0 {
		return
	}
	e := &s.entries[l.index]
	s.untag(uint32(e.slot))
	*e = entry{slot: s.free}
	s.free = l.index
	s.n--
	if len(s.tags) > minTags && s.n < len(s.tags)/16 {
		s.rebuild()
	}
}

// untag frees a slot. If no probe sequence leads across it, it and the old ones
// before it become as new.
func (s *shard) untag(slot uint32) {
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

// rebuild makes room in the index, or gives memory back: it sizes the tags to
// be a quarter to half full and sweeps out the old ones.
func (s *shard) rebuild() {
	size := minTags
	for size < 2*(s.n+1) {
		size *= 2
	}
	if s.n < len(s.entries)/4 {
		s.compact()
	}
	for i := range s.entries {
		if e := &s.entries[i]; e.link != nil {
			e.slot = int32(s.tags[e.slot]) // keep the tag here meanwhile
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

// compact rids the list of free entries.
func (s *shard) compact() {
	old := s.entries
	s.entries, s.free, s.n = make([]entry, 0, s.n), -1, 0
	for _, e := range old {
		if e.link != nil {
			s.put(e)
		}
	}
}

// all returns the outstanding tasks. It locks one shard at a time, so tasks
// that come or go meanwhile may be in it or not.
func (n *names) all() []*Handle {
	total := 0
	for i := range n.shards {
		s := &n.shards[i]
		s.mu.Lock()
		total += s.n
		s.mu.Unlock()
	}
	// Room beforehand, so that nothing is allocated while a shard is locked,
	// unless many tasks come meanwhile.
	links := make([]*link, 0, total+total/16+shardCount)
	for i := range n.shards {
		links = n.shards[i].appendLinks(links)
	}
	all := make([]*Handle, 0, len(links))
	for _, l := range links {
		if h := l.outstanding(); h != nil {
			all = append(all, h)
		}
	}
	return all
}

// appendLinks appends the links of a shard. It reads the list alone, which is the least
// that takes the lock: to follow a link may be to wait for memory.
func (s *shard) appendLinks(links []*link) []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.entries {
		if l := s.entries[i].link; l != nil {
			links = append(links, l)
		}
	}
	return links
}

// some returns an outstanding task, nil if it finds none: a late one, which is likely
// to end late.
func (n *names) some() *Handle {
	for i := range n.shards {
		if h, _ := n.shards[i].last(); h != nil {
			return h
		}
	}
	return nil
}

// last is the last outstanding task in the list of a shard, or nil, and how many tasks
// have been added so far.
func (s *shard) last() (h *Handle, added uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.entries) - 1; i >= 0 && s.n > 0; i-- {
		if h := s.entries[i].link.outstanding(); h != nil {
			return h, s.added
		}
	}
	return nil, s.added
}

// empty reports whether there was a moment, during the call, at which no task was
// outstanding. It looks at each shard twice: if nothing was added to any in between,
// and all were empty, then all were at the moment between the two rounds.
func (n *names) empty() bool {
	var added [shardCount]uint64
	for round := range 2 {
		for i := range n.shards {
			left, now := n.shards[i].last()
			if left != nil || round == 1 && now != added[i] {
				return false
			}
			added[i] = now
		}
	}
	return true
}

// isClosed reports whether close has been called, and is done.
func (n *names) isClosed() bool {
	last := &n.shards[len(n.shards)-1]
	last.mu.Lock()
	defer last.mu.Unlock()
	return last.closed
}

// close makes every later add fail. What all returns afterwards is complete.
func (n *names) close() {
	for i := range n.shards {
		s := &n.shards[i]
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
	}
}
