// Package yardstick measures speed as a ratio. On a shared machine an absolute
// time says little; what holds up is the ratio of two pieces of work that ran
// in turns in the same process.
package yardstick

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// ChannelPool is the pool that every Go programmer writes first: workers that
// range over a buffered channel. It is what our pools are measured against.
type ChannelPool[T any] struct {
	items   chan T
	workers sync.WaitGroup
}

// NewChannelPool starts workers that pass what is submitted to run.
func NewChannelPool[T any](workers, buffer int, run func(T)) *ChannelPool[T] {
	p := &ChannelPool[T]{items: make(chan T, buffer)}
	for range workers {
		p.workers.Go(func() {
			for item := range p.items {
				run(item)
			}
		})
	}
	return p
}

// Submit waits for a place in the buffer.
func (p *ChannelPool[T]) Submit(item T) { p.items <- item }

// Stop waits until what was submitted has run.
func (p *ChannelPool[T]) Stop() {
	close(p.items)
	p.workers.Wait()
}

// Work does n units of something and returns when all are done.
type Work func(n int)

// rounds is odd, so that the median is one of them.
const rounds = 11

// Compare runs the candidate and the yardstick in turns, for as long as b asks,
// and reports the medians of their times per unit and of the ratio of each pair.
func Compare(b *testing.B, candidate, yardstick Work) {
	b.Helper()
	const least = 2000 // units in a round: fewer would time the clock
	n := max(b.N/rounds, least)
	var ours, theirs, ratios []float64
	candidate(least) // warm up: grow what grows once
	yardstick(least)
	b.ResetTimer()
	for range rounds {
		c, y := perUnit(candidate, n), perUnit(yardstick, n)
		ours, theirs, ratios = append(ours, c), append(theirs, y), append(ratios, c/y)
	}
	b.StopTimer()
	b.ReportMetric(median(ours), "ns/task")
	b.ReportMetric(median(theirs), "ns/yardstick")
	b.ReportMetric(median(ours)-median(theirs), "ns/more")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(0, "ns/op") // the sum of both means nothing
}

// CompareExtra runs three pieces of work in turns: a candidate and a yardstick, both of
// which do something on top of a base. It reports the medians of what that costs per unit,
// and of the ratio.
func CompareExtra(b *testing.B, candidate, yardstick, base Work) {
	b.Helper()
	const least = 2000
	n := max(b.N/rounds, least)
	var ours, theirs, ratios []float64
	for _, w := range []Work{candidate, yardstick, base} {
		w(least)
	}
	b.ResetTimer()
	for range rounds {
		c, y, without := perUnit(candidate, n), perUnit(yardstick, n), perUnit(base, n)
		ours, theirs, ratios = append(ours, c-without), append(theirs, y-without), append(ratios, (c-without)/(y-without))
	}
	b.StopTimer()
	b.ReportMetric(median(ours), "ns/extra")
	b.ReportMetric(median(theirs), "ns/yardstick")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(0, "ns/op") // the sum of all means nothing
}

func perUnit(w Work, n int) float64 {
	start := time.Now()
	w(n)
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}
