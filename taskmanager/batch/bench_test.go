package batch_test

import (
	"context"
	"testing"

	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

// numbers yields the numbers below n.
func numbers(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// BenchmarkMap measures an item that does nothing, with its result in order.
func BenchmarkMap(b *testing.B) {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 2))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	want := 0
	for got, err := range batch.Map(context.Background(), m, "square", numbers(b.N), func(_ context.Context, i int) (int, error) {
		return i, nil
	}, batch.WithInFlight(1000)) {
		if got != want || err != nil {
			b.Fatalf("result %d is %d, %v", want, got, err)
		}
		want++
	}
	b.StopTimer()
	if err := m.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkTask measures a task that does nothing, for comparison.
func BenchmarkTask(b *testing.B) {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 2))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for range b.N {
		if _, err := m.SubmitFunc(context.Background(), "x", func(context.Context) error { return nil }, taskmanager.WithUniqueName()); err != nil {
			b.Fatal(err)
		}
	}
	if err := m.Drain(context.Background()); err != nil {
		b.Fatal(err)
	}
}
