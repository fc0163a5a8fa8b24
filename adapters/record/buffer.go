package record

import (
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

// interval is the time after which a row is written at the latest. With each row on its own, a worker
// would wake the writing goroutine for each task.
const interval = time.Second

// buffer holds rows until its goroutine has written them.
type buffer struct {
	limit int
	to    *writer
	wake  chan struct{} // holds an element if the goroutine has something to do
	done  chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex     // guards the rest; it is held for a few instructions
	rows    []trace.Record // that the goroutine has yet to take
	taken   int            // rows that it has taken and not written
	dropped int64          // rows so far
	untold  int64          // those of which the writer does not know yet, because the buffer was full
	err     error          // of the last operation on a file that failed
	closed  bool
}

func newBuffer(limit int, to *writer) *buffer {
	b := &buffer{limit: limit, to: to, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go b.write()
	return b
}

// add adds a row, or drops it if there is no room. It does not wait for a write. A row that comes during
// close may be lost: its task has not quite ended.
func (b *buffer) add(r trace.Record) {
	b.mu.Lock()
	if len(b.rows)+b.taken >= b.limit {
		b.dropped++
		b.untold++
		b.mu.Unlock()
		return
	}
	b.rows = append(b.rows, r)
	n := len(b.rows)
	b.mu.Unlock()
	if n == 1 || n == b.half() {
		b.signal()
	}
}

// half is the number of rows that are written without further delay.
func (b *buffer) half() int { return (b.limit + 1) / 2 }

func (b *buffer) signal() {
	select {
	case b.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// close writes the rest, ends the goroutine and returns the error of the recording.
func (b *buffer) close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.signal()
	<-b.done
	return b.lastErr()
}

func (b *buffer) droppedSoFar() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

func (b *buffer) lastErr() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// write is the goroutine.
func (b *buffer) write() {
	defer close(b.done)
	var spare []trace.Record
	for {
		<-b.wake
		b.pause()
		rows, dropped, closed := b.take(spare)
		if len(rows) > 0 || dropped > 0 {
			b.note(b.to.write(rows, dropped))
		}
		if closed {
			b.note(0, b.to.close())
			return
		}
		spare = reusable(rows)
	}
}

// pause waits for more rows: for the interval, or until there are many, or the buffer is closed.
func (b *buffer) pause() {
	b.mu.Lock()
	busy := b.closed || len(b.rows) >= b.half()
	b.mu.Unlock()
	if busy {
		return
	}
	t := time.NewTimer(interval)
	defer t.Stop()
	select {
	case <-t.C:
	case <-b.wake:
	}
}

// take takes all rows, and leaves spare in their place, which is empty.
func (b *buffer) take(spare []trace.Record) (rows []trace.Record, dropped int64, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows, b.rows = b.rows, spare
	b.taken = len(rows)
	dropped, b.untold = b.untold, 0
	return rows, dropped, b.closed
}

// note notes that rows were lost because of an error, which may be nil.
func (b *buffer) note(lost int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = 0
	b.dropped += int64(lost)
	if err != nil {
		b.err = err
	}
}

// reusable returns an empty slice with the memory of rows, without their texts; or nil if that is
// much more than they need, after a peak.
func reusable(rows []trace.Record) []trace.Record {
	const small = 1024
	if cap(rows) > max(small, 8*len(rows)) {
		return nil
	}
	clear(rows)
	return rows[:0]
}
