package taskmanager_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// BenchmarkOutstanding is the cost of a task, from submit to done, when n names
// are outstanding at once: they are submitted while the only worker is held up,
// and then run. Beside 1,000 names, in turns, as the yardstick.
func BenchmarkOutstanding(b *testing.B) {
	const least, rounds = 1000, 5
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("names=%d", n), func(b *testing.B) {
			m := startBench(b, 1)
			names := taskNames(n)
			var many, few, ratios []float64
			for range b.N {
				for range rounds {
					f := perTask(b, m, names[:least], n/least)
					g := perTask(b, m, names, 1)
					many, few, ratios = append(many, g), append(few, f), append(ratios, g/f)
				}
			}
			b.ReportMetric(median(many), "ns/task")
			b.ReportMetric(median(few), "ns/yardstick")
			b.ReportMetric(median(ratios), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// perTask is the time a task takes, in nanoseconds, when names are outstanding
// together, several times over.
func perTask(b *testing.B, m *taskmanager.TaskManager, names []string, times int) float64 {
	b.Helper()
	start := time.Now()
	for range times {
		var wg sync.WaitGroup
		gate := make(chan struct{})
		last, err := m.GoFunc("gate", func(context.Context) error { <-gate; return nil })
		if err != nil {
			b.Fatal(err)
		}
		<-last
		wg.Add(len(names))
		fn := func(context.Context) error { wg.Done(); return nil }
		for _, name := range names {
			if _, err := m.SubmitFunc(context.Background(), name, fn); err != nil {
				b.Fatal(err)
			}
		}
		close(gate)
		wg.Wait()
		h, err := m.SubmitFunc(context.Background(), "end", fn0)
		if err != nil {
			b.Fatal(err)
		}
		if err := h.Wait(context.Background()); err != nil { // now all names are free again
			b.Fatal(err)
		}
	}
	return float64(time.Since(start).Nanoseconds()) / float64(len(names)*times)
}

func fn0(context.Context) error { return nil }

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}

// BenchmarkQueuedMemory is the memory that each of a million queued named tasks
// takes, the names themselves excepted.
func BenchmarkQueuedMemory(b *testing.B) {
	const n = 1_000_000
	names := taskNames(n)
	for range b.N {
		m := startBench(b, 1)
		submitFunc(b, m, "gate", untilCancelled)
		before := heapInUse()
		for _, name := range names {
			submitFunc(b, m, name, fn0)
		}
		b.ReportMetric(float64(heapInUse()-before)/n, "B/task")
		b.ReportMetric(0, "ns/op")
		stop(b, m)
	}
	runtime.KeepAlive(names)
}

// BenchmarkStatus asks for the status of 100,000 outstanding tasks, over and
// over, while others are submitted, and reports how long a submit takes then: at
// the median, at the 99.9th percentile and at worst.
func BenchmarkStatus(b *testing.B) {
	m := startBench(b, 2)
	submitFunc(b, m, "gate", untilCancelled) // one worker is held up, so that what is queued stays
	quit := make(chan struct{})
	var asking sync.WaitGroup
	for _, name := range taskNames(100_000) {
		submitFunc(b, m, name, untilCancelled)
	}
	asking.Go(func() {
		for {
			select {
			case <-quit:
				return
			default:
				m.TaskStatus()
				m.Status()
			}
		}
	})
	delays := make([]float64, 0, b.N)
	for i := range b.N {
		begin := time.Now()
		submitFunc(b, m, fmt.Sprint("probe/", i), untilCancelled)
		delays = append(delays, float64(time.Since(begin).Microseconds()))
	}
	close(quit)
	asking.Wait()
	slices.Sort(delays)
	b.ReportMetric(delays[len(delays)/2], "p50-µs/submit")
	b.ReportMetric(delays[len(delays)*999/1000], "p99.9-µs/submit")
	b.ReportMetric(delays[len(delays)-1], "max-µs/submit")
}
