package taskmanager

import (
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
)

// Record describes a task that has ended.
type Record struct {
	TaskStatus           // as of its end; LastError is its error, nil if it succeeded
	EndedAt    time.Time // when the task ended
}

// WithHistory makes the manager keep records of the last n tasks that ended, for
// [TaskManager.History]. The default is 0: it keeps none.
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

// add records that h ends with err. It calls no methods of the task.
func (r *history) add(h *Handle, err error) {
	var record Record
	h.statusTo(&record.TaskStatus)
	record.Status, record.LastError = Finished, err
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
