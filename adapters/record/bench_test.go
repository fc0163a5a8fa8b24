package record_test

import (
	"context"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/seed56799101/taskmanager/adapters/record"
	"github.com/seed56799101/taskmanager/internal/yardstick"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// idle is an observer of the same events that does nothing.
type idle struct{}

func (idle) BeginRun(ctx context.Context, _ observe.Run) context.Context { return ctx }
func (idle) EndRun(context.Context, observe.Run, observe.Result)         {}
func (idle) TaskEnded(context.Context, observe.End)                      {}

// BenchmarkRecorder runs named tasks that do nothing, with a recorder that writes to a file. The
// yardsticks are a manager without an observer, and one with an observer that does nothing.
func BenchmarkRecorder(b *testing.B) {
	for name, other := range map[string][]taskmanager.Option{
		"beside no observer":                   {taskmanager.WithoutTelemetry()},
		"beside an observer that does nothing": {taskmanager.WithObserver(idle{})},
	} {
		b.Run(name, func(b *testing.B) {
			rec, err := record.New(record.Config{File: filepath.Join(b.TempDir(), "trace.csv")})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			yardstick.Compare(b, runner(b, taskmanager.WithObserver(rec)), runner(b, other...))
			if err := rec.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(rec.Dropped())/float64(b.N), "dropped/op")
		})
	}
}

// BenchmarkAllocations shows the allocations for each task, with each kind of observer.
func BenchmarkAllocations(b *testing.B) {
	rec, err := record.New(record.Config{File: filepath.Join(b.TempDir(), "trace.csv")})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rec.Close() }()
	for name, opts := range map[string][]taskmanager.Option{
		"no observer": {taskmanager.WithoutTelemetry()}, "an observer that does nothing": {taskmanager.WithObserver(idle{})},
		"recorder": {taskmanager.WithObserver(rec)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			runner(b, opts...)(b.N)
		})
	}
}

// runner returns a function that runs n tasks on two workers. The manager stops at the end of b.
func runner(b *testing.B, opts ...taskmanager.Option) yardstick.Work {
	b.Helper()
	m, err := taskmanager.Start(append(opts, taskmanager.WithWorkers(2, 2))...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Stop(context.Background()) })
	const most = 1000 // outstanding tasks
	names := make([]string, most)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return func(n int) {
		var all sync.WaitGroup
		for n > 0 {
			part := min(n, most)
			n -= part
			all.Add(part)
			for _, name := range names[:part] {
				if _, err := m.SubmitFunc(context.Background(), name, func(context.Context) error { all.Done(); return nil }); err != nil {
					b.Error(err)
				}
			}
			all.Wait()
			_ = m.WaitIdle(context.Background()) // the names are free
		}
	}
}
