package queue_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

func value(i *queuetest.Item) int { return i.Value }

// least returns a function that finds the first item with the smallest key.
func least[T any](key func(T) int64) func([]T) int {
	return func(items []T) int {
		best, bestKey := 0, key(items[0])
		for i, item := range items {
			if k := key(item); k < bestKey {
				best, bestKey = i, k
			}
		}
		return best
	}
}

// most returns a function that finds the last item with the largest key.
func most[T any](key func(T) int64) func([]T) int {
	return func(items []T) int {
		best, bestKey := 0, key(items[0])
		for i, item := range items {
			if k := key(item); k >= bestKey {
				best, bestKey = i, k
			}
		}
		return best
	}
}

func TestPriorityConforms(t *testing.T) {
	for _, ageing := range []int{0, 1, 30} {
		t.Run(fmt.Sprintf("ageing=%d", ageing), func(t *testing.T) {
			key := func(i *queuetest.Item) int64 { return int64(i.Seq - i.Value*ageing) }
			if ageing == 0 {
				key = func(i *queuetest.Item) int64 { return int64(-i.Value) }
			}
			queuetest.Run(t, queue.Priority(value, ageing), list(least(key), most(key)))
		})
	}
}

// TestPriorityBoundsOvertaking checks that at most (pmax−p)·ageing newer items run before an
// item of level p.
func TestPriorityBoundsOvertaking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ageing := rapid.IntRange(1, 20).Draw(t, "ageing")
		pmax := rapid.IntRange(0, 5).Draw(t, "highest level")
		q := queue.Priority(value, ageing)()
		var waiting []*queuetest.Item
		overtaken := map[*queuetest.Item]int{}
		seq := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				// Often many items of one level, such as a flood of important items.
				level := rapid.IntRange(0, pmax).Draw(t, "level")
				for range rapid.SampledFrom([]int{1, 2, 50}).Draw(t, "items") {
					seq++
					i := &queuetest.Item{Seq: seq, Value: level}
					waiting = append(waiting, i)
					q.Push(i)
				}
			},
			"pop": func(t *rapid.T) {
				for range rapid.IntRange(1, 30).Draw(t, "items") {
					popped, ok := q.Pop()
					if !ok {
						return
					}
					rest := waiting[:0]
					for _, i := range waiting {
						if i == popped {
							continue
						}
						rest = append(rest, i)
						if i.Seq > popped.Seq {
							continue
						}
						overtaken[i]++
						if most := (pmax - i.Value) * ageing; overtaken[i] > most {
							t.Fatalf("%d newer items ran before %v, the last one %v; want at most %d", overtaken[i], i, popped, most)
						}
					}
					waiting = rest
				}
			},
		})
	})
}

// TestPriorityAcceptsAnyLevel checks that extreme levels do not overflow.
func TestPriorityAcceptsAnyLevel(t *testing.T) {
	self := func(level int) int { return level }
	for _, ageing := range []int{0, 1, 1 << 30} {
		q := queue.Priority(self, ageing)()
		for _, level := range []int{-1, math.MinInt, 0, math.MaxInt, 1} {
			q.Push(level)
		}
		var got []int
		for q.Len() > 0 {
			level, _ := q.Pop()
			got = append(got, level)
		}
		want := []int{math.MaxInt, 1, 0, -1, math.MinInt}
		if ageing == 1 { // -1 was pushed first, and a level is worth one place
			want = []int{math.MaxInt, -1, 0, 1, math.MinInt}
		}
		check.Equal(t, fmt.Sprintf("levels in order, with an ageing of %d", ageing), got, want)
	}
}
