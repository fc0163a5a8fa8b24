package queue_test

import (
	"slices"
	"testing"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

// listQueue is a model: a list of items in the order in which they were pushed. The function
// pick chooses the next item to run, and worst the item to evict.
type listQueue[T any] struct {
	items       []T
	pick, worst func(items []T) int
}

func (q *listQueue[T]) Push(item T) { q.items = append(q.items, item) }
func (q *listQueue[T]) Len() int    { return len(q.items) }

func (q *listQueue[T]) Pop() (T, bool)               { return q.take(q.pick) }
func (q *listQueue[T]) CanEvict(v queue.Victim) bool { return v == queue.Worst }
func (q *listQueue[T]) Evict(queue.Victim) (T, bool) { return q.take(q.worst) }

func (q *listQueue[T]) take(choose func(items []T) int) (item T, ok bool) {
	if len(q.items) == 0 {
		return item, false
	}
	i := choose(q.items)
	item = q.items[i]
	q.items = slices.Delete(q.items, i, i+1)
	return item, true
}

func (q *listQueue[T]) Remove(gone func(T) bool) int {
	before := len(q.items)
	q.items = slices.DeleteFunc(q.items, gone)
	return before - len(q.items)
}

// list is the option that compares with a listQueue.
func list(pick, worst func(items []*queuetest.Item) int) queuetest.Option {
	return queuetest.WithModel(func() queue.Queue[*queuetest.Item] {
		return &listQueue[*queuetest.Item]{pick: pick, worst: worst}
	})
}

func first[T any]([]T) int      { return 0 }
func last[T any](items []T) int { return len(items) - 1 }

func TestLIFOConforms(t *testing.T) {
	queuetest.Run(t, queue.NewLIFO[*queuetest.Item], list(last, first))
}
