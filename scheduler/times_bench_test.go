package scheduler_test

import (
	"context"
	"sync"
	"testing"

	"github.com/seed56799101/taskmanager/internal/yardstick"
	"github.com/seed56799101/taskmanager/scheduler"
)

// BenchmarkTimes runs items that do nothing with Config.Times and without, in turns. The metric "ratio"
// is the cost of the times.
func BenchmarkTimes(b *testing.B) {
	const workers = 2
	submits := func(times bool) yardstick.Work {
		p, err := scheduler.NewPool(scheduler.Config[*sync.WaitGroup]{Min: workers, Max: workers, Times: times},
			func(_ int32, done *sync.WaitGroup) { done.Done() })
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = p.Stop(context.Background()) })
		return func(n int) {
			var done sync.WaitGroup
			done.Add(n)
			for range n {
				if err := p.Submit(context.Background(), &done); err != nil {
					b.Error(err)
				}
			}
			done.Wait()
		}
	}
	yardstick.Compare(b, submits(true), submits(false))
}
