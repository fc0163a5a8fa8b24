package queue_test

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

// gated is a model of LimitByKey over a FIFO: a list of the items that may run, and a list of
// the items that wait for them.
type gated struct {
	n              int                       // the limit of all keys, or
	of             func(*queuetest.Item) int // that of the key of an item; 0 means none
	ready, waiting []*queuetest.Item
	admitted       map[int]int
}

func (q *gated) Len() int { return len(q.ready) + len(q.waiting) }

func (q *gated) Push(i *queuetest.Item) {
	n := q.n
	if q.of != nil {
		n = q.of(i)
	}
	if n > 0 && q.admitted[i.Value] == n {
		q.waiting = append(q.waiting, i)
		return
	}
	q.admitted[i.Value]++
	q.ready = append(q.ready, i)
}

func (q *gated) Pop() (*queuetest.Item, bool) {
	if len(q.ready) == 0 {
		return nil, false
	}
	i := q.ready[0]
	q.ready = q.ready[1:]
	return i, true
}

func (q *gated) Finish(i *queuetest.Item, _ bool) { q.left(i) }

func (q *gated) left(i *queuetest.Item) {
	q.admitted[i.Value]--
	next := slices.IndexFunc(q.waiting, func(w *queuetest.Item) bool { return w.Value == i.Value })
	if next >= 0 {
		w := q.waiting[next]
		q.waiting = slices.Delete(q.waiting, next, next+1)
		q.Push(w)
	}
}

func (q *gated) Remove(gone func(*queuetest.Item) bool) int {
	before := q.Len()
	q.waiting = slices.DeleteFunc(q.waiting, gone)
	var removed []*queuetest.Item
	q.ready = slices.DeleteFunc(q.ready, func(i *queuetest.Item) bool {
		if !gone(i) {
			return false
		}
		removed = append(removed, i)
		return true
	})
	after := q.Len()
	for _, i := range removed {
		q.left(i)
	}
	return before - after
}

func (q *gated) CanEvict(v queue.Victim) bool { return v == queue.Worst }

// Evict takes the newest waiting item of the key with the most of them, or else the newest
// item that may run.
func (q *gated) Evict(queue.Victim) (*queuetest.Item, bool) {
	if q.Len() == 0 {
		return nil, false
	}
	if len(q.waiting) == 0 {
		i := q.ready[len(q.ready)-1]
		q.ready = q.ready[:len(q.ready)-1]
		q.left(i)
		return i, true
	}
	lines := map[int]int{}
	for _, i := range q.waiting {
		lines[i.Value]++
	}
	victim := 0
	for n, i := range q.waiting {
		if lines[i.Value] >= lines[q.waiting[victim].Value] {
			victim = n
		}
	}
	i := q.waiting[victim]
	q.waiting = slices.Delete(q.waiting, victim, victim+1)
	return i, true
}

// limitOfItem gives key 0 no limit, and other keys limits from 1 to 3.
func limitOfItem(i *queuetest.Item) int { return i.Value % 4 }

func TestLimitByKeyConforms(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			queuetest.Run(t, queue.LimitByKey(n, value, nil),
				queuetest.WithModel(func() queue.Queue[*queuetest.Item] {
					return &gated{n: n, admitted: map[int]int{}}
				}))
		})
	}
	t.Run("a limit for each key", func(t *testing.T) {
		queuetest.Run(t, queue.LimitByKeyFunc(limitOfItem, value, nil),
			queuetest.WithModel(func() queue.Queue[*queuetest.Item] {
				return &gated{of: limitOfItem, admitted: map[int]int{}}
			}))
	})
	parity := func(i *queuetest.Item) int { return i.Value % 2 }
	for name, inner := range map[string]queue.Factory[*queuetest.Item]{
		"Priority":      queue.Priority(value, 10),
		"Fair":          queue.Fair(queue.FairConfig[*queuetest.Item, int]{Key: tenant, Cost: cost}),
		"CoDel":         queue.CoDel[*queuetest.Item](queue.CoDelConfig{}),
		"LimitByKey":    queue.LimitByKey(5, parity, nil),
		"not a Remover": func() queue.Queue[*queuetest.Item] { return plain{queue.NewLIFO[*queuetest.Item]()} },
		"a Clocked, not an Evictor": func() queue.Queue[*queuetest.Item] {
			return clocked{plain{queue.NewFIFO[*queuetest.Item]()}}
		},
	} {
		t.Run(name, func(t *testing.T) { queuetest.Run(t, queue.LimitByKey(2, value, inner)) })
	}
}

// plain hides the optional interfaces of a queue.
type plain struct{ queue.Queue[*queuetest.Item] }

// clocked is a queue that needs the time and ignores it.
type clocked struct{ plain }

func (clocked) NeedsTime() bool { return true }
func (clocked) Tick(time.Time)  {}

// TestLimitByKeyKeepsTheOrder checks a Remove over an inner queue that is not a Remover.
func TestLimitByKeyKeepsTheOrder(t *testing.T) {
	q := queue.LimitByKey(9, value, func() queue.Queue[*queuetest.Item] { return plain{queue.NewLIFO[*queuetest.Item]()} })()
	for i := range 5 {
		q.Push(&queuetest.Item{Seq: i})
	}
	q.(queue.Remover[*queuetest.Item]).Remove(func(i *queuetest.Item) bool { return i.Seq == 2 })
	q.Push(&queuetest.Item{Seq: 5})
	var got []int
	for i, ok := q.Pop(); ok; i, ok = q.Pop() {
		got = append(got, i.Seq)
	}
	check.Equal(t, "items in order", got, []int{4, 3, 1, 0, 5})
}

// TestLimitByKeyBounds checks that at most n items of a key run at once, that the oldest item
// of a key runs first, and that Pop returns an item whenever one may run. Over a LIFO, the
// order within a key is guaranteed only for n = 1.
func TestLimitByKeyBounds(t *testing.T) {
	for name, inner := range map[string]queue.Factory[*queuetest.Item]{
		"FIFO": nil, "LIFO": queue.NewLIFO[*queuetest.Item],
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				n := rapid.IntRange(1, 3).Draw(t, "n")
				q := queue.LimitByKey(n, value, inner)()
				running, waiting := map[int][]*queuetest.Item{}, map[int][]*queuetest.Item{}
				seq := 0
				t.Repeat(map[string]func(*rapid.T){
					"push": func(t *rapid.T) {
						key := rapid.IntRange(0, 4).Draw(t, "key")
						for range rapid.SampledFrom([]int{1, 2, 9}).Draw(t, "items") {
							seq++
							i := &queuetest.Item{Seq: seq, Value: key}
							waiting[key] = append(waiting[key], i)
							q.Push(i)
						}
					},
					"pop": func(t *rapid.T) {
						i, ok := q.Pop()
						if !ok {
							for key, w := range waiting {
								if len(w) > 0 && len(running[key]) < n {
									t.Fatalf("Pop returned nothing, with %v waiting and only %v of key %d running", w, running[key], key)
								}
							}
							return
						}
						key := i.Value
						if n == 1 || inner == nil {
							if first := waiting[key][0]; i != first {
								t.Fatalf("Pop returned %v before %v", i, first)
							}
						}
						waiting[key] = slices.DeleteFunc(waiting[key], func(x *queuetest.Item) bool { return x == i })
						running[key] = append(running[key], i)
						if len(running[key]) > n {
							t.Fatalf("%v run at once, want at most %d items of a key", running[key], n)
						}
					},
					"finish": func(t *rapid.T) {
						key := rapid.IntRange(0, 4).Draw(t, "key")
						if len(running[key]) == 0 {
							t.Skip("no item of this key is running")
						}
						which := rapid.IntRange(0, len(running[key])-1).Draw(t, "which")
						i := running[key][which]
						running[key] = slices.Delete(running[key], which, which+1)
						q.(queue.Finisher[*queuetest.Item]).Finish(i, true)
					},
				})
			})
		})
	}
}

// TestValidate checks the errors for invalid arguments.
func TestValidate(t *testing.T) {
	type item = *queuetest.Item
	none := func() queue.Queue[item] { return nil }
	for name, test := range map[string]struct {
		err  error
		want []string // parts of the message
	}{
		"priority without levels":  {validate(queue.Priority[item](nil, 1)), []string{"Priority", "level", "nil"}},
		"negative ageing":          {validate(queue.Priority(value, -1)), []string{"ageing is -1", "0 for strict"}},
		"vast ageing":              {validate(queue.Priority(value, 1<<30+1)), []string{"ageing is 1073741825"}},
		"no deadlines":             {validate(queue.Deadline(queue.DeadlineConfig[item]{})), []string{"Deadline", "nil"}},
		"negative horizon":         {validate(queue.Deadline(queue.DeadlineConfig[item]{Deadline: dueIn, Horizon: -1})), []string{"horizon is -1ns"}},
		"horizon without Enqueued": {validate(queue.Deadline(queue.DeadlineConfig[item]{Deadline: dueIn, Horizon: 1})), []string{"set Enqueued"}},
		"fair without keys":        {validate(queue.Fair(queue.FairConfig[item, int]{})), []string{"Fair", "Key", "nil"}},
		"negative target":          {validate(queue.CoDel[item](queue.CoDelConfig{Target: -1})), []string{"target is -1ns"}},
		"target over interval":     {validate(queue.CoDel[item](queue.CoDelConfig{Target: 2, Interval: 1})), []string{"interval 1ns"}},
		"limit without keys":       {validate(queue.LimitByKey[item, int](1, nil, nil)), []string{"LimitByKey", "key", "nil"}},
		"limit of 0":               {validate(queue.LimitByKey(0, value, nil)), []string{"limit is 0", "1 or more"}},
		"no function for limits":   {validate(queue.LimitByKeyFunc(nil, value, nil)), []string{"LimitByKeyFunc", "limit", "nil"}},
		"limit over a Holder that is not a Remover": {validate(queue.LimitByKey(1, value, func() queue.Queue[item] {
			return holder{plain{queue.NewFIFO[item]()}}
		})), []string{"queue_test.holder", "queue.Remover"}},
		"limit over nil": {validate(queue.LimitByKey(1, value, none)), []string{"LimitByKey", "returned nil"}},
		"two faults":     {validate(queue.LimitByKey(-1, value, queue.Priority[item](nil, 0))), []string{"limit is -1", "Priority"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, part := range test.want {
				if test.err == nil || !strings.Contains(test.err.Error(), part) {
					t.Errorf("the error is %v; want one that contains %q", test.err, part)
				}
			}
		})
	}
	for name, f := range map[string]queue.Factory[item]{
		"Priority": queue.Priority(value, 1<<30), "Deadline": queue.Deadline(queue.DeadlineConfig[item]{Deadline: dueIn}),
		"Fair": queue.Fair(queue.FairConfig[item, int]{Key: tenant}), "CoDel": queue.CoDel[item](queue.CoDelConfig{}),
		"LimitByKey": queue.LimitByKey(1, value, nil),
	} {
		if err := validate(f); err != nil {
			t.Errorf("%s with valid arguments reports %v", name, err)
		}
	}
}

// TestPanicInPushChangesNothing checks that a queue still works after a function that reads an
// attribute has panicked in Push.
func TestPanicInPushChangesNothing(t *testing.T) {
	bad := &queuetest.Item{Seq: 13, Value: 13}
	wary := func(i *queuetest.Item) int {
		if i == bad {
			panic("unlucky")
		}
		return i.Value
	}
	for name, f := range map[string]queue.Factory[*queuetest.Item]{
		"Priority":   queue.Priority(wary, 1),
		"Fair":       queue.Fair(queue.FairConfig[*queuetest.Item, int]{Key: tenant, Weight: wary}),
		"LimitByKey": queue.LimitByKey(1, value, queue.Priority(wary, 1)),
	} {
		t.Run(name, func(t *testing.T) {
			q := f()
			push := func(i *queuetest.Item) (panicked bool) {
				defer func() { panicked = recover() != nil }()
				q.Push(i)
				return false
			}
			a, b := &queuetest.Item{Seq: 1, Value: 1}, &queuetest.Item{Seq: 2, Value: 13}
			push(a)
			if !push(bad) {
				t.Fatal("Push did not panic; want it to read the attribute")
			}
			push(b)
			var got []*queuetest.Item
			for range 3 {
				if i, ok := q.Pop(); ok {
					got = append(got, i)
				}
			}
			slices.SortFunc(got, func(a, b *queuetest.Item) int { return a.Seq - b.Seq })
			if q.Len() != 0 || len(got) != 2 || got[0] != a || got[1] != b {
				t.Errorf("Pop returned %v, with %d items left; want the two items that did not panic", got, q.Len())
			}
		})
	}
}

// TestNestedLimitByKeyDiscards checks that an item is discarded by all nested limits if its
// attribute function panics at its admission, and that each limit admits another item instead.
func TestNestedLimitByKeyDiscards(t *testing.T) {
	type item struct{ Outer, Inner, Level int }
	held := map[item]bool{}
	level := func(i item) int {
		if i.Level < 0 && held[i] {
			panic("unlucky")
		}
		held[i] = true
		return i.Level
	}
	inner := queue.LimitByKey(1, func(i item) int { return i.Inner }, queue.Priority(level, 0))
	q := queue.LimitByKey(1, func(i item) int { return i.Outer }, inner)()
	first, bad, next := item{Outer: 1, Inner: 1}, item{Outer: 2, Inner: 1, Level: -1}, item{Outer: 2, Inner: 2}
	for _, i := range []item{first, bad, next} {
		q.Push(i)
	}
	for _, want := range []item{first, next} {
		popped, _ := q.Pop()
		check.Equal(t, "popped", popped, want)
	}
	q.Push(item{Outer: 1, Inner: 3})
	q.(queue.Finisher[item]).Finish(next, true)
	q.(queue.Finisher[item]).Finish(first, true)
	check.Equal(t, "discarded", discarded(q), []item{bad})
	popped, _ := q.Pop()
	check.Equal(t, "popped instead", popped, item{Outer: 1, Inner: 3})
	check.Equal(t, "Len", q.Len(), 0)
}

// TestNestedLimitByKeyIsDeterministic checks the order of what the removal of admitted items
// admits. It follows the order in which the removed items were pushed, not that of a map.
func TestNestedLimitByKeyIsDeterministic(t *testing.T) {
	type item struct {
		Outer, Inner int
		Removed      bool
	}
	inner := queue.LimitByKey(1, func(i item) int { return i.Inner }, nil)
	q := queue.LimitByKey(1, func(i item) int { return i.Outer }, inner)()
	const keys = 20
	var want []item
	for k := range keys {
		q.Push(item{Outer: k, Inner: k, Removed: true}) // admitted
		next := item{Outer: k, Inner: keys + k}
		q.Push(next) // held back by the outer limit
		want = append(want, next)
	}
	removed := q.(queue.Remover[item]).Remove(func(i item) bool { return i.Removed })
	check.Equal(t, "removed", removed, keys)
	var got []item
	for next, ok := q.Pop(); ok; next, ok = q.Pop() {
		got = append(got, next)
	}
	check.Equal(t, "admitted", got, want)
}

// TestNaNKeyPanics checks a key that is not equal to itself.
func TestNaNKeyPanics(t *testing.T) {
	self := func(f float64) float64 { return f }
	for name, f := range map[string]queue.Factory[float64]{
		"Fair":       queue.Fair(queue.FairConfig[float64, float64]{Key: self}),
		"LimitByKey": queue.LimitByKey(1, self, nil),
	} {
		t.Run(name, func(t *testing.T) {
			q := f()
			defer func() {
				if recover() == nil || q.Len() != 0 {
					t.Errorf("Push accepted NaN as a key; the queue has %d items", q.Len())
				}
			}()
			q.Push(math.NaN())
		})
	}
}

// TestFairPanicLeavesNoState checks that Push adds no key if the weight function panics.
func TestFairPanicLeavesNoState(t *testing.T) {
	q := queue.Fair(queue.FairConfig[int, int]{
		Key: func(i int) int { return i }, Weight: func(int) int { panic("weight") },
	})()
	before := heapInUse()
	for i := range 100_000 {
		func() {
			defer func() { _ = recover() }()
			q.Push(i)
		}()
	}
	if kept := heapInUse() - before; kept > 64<<10 {
		t.Errorf("after 100,000 panics in Push, the queue keeps %d bytes; want at most 64 KiB", kept)
	}
	runtime.KeepAlive(q)
}

// evictor is an Evictor that is not a Remover.
type evictor struct{ plain }

func (evictor) CanEvict(queue.Victim) bool { return true }

func (e evictor) Evict(v queue.Victim) (*queuetest.Item, bool) {
	return e.Queue.(queue.Evictor[*queuetest.Item]).Evict(v)
}

// TestLimitByKeyEvictsTheInnerVictim checks an inner queue that is not a Remover: the items
// set aside by Remove, which run next, are evicted last.
func TestLimitByKeyEvictsTheInnerVictim(t *testing.T) {
	q := queue.LimitByKey(9, value, func() queue.Queue[*queuetest.Item] { return evictor{plain{queue.NewFIFO[*queuetest.Item]()}} })()
	push := func(seq int) { q.Push(&queuetest.Item{Seq: seq, Value: seq}) }
	for seq := range 5 {
		push(seq)
	}
	q.(queue.Remover[*queuetest.Item]).Remove(func(*queuetest.Item) bool { return false }) // sets all items aside
	push(5)
	for _, want := range []int{5, 4, 3} {
		if i, _ := q.(queue.Evictor[*queuetest.Item]).Evict(queue.Worst); i.Seq != want {
			t.Errorf("Evict returned %v, want #%d", i, want)
		}
	}
}

// holder is a Holder that is not a Remover.
type holder struct{ plain }

func (holder) Held() int { return 0 }

// TestLimitByKeyFuncNegativeLimit checks that a Push with a negative limit panics with a
// message that says what is allowed, and changes nothing.
func TestLimitByKeyFuncNegativeLimit(t *testing.T) {
	q := queue.LimitByKeyFunc(func(i *queuetest.Item) int { return i.Value }, value, nil)()
	func() {
		defer func() {
			const want = "queue: LimitByKey: the limit of key -3 is -3; it must be 1 or more, or 0 for none"
			check.Equal[any](t, "panic", recover(), want)
		}()
		q.Push(&queuetest.Item{Value: -3})
	}()
	check.Equal(t, "Len", q.Len(), 0)
	if item, ok := q.Pop(); ok {
		t.Errorf("Pop returned %v, whose Push panicked", item)
	}
}

// TestLimitByKeyFuncAsksWhenTheKeyComesBack checks that a limit is read when the first item of a
// key is pushed, and again after the last one has ended.
func TestLimitByKeyFuncAsksWhenTheKeyComesBack(t *testing.T) {
	n := 1
	q := queue.LimitByKeyFunc(func(*queuetest.Item) int { return n }, value, nil)()
	run := func() (running []*queuetest.Item) {
		for i, ok := q.Pop(); ok; i, ok = q.Pop() {
			running = append(running, i)
		}
		return running
	}
	for _, want := range []int{1, 2} {
		n = want
		q.Push(&queuetest.Item{})
		n = 9 // not read while an item is waiting
		q.Push(&queuetest.Item{})
		q.Push(&queuetest.Item{})
		for running := run(); len(running) > 0; running = run() {
			if len(running) > want {
				t.Errorf("%d items run at once; the limit was %d when the first one was pushed", len(running), want)
			}
			for _, i := range running {
				q.(queue.Finisher[*queuetest.Item]).Finish(i, true)
			}
		}
	}
}
