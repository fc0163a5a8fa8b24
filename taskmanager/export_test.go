package taskmanager

import (
	"context"
	"time"
)

// RestartTimes are the times of the restarts of a task, for [restart.Failure.Recent].
type RestartTimes struct{ retry }

// Add adds a restart.
func (r *RestartTimes) Add(t time.Duration) { r.recent = append(r.recent, t) }

// Since forgets the restarts up to t and returns the number of later ones.
func (r *RestartTimes) Since(t time.Duration) int { return r.sinceLocked(t) }

// Last returns the place of the last restart in memory.
func (r *RestartTimes) Last() *time.Duration { return &r.recent[len(r.recent)-1] }

// Room returns the number of restarts for which there is room.
func (r *RestartTimes) Room() int { return cap(r.recent) }

// LockWaits locks the waits of the tasks of a manager, as a search for circles does.
func LockWaits(m *TaskManager) (unlock func()) {
	g := m.lockWaits(m)
	return g.mu.Unlock
}

// ShareWaits reports whether the waits of the tasks of two managers have the same lock.
func ShareWaits(m, other *TaskManager) bool {
	defer LockWaits(m)()
	a, b := m.waits.Load(), other.waits.Load()
	for b != nil && b != a && b.next != nil {
		b = b.next
	}
	return a == b
}

// WaitsLeft returns the number of entries for waits that have not ended.
func WaitsLeft(m *TaskManager) int {
	g := m.lockWaits(m)
	defer g.mu.Unlock()
	return len(g.waits) + len(g.waiters) + len(g.keys.of) + g.keys.groups + len(g.keys.behind)
}

// RoomForCalls returns how many calls of user code the manager has room to note.
func RoomForCalls(m *TaskManager) (n int) {
	for i := range m.calls.shards {
		s := &m.calls.shards[i]
		s.mu.Lock()
		n += len(s.open)
		s.mu.Unlock()
	}
	return n
}

// BeginCancelled returns a task that was cancelled after begin had looked at its word and written
// the worker and the time, and before begin has changed the word.
func BeginCancelled(m *TaskManager, name string) (*Handle, error) {
	h := m.newHandle(name, closure(func(context.Context) error { return nil }))
	if err := m.prepare(context.Background(), h, nil, nil); err != nil {
		return nil, err
	}
	h.queuedAt = m.now()
	if err := m.names.Add(h.name, h, &h.place); err != nil {
		return nil, err
	}
	h.claim()
	h.worker, h.startedAt = 1, m.now()
	h.Cancel()
	m.begin(1, h, false)
	return h, nil
}
