package taskmanager

import (
	"sync"
	"time"
)

// Record is a task that has ended, as the history knows it.
type Record struct {
	TaskStatus           // as of the end; LastError is how it ended
	EndedAt    time.Time // when
}

// WithHistory has the manager remember the last n tasks that have ended, for
// History. The default is 0: none.
func WithHistory(n int) Option {
	return option{
		name:  "WithHistory",
		set:   func(c *config) { c.history = n },
		fault: fault(n < 0, "the number of tasks is %d; it must be 0 or more", n),
	}
}

// History lists the tasks that have ended last, the latest at the end: as many as
// WithHistory says, and none without it.
func (m *TaskManager) History() []Record {
	if m.history == nil {
		return nil
	}
	return m.history.all()
}

// history is a ring of records. It holds no task: only what a record tells.
type history struct {
	mu   sync.Mutex // guards the rest
	ring []Record
	next int // where the next one goes, once the ring is full
	size int
}

// newHistory returns nil for a size of 0.
func newHistory(size int) *history {
	if size == 0 {
		return nil
	}
	return &history{size: size}
}

// add remembers a task that ends now, with err. It is not asked any more how far it is.
func (r *history) add(h *Handle, err error) {
	var record Record
	h.statusTo(&record.TaskStatus)
	record.Status, record.LastError = Finished, err
	r.mu.Lock()
	defer r.mu.Unlock()
	record.EndedAt = time.Now() // here, so that they are in order
	if len(r.ring) < r.size {
		r.ring = append(r.ring, record)
		return
	}
	r.ring[r.next] = record
	r.next = (r.next + 1) % r.size
}

// all lists the records in their order.
func (r *history) all() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(append([]Record{}, r.ring[r.next:]...), r.ring[:r.next]...)
}
