package scheduler_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/seed56799101/taskmanager/internal/yardstick"
	"github.com/seed56799101/taskmanager/scheduler"
)

// buffer is large enough that a larger one does not make the channel pool faster.
const buffer = 1024

// newBenchPool starts a pool of a fixed size whose items call Done on their group.
func newBenchPool(b *testing.B, workers int) *scheduler.Pool[*sync.WaitGroup] {
	b.Helper()
	p, err := scheduler.NewPool(
		scheduler.Config[*sync.WaitGroup]{Min: workers, Max: workers},
		func(_ int32, wg *sync.WaitGroup) { wg.Done() },
	)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return p
}

func newYardstick(b *testing.B, workers int) yardstick.Work {
	b.Helper()
	p := yardstick.NewChannelPool(workers, buffer, func(wg *sync.WaitGroup) { wg.Done() })
	b.Cleanup(p.Stop)
	var wg sync.WaitGroup
	return func(n int) {
		wg.Add(n)
		for range n {
			p.Submit(&wg)
		}
		wg.Wait()
	}
}

// BenchmarkSubmit measures the dispatch path with one submitter, from submit to done, and
// compares it with a plain channel pool of the same size.
func BenchmarkSubmit(b *testing.B) {
	for _, workers := range []int{2, 100} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			p := newBenchPool(b, workers)
			ctx := context.Background()
			var wg sync.WaitGroup
			b.ReportAllocs()
			yardstick.Compare(b, func(n int) {
				wg.Add(n)
				for range n {
					if err := p.Submit(ctx, &wg); err != nil {
						b.Fatal(err)
					}
				}
				wg.Wait()
			}, newYardstick(b, workers))
		})
	}
}

// BenchmarkSubmitAll submits in batches of 64.
func BenchmarkSubmitAll(b *testing.B) {
	const size = 64
	for _, workers := range []int{2, 100} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			p := newBenchPool(b, workers)
			ctx := context.Background()
			var wg sync.WaitGroup
			items := make([]*sync.WaitGroup, size)
			for i := range items {
				items[i] = &wg
			}
			b.ReportAllocs()
			yardstick.Compare(b, func(n int) {
				wg.Add(n)
				for ; n > 0; n -= size {
					if err := p.SubmitAll(ctx, items[:min(n, size)]); err != nil {
						b.Fatal(err)
					}
				}
				wg.Wait()
			}, newYardstick(b, workers))
		})
	}
}
