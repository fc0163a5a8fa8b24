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

// gated is LimitByKey over a FIFO, as a list of what may run and a list of what
// may not yet.
type gated struct {
	n              int
	ready, waiting []*queuetest.Item
	admitted       map[int]int
}

func (q *gated) Len() int { return len(q.ready) + len(q.waiting) }

func (q *gated) Push(i *queuetest.Item) {
	if q.admitted[i.Value] == q.n {
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

// Evict takes the newest of the key with the most in waiting, or the newest of
// what is ready.
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

func TestLimitByKeyConforms(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			queuetest.Run(t, queue.LimitByKey(n, value, nil),
				queuetest.WithModel(func() queue.Queue[*queuetest.Item] {
					return &gated{n: n, admitted: map[int]int{}}
				}))
		})
	}
	parity := func(i *queuetest.Item) int { return i.Value % 2 }
	for name, inner := range map[string]queue.Factory[*queuetest.Item]{
		"Priority":               queue.Priority(value, 10),
		"Fair":                   queue.Fair(queue.FairConfig[*queuetest.Item, int]{Key: tenant, Cost: cost}),
		"CoDel":                  queue.CoDel[*queuetest.Item](queue.CoDelConfig{}),
		"LimitByKey":             queue.LimitByKey(5, parity, nil),
		"one that cannot remove": func() queue.Queue[*queuetest.Item] { return plain{queue.NewLIFO[*queuetest.Item]()} },
		"one that knows the time, and cannot evict": func() queue.Queue[*queuetest.Item] {
			return clocked{plain{queue.NewFIFO[*queuetest.Item]()}}
		},
	} {
		t.Run(name, func(t *testing.T) { queuetest.Run(t, queue.LimitByKey(2, value, inner)) })
	}
}

// plain is a queue without capabilities.
type plain struct{ queue.Queue[*queuetest.Item] }

// clocked is one that is told the time, of which it makes nothing.
type clocked struct{ plain }

func (clocked) NeedsTime() bool { return true }
func (clocked) Tick(time.Time)  {}

// TestLimitByKeyKeepsTheOrder of an inner queue that cannot remove.
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

// TestLimitByKeyBounds: never more than n of a key run; of each key the oldest
// run first; and as soon as something may run, it is handed out. Over a LIFO,
// which would have it otherwise, the order within a key holds for n=1.
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
									t.Fatalf("nothing comes out, while %v wait and only %v of the key run", w, running[key])
								}
							}
							return
						}
						key := i.Value
						if n == 1 || inner == nil {
							if first := waiting[key][0]; i != first {
								t.Fatalf("%v comes out before %v", i, first)
							}
						}
						waiting[key] = slices.DeleteFunc(waiting[key], func(x *queuetest.Item) bool { return x == i })
						running[key] = append(running[key], i)
						if len(running[key]) > n {
							t.Fatalf("%v run at once; at most %d may", running[key], n)
						}
					},
					"finish": func(t *rapid.T) {
						key := rapid.IntRange(0, 4).Draw(t, "key")
						if len(running[key]) == 0 {
							t.Skip("none of this key runs")
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

// TestBadArgumentsAreReported: each by the discipline that cannot work with it.
func TestBadArgumentsAreReported(t *testing.T) {
	type item = *queuetest.Item
	none := func() queue.Queue[item] { return nil }
	for name, test := range map[string]struct {
		err  error
		want []string // parts of the message
	}{
		"priority without levels": {validate(queue.Priority[item](nil, 1)), []string{"Priority", "level", "nil"}},
		"negative ageing":         {validate(queue.Priority(value, -1)), []string{"ageing is -1", "0 for strict"}},
		"vast ageing":             {validate(queue.Priority(value, 1<<30+1)), []string{"ageing is 1073741825"}},
		"no deadlines":            {validate(queue.Deadline(queue.DeadlineConfig[item]{})), []string{"Deadline", "nil"}},
		"negative horizon":        {validate(queue.Deadline(queue.DeadlineConfig[item]{Deadline: dueIn, Horizon: -1})), []string{"horizon is -1ns"}},
		"horizon from nowhere":    {validate(queue.Deadline(queue.DeadlineConfig[item]{Deadline: dueIn, Horizon: 1})), []string{"set Enqueued"}},
		"fair without keys":       {validate(queue.Fair(queue.FairConfig[item, int]{})), []string{"Fair", "Key", "nil"}},
		"negative quantum":        {validate(queue.Fair(queue.FairConfig[item, int]{Key: tenant, Quantum: -1})), []string{"quantum is -1"}},
		"negative target":         {validate(queue.CoDel[item](queue.CoDelConfig{Target: -1})), []string{"target is -1ns"}},
		"target over interval":    {validate(queue.CoDel[item](queue.CoDelConfig{Target: 2, Interval: 1})), []string{"interval 1ns"}},
		"limit without keys":      {validate(queue.LimitByKey[item, int](1, nil, nil)), []string{"LimitByKey", "key", "nil"}},
		"limit of none":           {validate(queue.LimitByKey(0, value, nil)), []string{"limit is 0", "1 or more"}},
		"limit over what nobody can reach": {validate(queue.LimitByKey(1, value, func() queue.Queue[item] {
			return holder{plain{queue.NewFIFO[item]()}}
		})), []string{"queue_test.holder", "queue.Remover"}},
		"limit over nothing": {validate(queue.LimitByKey(1, value, none)), []string{"LimitByKey", "returned nil"}},
		"two faults at once": {validate(queue.LimitByKey(-1, value, queue.Priority[item](nil, 0))), []string{"limit is -1", "Priority"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, part := range test.want {
				if test.err == nil || !strings.Contains(test.err.Error(), part) {
					t.Errorf("the error is %v; want one that says %q", test.err, part)
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
			t.Errorf("%s, with good arguments, reports %v", name, err)
		}
	}
}

// TestAPanicInPushChangesNothing: the functions that a discipline is given are
// called before it changes anything.
func TestAPanicInPushChangesNothing(t *testing.T) {
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
				t.Fatal("the push did not panic; want a queue that asked")
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
				t.Errorf("the queue returned %v and holds %d; want the two good items", got, q.Len())
			}
		})
	}
}

// TestLimitByKeyHandsBackWhatIsRefusedBelow: an item that panics as it is let in is
// handed back through all limits, and its place at each goes to the next item.
func TestLimitByKeyHandsBackWhatIsRefusedBelow(t *testing.T) {
	type item struct{ Outer, Inner, Level int }
	level := func(i item) int {
		if i.Level < 0 {
			panic("unlucky")
		}
		return i.Level
	}
	inner := queue.LimitByKey(1, func(i item) int { return i.Inner }, queue.Priority(level, 0))
	q := queue.LimitByKey(1, func(i item) int { return i.Outer }, inner)()
	first, bad, next := item{Outer: 1, Inner: 1}, item{Outer: 2, Inner: 1, Level: -1}, item{Outer: 2, Inner: 2}
	for _, i := range []item{first, bad, next} {
		q.Push(i)
	}
	popped, _ := q.Pop()
	check.Equal(t, "popped first", popped, first)
	q.(queue.Finisher[item]).Finish(first, true)
	check.Equal(t, "discarded", discarded(q), []item{bad})
	popped, _ = q.Pop()
	check.Equal(t, "popped next", popped, next)
	check.Equal(t, "Len", q.Len(), 0)
}

// TestImpossibleKeys: a key that is not equal to itself could never be found again.
func TestImpossibleKeys(t *testing.T) {
	self := func(f float64) float64 { return f }
	for name, f := range map[string]queue.Factory[float64]{
		"Fair":       queue.Fair(queue.FairConfig[float64, float64]{Key: self}),
		"LimitByKey": queue.LimitByKey(1, self, nil),
	} {
		t.Run(name, func(t *testing.T) {
			q := f()
			defer func() {
				if recover() == nil || q.Len() != 0 {
					t.Errorf("a NaN is taken for a key; the queue holds %d", q.Len())
				}
			}()
			q.Push(math.NaN())
		})
	}
}

// TestFairKeepsNothingOfAPanic: a weight that panics leaves no state behind.
func TestFairKeepsNothingOfAPanic(t *testing.T) {
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
		t.Errorf("100,000 items that panicked have left %d bytes", kept)
	}
	runtime.KeepAlive(q)
}

// evictor is a queue that can evict, and not remove.
type evictor struct{ plain }

func (evictor) CanEvict(queue.Victim) bool { return true }

func (e evictor) Evict(v queue.Victim) (*queuetest.Item, bool) {
	return e.Queue.(queue.Evictor[*queuetest.Item]).Evict(v)
}

// TestLimitByKeyGivesUpTheInnerVictim, and not what is next to run.
func TestLimitByKeyGivesUpTheInnerVictim(t *testing.T) {
	q := queue.LimitByKey(9, value, func() queue.Queue[*queuetest.Item] { return evictor{plain{queue.NewFIFO[*queuetest.Item]()}} })()
	push := func(seq int) { q.Push(&queuetest.Item{Seq: seq, Value: seq}) }
	for seq := range 5 {
		push(seq)
	}
	q.(queue.Remover[*queuetest.Item]).Remove(func(*queuetest.Item) bool { return false }) // sets all aside
	push(5)
	for _, want := range []int{5, 4, 3} {
		if i, _ := q.(queue.Evictor[*queuetest.Item]).Evict(queue.Worst); i.Seq != want {
			t.Errorf("%v was given up, want #%d", i, want)
		}
	}
}

// holder is a queue that may hold back, and cannot remove.
type holder struct{ plain }

func (holder) Held() int { return 0 }
