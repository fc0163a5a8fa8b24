package queue

// NewLIFO returns an empty queue that hands out the newest item first. It is a
// [Factory].
//
// It is last come, first served. Under overload most items of a FIFO come too
// late, each having waited for the whole backlog; a LIFO serves some at once and
// lets the others wait, perhaps for ever. With a limit on what waits, and the oldest
// dropped beyond it, that is the discipline for work whose value fades.
//
// Every operation but Remove is O(1), and a queue of steady depth allocates
// nothing. It implements [Remover] and [Evictor]; the worst item is the oldest, which
// would run last.
func NewLIFO[T any]() Queue[T] { return new(lifo[T]) }

// lifo is a stack: the chain of segments of a [FIFO], entered and left at the
// back, so that it too grows without moving what it holds.
type lifo[T any] struct{ chain FIFO[T] }

// Push adds an item on top.
func (q *lifo[T]) Push(item T) { q.chain.Push(item) }

// Pop takes the item on top.
func (q *lifo[T]) Pop() (T, bool) { return q.chain.popBack() }

// Len is the number of items held.
func (q *lifo[T]) Len() int { return q.chain.Len() }

// Remove takes out every item for which gone reports true. O(n).
func (q *lifo[T]) Remove(gone func(item T) bool) int { return q.chain.Remove(gone) }

// CanEvict reports that a LIFO can find any victim.
func (q *lifo[T]) CanEvict(Victim) bool { return true }

// Evict takes the item at the bottom, which is both the worst and the oldest.
func (q *lifo[T]) Evict(Victim) (T, bool) { return q.chain.Pop() }
