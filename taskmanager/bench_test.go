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

// taskNames makes names in advance, so that a benchmark of submits does not include them.
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

// named runs n named tasks, from submit to done.
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
				// The task with this name from the previous round has called wg.Done but
				// has not quite ended.
				if !errors.Is(err, taskmanager.ErrAlreadyExists) {
					b.Fatal(err)
				}
			}
		}
		wg.Wait()
	}
}

// channelPool is the yardstick: a plain pool on a channel runs the same closures.
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

// BenchmarkAsync submits batches of a thousand functions and waits for their results.
func BenchmarkAsync(b *testing.B) {
	const workers, batch = 2, 1000
	m := startBench(b, workers)
	ctx := context.Background()
	names := taskNames(batch)
	fn := func(context.Context) (int, error) { return 1, nil }
	b.ReportAllocs()
	yardstick.Compare(b, func(n int) {
		futures := make([]*taskmanager.Future[int], 0, batch)
		for done := 0; done < n; done += len(futures) {
			futures = futures[:0]
			for i := range min(batch, n-done) {
				f, err := taskmanager.Async(ctx, m, names[i], fn)
				if err != nil {
					b.Fatal(err)
				}
				futures = append(futures, f)
			}
			for _, f := range futures {
				if one, err := f.Result(ctx); one != 1 || err != nil {
					b.Fatal(one, err)
				}
			}
		}
	}, channelPool(b, workers))
}

// BenchmarkSubmitAll submits named tasks in batches of 64.
func BenchmarkSubmitAll(b *testing.B) {
	const workers, batch = 2, 64
	m := startBench(b, workers)
	ctx := context.Background()
	b.ReportAllocs()
	var names []string
	yardstick.Compare(b, func(n int) {
		if len(names) < n {
			names = taskNames(n)
		}
		var wg sync.WaitGroup
		wg.Add(n)
		tasks := make([]taskmanager.Task, 0, batch)
		for done := 0; done < n; done += len(tasks) {
			tasks = tasks[:0]
			for i := range min(batch, n-done) {
				tasks = append(tasks, benchTask{names[done+i], &wg})
			}
			for {
				_, err := m.SubmitAll(ctx, tasks)
				if err == nil {
					break
				}
				if !errors.Is(err, taskmanager.ErrAlreadyExists) { // see named
					b.Fatal(err)
				}
			}
		}
		wg.Wait()
	}, channelPool(b, workers))
}

// benchTask is a task that calls wg.Done.
type benchTask struct {
	name string
	wg   *sync.WaitGroup
}

func (t benchTask) Name() string                  { return t.name }
func (t benchTask) Execute(context.Context) error { t.wg.Done(); return nil }

// BenchmarkNested runs, on one worker, a task that submits another one and waits for it.
func BenchmarkNested(b *testing.B) {
	m := startBench(b, 1)
	ctx := context.Background()
	names := [2][]string{taskNames(1000), taskNames(2000)[1000:]}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		parent, child := names[0][i%1000], names[1][i%1000]
		i++
		f, err := taskmanager.Async(ctx, m, parent, func(ctx context.Context) (int, error) {
			f, err := taskmanager.Async(ctx, m, child, func(context.Context) (int, error) { return 1, nil })
			if err != nil {
				return 0, err
			}
			return f.Result(ctx)
		})
		if err != nil {
			b.Fatal(err)
		}
		if one, err := f.Result(ctx); one != 1 || err != nil {
			b.Fatal(one, err)
		}
	}
}
