package queue_test

import (
	"fmt"
	"testing"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
)

// removable is an item of the tests of Remove.
type removable struct {
	Outer, Inner int
	Removed      bool
}

func isRemoved(i removable) bool { return i.Removed }

// TestRemovalOfHeldItemsIsDeterministic removes the items that wait first for each of many inner keys.
// Those behind them take their turns in the order in which the removed ones were pushed, not in that of
// a map.
func TestRemovalOfHeldItemsIsDeterministic(t *testing.T) {
	inner := queue.LimitByKey(1, func(i removable) int { return i.Inner }, nil)
	q := queue.LimitByKey(1, func(i removable) int { return i.Outer }, inner)()
	const keys = 20
	running := removable{Outer: 0, Inner: keys}
	q.Push(running)
	var want []removable
	for k := range keys {
		next := removable{Outer: 0, Inner: k}
		q.Push(removable{Outer: 0, Inner: k, Removed: true}) // held back by the outer limit
		q.Push(next)
		want = append(want, next)
	}
	check.Equal(t, "removed", q.(queue.Remover[removable]).Remove(isRemoved), keys)
	var got []removable
	q.Pop()
	q.(queue.Finisher[removable]).Finish(running, true)
	for next, ok := q.Pop(); ok; next, ok = q.Pop() {
		got = append(got, next)
		q.(queue.Finisher[removable]).Finish(next, true)
	}
	check.Equal(t, "admitted", got, want)
}

// TestRemovalOfHeadsAdmitsInTheOrderOfTheirPushes removes the items for which resources are kept. Those
// behind them start at once, in the order of the removed ones.
func TestRemovalOfHeadsAdmitsInTheOrderOfTheirPushes(t *testing.T) {
	const resources = 20
	capacity := map[string]int64{}
	for k := range resources {
		capacity[fmt.Sprint(k)] = 2
	}
	q := queue.Resources(queue.ResourcesConfig[removable]{Capacity: capacity, Amount: func(i removable, name string) int64 {
		switch {
		case name != fmt.Sprint(i.Outer):
			return 0
		case i.Removed:
			return 2
		default:
			return 1
		}
	}}, nil)()
	var want []removable
	for k := range resources {
		q.Push(removable{Outer: k}) // leaves too little for the next
		q.Pop()
		q.Push(removable{Outer: k, Removed: true})
		next := removable{Outer: k, Inner: 1}
		q.Push(next) // waits behind it
		want = append(want, next)
	}
	check.Equal(t, "held", q.(queue.Holder).Held(), 2*resources)
	check.Equal(t, "removed", q.(queue.Remover[removable]).Remove(isRemoved), resources)
	var got []removable
	for next, ok := q.Pop(); ok; next, ok = q.Pop() {
		got = append(got, next)
	}
	check.Equal(t, "admitted", got, want)
}

// TestFirstHeadsComeFirstAfterARemoval removes the item that waits first for a key, and then the
// admitted items. The item that has waited first for another key comes before the one that took the
// place of the removed one, although the item that held it back is removed later.
func TestFirstHeadsComeFirstAfterARemoval(t *testing.T) {
	type item struct {
		Key, Number int
	}
	key := func(i item) int { return i.Key }
	q := queue.LimitByKey(1, key, queue.LimitByKey(1, key, nil))()
	for _, i := range []item{{1, 0}, {2, 0}, {1, 1}, {2, 2}, {1, 2}} { // with the number 0, admitted
		q.Push(i)
	}
	for n := range 2 {
		q.(queue.Remover[item]).Remove(func(i item) bool { return i.Number == 1-n })
	}
	var got []item
	for next, ok := q.Pop(); ok; next, ok = q.Pop() {
		got = append(got, next)
	}
	check.Equal(t, "admitted", got, []item{{2, 2}, {1, 2}})
}

// TestHeadsKeepTheirTurnsWhenSeveralItemsLeave removes the admitted items at once. The head that is the
// first one to wait for a key loses the place of its other key to an earlier head. The head behind it
// still comes before one that became a head later.
func TestHeadsKeepTheirTurnsWhenSeveralItemsLeave(t *testing.T) {
	q := queue.LimitByKey(1, func(i removable) int { return i.Outer },
		queue.LimitByKey(1, func(i removable) int { return i.Inner }, nil))()
	for key := range 3 {
		q.Push(removable{Outer: key, Inner: 10 + key, Removed: true})
	}
	first, second, third := removable{Outer: 1, Inner: 1}, removable{Outer: 0, Inner: 2}, removable{Outer: 2, Inner: 3}
	for _, i := range []removable{first, {Outer: 0, Inner: 1}, second, third} {
		q.Push(i)
	}
	check.Equal(t, "removed", q.(queue.Remover[removable]).Remove(isRemoved), 3)
	var got []removable
	for next, ok := q.Pop(); ok; next, ok = q.Pop() {
		got = append(got, next)
	}
	check.Equal(t, "admitted", got, []removable{first, second, third})
}
