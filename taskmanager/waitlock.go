package taskmanager

import (
	"maps"
	"sync/atomic"
)

// graphs counts the graphs of waits that were made.
var graphs atomic.Uint64

func newWaitGraph() *waitGraph {
	return &waitGraph{
		place:   graphs.Add(1),
		waits:   make(map[*Handle]map[dependency]int),
		waiters: make(map[dependency]map[*Handle]struct{}),
		keys:    keyIndex{of: make(map[any]*keyTasks), behind: make(map[*Handle]struct{})},
	}
}

// lockWaits returns the graph that has the waits of tasks of the manager for tasks of another
// one, which may be the same, with its lock held.
//
// A manager begins with a graph of its own, so managers whose tasks do not wait for each other
// share no lock. The first wait between two managers joins their graphs, and those of all
// managers with which either has joined its graph before. When such a graph has no waits left,
// its managers separate, and get new graphs when they next need them.
func (m *TaskManager) lockWaits(other *TaskManager) *waitGraph {
	for {
		a, b := m.currentWaits(), other.currentWaits()
		first, second := a, b
		if b.place < a.place {
			first, second = b, a
		}
		first.mu.Lock()
		if second != first {
			second.mu.Lock()
		}
		switch {
		case a.gone || b.gone: // since it was read
		case a == b:
			return a
		default:
			return joinAndUnlockOne(a, b)
		}
		m.replaceLocked(a)
		other.replaceLocked(b)
		first.mu.Unlock()
		if second != first {
			second.mu.Unlock()
		}
	}
}

// currentWaits returns the graph that the manager had last. It may be gone.
func (m *TaskManager) currentWaits() *waitGraph {
	for {
		if g := m.waits.Load(); g != nil {
			return g
		}
		m.waits.CompareAndSwap(nil, newWaitGraph())
	}
}

// replaceLocked replaces a graph of the manager that is gone.
func (m *TaskManager) replaceLocked(g *waitGraph) {
	if g.gone {
		m.waits.CompareAndSwap(g, g.next)
	}
}

// joinAndUnlockOne moves the waits of one graph to the other, which it returns. Both are
// locked; the one that is returned still is. It moves the smaller one, so n waits of many
// managers move at most n·log n times.
func joinAndUnlockOne(a, b *waitGraph) *waitGraph {
	if len(a.waits) < len(b.waits) {
		a, b = b, a
	}
	maps.Copy(a.waits, b.waits)
	maps.Copy(a.waiters, b.waiters)
	maps.Copy(a.keys.of, b.keys.of)
	a.keys.groups += b.keys.groups
	maps.Copy(a.keys.behind, b.keys.behind)
	a.joined = true
	b.gone, b.next = true, a
	b.waits, b.waiters, b.keys = nil, nil, keyIndex{}
	b.mu.Unlock()
	return a
}
