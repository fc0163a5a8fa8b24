package queuetest_test

import (
	"testing"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

// TestShuffled checks the discipline of the example.
func TestShuffled(t *testing.T) { queuetest.Run(t, newShuffled[*queuetest.Item]) }

// short is a FIFO that gives up its oldest item when it has more than three.
type short struct {
	queue.FIFO[*queuetest.Item]

	gone queue.FIFO[*queuetest.Item]
}

func (q *short) Push(item *queuetest.Item) {
	q.FIFO.Push(item)
	if oldest, ok := q.Peek(); ok && q.Len() > 3 {
		q.Pop()
		q.gone.Push(oldest)
	}
}

func (q *short) Discarded() (item *queuetest.Item, ok bool, reason error) {
	item, ok = q.gone.Pop()
	return item, ok, queue.ErrShed
}

// TestQueueMayDiscardInPush checks that the suite accepts a queue that gives up items during Push.
func TestQueueMayDiscardInPush(t *testing.T) {
	queuetest.Run(t, func() queue.Queue[*queuetest.Item] { return new(short) })
}
