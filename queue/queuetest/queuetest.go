// Package queuetest checks that an implementation of queue.Queue behaves as
// its contract says, for the disciplines of package queue and for your own:
//
//	func TestMine(t *testing.T) {
//		queuetest.Run(t, func() queue.Queue[*queuetest.Item] { return mine.New() })
//	}
//
// It drives the queue with random sequences of calls (a rapid state machine)
// and prints the shortest sequence that breaks a rule, with the way to replay
// it. These are the rules:
//
//   - Conservation: what comes out is exactly what went in, each item once; Len
//     is exact; nothing is held back while nothing runs. With [WithModel], what
//     comes out next is what the model says.
//   - WorkConservation: a worker is never idle beside an item that waits, so the
//     queue has as many items as a FIFO at every step of the same work. Not for
//     queues that may hold back (queue.Holder) or give up (queue.Discarder).
//   - Independence: two queues of one factory share nothing.
//   - Memory: what has left the queue can be collected.
//   - Allocations: a push and a pop allocate no more than the budget, which is
//     nothing, or [WithAllocs].
//
// Optional capabilities of package queue are checked when the queue implements
// them: removed, evicted, discarded and finished items obey the same rules, the
// oldest victim of queue.Evictor is the oldest, and what queue.Holder counts is what
// Pop holds back.
package queuetest

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
)

// Item is what the suite pushes. Seq is its place in the order of arrival,
// from 1. Value is drawn at random from 0 to 9; a discipline under test reads
// it as whatever it orders by: a priority, a key, a cost.
type Item struct {
	Seq   int
	Value int

	// A pointer, because small values without one may share memory, and then a queue that
	// holds one item keeps its neighbours reachable.
	_ *Item
}

// String shows an item in failure messages.
func (i *Item) String() string {
	if i == nil {
		return "nil"
	}
	return fmt.Sprintf("#%d(%d)", i.Seq, i.Value)
}

// Option adjusts what [Run] expects.
type Option interface{ apply(*suite) }

type optionFunc func(*suite)

func (f optionFunc) apply(s *suite) { f(s) }

// WithModel demands that every Pop returns what model's queue returns: a
// reference implementation of the order, as simple as possible. Without it
// any order is accepted.
//
// The model needs queue.Remover where the queue under test implements that or
// can evict, queue.Finisher and queue.Clocked where that one does, and
// queue.Discarder where that one sheds. If it implements queue.Evictor, the victims
// are compared too.
func WithModel(model queue.Factory[*Item]) Option {
	return optionFunc(func(s *suite) { s.model = model })
}

// WithAllocs sets how many allocations a Push followed by a Pop may cost in
// the steady state, on average. The default is 0.
func WithAllocs(budget float64) Option {
	return optionFunc(func(s *suite) { s.allocs = budget })
}

type suite struct {
	make   queue.Factory[*Item]
	model  queue.Factory[*Item]
	allocs float64
}

// Run checks the queues that make returns, each rule in a subtest of its own.
func Run(t *testing.T, makeQueue queue.Factory[*Item], opts ...Option) {
	t.Helper()
	s := &suite{make: makeQueue}
	for _, o := range opts {
		o.apply(s)
	}
	t.Run("Conservation", func(t *testing.T) { rapid.Check(t, s.conservation) })
	if s.conservesWork() {
		t.Run("WorkConservation", func(t *testing.T) { rapid.Check(t, s.workConservation) })
	}
	t.Run("Independence", s.independence)
	t.Run("Memory", s.memory)
	t.Run("Allocations", s.allocations)
}
