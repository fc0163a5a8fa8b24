package queue_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

// TestItemsSetAsideKeepTheirOrder has items lend their places and continue. Held items that need the
// same amounts run in the order of their pushes, however often the head is set aside.
func TestItemsSetAsideKeepTheirOrder(t *testing.T) {
	for name, capacity := range map[string]map[string]int64{
		"one resource":  {"a": 2},
		"two resources": {"a": 2, "b": 3},
	} {
		t.Run(name, func(t *testing.T) {
			q := queue.Resources(queue.ResourcesConfig[int]{
				Capacity: capacity, Amount: func(int, string) int64 { return 1 },
			}, nil)()
			for i := range 5 {
				q.Push(i)
			}
			lender, end := q.(queue.Lender[int]), q.(queue.Finisher[int]).Finish
			for range 2 {
				q.Pop()
			}
			for range 3 {
				lender.Lent(0, true)
				lender.Lent(1, true) // no held item can fit
				lender.Lent(1, false)
				lender.Lent(0, false)
			}
			end(0, true)
			end(1, true)
			var got []int
			for i, ok := q.Pop(); ok; i, ok = q.Pop() {
				got = append(got, i)
				end(i, true)
			}
			check.Equal(t, "order", got, []int{2, 3, 4})
		})
	}
}

// TestEqualItemsRunInTheOrderOfTheirPushes does the same at random.
func TestEqualItemsRunInTheOrderOfTheirPushes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// An item that runs alone can use up one of the resources; the others need 1 of each.
		amount := func(i int, r string) int64 {
			if i < 0 && r == []string{"a", "b"}[-i-1] || i >= 0 {
				return 1
			}
			return 0
		}
		q := queue.Resources(queue.ResourcesConfig[int]{
			Capacity: map[string]int64{"a": 2, "b": 2}, Amount: amount,
		}, nil)()
		var running []int
		lent := map[int]bool{}
		pushed, last := 0, 0
		draw := func(t *rapid.T) int {
			if len(running) == 0 {
				t.Skip("no item runs")
			}
			return rapid.IntRange(0, len(running)-1).Draw(t, "item")
		}
		lend := func(i int) {
			lent[i] = !lent[i]
			q.(queue.Lender[int]).Lent(i, lent[i])
		}
		special := map[int]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(*rapid.T) { pushed++; q.Push(pushed) },
			"push one of a resource": func(t *rapid.T) {
				i := -rapid.IntRange(1, 2).Draw(t, "resource")
				if special[i] {
					t.Skip("there is one")
				}
				special[i] = true
				q.Push(i)
			},
			"lend": func(t *rapid.T) { lend(running[draw(t)]) },
			"finish": func(t *rapid.T) {
				at := draw(t)
				i := running[at]
				running = append(running[:at:at], running[at+1:]...)
				if lent[i] {
					lend(i)
				}
				delete(special, i)
				q.(queue.Finisher[int]).Finish(i, true)
			},
			"": func(t *rapid.T) {
				for i, ok := q.Pop(); ok; i, ok = q.Pop() {
					running = append(running, i)
					if i < 0 {
						continue
					}
					if i != last+1 {
						t.Fatalf("item %d runs after %d", i, last)
					}
					last = i
				}
			},
		})
	})
}

// TestSetsOfResourcesAreForgotten holds back items that need each set of resources in turn. What an
// item costs must not depend on the number of sets that were seen.
func TestSetsOfResourcesAreForgotten(t *testing.T) {
	capacity := map[string]int64{}
	for i := range 10 {
		capacity[fmt.Sprint(i)] = 1
	}
	set := func(i *queuetest.Item, resource string) int64 {
		return int64(i.Value>>(resource[0]-'0')) & 1
	}
	q := queue.Resources(queue.ResourcesConfig[*queuetest.Item]{Capacity: capacity, Amount: set}, nil)()
	for value := 1; value < 1<<10; value++ {
		for range 2 { // the second is held back until the first has ended
			q.Push(&queuetest.Item{Value: value})
		}
		for range 2 {
			i, _ := q.Pop()
			q.(queue.Finisher[*queuetest.Item]).Finish(i, true)
		}
	}
	check.Equal(t, "items", q.Len(), 0)
	check.Equal(t, "sets that are kept", queue.ClassesOf(q), 1)
}
