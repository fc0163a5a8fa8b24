package queue_test

import (
	"cmp"
	"math"
	"math/big"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

// The attributes of the suite's items: ten keys, weights of 1, 2 and 4, with which virtual times
// are exact, and costs from 1 to 14.
func tenant(i *queuetest.Item) int { return i.Value }
func weight(i *queuetest.Item) int { return 1 << (i.Value % 3) }
func cost(i *queuetest.Item) int64 { return int64(1 + (i.Value+3*i.Seq)%14) }

// selfClocked is a model of Fair: self-clocked fair queueing without optimisations.
type selfClocked struct {
	now  float64 // the virtual time
	keys []*lane // with items; of two that finish at the same time, the first one comes first
}

type lane struct {
	key   int
	items []*queuetest.Item
	start float64 // of the first item
}

// service returns the virtual time that an item takes.
func service(i *queuetest.Item) float64 { return float64(cost(i)) / float64(weight(i)) }

func (l *lane) finish() float64 { return l.start + service(l.items[0]) }

func (q *selfClocked) Len() (n int) {
	for _, l := range q.keys {
		n += len(l.items)
	}
	return n
}

func (q *selfClocked) Push(i *queuetest.Item) {
	for _, l := range q.keys {
		if l.key == tenant(i) {
			l.items = append(l.items, i)
			return
		}
	}
	q.keys = append(q.keys, &lane{key: tenant(i), items: []*queuetest.Item{i}, start: q.now})
}

func (q *selfClocked) Pop() (*queuetest.Item, bool) {
	if len(q.keys) == 0 {
		return nil, false
	}
	next := slices.MinFunc(q.keys, func(a, b *lane) int { return cmp.Compare(a.finish(), b.finish()) })
	i := next.items[0]
	next.start = next.finish()
	q.now = max(q.now, next.start)
	next.items = next.items[1:]
	at := slices.Index(q.keys, next)
	q.keys = append(slices.Delete(q.keys, at, at+1), next)
	q.tidy()
	return i, true
}

// Finish refunds the cost of an item that did not run.
func (q *selfClocked) Finish(i *queuetest.Item, ran bool) {
	for _, l := range q.keys {
		if l.key == tenant(i) && !ran {
			l.start -= service(i)
		}
	}
}

// tidy deletes keys without items.
func (q *selfClocked) tidy() {
	q.keys = slices.DeleteFunc(q.keys, func(l *lane) bool { return len(l.items) == 0 })
}

func (q *selfClocked) Remove(gone func(*queuetest.Item) bool) int {
	before := q.Len()
	for _, l := range q.keys {
		l.items = slices.DeleteFunc(l.items, gone)
	}
	q.tidy()
	return before - q.Len()
}

func (q *selfClocked) CanEvict(v queue.Victim) bool { return v == queue.Worst }

// Evict takes the newest item of the key with the largest cost divided by weight. Of several
// such keys, it takes that of the one that runs last.
func (q *selfClocked) Evict(queue.Victim) (*queuetest.Item, bool) {
	if len(q.keys) == 0 {
		return nil, false
	}
	backlog := func(l *lane) (sum float64) {
		for _, i := range l.items {
			sum += service(i)
		}
		return sum
	}
	worst := q.keys[0]
	for _, l := range q.keys {
		if backlog(l) > backlog(worst) || backlog(l) == backlog(worst) && l.finish() >= worst.finish() {
			worst = l
		}
	}
	i := worst.items[len(worst.items)-1]
	worst.items = worst.items[:len(worst.items)-1]
	q.tidy()
	return i, true
}

func TestFairConforms(t *testing.T) {
	t.Run("weights and costs", func(t *testing.T) {
		queuetest.Run(t,
			queue.Fair(queue.FairConfig[*queuetest.Item, int]{Key: tenant, Weight: weight, Cost: cost}),
			queuetest.WithModel(func() queue.Queue[*queuetest.Item] { return new(selfClocked) }))
	})
	t.Run("defaults", func(t *testing.T) {
		queuetest.Run(t, queue.Fair(queue.FairConfig[*queuetest.Item, int]{Key: tenant}))
	})
}

// parcel is an item with the attributes that Fair reads.
type parcel struct {
	key, weight int
	cost        int64
}

func newFair() queue.Queue[parcel] {
	return queue.Fair(queue.FairConfig[parcel, int]{
		Key:    func(p parcel) int { return p.key },
		Weight: func(p parcel) int { return p.weight },
		Cost:   func(p parcel) int64 { return p.cost },
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
// most Max/wi + Max/wj in each period of time, independent of other keys.
func TestFairServesByWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const keys = 4 // that always wait
		maxCost := rapid.SampledFrom([]int64{1, 3, 40}).Draw(t, "largest cost")
		q := newFair()
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
						bound := float64(maxCost)/float64(wi) + float64(maxCost)/float64(wj)
						if got := pairs[i][j].spread(); got > bound+1e-5 {
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
		q := newFair()
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
					bound := float64(maxCost)*(1/float64(weights[i])+1/float64(weights[j])) + 1e-5
					if d := served[i] - served[j]; d > bound || -d > bound {
						t.Fatalf("tenants of weights %v have been served %v in cost over weight; the bound is a difference of %.3f",
							weights, served, bound)
					}
				}
			}
		}
	})
}

// extreme costs and weights, in the range and outside of it.
var (
	extremeCosts   = []int64{math.MinInt64, -1, 0, 1, 2, 3, 1000, 1 << 20, 1<<40 - 1, 1 << 40, math.MaxInt64}
	extremeWeights = []int{math.MinInt, 0, 1, 2, 3, 7, 1<<20 - 1, 1 << 20, math.MaxInt}
)

// TestFairExpensiveItemDelaysOnlyItsKey checks that an item of the largest cost does not
// change the turns of other keys: the items of a flooding key and those of a third key alternate.
func TestFairExpensiveItemDelaysOnlyItsKey(t *testing.T) {
	q := newFair()
	q.Push(parcel{1, 1, 1 << 40})
	for range 50_000 {
		q.Push(parcel{2, 1, 1})
	}
	for range 10 {
		q.Push(parcel{3, 1, 1})
	}
	var order []int
	for range 20 {
		p, _ := q.Pop()
		order = append(order, p.key)
	}
	check.Equal(t, "keys", order, slices.Repeat([]int{2, 3}, 10))
}

// TestFairBoundsTheDelayForAnyCosts checks the bound of Fair for each item that waits at
// the front of its key, of weight w and cost c: the items of another key, of weight v, that are
// popped meanwhile cost less than c·v/w without the first one.
func TestFairBoundsTheDelayForAnyCosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const keys = 4
		q := newFair()
		lines := [keys][]parcel{}
		var weights [keys]int
		for k := range weights {
			weights[k] = rapid.SampledFrom(extremeWeights).Draw(t, "weight")
		}
		var passed [keys][keys]*big.Int // [waiting][other]: cost without the first item; nil: none
		push := func(t *rapid.T, k int) {
			p := parcel{k, weights[k], rapid.SampledFrom(extremeCosts).Draw(t, "cost")}
			q.Push(p)
			lines[k] = append(lines[k], p)
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) { push(t, rapid.IntRange(0, keys-1).Draw(t, "key")) },
			"flood": func(t *rapid.T) {
				k := rapid.IntRange(0, keys-1).Draw(t, "key")
				for range 30 {
					push(t, k)
				}
			},
			"pop": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "items") {
					p, ok := q.Pop()
					if !ok {
						return
					}
					if want := lines[p.key][0]; p != want {
						t.Fatalf("Pop returned %+v, want %+v, the oldest of its key", p, want)
					}
					lines[p.key] = lines[p.key][1:]
					passed[p.key] = [keys]*big.Int{}
					for k := range keys {
						if k == p.key || len(lines[k]) == 0 {
							continue
						}
						if passed[k][p.key] == nil {
							passed[k][p.key] = new(big.Int)
							continue
						}
						sum := passed[k][p.key]
						sum.Add(sum, big.NewInt(inRange(p.cost, 1<<40)))
						checkPassed(t, sum, lines[k][0], p)
					}
				}
			},
		})
	})
}

// inRange limits a cost or a weight as Fair does.
func inRange(n, most int64) int64 { return min(max(n, 1), most) }

// checkPassed checks that items of the key of p, of a total cost of sum, may overtake waiting.
// Times are rounded down to units of 2⁻²⁰, which makes an error of two units.
func checkPassed(t *rapid.T, sum *big.Int, waiting, p parcel) {
	w, v := inRange(int64(waiting.weight), 1<<20), inRange(int64(p.weight), 1<<20)
	times := func(x *big.Int, n int64) *big.Int { return new(big.Int).Mul(x, big.NewInt(n)) }
	got := times(times(sum, w), 1<<20)
	bound := times(times(big.NewInt(inRange(waiting.cost, 1<<40)), v), 1<<20)
	if bound.Add(bound, times(big.NewInt(v), 2*w)); got.Cmp(bound) >= 0 {
		t.Fatalf("while %+v was first in its line, items like %+v that cost %v overtook it, not counting the first", waiting, p, sum)
	}
}

// TestFairVirtualTimeWrapsAround checks the order after the virtual time has passed 2⁶⁴ many
// times, with items of the largest cost and many refunds.
func TestFairVirtualTimeWrapsAround(t *testing.T) {
	q := newFair()
	served := map[int]int{}
	for k := range 6 {
		q.Push(parcel{k % 3, 1, 1 << 40})
	}
	for range 3000 {
		p, _ := q.Pop()
		served[p.key]++
		q.Push(p)
	}
	check.Equal(t, "items by key", served, map[int]int{0: 1000, 1: 1000, 2: 1000})
	for range 100 { // more than the virtual time can express
		q.(queue.Finisher[parcel]).Finish(parcel{0, 1, 1 << 40}, false)
	}
	clear(served)
	for range 300 {
		p, _ := q.Pop()
		served[p.key]++
		q.Push(p)
	}
	check.Equal(t, "items by key after refunds of key 0", served, map[int]int{0: 101, 1: 100, 2: 99})
}

// TestFairFreesKeys checks the memory used by keys that do not come back.
func TestFairFreesKeys(t *testing.T) {
	q := newFair()
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
	runtime.KeepAlive(q)
}

// TestFairEvictsFromTheFloodingKey checks weights above the costs, and backlogs that differ by
// less than 1.
func TestFairEvictsFromTheFloodingKey(t *testing.T) {
	for name, flood := range map[string]parcel{
		"large weights": {2, 1000, 1}, "different weights": {2, 10, 1},
	} {
		q := newFair()
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

// TestFairSharesAreExact checks that rounding does not add up: with weights near the largest one
// an item of cost 1 takes between one and two units of virtual time.
func TestFairSharesAreExact(t *testing.T) {
	q := newFair()
	weights := []int{700_000, 1 << 20}
	for k, w := range weights {
		q.Push(parcel{k, w, 1})
		q.Push(parcel{k, w, 1})
	}
	const items = 20_000
	served := [2]int{}
	for range items {
		p, _ := q.Pop()
		served[p.key]++
		q.Push(p)
	}
	want := int(items * int64(weights[0]) / int64(weights[0]+weights[1])) // the product overflows 32 bits
	if d := served[0] - want; d < -2 || d > 2 {
		t.Errorf("the key of weight %d was served %d of %d items, want %d", weights[0], served[0], items, want)
	}
}

// TestFairEvictsWhatRunsLast checks that of keys with equal backlogs, the one that runs last
// loses an item.
func TestFairEvictsWhatRunsLast(t *testing.T) {
	q := newFair()
	for k := range 3 {
		q.Push(parcel{k, 1, 1})
	}
	for _, want := range []int{2, 1, 0} {
		if p, _ := q.(queue.Evictor[parcel]).Evict(queue.Worst); p.key != want {
			t.Errorf("Evict returned the item of key %d, want that of key %d", p.key, want)
		}
	}
}
