package scheduler_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
)

// grower is a pool whose items block, so that each item needs a new worker.
type grower struct {
	pool    *scheduler.Pool[time.Time]
	release chan struct{}
	took    chan time.Duration
}

func newGrower(b *testing.B, maximum int) *grower {
	b.Helper()
	g := &grower{release: make(chan struct{}), took: make(chan time.Duration, 1)}
	p, err := scheduler.NewPool(scheduler.Config[time.Time]{Max: maximum}, func(_ int32, submitted time.Time) {
		g.took <- time.Since(submitted)
		<-g.release
	})
	if err != nil {
		b.Fatal(err)
	}
	g.pool = p
	return g
}

// BenchmarkGrowth measures the time from Submit to the start of an item that needs a new
// worker.
func BenchmarkGrowth(b *testing.B) {
	const maximum = 256
	var took []time.Duration
	for b.Loop() {
		g := newGrower(b, maximum)
		took = append(took, g.fill(b, maximum)...)
	}
	b.ReportMetric(median(took).Seconds()*1e6, "p50-µs/start")
	b.ReportMetric(0, "ns/op") // it would be the time to fill a whole pool
}

func (g *grower) fill(b *testing.B, n int) []time.Duration {
	b.Helper()
	took := make([]time.Duration, 0, n)
	for range n {
		mustSubmit(b, g.pool, time.Now())
		took = append(took, <-g.took)
	}
	close(g.release)
	mustStop(b, g.pool)
	return took
}

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2]
}
