package queuetest

import (
	"errors"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
)

// machine is the state machine of the rule Conservation.
type machine struct {
	q       *owned
	model   *owned         // nil: any order is accepted
	held    map[*Item]bool // in the queue
	running []*Item        // popped and not finished; empty if the queue is neither a queue.Finisher nor a queue.Lender
	lent    map[*Item]bool // of them, those that have lent their places
	first   []*front       // items that were put first and are in the queue, unless it is a queue.Holder
	fronted map[*Item]bool // all items that were put first
	seq     int            // of the last item pushed

	draining bool // Drain of the queue has been called

	promised []*Item // what the next calls of Pop return, according to Preview
}

// conservation checks the rule Conservation.
func (s *suite) conservation(t *rapid.T) {
	m := &machine{q: own(s.make()), held: map[*Item]bool{}, lent: map[*Item]bool{}, fronted: map[*Item]bool{}}
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
	if m.q.canEvict(queue.Worst) {
		actions["evict"] = m.evict
	}
	if m.q.canEvict(queue.Oldest) {
		actions["evictOldest"] = m.evictOldest
	}
	if m.q.tellsEnds() {
		actions["finish"] = m.finish
	}
	if m.q.clock != nil {
		actions["wait"] = m.wait
	}
	if m.q.fronter != nil && (m.model == nil || m.model.fronter != nil) {
		actions["pushFront"] = m.pushFront
	}
	if m.q.lender != nil && (m.model == nil || m.model.lender != nil) {
		actions["lend"] = m.lend
	}
	t.Repeat(actions)
	m.drain(t)
}

// checkModel fails if the model lacks an interface that it needs to follow the queue.
func (m *machine) checkModel(t *rapid.T) {
	require := func(needed, has bool, name string) {
		if needed && !has {
			t.Fatalf("the model %T must implement queue.%s to follow %T", m.model.Queue, name, m.q.Queue)
		}
	}
	require(m.q.remover != nil || m.q.evictor != nil, m.model.remover != nil, "Remover")
	require(m.q.finisher != nil, m.model.finisher != nil, "Finisher")
	require(m.q.discarder != nil && m.q.clock != nil, m.model.discarder != nil, "Discarder")
	require(m.q.drainer != nil && m.q.clock != nil, m.model.drainer != nil, "Drainer")
	require(m.q.clock != nil, m.model.clock != nil, "Clocked")
}

// several draws a number of items. Large numbers reach the lengths at which a data structure
// grows or shrinks.
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
		m.settle(t, "Push")
	}
}

// front is an item that was put first, with its equals that were in the queue then.
type front struct {
	item   *Item
	equals map[*Item]bool
}

// pushFront puts one item first.
func (m *machine) pushFront(t *rapid.T) {
	m.seq++
	f := &front{&Item{Seq: m.seq, Value: rapid.IntRange(0, 9).Draw(t, "value")}, map[*Item]bool{}}
	for other := range m.held {
		f.equals[other] = other.Value == f.item.Value
	}
	m.q.PushFront(f.item)
	m.held[f.item], m.fronted[f.item] = true, true
	if m.q.holder == nil { // items that have been admitted may run before
		m.first = append(m.first, f)
	}
	if m.model != nil {
		m.model.PushFront(f.item)
	}
	m.settle(t, "PushFront")
}

// overtakes fails if an item was popped before another one that was put before it.
func (m *machine) overtakes(t *rapid.T, item *Item) {
	for _, f := range m.first {
		if f.equals[item] {
			t.Fatalf("Pop returned %v before %v, which has the same value and was put before it by PushFront", item, f.item)
		}
	}
}

// lend has a running item lend its place, or continue.
func (m *machine) lend(t *rapid.T) {
	if len(m.running) == 0 {
		t.Skip("no item is running")
	}
	item := m.running[rapid.IntRange(0, len(m.running)-1).Draw(t, "which")]
	m.lendOne(t, item, !m.lent[item])
}

func (m *machine) lendOne(t *rapid.T, item *Item, lends bool) {
	m.lent[item] = lends
	m.q.Lent(item, lends)
	if m.model != nil {
		m.model.Lent(item, lends)
	}
	m.settle(t, "Lent")
}

func (m *machine) pop(t *rapid.T) {
	n := several(t)
	if m.q.previewer != nil {
		m.promised = m.q.Preview(n)
		m.checkPreview(t, n)
	}
	for range n {
		if !m.popOne(t) {
			break
		}
	}
	m.promised = nil
}

// checkPreview checks the number of items of a preview of n.
func (m *machine) checkPreview(t *rapid.T, n int) {
	if len(m.promised) > n {
		t.Fatalf("Preview(%d) returned %d items", n, len(m.promised))
	}
	mayRun := min(n, len(m.held)-m.heldBack())
	if m.q.discarder == nil && len(m.promised) != mayRun { // otherwise some may be shed
		t.Fatalf("Preview(%d) returned %d items, and %d of those in the queue may run", n, len(m.promised), mayRun)
	}
}

// kept compares the result of Pop with the preview, which holds until the queue discards an item.
func (m *machine) kept(t *rapid.T, item *Item, ok bool, given []discarded) {
	if len(m.promised) == 0 {
		return
	}
	if !ok || item != m.promised[0] {
		t.Fatalf("Pop returned %v, %v; the preview before it has %v", item, ok, m.promised[0])
	}
	if m.promised = m.promised[1:]; len(given) > 0 {
		m.promised = nil
	}
}

// popOne calls Pop once and reports whether another call could return an item.
func (m *machine) popOne(t *rapid.T) bool {
	before := m.heldBack()
	allHeld := before > 0 && before == len(m.held)
	item, ok, given := m.q.Pop()
	m.kept(t, item, ok, given)
	if ok && allHeld {
		t.Fatalf("Pop returned %v, with %d items in the queue; according to Held, none of them may run", item, before)
	}
	if ok {
		m.left(t, "Pop", item)
		m.overtakes(t, item)
		if m.q.tellsEnds() {
			m.running = append(m.running, item)
		}
	}
	var wanted []discarded
	if m.model != nil {
		var want *Item
		var wantOK bool
		want, wantOK, wanted = m.model.Pop()
		if item != want || ok != wantOK {
			t.Fatalf("Pop returned %v, %v; the model returned %v, %v", item, ok, want, wantOK)
		}
	}
	m.gaveUp(t, "Pop", given, wanted)
	if ok || len(given) > 0 {
		return true
	}
	if len(m.held) > 0 && len(m.running) == 0 {
		t.Fatalf("Pop returned nothing, with %d items in the queue and none running", len(m.held))
	}
	if held := m.heldBack(); held != len(m.held) {
		t.Fatalf("Pop returned nothing, with %d items in the queue; according to Held, %d of them may not run", len(m.held), held)
	}
	return false
}

// heldBack returns the number of items that may not run according to Held, and 0 if the queue is not a
// queue.Holder.
func (m *machine) heldBack() int {
	if m.q.holder == nil {
		return 0
	}
	return m.q.holder.Held()
}

// settle checks the items that the queue and the model have discarded during a call.
func (m *machine) settle(t *rapid.T, call string) {
	var wanted []discarded
	if m.model != nil {
		wanted = m.model.discarded()
	}
	m.gaveUp(t, call, m.q.discarded(), wanted)
}

// gaveUp checks the items that the queue has discarded during a call; wanted are those of
// the model.
func (m *machine) gaveUp(t *rapid.T, call string, given, wanted []discarded) {
	for _, d := range given {
		if d.reason == nil {
			t.Fatalf("after %s, Discarded returned %v without a reason", call, d.item)
		}
		if m.draining && errors.Is(d.reason, queue.ErrShed) {
			t.Fatalf("after %s, Discarded returned %v, which was shed although Drain has been called", call, d.item)
		}
		m.left(t, "Discarded", d.item)
	}
	if m.model != nil && !slices.Equal(given, wanted) {
		t.Fatalf("%s discarded %v; the model discarded %v", call, given, wanted)
	}
}

// wait advances the time.
func (m *machine) wait(t *rapid.T) {
	m.advance(time.Duration(rapid.SampledFrom([]int{1, 1000, 4_000, 7_000, 30_000, 100_000, 1_000_000}).Draw(t, "µs")) * time.Microsecond)
}

func (m *machine) advance(d time.Duration) {
	m.q.now = m.q.now.Add(d)
	if m.model != nil {
		m.model.now = m.q.now
	}
}

// finish ends one of the running items.
func (m *machine) finish(t *rapid.T) {
	if len(m.running) == 0 {
		t.Skip("no item is running")
	}
	which := rapid.IntRange(0, len(m.running)-1).Draw(t, "which")
	m.finishOne(t, which, rapid.Bool().Draw(t, "ran"))
}

func (m *machine) finishOne(t *rapid.T, i int, ran bool) {
	item := m.running[i]
	if m.lent[item] {
		m.lendOne(t, item, false)
	}
	delete(m.lent, item)
	last := len(m.running) - 1
	m.running[i] = m.running[last]
	m.running = m.running[:last]
	m.q.Finish(item, ran)
	if m.model != nil {
		m.model.Finish(item, ran)
	}
	m.settle(t, "Finish")
}

// left records that an item has left the queue by a call.
func (m *machine) left(t *rapid.T, call string, item *Item) {
	if !m.held[item] {
		t.Fatalf("%s returned %v, which is not in the queue: it was never pushed, or has already left", call, item)
	}
	delete(m.held, item)
	m.first = slices.DeleteFunc(m.first, func(f *front) bool { return f.item == item })
}

func (m *machine) remove(t *rapid.T) {
	value := rapid.IntRange(0, 9).Draw(t, "value")
	asked := map[*Item]int{}
	gone := func(item *Item) bool { return item.Value <= value }
	before := m.q.Len()
	got := m.q.Remove(func(item *Item) bool { asked[item]++; return gone(item) })
	want := 0
	for item := range m.held {
		if asked[item] != 1 {
			t.Fatalf("Remove called gone %d times for %v, want once for each item in the queue", asked[item], item)
		}
		if gone(item) {
			want++
			m.left(t, "Remove", item)
		}
	}
	if len(asked) != before || got != want {
		t.Fatalf("Remove called gone for %d items and returned %d; want %d calls and %d items removed", len(asked), got, before, want)
	}
	if m.model != nil {
		m.model.Remove(gone)
	}
	m.settle(t, "Remove")
}

func (m *machine) evict(t *rapid.T) { m.evictVictim(t, queue.Worst) }

func (m *machine) evictOldest(t *rapid.T) {
	item, ok := m.evictVictim(t, queue.Oldest)
	if !ok || m.fronted[item] {
		return
	}
	for other := range m.held {
		if !m.fronted[other] && other.Seq < item.Seq {
			t.Fatalf("Evict(Oldest) returned %v; %v is older", item, other)
		}
	}
}

// evictVictim evicts an item and checks the result.
func (m *machine) evictVictim(t *rapid.T, v queue.Victim) (item *Item, ok bool) {
	item, ok = m.q.Evict(v)
	if ok != (len(m.held) > 0) {
		t.Fatalf("Evict reported %v with %d items in the queue", ok, len(m.held))
	}
	if !ok {
		return nil, false
	}
	m.left(t, "Evict", item)
	switch {
	case m.model == nil:
	case m.model.canEvict(v):
		if want, _ := m.model.Evict(v); item != want {
			t.Fatalf("Evict returned %v; the model returned %v", item, want)
		}
	default:
		m.model.Remove(func(x *Item) bool { return x == item })
	}
	m.settle(t, "Evict")
	return item, true
}

// check checks the counts after each action.
func (m *machine) check(t *rapid.T) {
	if got := m.q.Len(); got != len(m.held) {
		t.Fatalf("Len is %d with %d items in the queue", got, len(m.held))
	}
	if h := m.q.holder; h != nil && (h.Held() < 0 || h.Held() > m.q.Len()) {
		t.Fatalf("Held is %d with %d items in the queue", h.Held(), m.q.Len())
	}
}

// drain pops all items and finishes them. If the queue is a queue.Drainer, the times between
// two items are so long that it would shed the rest without the call of Drain.
func (m *machine) drain(t *rapid.T) {
	if m.q.drainer != nil {
		m.draining = true
		m.q.drainer.Drain()
		if m.model != nil && m.model.drainer != nil {
			m.model.drainer.Drain()
		}
	}
	for m.popOne(t) || len(m.running) > 0 {
		m.check(t)
		if m.draining {
			m.advance(time.Hour)
		}
		for len(m.running) > 0 {
			m.finishOne(t, 0, true)
		}
	}
	if len(m.held) > 0 {
		t.Fatalf("%d items have not left the queue: %v", len(m.held), m.held)
	}
}
