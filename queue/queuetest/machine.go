package queuetest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
)

// owned is a queue used as an owner does, with the capabilities that it has.
type owned struct {
	queue.Queue[*Item]
	remover  queue.Remover[*Item]
	evictor  queue.Evictor[*Item]
	oldest   queue.OldestEvictor[*Item]
	finisher queue.Finisher[*Item]
	holder   queue.Holder
	clock    queue.Clocked[*Item]
	now      time.Time
}

func own(q queue.Queue[*Item]) *owned {
	o := &owned{Queue: q, now: time.Unix(0, 0)}
	o.remover, _ = q.(queue.Remover[*Item])
	o.evictor, _ = q.(queue.Evictor[*Item])
	o.oldest, _ = q.(queue.OldestEvictor[*Item])
	o.finisher, _ = q.(queue.Finisher[*Item])
	o.holder, _ = q.(queue.Holder)
	o.clock, _ = q.(queue.Clocked[*Item])
	return o
}

func (o *owned) tick() {
	if o.clock != nil {
		o.clock.Tick(o.now)
	}
}

func (o *owned) Push(item *Item) {
	o.tick()
	o.Queue.Push(item)
}

// Pop pops, and also returns what was shed.
func (o *owned) Pop() (item *Item, ok bool, shed []*Item) {
	o.tick()
	item, ok = o.Queue.Pop()
	for o.clock != nil {
		given, more := o.clock.Shed()
		if !more {
			break
		}
		shed = append(shed, given)
	}
	return item, ok, shed
}

// Finish does nothing for a queue that does not want to know.
func (o *owned) Finish(item *Item) {
	if o.finisher != nil {
		o.tick()
		o.finisher.Finish(item)
	}
}

// machine is a queue under test beside the facts that must hold for it.
type machine struct {
	q       *owned
	model   *owned         // nil: any order
	held    map[*Item]bool // pushed, and not yet left in whichever way
	running []*Item        // popped, and not yet finished; only of a queue.Finisher
	seq     int
}

// conservation: what comes out is exactly what went in, once, and Len is exact.
func (s *suite) conservation(t *rapid.T) {
	m := &machine{q: own(s.make()), held: map[*Item]bool{}}
	if s.model != nil {
		m.model = own(s.model())
		m.checkModel(t)
	}
	actions := map[string]func(*rapid.T){
		"push": m.push,
		"pop":  m.pop,
		"":     m.check,
	}
	if m.q.remover != nil {
		actions["remove"] = m.remove
	}
	if m.q.evictor != nil {
		actions["evict"] = m.evict
	}
	if m.q.oldest != nil {
		actions["evictOldest"] = m.evictOldest
	}
	if m.q.finisher != nil {
		actions["finish"] = m.finish
	}
	if m.q.clock != nil {
		actions["wait"] = m.wait
	}
	t.Repeat(actions)
	m.drain(t)
}

// checkModel demands of the model the capabilities without which it could not
// follow the queue.
func (m *machine) checkModel(t *rapid.T) {
	demand := func(needed, has bool, capability string) {
		if needed && !has {
			t.Fatalf("the model %T must implement queue.%s, to follow %T", m.model.Queue, capability, m.q.Queue)
		}
	}
	demand(m.q.remover != nil || m.q.evictor != nil || m.q.oldest != nil, m.model.remover != nil, "Remover")
	demand(m.q.finisher != nil, m.model.finisher != nil, "Finisher")
	demand(m.q.clock != nil, m.model.clock != nil, "Clocked")
}

// several draws a number of items. Runs of pushes and pops reach the sizes at
// which a structure grows and shrinks.
func several(t *rapid.T) int {
	return rapid.SampledFrom([]int{1, 1, 1, 5, 40, 1100}).Draw(t, "items")
}

func (m *machine) push(t *rapid.T) {
	for range several(t) {
		m.seq++
		item := &Item{Seq: m.seq, Value: rapid.IntRange(0, 9).Draw(t, "value")}
		m.q.Push(item)
		m.held[item] = true
		if m.model != nil {
			m.model.Push(item)
		}
	}
}

func (m *machine) pop(t *rapid.T) {
	for range several(t) {
		if !m.popOne(t) {
			return
		}
	}
}

// popOne pops an item and reports whether it is worth while to go on.
func (m *machine) popOne(t *rapid.T) bool {
	item, ok, shed := m.q.Pop()
	if ok {
		m.left(t, "Pop", item)
		if m.q.finisher != nil {
			m.running = append(m.running, item)
		}
	}
	for _, given := range shed {
		m.left(t, "Shed", given)
	}
	if m.model != nil {
		m.compare(t, item, ok, shed)
	}
	if !ok && len(shed) == 0 && len(m.held) > 0 && len(m.running) == 0 {
		t.Fatalf("Pop returned nothing while %d items are held and none runs", len(m.held))
	}
	if m.q.holder != nil && !ok && len(shed) == 0 && m.q.holder.Held() != len(m.held) {
		t.Fatalf("Pop returned nothing, while by Held only %d of %d items may not run", m.q.holder.Held(), len(m.held))
	}
	return ok || len(shed) > 0
}

// compare has the model do the same.
func (m *machine) compare(t *rapid.T, item *Item, ok bool, shed []*Item) {
	want, wantOK, wantShed := m.model.Pop()
	if item != want || ok != wantOK {
		t.Fatalf("Pop returned %v, %v; the model says %v, %v", item, ok, want, wantOK)
	}
	if len(shed) != len(wantShed) {
		t.Fatalf("Pop shed %v; the model says %v", shed, wantShed)
	}
	for i := range shed {
		if shed[i] != wantShed[i] {
			t.Fatalf("Pop shed %v; the model says %v", shed, wantShed)
		}
	}
}

// wait lets time pass for a queue that wants to know it.
func (m *machine) wait(t *rapid.T) {
	d := time.Duration(rapid.SampledFrom([]int{1, 1000, 4_000, 7_000, 30_000, 100_000, 1_000_000}).Draw(t, "µs")) * time.Microsecond
	m.q.now = m.q.now.Add(d)
	if m.model != nil {
		m.model.now = m.q.now
	}
}

// finish ends one of the items that run.
func (m *machine) finish(t *rapid.T) {
	if len(m.running) == 0 {
		t.Skip("nothing runs")
	}
	m.finishOne(rapid.IntRange(0, len(m.running)-1).Draw(t, "which"))
}

func (m *machine) finishOne(i int) {
	item := m.running[i]
	last := len(m.running) - 1
	m.running[i] = m.running[last]
	m.running = m.running[:last]
	m.q.Finish(item)
	if m.model != nil {
		m.model.Finish(item)
	}
}

// left records that call handed item out, which must have been held.
func (m *machine) left(t *rapid.T, call string, item *Item) {
	if !m.held[item] {
		t.Fatalf("%s returned %v, which is not held: it was never pushed or has left before", call, item)
	}
	delete(m.held, item)
}

func (m *machine) remove(t *rapid.T) {
	value := rapid.IntRange(0, 9).Draw(t, "value")
	asked := map[*Item]int{}
	gone := func(item *Item) bool { return item.Value <= value }
	before := m.q.Len()
	m.q.tick()
	got := m.q.remover.Remove(func(item *Item) bool { asked[item]++; return gone(item) })
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
	if m.model != nil {
		m.model.tick()
		m.model.remover.Remove(gone)
	}
}

func (m *machine) evict(t *rapid.T) {
	m.q.tick()
	item, ok := m.q.evictor.Evict()
	if !m.evicted(t, "Evict", item, ok) || m.model == nil {
		return
	}
	m.model.tick()
	if m.model.evictor == nil {
		m.dropFromModel(item)
	} else if want, _ := m.model.evictor.Evict(); item != want {
		t.Fatalf("Evict returned %v; the model says %v", item, want)
	}
}

func (m *machine) evictOldest(t *rapid.T) {
	m.q.tick()
	item, ok := m.q.oldest.EvictOldest()
	if !m.evicted(t, "EvictOldest", item, ok) {
		return
	}
	for other := range m.held {
		if other.Seq < item.Seq {
			t.Fatalf("EvictOldest returned %v; %v is older", item, other)
		}
	}
	if m.model != nil {
		m.model.tick()
		m.dropFromModel(item)
	}
}

func (m *machine) dropFromModel(item *Item) {
	m.model.remover.Remove(func(x *Item) bool { return x == item })
}

// evicted checks what every eviction must do, and reports whether there was one.
func (m *machine) evicted(t *rapid.T, call string, item *Item, ok bool) bool {
	if ok != (len(m.held) > 0) {
		t.Fatalf("%s reported %v with %d items held", call, ok, len(m.held))
	}
	if ok {
		m.left(t, call, item)
	}
	return ok
}

func (m *machine) check(t *rapid.T) {
	if got := m.q.Len(); got != len(m.held) {
		t.Fatalf("Len is %d with %d items held", got, len(m.held))
	}
	if h := m.q.holder; h != nil && (h.Held() < 0 || h.Held() > m.q.Len()) {
		t.Fatalf("Held is %d with %d items in the queue", h.Held(), m.q.Len())
	}
}

// drain takes everything out, and ends what runs when nothing else comes.
func (m *machine) drain(t *rapid.T) {
	for m.popOne(t) || len(m.running) > 0 {
		m.check(t)
		for len(m.running) > 0 {
			m.finishOne(0)
		}
	}
	if len(m.held) > 0 {
		t.Fatalf("%d items never came out: %v", len(m.held), m.held)
	}
}
