package queue_test

import (
	"fmt"

	"github.com/seed56799101/taskmanager/queue"
)

type order struct {
	customer string
	level    int
}

func drain(q queue.Queue[order]) {
	for o, ok := q.Pop(); ok; o, ok = q.Pop() {
		fmt.Println(o.customer, o.level)
	}
}

// With an ageing of 2, one level is worth two places in the order of arrival.
func ExamplePriority() {
	q := queue.Priority(func(o order) int { return o.level }, 2)()
	for i, level := range []int{0, 0, 0, 1, 5} {
		q.Push(order{fmt.Sprint("customer ", i), level})
	}
	drain(q)
	// Output:
	// customer 4 5
	// customer 0 0
	// customer 1 0
	// customer 3 1
	// customer 2 0
}

// A customer who floods the queue delays only their own orders. A customer with twice the
// weight is served twice as often.
func ExampleFair() {
	q := queue.Fair(queue.FairConfig[order, string]{
		Key: func(o order) string { return o.customer },
		Weight: func(o order) int {
			if o.customer == "gold" {
				return 2
			}
			return 1
		},
	})()
	for range 4 {
		q.Push(order{customer: "flood"})
	}
	for range 4 {
		q.Push(order{customer: "gold"})
	}
	q.Push(order{customer: "rare"})
	drain(q)
	// Output:
	// gold 0
	// flood 0
	// rare 0
	// gold 0
	// gold 0
	// flood 0
	// gold 0
	// flood 0
	// flood 0
}

// The orders of one customer run one after another. Other customers do not wait for them.
func ExampleLimitByKey() {
	q := queue.LimitByKey(1, func(o order) string { return o.customer }, queue.NewFIFO[order])()
	q.Push(order{"a", 1})
	q.Push(order{"a", 2})
	q.Push(order{"b", 3})
	first, _ := q.Pop()
	drain(q)
	fmt.Println("held:", q.Len())
	q.(queue.Finisher[order]).Finish(first, true)
	drain(q)
	// Output:
	// b 3
	// held: 1
	// a 2
}

// A large item is not overtaken by small ones, and items that need nothing do not wait.
func ExampleResources() {
	type job struct {
		name   string
		memory int64
	}
	q := queue.Resources(queue.ResourcesConfig[job]{
		Capacity: map[string]int64{"memory": 8},
		Amount:   func(j job, _ string) int64 { return j.memory },
	}, nil)()
	first := job{"small", 4}
	for _, j := range []job{first, {"large", 6}, {"small", 1}, {"mail", 0}} {
		q.Push(j)
	}
	pop := func() {
		for j, ok := q.Pop(); ok; j, ok = q.Pop() {
			fmt.Println(j.name, j.memory)
		}
	}
	pop()
	q.(queue.Finisher[job]).Finish(first, true)
	pop()
	// Output:
	// small 4
	// mail 0
	// large 6
	// small 1
}

// An item that is put first runs before its equals. Of two such items, the later one runs first.
func ExampleFronter() {
	q := queue.NewFIFO[order]()
	q.Push(order{customer: "a"})
	q.Push(order{customer: "b"})
	if f, ok := q.(queue.Fronter[order]); ok && f.CanPushFront() {
		f.PushFront(order{customer: "again"})
		f.PushFront(order{customer: "again, later"})
	}
	drain(q)
	// Output:
	// again, later 0
	// again 0
	// a 0
	// b 0
}

// While an item has lent its place, one that cannot fit until it ends is set aside, since the item may
// wait for what comes behind it.
func ExampleLender() {
	q := queue.Resources(queue.ResourcesConfig[order]{
		Capacity: map[string]int64{"level": 3},
		Amount:   func(o order, _ string) int64 { return int64(o.level) },
	}, nil)()
	parent := order{"parent", 2}
	q.Push(parent)
	drain(q)
	q.Push(order{"large", 3})
	q.Push(order{"child", 1})
	fmt.Println("held:", q.(queue.Holder).Held())
	q.(queue.Lender[order]).Lent(parent, true) // it waits for the child
	drain(q)
	// Output:
	// parent 2
	// held: 2
	// child 1
}
