package queue_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

// The attributes of the suite's items: ten keys, weights from 1 to 3, costs from 1 to 14.
func tenant(i *queuetest.Item) int { return i.Value }
func weight(i *queuetest.Item) int { return 1 + i.Value%3 }
func cost(i *queuetest.Item) int64 { return int64(1 + (i.Value+3*i.Seq)%14) }

// roundRobin is a model of Fair: deficit round robin without optimisations.
type roundRobin struct {
	quantum int64   // 0 means the mean cost at the start of the round
	now     int64   // the quantum of this round
	keys    []*lane // with items, starting with the one whose turn it is
	cut     *lane   // the key that starts a round
	begun   bool    // the quantum of this turn has been added
}

type lane struct {
	key     int
	items   []*queuetest.Item
	deficit int64
}

func (q *roundRobin) Len() (n int) {
	for _, l := range q.keys {
		n += len(l.items)
	}
	return n
}

func (q *roundRobin) Push(i *queuetest.Item) {
	for _, l := range q.keys {
		if l.key == tenant(i) {
			l.items = append(l.items, i)
			return
		}
	}
	q.keys = append(q.keys, &lane{key: tenant(i), items: []*queuetest.Item{i}})
	if len(q.keys) == 1 {
		q.cut = q.keys[0]
	}
}

func (q *roundRobin) Pop() (*queuetest.Item, bool) {
	if len(q.keys) == 0 {
		return nil, false
	}
	for {
		l := q.keys[0]
		if !q.begun {
			q.begun = true
			if l == q.cut {
				q.now = q.roundQuantum()
			}
			l.deficit += q.now * int64(weight(l.items[0]))
		}
		if i := l.items[0]; cost(i) <= l.deficit {
			l.deficit -= cost(i)
			l.items = l.items[1:]
			q.tidy()
			return i, true
		}
		q.begun = false
		q.keys = append(q.keys[1:], l)
	}
}

// Finish refunds the cost of an item that did not run.
func (q *roundRobin) Finish(i *queuetest.Item, ran bool) {
	for _, l := range q.keys {
		if l.key == tenant(i) && !ran {
			l.deficit += cost(i)
		}
	}
}

// roundQuantum returns the quantum, or the mean cost, rounded up.
func (q *roundRobin) roundQuantum() int64 {
	if q.quantum > 0 {
		return q.quantum
	}
	sum, n := int64(0), int64(0)
	for _, l := range q.keys {
		for _, i := range l.items {
			sum += cost(i)
			n++
		}
	}
	return (sum + n - 1) / n
}

// tidy deletes keys without items. If one of them starts a round, the next key does so from
// now on.
func (q *roundRobin) tidy() {
	if len(q.keys) > 0 && len(q.keys[0].items) == 0 {
		q.begun = false
	}
	empty := func(l *lane) bool { return len(l.items) == 0 }
	if at := slices.Index(q.keys, q.cut); at >= 0 {
		for range q.keys {
			if !empty(q.keys[at]) {
				break
			}
			at = (at + 1) % len(q.keys)
		}
		q.cut = q.keys[at]
	}
	q.keys = slices.DeleteFunc(q.keys, empty)
}

func (q *roundRobin) Remove(gone func(*queuetest.Item) bool) int {
	before := q.Len()
	for _, l := range q.keys {
		l.items = slices.DeleteFunc(l.items, gone)
	}
	q.tidy()
	return before - q.Len()
}

func (q *roundRobin) CanEvict(v queue.Victim) bool { return v == queue.Worst }

// Evict takes the newest item of the key with the largest cost divided by weight.
func (q *roundRobin) Evict(queue.Victim) (*queuetest.Item, bool) {
	if len(q.keys) == 0 {
		return nil, false
	}
	backlog := func(l *lane) float64 {
		sum := int64(0)
		for _, i := range l.items {
			sum += cost(i)
		}
		return float64(sum) / float64(weight(l.items[0]))
	}
	worst := q.keys[0]
	for _, l := range q.keys {
		if backlog(l) > backlog(worst) {
			worst = l
		}
	}
	i := worst.items[len(worst.items)-1]
	worst.items = worst.items[:len(worst.items)-1]
	q.tidy()
	return i, true
}

func TestFairConforms(t *testing.T) {
	for _, quantum := range []int64{0, 1, 5, 100} {
		t.Run(fmt.Sprintf("quantum=%d", quantum), func(t *testing.T) {
			queuetest.Run(t,
				queue.Fair(queue.FairConfig[*queuetest.Item, int]{Key: tenant, Weight: weight, Cost: cost, Quantum: quantum}),
				queuetest.WithModel(func() queue.Queue[*queuetest.Item] { return &roundRobin{quantum: quantum} }))
		})
	}
	t.Run("defaults", func(t *testing.T) {
		queuetest.Run(t, queue.Fair(queue.FairConfig[*queuetest.Item, int]{Key: tenant}))
	})
}

// parcel is an item with the attributes that Fair reads.
type parcel struct {
	key, weight int
	cost        int64
}

func newFair(quantum int64) queue.Queue[parcel] {
	return queue.Fair(queue.FairConfig[parcel, int]{
		Key:     func(p parcel) int { return p.key },
		Weight:  func(p parcel) int { return p.weight },
		Cost:    func(p parcel) int64 { return p.cost },
		Quantum: quantum,
	})()
}

// rivalry is the difference in service, as cost divided by weight, between two keys that
// always wait: now, and its minimum and maximum so far.
type rivalry struct{ least, most, now float64 }

// served changes the difference.
func (r *rivalry) served(by float64) {
	r.now += by
	r.least, r.most = min(r.least, r.now), max(r.most, r.now)
}

// spread returns the maximum difference over all periods of time.
func (r *rivalry) spread() float64 { return r.most - r.least }

// TestFairServesByWeight checks that the service of two keys that always wait differs by at
// most Q + Max/wi + Max/wj in each period of time, independent of other keys.
func TestFairServesByWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const keys = 4 // that always wait
		maxCost := rapid.SampledFrom([]int64{1, 3, 40}).Draw(t, "largest cost")
		quantum := rapid.SampledFrom([]int64{0, 1, 7, 100}).Draw(t, "quantum")
		q := newFair(quantum)
		if quantum == 0 {
			quantum = maxCost // no mean exceeds it
		}
		var weights [keys]int
		held := map[int]int{}
		costOf := rapid.Int64Range(1, maxCost)
		push := func(t *rapid.T, key, weight int) {
			q.Push(parcel{key, weight, costOf.Draw(t, "cost")})
			held[key]++
		}
		for k := range weights {
			weights[k] = rapid.IntRange(1, 5).Draw(t, "weight")
			push(t, k, weights[k])
		}
		var pairs [keys][keys]rivalry
		t.Repeat(map[string]func(*rapid.T){
			"visitor": func(t *rapid.T) {
				push(t, keys+rapid.IntRange(0, 3).Draw(t, "key"), rapid.IntRange(1, 5).Draw(t, "weight"))
			},
			"flood": func(t *rapid.T) {
				k := rapid.IntRange(0, keys-1).Draw(t, "key")
				for range 20 {
					push(t, k, weights[k])
				}
			},
			"pop": func(t *rapid.T) {
				for range rapid.IntRange(1, 30).Draw(t, "items") {
					for k := range weights { // keep the keys waiting
						if held[k] < 2 {
							push(t, k, weights[k])
						}
					}
					p, _ := q.Pop()
					held[p.key]--
					if p.key >= keys {
						continue
					}
					for other := range weights {
						if other != p.key {
							pairs[p.key][other].served(float64(p.cost) / float64(p.weight))
							pairs[other][p.key].served(-float64(p.cost) / float64(p.weight))
						}
					}
				}
			},
			"": func(t *rapid.T) {
				for i, wi := range weights {
					for j, wj := range weights[:i] {
						bound := float64(quantum) + float64(maxCost)/float64(wi) + float64(maxCost)/float64(wj)
						if got := pairs[i][j].spread(); got > bound+1e-9 {
							t.Fatalf("keys of weights %d and %d were served a difference of %.3f in cost over weight; the bound is %.3f", wi, wj, got, bound)
						}
					}
				}
			},
		})
	})
}

// TestFairTenantsInProportion checks that three tenants with weights 1, 2 and 4 get service in
// this proportion, within the bound.
func TestFairTenantsInProportion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := []int{1, 2, 4}
		maxCost := rapid.SampledFrom([]int64{1, 10, 1000}).Draw(t, "largest cost")
		costs := rapid.SliceOfN(rapid.Int64Range(1, maxCost), 10, 50).Draw(t, "costs")
		q := newFair(maxCost)
		const each = 4000
		for i := range each {
			for k, w := range weights { // the light ones cost more an item
				q.Push(parcel{k, w, costs[(i*(k+1)+k)%len(costs)]})
			}
		}
		served := make([]float64, len(weights))
		for range each { // none runs out
			p, _ := q.Pop()
			served[p.key] += float64(p.cost) / float64(p.weight)
			for i := range weights {
				for j := range weights[:i] {
					bound := float64(maxCost) * (1 + 1/float64(weights[i]) + 1/float64(weights[j]))
					if d := served[i] - served[j]; d > bound || -d > bound {
						t.Fatalf("tenants of weights %v have been served %v in cost over weight; the bound is a difference of %.3f",
							weights, served, bound)
					}
				}
			}
		}
	})
}

// TestFairAcceptsAnyNumbers checks costs and weights outside their ranges, and a quantum far
// below the costs.
func TestFairAcceptsAnyNumbers(t *testing.T) {
	for _, quantum := range []int64{0, 1, 1 << 40} {
		q := newFair(quantum)
		parcels := []parcel{
			{1, -5, -5}, {2, 0, 0}, {3, math.MaxInt, 1 << 62}, {4, 1, 1 << 62}, {5, math.MaxInt, 1},
		}
		for range 3 {
			for _, p := range parcels {
				q.Push(p)
			}
		}
		got := map[int]int{}
		for q.Len() > 0 {
			p, ok := q.Pop()
			if !ok {
				t.Fatalf("Pop returned nothing, with %d items in the queue", q.Len())
			}
			got[p.key]++
		}
		check.Equal(t, "items by key", got, map[int]int{1: 3, 2: 3, 3: 3, 4: 3, 5: 3})
	}
}

// TestFairFreesKeys checks the memory used by keys that do not come back.
func TestFairFreesKeys(t *testing.T) {
	q := newFair(0)
	before := heapInUse()
	for k := range 200_000 {
		q.Push(parcel{k, 1, 1})
		q.Pop()
	}
	if kept := heapInUse() - before; kept > 256<<10 {
		t.Errorf("after 200,000 keys, one at a time, the queue keeps %d bytes; want at most 256 KiB", kept)
	}
	for k := range 200_000 { // all at once
		q.Push(parcel{k, 1, 1})
	}
	for q.Len() > 0 {
		q.Pop()
	}
	for k := range 100_000 { // then one at a time
		q.Push(parcel{k, 1, 1})
		q.Pop()
	}
	if kept := heapInUse() - before; kept > 512<<10 {
		t.Errorf("after a burst of 200,000 keys, and 100,000 one at a time, the queue keeps %d bytes; want at most 512 KiB", kept)
	}
}

// TestFairEvictsFromTheFloodingKey checks weights above the costs, and backlogs that differ by
// less than 1.
func TestFairEvictsFromTheFloodingKey(t *testing.T) {
	for name, flood := range map[string]parcel{
		"large weights": {2, 1000, 1}, "different weights": {2, 10, 1},
	} {
		q := newFair(0)
		innocent := parcel{1, 1, 1}
		if flood.weight == 1000 {
			innocent.weight = 1000
		}
		q.Push(innocent)
		for range 19 {
			q.Push(flood)
		}
		if p, _ := q.(queue.Evictor[parcel]).Evict(queue.Worst); p.key != flood.key {
			t.Errorf("%s: Evict returned the only item of key %d, with 19 items of key %d waiting", name, p.key, flood.key)
		}
	}
}
