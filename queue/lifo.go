package queue

// NewLIFO returns an empty queue whose newest item runs first. It is a [Factory].
//
// Under overload, each item of a FIFO waits for the whole backlog, and most items run too
// late. A LIFO runs new items soon, and old ones late or never. With a limited length
// and [Oldest] as the victim it suits work that loses its value with time.
//
// Remove costs O(n), the other operations O(1). A queue of steady length allocates
// nothing. The queue implements [Remover], [Evictor] and [Fronter]; the front is where new items
// go anyway. The [Worst] item is the oldest.
func NewLIFO[T any]() Queue[T] { return new(lifo[T]) }

// lifo is a stack. It uses only the back of a FIFO for Push and Pop.
type lifo[T any] struct{ chain FIFO[T] }

// Push adds an item on top.
func (q *lifo[T]) Push(item T) { q.chain.Push(item) }

// CanPushFront returns true.
func (q *lifo[T]) CanPushFront() bool { return true }

// PushFront adds an item on top.
func (q *lifo[T]) PushFront(item T) { q.chain.Push(item) }

// Pop removes and returns the item on top.
func (q *lifo[T]) Pop() (T, bool) { return q.chain.popBack() }

// Len returns the number of items in the queue.
func (q *lifo[T]) Len() int { return q.chain.Len() }

// Remove removes each item for which gone returns true.
func (q *lifo[T]) Remove(gone func(item T) bool) int { return q.chain.Remove(gone) }

// CanEvict returns true.
func (q *lifo[T]) CanEvict(Victim) bool { return true }

// Evict removes and returns the item at the bottom: it is both the worst and the oldest.
func (q *lifo[T]) Evict(Victim) (T, bool) { return q.chain.Pop() }
