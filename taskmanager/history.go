package taskmanager

import (
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
)

// Record describes a task that has ended. Its form in JSON is that of a [TaskStatus] with the
// time of the end.
type Record struct {
	TaskStatus           // as of its end; LastError is its error, nil if it succeeded
	EndedAt    time.Time // when the task ended
}

// WithHistory makes the manager keep records of the last n tasks that ended, for
// [TaskManager.History]. The default is 0: it keeps none.
//
// A record of a [TaskWithProgress] has the final progress and description. The manager asks
// for them when the task ends after an execution, on the goroutine that ran it and without a
// lock. It does not ask a task that ends while it waits, because the goroutine that cancels it
// may hold a lock of the task.
func WithHistory(n int) Option {
	return option{
		name:  "WithHistory",
		set:   func(c *config) { c.history = n },
		fault: fault(n < 0, "the number of tasks is %d; it must be 0 or more", n),
	}
}

// History returns the records of the tasks that ended last, the latest one at the end.
// There are at most as many as [WithHistory] says.
func (m *TaskManager) History() []Record {
	if m.history == nil {
		return nil
	}
	return m.history.all()
}

// history is a ring buffer of records, whose times are moments; see package clock. It holds no
// reference to the tasks.
type history struct {
	mu   sync.Mutex // guards the rest
	ring []Record
	next int // index of the oldest record once the ring is full; the next one replaces it
	size int
}

// newHistory returns nil if size is 0.
func newHistory(size int) *history {
	if size == 0 {
		return nil
	}
	return &history{size: size}
}

// record records that h ends with err. The caller owns the state of the task.
func (m *TaskManager) record(h *Handle, err error) {
	var r Record
	h.word.Lock()
	task, ran := h.task, h.word.Begun()
	h.word.Unlock()
	if ran {
		r.Description, r.Progress, r.ProgressError = progressOf(task)
	}
	h.statusTo(&r.TaskStatus)
	r.Status, r.LastError = Finished, err
	m.history.add(r)
}

// add adds a record, and sets the time of the end.
func (r *history) add(record Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record.EndedAt = time.Now() // with the lock held, so that records are in order of EndedAt
	if len(r.ring) < r.size {
		r.ring = append(r.ring, record)
		return
	}
	r.ring[r.next] = record
	r.next = (r.next + 1) % r.size
}

// all returns the records, the oldest one first.
func (r *history) all() []Record {
	r.mu.Lock()
	records := slices.Concat(r.ring[r.next:], r.ring[:r.next])
	r.mu.Unlock()
	for i := range records {
		records[i].display()
		records[i].EndedAt = clock.Wall(records[i].EndedAt)
	}
	return records
}
