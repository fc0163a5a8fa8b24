package queue_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

// capacities are those of the resources in the tests.
var capacities = map[string]int64{"a": 5, "b": 3}

// needOf returns what an item needs: from 0 to 3 of each resource.
func needOf(i *queuetest.Item, resource string) int64 {
	if resource == "a" {
		return int64(i.Value) % 4
	}
	return int64(i.Value) / 3
}

func inResources(inner queue.Factory[*queuetest.Item]) queue.Factory[*queuetest.Item] {
	return queue.Resources(queue.ResourcesConfig[*queuetest.Item]{Capacity: capacities, Amount: needOf}, inner)
}

// naive is a model of limits and resources over a FIFO, without lent places. After each change it
// looks at all heads, in the order in which they became heads.
type naive struct {
	limits    []func(*queuetest.Item) int // keys, with two items at once
	resources []string

	ready, using []*queuetest.Item // using: admitted and not ended
	lanes        []*naiveLane
	turns        int
	born         int // lanes so far
}

// naiveLane has held items with the same keys that need the same resources. The first is the head.
type naiveLane struct {
	key   string
	items []*queuetest.Item
	turn  int
	born  int
}

func (q *naive) key(i *queuetest.Item) (key string) {
	for _, of := range q.limits {
		key += fmt.Sprint(of(i), " ")
	}
	return key + q.set(i)
}

// set returns the set of resources that an item needs.
func (q *naive) set(i *queuetest.Item) (set string) {
	for _, r := range q.resources {
		set += fmt.Sprint(needOf(i, r) > 0)
	}
	return set
}

func (q *naive) Len() int {
	n := len(q.ready)
	for _, l := range q.lanes {
		n += len(l.items)
	}
	return n
}

func (q *naive) Push(i *queuetest.Item) {
	at := slices.IndexFunc(q.lanes, func(l *naiveLane) bool { return l.key == q.key(i) })
	if at < 0 {
		at = len(q.lanes)
		q.turns++
		q.born++
		q.lanes = append(q.lanes, &naiveLane{key: q.key(i), turn: q.turns, born: q.born})
	}
	q.lanes[at].items = append(q.lanes[at].items, i)
	q.settle()
}

// hasPlaces reports whether the keys of an item have places.
func (q *naive) hasPlaces(i *queuetest.Item) bool {
	for _, of := range q.limits {
		n := 0
		for _, x := range q.using {
			if of(x) == of(i) {
				n++
			}
		}
		if n >= 2 {
			return false
		}
	}
	return true
}

// settle admits all that may be admitted.
func (q *naive) settle() {
	for q.admitOne() {
	}
	q.lanes = slices.DeleteFunc(q.lanes, func(l *naiveLane) bool { return len(l.items) == 0 })
}

func (q *naive) admitOne() bool {
	slices.SortFunc(q.lanes, func(a, b *naiveLane) int { return cmp.Compare(a.turn, b.turn) })
	free := map[string]int64{}
	for _, r := range q.resources {
		free[r] = capacities[r]
		for _, x := range q.using {
			free[r] -= needOf(x, r)
		}
	}
	waits := map[string]bool{} // sets of resources whose first head cannot be admitted
	for _, l := range q.lanes {
		if len(l.items) == 0 || !q.hasPlaces(l.items[0]) || waits[q.set(l.items[0])] {
			continue
		}
		i, fits := l.items[0], true
		for _, r := range q.resources {
			fits = fits && needOf(i, r) <= free[r]
			free[r] = max(free[r]-needOf(i, r), 0)
		}
		if !fits {
			waits[q.set(i)] = true
			continue
		}
		q.ready, q.using = append(q.ready, i), append(q.using, i)
		q.turns++
		l.items, l.turn = l.items[1:], q.turns
		return true
	}
	return false
}

func (q *naive) Pop() (*queuetest.Item, bool) {
	if len(q.ready) == 0 {
		return nil, false
	}
	i := q.ready[0]
	q.ready = q.ready[1:]
	return i, true
}

func (q *naive) Finish(i *queuetest.Item) {
	q.using = slices.DeleteFunc(q.using, func(x *queuetest.Item) bool { return x == i })
	q.settle()
}

// Remove removes items. The lanes that lose their heads have new ones, in the order in which the lanes
// were made, before anything is admitted.
func (q *naive) Remove(gone func(*queuetest.Item) bool) (n int) {
	before := q.Len()
	slices.SortFunc(q.lanes, func(a, b *naiveLane) int { return cmp.Compare(a.born, b.born) })
	for _, l := range q.lanes {
		if gone(l.items[0]) {
			q.turns++
			l.turn = q.turns
		}
		l.items = slices.DeleteFunc(l.items, gone)
	}
	q.using = slices.DeleteFunc(q.using, func(i *queuetest.Item) bool { return slices.Contains(q.ready, i) && gone(i) })
	q.ready = slices.DeleteFunc(q.ready, gone)
	n = before - q.Len()
	q.settle()
	return n
}

// Evict removes the newest item of the longest lane, and of the newest of several. Without lanes it
// removes the newest of the items that may run.
func (q *naive) Evict() (*queuetest.Item, bool) {
	if len(q.lanes) == 0 {
		if len(q.ready) == 0 {
			return nil, false
		}
		i := q.ready[len(q.ready)-1]
		q.ready = q.ready[:len(q.ready)-1]
		q.Finish(i)
		return i, true
	}
	longest := slices.MaxFunc(q.lanes, func(a, b *naiveLane) int {
		return cmp.Or(cmp.Compare(len(a.items), len(b.items)), cmp.Compare(a.born, b.born))
	})
	last := len(longest.items) - 1
	i := longest.items[last]
	longest.items = longest.items[:last]
	q.settle()
	return i, true
}

// gates are queues with their models.
var gates = map[string]struct {
	make  queue.Factory[*queuetest.Item]
	model naive
}{
	"resources":           {inResources(nil), naive{resources: []string{"a", "b"}}},
	"two limits":          {queue.LimitByKey(2, parity, queue.LimitByKey(2, third, nil)), naive{limits: byKeys(third, parity)}},
	"resources in limit":  {queue.LimitByKey(2, third, inResources(nil)), naive{limits: byKeys(third), resources: []string{"a", "b"}}},
	"limits in resources": {inResources(queue.LimitByKey(2, parity, queue.LimitByKey(2, third, nil))), naive{limits: byKeys(parity, third), resources: []string{"a", "b"}}},
}

func parity(i *queuetest.Item) int { return i.Value % 2 }
func third(i *queuetest.Item) int  { return i.Value % 3 }

func byKeys(keys ...func(*queuetest.Item) int) []func(*queuetest.Item) int { return keys }

// TestGatesEqualTheirModel covers limits around and inside of resources, and several limits.
func TestGatesEqualTheirModel(t *testing.T) {
	for name, test := range gates {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				model := test.model
				s := &limitedStation{q: test.make()}
				t.Repeat(map[string]func(*rapid.T){
					"push": func(t *rapid.T) { s.push(t, model.Push) },
					"pop": func(t *rapid.T) {
						got, ok := s.pop()
						if want, wantOK := model.Pop(); got != want || ok != wantOK {
							t.Fatalf("Pop returned %v, %v; the model returned %v, %v", got, ok, want, wantOK)
						}
					},
					"finish": func(t *rapid.T) { model.Finish(s.finish(t)) },
					"remove": func(t *rapid.T) {
						n := rapid.IntRange(1, 4).Draw(t, "one in")
						gone := func(i *queuetest.Item) bool { return i.Seq%n == 0 }
						got := s.q.(queue.Remover[*queuetest.Item]).Remove(gone)
						check.Equal(t, "removed", got, model.Remove(gone))
					},
					"evict": func(t *rapid.T) {
						got, ok := s.q.(queue.Evictor[*queuetest.Item]).Evict(queue.Worst)
						if want, wantOK := model.Evict(); got != want || ok != wantOK {
							t.Fatalf("Evict returned %v, %v; the model returned %v, %v", got, ok, want, wantOK)
						}
					},
					"": func(t *rapid.T) {
						check.Equal(t, "Len", s.q.Len(), model.Len())
						check.Equal(t, "Held", s.q.(queue.Holder).Held(), model.Len()-len(model.ready))
					},
				})
			})
		})
	}
}
