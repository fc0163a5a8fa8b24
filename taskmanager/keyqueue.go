package taskmanager

import (
	"container/list"
	"errors"
	"fmt"
	"sync"

	"github.com/seed56799101/taskmanager/internal/capacity"
)

// WithKeyQueueLimit limits how many tasks of a key are queued to n, which must be positive. A
// key that floods the manager then fills the queue with at most n tasks. It works with each
// discipline, and together with [WithLimit] or without. The key of a task is set by [WithKey]
// or [TaskWithKey]. Tasks without a key are not limited.
//
// A task counts from its submit, while it waits for room under WithLimit too, until a worker
// takes it, even if a worker is free. So choose n no smaller than the bursts that you accept.
// The overflow policy decides what a submit does for a key that has n tasks queued:
//
//   - [Reject] returns an error that matches [ErrQueueFull] and names the key. A SubmitAll is
//     refused as a whole.
//   - [DropNewest] drops the submitted task.
//   - [DropOldest] drops the task of the key that has been queued longest, or the submitted
//     one if the submits of the others have not returned yet.
//
// There are no other policies: a submit that waited would hold up its caller for the sake of
// one key. A dropped task ends with [ErrDropped]. Tasks that restart, tasks whose delay has
// passed and runs of a [Schedule] count, but are queued even beyond the limit, as with
// WithLimit. A delayed task does not count before it is due.
func WithKeyQueueLimit(n int, overflow Overflow) Option {
	known := overflow == Reject || overflow == DropNewest || overflow == DropOldest
	return option{
		name: "WithKeyQueueLimit",
		set:  func(c *config) { c.keyQueue = &keyQueues{most: n, overflow: overflow} },
		fault: errors.Join(
			fault(n < 1, "the limit is %d; it must be 1 or more", n),
			fault(!known, "the policy %v is not supported; choose Reject, DropNewest or DropOldest", overflow),
		),
	}
}

// keyFullError is the error of a submit that WithKeyQueueLimit rejects.
type keyFullError struct {
	key  string
	most int
}

// Error returns the text of the error.
func (e *keyFullError) Error() string {
	return fmt.Sprintf("taskmanager: the key %q may have no more than %d tasks in the queue; try again later, or raise the limit", e.key, e.most)
}

// Unwrap returns [ErrQueueFull].
func (e *keyFullError) Unwrap() error { return ErrQueueFull }

// ErrorType returns the error.type attribute for telemetry.
func (e *keyFullError) ErrorType() string { return "queue_full" }

// keyQueues holds the queued tasks of each key, in the order of their arrival. Its lock is taken
// after those of handles and pools.
//
// Invariants: each task with a key that is in the queue of the pool and waits to run is in the
// line of its key, or is a victim whose successor is not in the queue yet. Without restarts,
// delayed tasks and schedules no line is longer than most. A task leaves its line when its state
// stops being admitting or queued, or when it becomes a victim. There are no empty lines.
type keyQueues struct {
	most     int
	overflow Overflow

	mu    sync.Mutex
	lines capacity.Map[string, *list.List] // of *queuedTask
	calls uint64                           // of enter
}

// queuedTask is the place of a task in the line of its key.
type queuedTask struct {
	h        *Handle
	line     *list.List
	e        *list.Element
	call     uint64 // of enter, which has added it; 0: none
	admitted bool   // its submit has returned, so it may be dropped
}

// applies reports whether a task is counted.
func (k *keyQueues) applies(h *Handle) bool { return k != nil && h.cfg != nil && h.cfg.key != "" }

// pushLocked adds a task to the line of its key, for a call of enter, or 0.
func (k *keyQueues) pushLocked(h *Handle, call uint64, admitted bool) {
	line := k.lines.Get(h.cfg.key)
	if line == nil {
		line = list.New()
		k.lines.Set(h.cfg.key, line)
	}
	q := &queuedTask{h: h, line: line, call: call, admitted: admitted}
	q.e = line.PushBack(q)
	h.cfg.inLine = q
}

// removeLocked takes a task out of its line, if it is in one.
func (k *keyQueues) removeLocked(h *Handle) {
	q := h.cfg.inLine
	if q == nil {
		return
	}
	h.cfg.inLine = nil
	if q.line.Remove(q.e); q.line.Len() == 0 {
		k.lines.Delete(h.cfg.key)
	}
}

// add counts a task that is queued even beyond the limit. It may be dropped at once if it is
// admitted.
func (k *keyQueues) add(h *Handle, admitted bool) {
	if k.applies(h) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.pushLocked(h, 0, admitted)
	}
}

// admit notes that the submit of a task has returned.
func (k *keyQueues) admit(h *Handle) {
	if k.applies(h) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if h.cfg.inLine != nil {
			h.cfg.inLine.admitted = true
		}
	}
}

// leave notes that a task is no longer queued.
func (k *keyQueues) leave(h *Handle) {
	if k.applies(h) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.removeLocked(h)
	}
}

// fullLocked reports whether the line of a key has no room for n more tasks.
func (k *keyQueues) fullLocked(key string, n int) bool {
	line := k.lines.Get(key)
	return line != nil && line.Len()+n > k.most || n > k.most
}

// enter counts tasks that are being submitted together. It returns the tasks to be dropped. If
// there is an error, none is counted.
func (k *keyQueues) enter(handles []*Handle) (victims []*Handle, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls++
	if k.overflow == Reject {
		if err := k.roomForLocked(handles); err != nil {
			return nil, err
		}
	}
	for _, h := range handles {
		if !k.applies(h) {
			continue
		}
		if k.fullLocked(h.cfg.key, 1) {
			victim := k.victimLocked(h)
			victims = append(victims, victim)
			if victim == h {
				continue
			}
			k.removeLocked(victim)
		}
		k.pushLocked(h, k.calls, false)
	}
	return victims, nil
}

// roomForLocked returns an error if a key has no room for all its tasks in handles.
func (k *keyQueues) roomForLocked(handles []*Handle) error {
	more := map[string]int{}
	for _, h := range handles {
		if !k.applies(h) {
			continue
		}
		if more[h.cfg.key]++; k.fullLocked(h.cfg.key, more[h.cfg.key]) {
			return &keyFullError{h.cfg.key, k.most}
		}
	}
	return nil
}

// victimLocked returns the task to drop for h: h itself, or the first one in the line that is
// admitted or is submitted together with h.
func (k *keyQueues) victimLocked(h *Handle) *Handle {
	if k.overflow == DropNewest {
		return h
	}
	for e := k.lines.Get(h.cfg.key).Front(); e != nil; e = e.Next() {
		q := e.Value.(*queuedTask)
		if q.admitted || q.call == k.calls {
			return q.h
		}
	}
	return h
}

// lineUp counts tasks that are about to be offered to the pool. If there are too many tasks of a
// key, it returns an error, or it drops tasks that are queued, or it returns tasks of handles that
// the caller must drop when the pool has accepted the rest.
func (m *TaskManager) lineUp(handles []*Handle) (rest, surplus []*Handle, err error) {
	if m.keyQueue == nil {
		return handles, nil, nil
	}
	victims, err := m.keyQueue.enter(handles)
	if err != nil || len(victims) == 0 {
		return handles, nil, err
	}
	drop := make(map[*Handle]bool, len(victims))
	for _, v := range victims {
		drop[v] = true
	}
	for _, h := range handles {
		if drop[h] {
			surplus = append(surplus, h)
			delete(drop, h)
		} else {
			rest = append(rest, h)
		}
	}
	for _, v := range victims {
		if drop[v] {
			m.drop(v)
		}
	}
	return rest, surplus, nil
}

// drop ends a task of a key that has too many: a queued one, or one that is being submitted by
// the caller and has not been offered to the pool. It does nothing if a worker has taken the task
// or it was cancelled.
func (m *TaskManager) drop(h *Handle) {
	h.word.Lock()
	was := h.word.State()
	if was != queued && was != admitting {
		h.word.Unlock()
		return
	}
	h.word.Set(ending)
	h.noteOutcomeLocked(ErrDropped)
	ctx := h.ctxLocked()
	h.word.Unlock()
	if was == queued {
		m.pool.Withdraw()
	}
	log := m.logFor(h, ctx)
	m.end(h, h.withLastFailure(ErrDropped, nil))
	m.logDropped(log, ErrDropped)
}
