package queuetest_test

import (
	"fmt"
	"slices"

	"github.com/seed56799101/taskmanager/queue"
)

// shuffled is a custom discipline. It always pops the item in the middle, so its order is
// hard to guess, but the same each time.
type shuffled[T any] struct{ items []T }

func newShuffled[T any]() queue.Queue[T] { return new(shuffled[T]) }

func (q *shuffled[T]) Push(item T) { q.items = append(q.items, item) }
func (q *shuffled[T]) Len() int    { return len(q.items) }

func (q *shuffled[T]) Pop() (item T, ok bool) {
	if len(q.items) == 0 {
		return item, false
	}
	i := len(q.items) / 2
	item = q.items[i]
	q.items = slices.Delete(q.items, i, i+1) // also zeroes the free slot
	return item, true
}

// A custom discipline needs three methods. One line in a test file checks it:
//
//	func TestShuffled(t *testing.T) { queuetest.Run(t, newShuffled[*queuetest.Item]) }
func Example() {
	q := newShuffled[int]()
	for i := range 5 {
		q.Push(i)
	}
	for item, ok := q.Pop(); ok; item, ok = q.Pop() {
		fmt.Print(item, " ")
	}
	// Output: 2 3 1 4 0
}
