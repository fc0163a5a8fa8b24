package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// load is an item of the benchmarks.
type load struct {
	key         int
	level, cost int
	due         time.Time
}

// loads makes items whose attributes are pseudo-random and the same in each run.
func loads(keys int) []*load {
	all := make([]*load, 1<<17) // no multiple of a depth
	epoch := time.Unix(1_800_000_000, 0)
	for i := range all {
		r := uint64(i) * 0x9E3779B97F4A7C15 >> 32
		all[i] = &load{key: int(r % uint64(keys)), level: int(r >> 8 % 10), cost: 1 + int(r>>4%100), due: epoch.Add(time.Duration(r))}
	}
	return all
}

// BenchmarkPushPop measures a Push and a Pop, with Tick and Finish where the discipline needs
// them, at a constant depth.
func BenchmarkPushPop(b *testing.B) {
	const keys = 1000
	items := loads(keys)
	key := func(l *load) int { return l.key }
	for _, discipline := range []struct {
		name string
		make queue.Factory[*load]
	}{
		{"FIFO", queue.NewFIFO[*load]},
		{"LIFO", queue.NewLIFO[*load]},
		{"Priority", queue.Priority(func(l *load) int { return l.level }, 100)},
		{"PriorityStrict", queue.Priority(func(l *load) int { return l.level }, 0)},
		{"Deadline", queue.Deadline(queue.DeadlineConfig[*load]{Deadline: func(l *load) (time.Time, bool) { return l.due, true }})},
		{"Fair", queue.Fair(queue.FairConfig[*load, int]{Key: key, Cost: func(l *load) int64 { return int64(l.cost) }})},
		{"LimitByKey", queue.LimitByKey(1, key, nil)},
		{"CoDel", queue.CoDel[*load](queue.CoDelConfig{})},
	} {
		for _, depth := range []int{0, 1000, 100_000} {
			b.Run(fmt.Sprintf("%s/depth=%d", discipline.name, depth), func(b *testing.B) {
				q := discipline.make()
				clock, _ := q.(queue.Clocked)
				if clock != nil && !clock.NeedsTime() {
					clock = nil
				}
				finisher, _ := q.(queue.Finisher[*load])
				now := time.Unix(0, 0)
				if clock != nil {
					clock.Tick(now)
				}
				for i := range depth {
					q.Push(items[i])
				}
				b.ReportAllocs()
				for i := depth; b.Loop(); i++ {
					if clock != nil {
						clock.Tick(now)
					}
					q.Push(items[i%len(items)])
					item, ok := q.Pop()
					if !ok {
						b.Fatalf("Pop returned nothing from a queue of %d", q.Len())
					}
					if finisher != nil {
						finisher.Finish(item, true)
					}
				}
			})
		}
	}
}
