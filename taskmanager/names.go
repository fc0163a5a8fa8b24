package taskmanager

import (
	"hash/maphash"
	"sync"
)

// shardCount is a power of two, large enough that submitters and workers seldom
// meet, and that copying one shard of 100,000 names takes some microseconds.
const shardCount = 64

// names holds the outstanding tasks by name. It is split into shards with a
// lock each, so that it does not become one lock of the whole manager.
type names struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

type shard struct {
	mu     sync.Mutex
	tasks  map[string]*Handle
	closed bool
	_      [128]byte // neighbours' locks on other cache lines, prefetched pairs included
}

func newNames() *names {
	n := &names{seed: maphash.MakeSeed()}
	for i := range n.shards {
		n.shards[i].tasks = make(map[string]*Handle)
	}
	return n
}

func (n *names) shard(name string) *shard {
	return &n.shards[maphash.String(n.seed, name)%shardCount]
}

// add reserves h's name for it: nil, ErrAlreadyExists or ErrStopped.
func (n *names) add(h *Handle) error {
	s := n.shard(h.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrStopped
	}
	if _, taken := s.tasks[h.name]; taken {
		return ErrAlreadyExists
	}
	s.tasks[h.name] = h
	return nil
}

// remove frees h's name.
func (n *names) remove(h *Handle) {
	s := n.shard(h.name)
	s.mu.Lock()
	delete(s.tasks, h.name)
	s.mu.Unlock()
}

// all returns the outstanding tasks. It locks one shard at a time, so tasks
// that come or go meanwhile may be in it or not.
func (n *names) all() []*Handle {
	total := 0
	for i := range n.shards {
		s := &n.shards[i]
		s.mu.Lock()
		total += len(s.tasks)
		s.mu.Unlock()
	}
	// Room beforehand, so that nothing is allocated while a shard is locked,
	// unless many tasks come meanwhile.
	all := make([]*Handle, 0, total+total/16+shardCount)
	for i := range n.shards {
		all = n.shards[i].appendTo(all)
	}
	return all
}

// appendTo appends the tasks of a shard.
func (s *shard) appendTo(all []*Handle) []*Handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.tasks {
		all = append(all, h)
	}
	return all
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
