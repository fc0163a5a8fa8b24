// Package delay holds things until they are due.
package delay

import (
	"container/heap"
	"sync"
	"time"
)

// Queue hands each value to a function when its time has come; values that are
// due at the same moment in the order in which they were added. It keeps them in
// a binary heap on the due time behind one timer, however many wait, and no
// timer while none does.
//
// A Queue is safe for concurrent use.
type Queue[T any] struct {
	due func(T)

	mu      sync.Mutex
	heap    entries[T]
	added   uint64 // entries so far
	timer   *time.Timer
	armed   time.Time // when the timer fires; zero: it is not set
	stopped bool
	firing  int           // calls of fire that may call due
	settled bool          // quiet is closed
	quiet   chan struct{} // closed when it is stopped and firing is 0
}

// Entry is a place in a Queue, by which a value can be withdrawn.
type Entry[T any] struct {
	at    time.Time
	seq   uint64 // decides between entries of the same time
	value T
	index int // in the heap; -1: not there any more
}

// NewQueue returns an empty queue that calls due for each value that falls due,
// without holding a lock. Two calls may be under way at once.
func NewQueue[T any](due func(T)) *Queue[T] {
	return &Queue[T]{due: due, quiet: make(chan struct{})}
}

// Add holds value until d has passed. It returns nil if the queue is stopped.
func (q *Queue[T]) Add(value T, d time.Duration) *Entry[T] {
	e := &Entry[T]{at: time.Now().Add(d), value: value}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped {
		return nil
	}
	q.added++
	e.seq = q.added
	heap.Push(&q.heap, e)
	q.arm()
	return e
}

// Remove withdraws an entry; a nil one is none. It reports false if the value was handed over,
// or withdrawn, before: of Remove, Stop and the hand-over exactly one gets each
// value.
func (q *Queue[T]) Remove(e *Entry[T]) bool {
	if e == nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.index < 0 {
		return false
	}
	heap.Remove(&q.heap, e.index)
	q.arm()
	return true
}

// Len is the number of values that wait.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.heap)
}

// Stop refuses further values and returns those that wait, in the order in
// which they were due. The channel is closed when no call of due is under way any
// more; there will be no further one.
func (q *Queue[T]) Stop() (rest []T, quiet <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	for len(q.heap) > 0 {
		rest = append(rest, heap.Pop(&q.heap).(*Entry[T]).value)
	}
	q.arm()
	q.settle()
	return rest, q.quiet
}

// settle tells whoever has stopped the queue when it is quiet. q.mu is held.
func (q *Queue[T]) settle() {
	if q.stopped && q.firing == 0 && !q.settled {
		q.settled = true
		close(q.quiet)
	}
}

// arm sets the timer for the first entry. q.mu is held.
func (q *Queue[T]) arm() {
	if len(q.heap) == 0 {
		if q.timer != nil {
			q.timer.Stop()
		}
		q.armed = time.Time{}
		return
	}
	first := q.heap[0].at
	if first.Equal(q.armed) {
		return
	}
	q.armed = first
	if q.timer == nil {
		q.timer = time.AfterFunc(time.Until(first), q.fire)
		return
	}
	q.timer.Reset(time.Until(first))
}

// fire hands over what is due. The values leave the heap under the lock, the
// timer is set for those that come later, and then they are handed over without
// the lock: a call of due that takes long holds up only those due with it.
func (q *Queue[T]) fire() {
	q.mu.Lock()
	now := time.Now()
	var due []T
	for len(q.heap) > 0 && !q.heap[0].at.After(now) {
		due = append(due, heap.Pop(&q.heap).(*Entry[T]).value)
	}
	q.firing++
	q.armed = time.Time{} // the timer has fired, or is about to be set anew
	q.arm()
	q.mu.Unlock()
	q.handOver(due)
}

// handOver hands values over. If one of the calls ends the goroutine, another one goes
// on with the rest.
func (q *Queue[T]) handOver(due []T) {
	handed := 0
	defer func() {
		if handed < len(due) {
			go q.handOver(due[handed:])
			return
		}
		q.mu.Lock()
		q.firing--
		q.settle()
		q.mu.Unlock()
	}()
	for handed < len(due) {
		value := due[handed]
		handed++
		q.due(value)
	}
}

// entries implements heap.Interface; each entry knows its index.
type entries[T any] []*Entry[T]

// Len, Less, Swap, Push and Pop are heap.Interface.

func (h entries[T]) Len() int { return len(h) }

func (h entries[T]) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}

func (h entries[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *entries[T]) Push(x any) {
	e := x.(*Entry[T])
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *entries[T]) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.index = -1
	return e
}
