// Package queuetest checks that an implementation of queue.Queue meets its contract:
//
//	func TestMine(t *testing.T) {
//		queuetest.Run(t, func() queue.Queue[*queuetest.Item] { return mine.New() })
//	}
//
// [Run] drives queues with random sequences of calls, as a state machine of package rapid.
// When a rule is broken, rapid prints the shortest sequence that it finds and how to
// replay it. Each rule is a subtest:
//
//   - Conservation: each pushed item leaves the queue once, and Len is exact. Pop returns
//     an item unless all items are held. With [WithModel], the items leave in the order of
//     the model.
//   - WorkConservation: no worker is idle while an item waits. At each step of the same
//     workload, the queue is as long as a FIFO. This rule does not apply to an implementation
//     of queue.Holder or queue.Discarder.
//   - Independence: two queues of one factory share no state.
//   - Memory: an item that has left the queue can be garbage-collected.
//   - Allocations: a Push followed by a Pop allocates nothing, or at most the budget of
//     [WithAllocs].
//
// The suite uses and checks the optional interfaces of package queue that the queue
// implements. The rules apply to items that are removed, evicted or discarded, too. An item
// evicted as queue.Oldest must be the oldest one, a discarded item needs a reason, Pop must
// hold back exactly the items that queue.Holder counts, also when items have lent their places in a
// queue.Lender, a queue.Drainer must shed nothing after Drain, and an item that a queue.Fronter puts
// first runs before all items of the same Value, unless the queue is a queue.Holder. Pop returns what a
// queue.Previewer has said.
//
// # Files of rapid
//
// When a rule fails, rapid writes the sequence of calls to testdata/rapid in the directory of the
// test, and replays it in later runs. Run the test with -rapid.nofailfile, or with
// RAPID_NOFAILFILE=1 in the environment, to write no file. To delete the files is safe.
package queuetest

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
)

// Item is the type of the items that the suite pushes.
type Item struct {
	// Seq numbers the items in the order in which they are pushed, starting with 1.
	Seq int
	// Value is a random number from 0 to 9. A discipline can use it as the attribute that
	// it needs: a priority, a key or a cost.
	Value int

	// The pointer keeps the allocator from placing several small items in one block of
	// memory, where one item keeps all others reachable.
	_ *Item
}

// String returns the form used in failure messages.
func (i *Item) String() string {
	if i == nil {
		return "nil"
	}
	return fmt.Sprintf("#%d(%d)", i.Seq, i.Value)
}

// Option configures [Run].
type Option func(*suite)

// WithModel compares the queue with a model: each Pop must return the same item. The model
// should be the simplest implementation of the order. The default is to accept any order.
//
// If the queue under test implements queue.Remover or queue.Evictor, the model must implement
// queue.Remover. The model must also implement queue.Finisher and queue.Clocked if the
// queue does, and queue.Discarder and queue.Drainer if the queue implements them together with
// queue.Clocked. If the model can evict a victim, it must be the same one as that of the queue. If
// the model does not implement queue.Fronter or queue.Lender, the queue is driven without it.
func WithModel(model queue.Factory[*Item]) Option {
	return func(s *suite) { s.model = model }
}

// WithAllocs sets the average number of allocations that a Push followed by a Pop may make
// in the steady state. The default is 0.
func WithAllocs(budget float64) Option {
	return func(s *suite) { s.allocs = budget }
}

type suite struct {
	make   queue.Factory[*Item]
	model  queue.Factory[*Item]
	allocs float64
}

// Run checks the queues made by makeQueue, with one subtest for each rule.
func Run(t *testing.T, makeQueue queue.Factory[*Item], opts ...Option) {
	t.Helper()
	s := &suite{make: makeQueue}
	for _, o := range opts {
		o(s)
	}
	t.Run("Conservation", func(t *testing.T) { rapid.Check(t, s.conservation) })
	if s.conservesWork() {
		t.Run("WorkConservation", func(t *testing.T) { rapid.Check(t, s.workConservation) })
	}
	t.Run("Independence", s.independence)
	t.Run("Memory", s.memory)
	t.Run("Allocations", s.allocations)
}
