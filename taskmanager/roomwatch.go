package taskmanager

import (
	"slices"
	"sync"
	"time"
)

// roomPatience is how long a submit waits for room before it is looked at for the first
// time.
const roomPatience = 50 * time.Millisecond

// roomWatch looks now and then at tasks that wait for room together. Whether a wait
// closes a circle is found out when it begins; but a queue whose discipline holds tasks
// back can come later to hold nothing but tasks that wait, in the end, for those without
// room. One look follows after twice the time of the one before, so a circle is noticed
// soon, compared to how long it has lasted. Two looks, one after the other, must say so.
type roomWatch struct {
	m       *TaskManager
	handles []*Handle
	refuse  func(error)
	pause   time.Duration
	trapped bool // says the last look

	mu    sync.Mutex // guards the rest
	over  bool
	entry *alarm
}

// watchRoom has tasks refused that wait for room and would wait for ever, until the
// function that it returns is called.
func (m *TaskManager) watchRoom(handles []*Handle, refuse func(error)) (done func()) {
	if m.queue.perKey == 0 {
		return func() {} // whatever is in the queue makes room some day
	}
	w := &roomWatch{m: m, handles: handles, refuse: refuse, pause: roomPatience}
	w.wait()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.over = true
		m.delayed.Remove(w.entry)
	}
}

// wait is for the time of the next look.
func (w *roomWatch) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.entry = w.m.delayed.Add(w.look, w.pause)
	}
}

// look has the tasks refused if they wait for what waits for them.
func (w *roomWatch) look() {
	before, trapped := w.trapped, w.isTrapped()
	w.trapped = trapped
	if before && trapped {
		w.refuse(ErrWouldDeadlock)
		return
	}
	w.pause *= 2
	w.wait()
}

// isTrapped examines the tasks. What it sees of the pool, one thing after the other, is true
// if no task has begun or ended meanwhile.
func (w *roomWatch) isTrapped() bool {
	if !waits.any() {
		return false
	}
	before := w.m.progress()
	return slices.ContainsFunc(w.handles, waits.trapped) && w.m.progress() == before
}

// progress is how much a pool has done.
type progress [5]uint64

func (m *TaskManager) progress() progress {
	s := m.pool.Snapshot()
	return progress{s.Started, s.Completed, s.Failed, s.Withdrawn, s.Shed}
}
