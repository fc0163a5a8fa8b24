// Package queuetest checks that an implementation of queue.Queue behaves as
// its contract says, for the disciplines of package queue and for your own:
//
//	func TestMine(t *testing.T) {
//		queuetest.Run(t, func() queue.Queue[*queuetest.Item] { return mine.New() })
//	}
//
// It drives the queue with random sequences of calls (a rapid state machine)
// and prints the shortest sequence that breaks a rule, with the way to replay
// it. Optional capabilities are checked when the queue implements them.
package queuetest

import (
	"fmt"
	"runtime"
	"testing"
	"time"
	"weak"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
)

// Item is what the suite pushes. Seq is its place in the order of arrival,
// from 1. Value is drawn at random from 0 to 9; a discipline under test reads
// it as whatever it orders by: a priority, a key, a cost.
type Item struct {
	Seq   int
	Value int
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
	t.Run("Independence", s.independence)
	t.Run("Memory", s.memory)
	t.Run("Allocations", s.allocations)
}

// machine is a queue under test beside the facts that must hold for it.
type machine struct {
	q     queue.Queue[*Item]
	model queue.Queue[*Item] // nil: any order
	held  map[*Item]bool     // pushed, and neither popped, removed nor shed
	seq   int
	clock queue.Clocked[*Item] // q, if it has the capability
	now   time.Time
}

// conservation: what comes out is exactly what went in, once, and Len is exact.
func (s *suite) conservation(t *rapid.T) {
	m := &machine{q: s.make(), held: map[*Item]bool{}}
	m.clock, _ = m.q.(queue.Clocked[*Item])
	if s.model != nil {
		m.model = s.model()
	}
	actions := map[string]func(*rapid.T){
		"push": m.push,
		"pop":  m.pop,
		"":     m.check,
	}
	if r, ok := m.q.(queue.Remover[*Item]); ok {
		actions["remove"] = func(t *rapid.T) { m.remove(t, r) }
	}
	if e, ok := m.q.(queue.Evictor[*Item]); ok {
		actions["evict"] = func(t *rapid.T) { m.evict(t, e) }
	}
	t.Repeat(actions)
	m.drain(t)
}

func (m *machine) push(t *rapid.T) {
	// Runs of pushes reach the sizes at which a structure grows and shrinks.
	for range rapid.SampledFrom([]int{1, 1, 1, 5, 40, 1100}).Draw(t, "items") {
		m.seq++
		item := &Item{Seq: m.seq, Value: rapid.IntRange(0, 9).Draw(t, "value")}
		m.tick(t)
		m.q.Push(item)
		m.held[item] = true
		if m.model != nil {
			m.model.Push(item)
		}
	}
}

func (m *machine) pop(t *rapid.T) {
	for range rapid.SampledFrom([]int{1, 1, 1, 5, 40, 1100}).Draw(t, "items") {
		if !m.popOne(t) {
			return
		}
	}
}

func (m *machine) popOne(t *rapid.T) bool {
	m.tick(t)
	item, ok := m.q.Pop()
	if ok {
		m.left(t, "Pop", item)
		if f, is := m.q.(queue.Finisher[*Item]); is {
			f.Finish(item)
		}
	}
	m.shed(t)
	if !ok && len(m.held) > 0 {
		// Nothing runs in this machine, so every item is eligible.
		t.Fatalf("Pop returned nothing while %d items are held and none runs", len(m.held))
	}
	if m.model != nil {
		if want, wantOK := m.model.Pop(); item != want || ok != wantOK {
			t.Fatalf("Pop returned %v, %v; the model says %v, %v", item, ok, want, wantOK)
		}
	}
	return ok
}

// tick lets time pass for a queue that wants to know it.
func (m *machine) tick(t *rapid.T) {
	if m.clock == nil {
		return
	}
	d := rapid.SampledFrom([]time.Duration{0, 0, 0, time.Microsecond, time.Millisecond, time.Second}).Draw(t, "time")
	if m.now.IsZero() {
		m.now = time.Unix(0, 0)
	}
	m.now = m.now.Add(d)
	m.clock.Tick(m.now)
}

// shed takes over what a queue that knows the time has given up.
func (m *machine) shed(t *rapid.T) {
	for m.clock != nil {
		item, ok := m.clock.Shed()
		if !ok {
			return
		}
		m.left(t, "Shed", item)
	}
}

// left records that call handed item out, which must have been held.
func (m *machine) left(t *rapid.T, call string, item *Item) {
	if !m.held[item] {
		t.Fatalf("%s returned %v, which is not held: it was never pushed or has left before", call, item)
	}
	delete(m.held, item)
}

func (m *machine) remove(t *rapid.T, r queue.Remover[*Item]) {
	value := rapid.IntRange(0, 9).Draw(t, "value")
	asked := map[*Item]int{}
	gone := func(item *Item) bool { return item.Value <= value }
	before := m.q.Len()
	got := r.Remove(func(item *Item) bool { asked[item]++; return gone(item) })
	want := 0
	for item := range m.held {
		if asked[item] != 1 {
			t.Fatalf("Remove asked %d times about %v, want once for each item held", asked[item], item)
		}
		if gone(item) {
			want++
			delete(m.held, item)
		}
	}
	if len(asked) != before || got != want {
		t.Fatalf("Remove asked about %d items and returned %d; want %d asked, %d removed", len(asked), got, before, want)
	}
	if m.model == nil {
		return
	}
	if mr, ok := m.model.(queue.Remover[*Item]); ok {
		mr.Remove(gone)
		return
	}
	t.Fatalf("the model %T must implement queue.Remover, as %T does", m.model, m.q)
}

func (m *machine) evict(t *rapid.T, e queue.Evictor[*Item]) {
	item, ok := e.Evict()
	if ok != (len(m.held) > 0) {
		t.Fatalf("Evict reported %v with %d items held", ok, len(m.held))
	}
	if !ok {
		return
	}
	m.left(t, "Evict", item)
	if mr, is := m.model.(queue.Remover[*Item]); is {
		mr.Remove(func(x *Item) bool { return x == item })
	}
}

func (m *machine) check(t *rapid.T) {
	if got := m.q.Len(); got != len(m.held) {
		t.Fatalf("Len is %d with %d items held", got, len(m.held))
	}
}

func (m *machine) drain(t *rapid.T) {
	for m.popOne(t) {
		m.check(t)
	}
	if len(m.held) > 0 {
		t.Fatalf("%d items never came out: %v", len(m.held), m.held)
	}
}

// moment is the time that the rules below tell to a queue that wants to know it:
// always the same, so that nothing has waited for too long.
var moment = time.Unix(0, 0)

// push and pop do what an owner does.
func push(q queue.Queue[*Item], item *Item) {
	if c, ok := q.(queue.Clocked[*Item]); ok {
		c.Tick(moment)
	}
	q.Push(item)
}

func pop(q queue.Queue[*Item]) (*Item, bool) {
	if c, ok := q.(queue.Clocked[*Item]); ok {
		c.Tick(moment)
	}
	item, ok := q.Pop()
	if f, is := q.(queue.Finisher[*Item]); is && ok {
		f.Finish(item)
	}
	if c, is := q.(queue.Clocked[*Item]); is {
		for _, more := c.Shed(); more; {
			_, more = c.Shed()
		}
	}
	return item, ok
}

// independence: two queues of one factory share nothing.
func (s *suite) independence(t *testing.T) {
	a, b := s.make(), s.make()
	push(a, &Item{Seq: 1})
	if got := b.Len(); got != 0 {
		t.Fatalf("a second queue has Len %d after a push to the first", got)
	}
	if item, ok := pop(b); ok {
		t.Fatalf("a second queue pops %v, which was pushed to the first", item)
	}
}

// memory: the queue keeps no item that has left it.
func (s *suite) memory(t *testing.T) {
	const items = 100
	q := s.make()
	popped := make([]weak.Pointer[Item], 0, items)
	for i := range items {
		push(q, &Item{Seq: i + 1, Value: i % 10})
	}
	for q.Len() > 1 { // one item stays, so that no slice was dropped whole
		item, ok := pop(q)
		if !ok && q.Len() > 0 {
			t.Fatalf("Pop returned nothing with %d items held", q.Len())
		}
		if ok {
			popped = append(popped, weak.Make(item))
		}
	}
	runtime.GC()
	for _, w := range popped {
		if item := w.Value(); item != nil {
			t.Errorf("%v was popped and is still reachable from the queue: zero the slot", item)
		}
	}
	runtime.KeepAlive(q)
}

// allocations: a push and a pop cost no more than the budget at several depths.
func (s *suite) allocations(t *testing.T) {
	for _, depth := range []int{0, 1, 1000} {
		q := s.make()
		for i := range depth {
			push(q, &Item{Seq: i + 1, Value: i % 10})
		}
		next := &Item{Seq: depth + 1}
		got := testing.AllocsPerRun(1000, func() {
			push(q, next)
			next, _ = pop(q)
		})
		if got > s.allocs {
			t.Errorf("a push and a pop at depth %d cost %v allocations, want at most %v", depth, got, s.allocs)
		}
	}
}
