// Package delay calls functions at a later time.
package delay

import (
	"container/heap"
	"math"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/capacity"
	"github.com/seed56799101/taskmanager/scheduler"
)

// Queue calls functions when they are due. Functions that are due at the same moment are
// called in the order in which they were added. The queue keeps them in a binary heap, ordered
// by due time, behind a single timer. An empty queue has no timer. Times are measured on the
// monotonic clock. The memory of a queue follows the number of its entries.
//
// A Queue is safe for concurrent use.
type Queue struct {
	epoch   time.Time // origin of times
	mu      sync.Mutex
	heap    entries
	added   uint64 // entries so far
	timer   scheduler.Timer
	single  bool          // call one function when the timer fires, and set it again for the next one
	armed   time.Duration // when the timer fires, on the clock of the queue; never: it is not set
	pauses  pauses
	stopped bool
	firing  int           // goroutines that may still call functions
	settled bool          // quiet is closed
	quiet   chan struct{} // closed when the queue is stopped and firing is 0
}

// Entry is the place of a function in a [Queue]. [Queue.Remove] takes it out.
type Entry struct {
	at    time.Duration // on the clock of the queue
	seq   uint64        // orders entries of the same time
	call  func()
	index int // in the heap; -1: the entry has left it
}

// NewQueue returns an empty queue. If timer is not nil, it makes the timer of the queue, for a
// simulator in which each event has an instant of its own. Then the queue calls functions that are due
// at the same moment one by one, each when the timer fires.
func NewQueue(timer func(ring func()) scheduler.Timer) *Queue {
	q := &Queue{epoch: time.Now(), armed: never, quiet: make(chan struct{})}
	if timer != nil {
		q.timer, q.single = timer(q.fire), true
	}
	return q
}

// never is later than any due time.
const never = time.Duration(math.MaxInt64)

// afterLocked returns the time d from now.
func (q *Queue) afterLocked(d time.Duration) time.Duration {
	now := q.nowLocked()
	if d >= never-now {
		return never - 1
	}
	return now + d
}

// Add arranges for call to be called when d has passed. The queue holds no lock during the
// call, so call may use the queue. Calls of functions with different due times may overlap, and
// so may calls that take longer than ten milliseconds. Add returns nil if the queue is stopped.
func (q *Queue) Add(call func(), d time.Duration) *Entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := &Entry{at: q.afterLocked(d), call: call}
	if q.stopped {
		return nil
	}
	q.added++
	e.seq = q.added
	heap.Push(&q.heap, e)
	q.armLocked()
	return e
}

// Remove takes an entry out of the queue, so that its function is not called. It reports false
// if the function has been called or is about to be, or if Remove or Stop took the entry out
// before. A nil entry is never in the queue.
func (q *Queue) Remove(e *Entry) bool {
	if e == nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.index < 0 {
		return false
	}
	heap.Remove(&q.heap, e.index)
	q.armLocked()
	return true
}

// Pause stops the clock of the queue: no function becomes due until Resume, and the time in
// between does not count. A call that has begun continues.
func (q *Queue) Pause() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.pauses.paused {
		q.pauses.paused, q.pauses.since = true, time.Since(q.epoch)
		q.armLocked()
	}
}

// Resume ends a pause, if there is one.
func (q *Queue) Resume() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.pauses.paused {
		q.pauses.paused = false
		q.pauses.total += time.Since(q.epoch) - q.pauses.since
		q.armLocked()
	}
}

// Len returns the number of entries in the queue.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.heap)
}

// Stop makes the queue refuse further functions and returns the ones that are not due yet, ordered
// by due time. The channel is closed when no call is in progress; after that there are no calls.
func (q *Queue) Stop() (rest []func(), quiet <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	for len(q.heap) > 0 {
		rest = append(rest, heap.Pop(&q.heap).(*Entry).call)
	}
	q.armLocked()
	q.settleLocked()
	return rest, q.quiet
}

// settleLocked closes quiet if the queue is stopped and no call is in progress.
func (q *Queue) settleLocked() {
	if q.stopped && q.firing == 0 && !q.settled {
		q.settled = true
		close(q.quiet)
	}
}

// armLocked sets the timer for the first entry, or stops it if there is none, or during a pause.
func (q *Queue) armLocked() {
	if len(q.heap) == 0 || q.pauses.paused {
		if q.timer != nil {
			q.timer.Stop()
		}
		q.armed = never
		return
	}
	first := q.heap[0].at
	if first == q.armed {
		return
	}
	q.armed = first
	left := first - q.nowLocked()
	if q.timer == nil {
		q.timer = time.AfterFunc(left, q.fire)
		return
	}
	q.timer.Reset(left)
}

// fire calls the functions that are due. They leave the heap under the lock, and the timer is
// set for the remaining ones before the calls begin. A slow function therefore delays only the
// functions that are due at the same time, and those for no longer than patience each.
func (q *Queue) fire() {
	q.mu.Lock()
	now := q.nowLocked()
	b := new(batch)
	for len(q.heap) > 0 && q.heap[0].at <= now {
		b.calls = append(b.calls, heap.Pop(&q.heap).(*Entry).call)
		if q.single {
			break
		}
	}
	q.firing++
	q.armed = never // the timer has fired, or is about to be reset
	q.armLocked()
	if len(b.calls) > 1 {
		b.watch = time.AfterFunc(patience, func() { q.help(b) })
	}
	q.mu.Unlock()
	q.run(b)
}

// batch holds functions that are due at the same moment. The lock of the queue guards it.
type batch struct {
	calls []func()    // that no goroutine has begun to call
	watch *time.Timer // calls help; nil: there is only one function
}

// patience is how long a function may take before another goroutine calls the next one of its
// batch. A function may block until that one has been called.
const patience = 10 * time.Millisecond

// run calls the functions of a batch that are left.
func (q *Queue) run(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(b.calls) > 0 {
		call := b.calls[0]
		b.calls = b.calls[1:]
		q.mu.Unlock()
		call()
		q.mu.Lock()
	}
	if b.watch != nil {
		b.watch.Stop()
	}
	q.firing--
	q.settleLocked()
}

// help is run on a further goroutine, if there is something left to do.
func (q *Queue) help(b *batch) {
	q.mu.Lock()
	if len(b.calls) == 0 {
		q.mu.Unlock()
		return
	}
	q.firing++
	b.watch.Reset(patience)
	q.mu.Unlock()
	q.run(b)
}

// pauses are the pauses of a queue, on which its clock stands still.
type pauses struct {
	paused bool
	since  time.Duration // start of the pause, since the epoch, while paused
	total  time.Duration // length of the pauses that have ended
}

// nowLocked returns the time on the clock of the queue: the time since the epoch, without pauses.
func (q *Queue) nowLocked() time.Duration {
	if q.pauses.paused {
		return q.pauses.since - q.pauses.total
	}
	return time.Since(q.epoch) - q.pauses.total
}

// entries is a heap.Interface in which each entry knows its index.
type entries []*Entry

func (h entries) Len() int { return len(h) }

func (h entries) Less(i, j int) bool {
	if h[i].at == h[j].at {
		return h[i].seq < h[j].seq
	}
	return h[i].at < h[j].at
}

func (h entries) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *entries) Push(x any) {
	e := x.(*Entry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *entries) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = capacity.Shrink(old[:len(old)-1])
	e.index = -1
	return e
}
