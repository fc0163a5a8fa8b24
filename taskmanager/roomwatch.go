package taskmanager

import (
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/delay"
)

// roomPatience is how long a submit waits for room before it is looked at for the first
// time.
const roomPatience = 50 * time.Millisecond

// roomWatch looks now and then at tasks that wait for room together. Whether a wait
// closes a circle is found out when it begins; but a queue whose discipline holds tasks
// back can come later to hold nothing but tasks that wait, in the end, for those without
// room. One look follows after twice the time of the one before, so a circle is noticed
// soon, compared to how long it has lasted.
type roomWatch struct {
	m       *TaskManager
	handles []*Handle
	refuse  func(error)
	pause   time.Duration
	last    progress // at the last look

	mu    sync.Mutex // guards the rest
	over  bool
	entry *delay.Entry[func()]
}

// progress is how much a pool has done; while it is the same, no task has begun or ended.
type progress [5]uint64

func (m *TaskManager) progress() progress {
	s := m.pool.Snapshot()
	return progress{s.Started, s.Completed, s.Failed, s.Withdrawn, s.Shed}
}

// watchRoom has tasks refused that wait for room and would wait for ever, until the
// function that it returns is called.
func (m *TaskManager) watchRoom(handles []*Handle, refuse func(error)) (done func()) {
	if m.queue.perKey == 0 {
		return func() {} // whatever is in the queue makes room some day
	}
	w := &roomWatch{m: m, handles: handles, refuse: refuse, pause: roomPatience, last: m.progress()}
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

// look has the tasks refused if they, in a pool that does nothing meanwhile, wait for what
// waits for them.
func (w *roomWatch) look() {
	now := w.m.progress()
	if now == w.last && slices.ContainsFunc(w.handles, waits.trapped) && w.m.progress() == now {
		w.refuse(ErrWouldDeadlock)
		return
	}
	w.last = now
	w.pause *= 2
	w.wait()
}
