package taskmanager_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/seed56799101/taskmanager/internal/yardstick"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// taskNames makes names beforehand: they belong to the caller, not to a submit.
func taskNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "task/" + strconv.Itoa(i)
	}
	return names
}

func startBench(b *testing.B, workers int) *taskmanager.TaskManager {
	b.Helper()
	m, err := taskmanager.Start(taskmanager.WithWorkers(workers, workers))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return m
}

// named returns the work of n named tasks, from submit to done.
func named(b *testing.B, submit func(name string, fn func(context.Context) error) error) yardstick.Work {
	b.Helper()
	var names []string
	return func(n int) {
		if len(names) < n {
			names = taskNames(n)
		}
		var wg sync.WaitGroup
		fn := func(context.Context) error { wg.Done(); return nil }
		wg.Add(n)
		for _, name := range names[:n] {
			for {
				err := submit(name, fn)
				if err == nil {
					break
				}
				// The task of that name of the round before has told the group,
				// and is not off the books yet.
				if !errors.Is(err, taskmanager.ErrAlreadyExists) {
					b.Fatal(err)
				}
			}
		}
		wg.Wait()
	}
}

// channelPool is the yardstick: the same closures on a plain channel pool.
func channelPool(b *testing.B, workers int) yardstick.Work {
	b.Helper()
	p := yardstick.NewChannelPool(workers, 1024, func(fn func()) { fn() })
	b.Cleanup(p.Stop)
	return func(n int) {
		var wg sync.WaitGroup
		fn := wg.Done
		wg.Add(n)
		for range n {
			p.Submit(fn)
		}
		wg.Wait()
	}
}

func BenchmarkSubmit(b *testing.B) {
	const workers = 2
	m := startBench(b, workers)
	ctx := context.Background()
	b.ReportAllocs()
	yardstick.Compare(b, named(b, func(name string, fn func(context.Context) error) error {
		_, err := m.SubmitFunc(ctx, name, fn)
		return err
	}), channelPool(b, workers))
}

func BenchmarkGo(b *testing.B) {
	const workers = 2
	m := startBench(b, workers)
	b.ReportAllocs()
	yardstick.Compare(b, named(b, func(name string, fn func(context.Context) error) error {
		_, err := m.GoFunc(name, fn)
		return err
	}), channelPool(b, workers))
}
