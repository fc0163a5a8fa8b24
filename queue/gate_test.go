package queue_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

func TestGatesConform(t *testing.T) {
	type item = *queuetest.Item
	for name, test := range gates {
		t.Run(name, func(t *testing.T) { queuetest.Run(t, test.make) })
	}
	for name, inner := range map[string]queue.Factory[item]{
		"LIFO":     queue.NewLIFO[item],
		"Priority": queue.Priority(value, 10),
		"Fair":     queue.Fair(queue.FairConfig[item, int]{Key: tenant, Cost: cost}),
		"CoDel":    queue.CoDel[item](queue.CoDelConfig{}),
	} {
		t.Run("limits and resources over "+name, func(t *testing.T) {
			queuetest.Run(t, queue.LimitByKey(2, parity, queue.LimitByKey(2, third, inResources(inner))))
		})
	}
}

// limitedStation is a queue whose items run.
type limitedStation struct {
	q       queue.Queue[*queuetest.Item]
	running []*queuetest.Item
	lent    map[*queuetest.Item]bool
	seq     int
}

func (s *limitedStation) push(t *rapid.T, also func(*queuetest.Item)) {
	for range rapid.SampledFrom([]int{1, 2, 9}).Draw(t, "items") {
		s.seq++
		i := &queuetest.Item{Seq: s.seq, Value: rapid.IntRange(0, 9).Draw(t, "value")}
		s.q.Push(i)
		also(i)
	}
}

func (s *limitedStation) pop() (*queuetest.Item, bool) {
	i, ok := s.q.Pop()
	if ok {
		s.running = append(s.running, i)
	}
	return i, ok
}

// draw draws a running item.
func (s *limitedStation) draw(t *rapid.T) *queuetest.Item {
	if len(s.running) == 0 {
		t.Skip("no item is running")
	}
	return rapid.SampledFrom(s.running).Draw(t, "item")
}

// lend has an item lend its place, or continue.
func (s *limitedStation) lend(i *queuetest.Item) {
	s.lent[i] = !s.lent[i]
	s.q.(queue.Lender[*queuetest.Item]).Lent(i, s.lent[i])
}

func (s *limitedStation) finish(t *rapid.T) *queuetest.Item {
	i := s.draw(t)
	s.end(i)
	return i
}

func (s *limitedStation) end(i *queuetest.Item) {
	if s.lent[i] {
		s.lend(i)
	}
	delete(s.lent, i)
	s.running = slices.DeleteFunc(s.running, func(x *queuetest.Item) bool { return x == i })
	s.q.(queue.Finisher[*queuetest.Item]).Finish(i, true)
}

func (s *limitedStation) used(r string, counts func(*queuetest.Item) bool) (n int64) {
	for _, i := range s.running {
		if counts(i) {
			n += needOf(i, r)
		}
	}
	return n
}

// TestLendersBlockOnlyWhatCannotFit checks that the amounts are never exceeded, and that whatever
// runs and lends its place, all items run that can fit beside the items that have lent theirs, as
// soon as the others have ended.
func TestLendersBlockOnlyWhatCannotFit(t *testing.T) {
	all := func(*queuetest.Item) bool { return true }
	rapid.Check(t, func(t *rapid.T) {
		s := &limitedStation{q: inResources(nil)(), lent: map[*queuetest.Item]bool{}}
		t.Repeat(map[string]func(*rapid.T){
			"push":   func(t *rapid.T) { s.push(t, func(*queuetest.Item) {}) },
			"pop":    func(*rapid.T) { s.pop() },
			"lend":   func(t *rapid.T) { s.lend(s.draw(t)) },
			"finish": func(t *rapid.T) { s.finish(t) },
			"": func(t *rapid.T) {
				for r, n := range capacities {
					if used := s.used(r, all); used > n {
						t.Fatalf("%d of %q are in use, want at most %d: %v", used, r, n, s.running)
					}
				}
			},
			"others end": func(t *rapid.T) {
				for again := true; again; {
					_, again = s.pop()
					for _, i := range slices.Clone(s.running) {
						if !s.lent[i] {
							s.end(i)
							again = true
						}
					}
				}
				s.q.(queue.Remover[*queuetest.Item]).Remove(func(i *queuetest.Item) bool {
					fits := true
					for r, n := range capacities {
						fits = fits && s.used(r, all)+needOf(i, r) <= n
					}
					if fits {
						t.Fatalf("%v is held back beside %v", i, s.running)
					}
					return false
				})
			},
		})
	})
}

// TestLargeItemIsNotOvertaken fills a resource with small items. A large one starts when those have
// ended that were admitted before it, however many small ones come after it.
func TestLargeItemIsNotOvertaken(t *testing.T) {
	q := inResources(nil)()
	small := func() *queuetest.Item { return &queuetest.Item{Value: 1} } // 1 of a
	large := &queuetest.Item{Value: 7}                                   // 3 of a, 2 of b
	end := q.(queue.Finisher[*queuetest.Item]).Finish
	for range 5 {
		q.Push(small())
	}
	q.Push(large)
	var running []*queuetest.Item
	for overtaken := -5; ; overtaken++ {
		for i, ok := q.Pop(); ok; i, ok = q.Pop() {
			if i == large {
				check.Equal(t, "small items that were pushed later and ran before", overtaken, -2)
				return
			}
			running = append(running, i)
		}
		q.Push(small())
		end(running[0], true)
		running = running[1:]
	}
}

// TestHeldItemsDelayOnlyWhatNeedsTheSame: an item that waits for one resource does not hold up those
// that need another one, unless they would take what it needs.
func TestHeldItemsDelayOnlyWhatNeedsTheSame(t *testing.T) {
	type item = struct {
		Name string
		A, B int64
	}
	q := queue.Resources(queue.ResourcesConfig[item]{
		Capacity: map[string]int64{"a": 2, "b": 4},
		Amount: func(i item, r string) int64 {
			return map[string]int64{"a": i.A, "b": i.B}[r]
		},
	}, nil)()
	var got []string
	for _, i := range []item{
		{"first", 2, 0}, {"waits for a", 1, 2}, {"leaves enough of b", 0, 2}, {"leaves too little", 0, 1}, {"needs nothing", 0, 0},
	} {
		q.Push(i)
	}
	for i, ok := q.Pop(); ok; i, ok = q.Pop() {
		got = append(got, i.Name)
	}
	check.Equal(t, "admitted", got, []string{"first", "leaves enough of b", "needs nothing"})
}

// TestHeldItemsUseNoOtherLimit: an item that one limit holds back leaves the places of the other to
// others.
func TestHeldItemsUseNoOtherLimit(t *testing.T) {
	type item struct{ Kind, Tenant string }
	q := queue.LimitByKey(1, func(i item) string { return i.Kind },
		queue.LimitByKey(1, func(i item) string { return i.Tenant }, nil))()
	a, b, c, d := item{"export", "x"}, item{"export", "y"}, item{"mail", "x"}, item{"mail", "y"}
	for _, i := range []item{a, b, c, d} {
		q.Push(i)
	}
	pop := func() (got []item) {
		for i, ok := q.Pop(); ok; i, ok = q.Pop() {
			got = append(got, i)
		}
		return got
	}
	check.Equal(t, "admitted", pop(), []item{a, d}) // b and c need export and x, which a has
	q.(queue.Finisher[item]).Finish(a, true)
	check.Equal(t, "admitted when a has ended", pop(), []item(nil))
	q.(queue.Finisher[item]).Finish(d, true)
	check.Equal(t, "admitted when d has ended", pop(), []item{b, c})
}

// TestResourcesKeepTheInnerOrder: held items run by level, except for the one that is next.
func TestResourcesKeepTheInnerOrder(t *testing.T) {
	q := queue.Resources(queue.ResourcesConfig[int]{
		Capacity: map[string]int64{"a": 1}, Amount: func(int, string) int64 { return 1 },
	}, queue.Priority(func(i int) int { return i }, 0))()
	for i := range 6 {
		q.Push(i)
	}
	var got []int
	for i, ok := q.Pop(); ok; i, ok = q.Pop() {
		got = append(got, i)
		q.(queue.Finisher[int]).Finish(i, true)
	}
	check.Equal(t, "order", got, []int{0, 1, 5, 4, 3, 2})
}

// TestResourcesFaults checks the errors for invalid arguments.
func TestResourcesFaults(t *testing.T) {
	type item = *queuetest.Item
	resources := func(capacity map[string]int64, amount func(item, string) int64, inner queue.Factory[item]) error {
		return validate(queue.Resources(queue.ResourcesConfig[item]{Capacity: capacity, Amount: amount}, inner))
	}
	deep := queue.Factory[item](nil)
	for range 5 {
		deep = queue.LimitByKey(1, value, deep)
	}
	for name, test := range map[string]struct {
		err  error
		want []string
	}{
		"no amounts":      {resources(capacities, nil, nil), []string{"Resources", "Amount", "nil"}},
		"no resource":     {resources(nil, needOf, nil), []string{"0 resources", "1 to 64"}},
		"no capacity":     {resources(map[string]int64{"x": 0}, needOf, nil), []string{`"x" is 0`, "1 or more"}},
		"twice":           {resources(capacities, needOf, inResources(nil)), []string{"one Resources for all"}},
		"no Remover":      {resources(capacities, needOf, func() queue.Queue[item] { return plain{queue.NewFIFO[item]()} }), []string{"queue.Remover", "queue_test.plain"}},
		"over nil":        {resources(capacities, needOf, func() queue.Queue[item] { return nil }), []string{"returned nil"}},
		"an inner fault":  {resources(capacities, needOf, queue.Priority[item](nil, 0)), []string{"Priority"}},
		"too many limits": {validate(deep), []string{"more than 4 limits"}},
		"two limits":      {validate(queue.LimitByKey(0, value, queue.LimitByKey[item, int](1, nil, nil))), []string{"limit is 0", "key", "nil"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, part := range test.want {
				if test.err == nil || !strings.Contains(test.err.Error(), part) {
					t.Errorf("the error is %v; want one that contains %q", test.err, part)
				}
			}
		})
	}
	for _, amount := range []int64{-1, 6} {
		func() {
			q := queue.Resources(queue.ResourcesConfig[item]{
				Capacity: map[string]int64{"a": 5}, Amount: func(item, string) int64 { return amount },
			}, nil)()
			defer func() {
				if v := recover(); v == nil || q.Len() != 0 {
					t.Errorf("Push of an item with the amount %d: panic %v, length %d", amount, v, q.Len())
				}
			}()
			q.Push(new(queuetest.Item))
		}()
	}
}

// TestHeldItemsCostNothing measures the comparisons of heads for an end, with 10 and with 100,000
// held items.
func TestHeldItemsCostNothing(t *testing.T) {
	calls := 0
	q := queue.Resources(queue.ResourcesConfig[int]{
		Capacity: map[string]int64{"a": 1}, Amount: func(int, string) int64 { calls++; return 1 },
	}, nil)()
	cycle := func() int {
		calls = 0
		i, _ := q.Pop()
		q.(queue.Finisher[int]).Finish(i, true)
		q.Push(i)
		return calls
	}
	for i := range 10 {
		q.Push(i)
	}
	few := cycle()
	for i := range 100_000 {
		q.Push(i)
	}
	check.Equal(t, "calls of Amount with many held items", cycle(), few)
}

// TestHeadThatLosesAPlaceDoesNotHideAnother has an item wait for two keys that become free together,
// behind one that takes the place of the second. An item that has waited longer for the first key then
// starts before what it needs goes to one that came later.
func TestHeadThatLosesAPlaceDoesNotHideAnother(t *testing.T) {
	q := gates["limits in resources"].make()
	for seq, value := range []int{6, 8, 0, 0, 0, 3, 0, 0, 0, 7, 1, 0} {
		q.Push(&queuetest.Item{Seq: seq, Value: value})
	}
	first, _ := q.Pop()
	q.(queue.Finisher[*queuetest.Item]).Finish(first, true)
	var values []int
	for i, ok := q.Pop(); ok; i, ok = q.Pop() {
		values = append(values, i.Value)
	}
	check.Equal(t, "values of the items that may run", values, []int{0, 8, 3})
}
