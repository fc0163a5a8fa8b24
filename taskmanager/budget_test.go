package taskmanager_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// cost is what n calls allocate each, on average, everything that they cause
// included.
func cost(n int, calls func(n int)) (allocs, bytes float64) {
	var before, after runtime.MemStats
	calls(n) // warm up: grow what grows once
	runtime.ReadMemStats(&before)
	calls(n)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
}

// keyed is a task that belongs to somebody.
type keyed struct {
	name, key string
	execute   func(context.Context) error
}

func (k keyed) Name() string                      { return k.name }
func (k keyed) Key() string                       { return k.key }
func (k keyed) Execute(ctx context.Context) error { return k.execute(ctx) }

// TestAllocationBudget: a task from submit to done takes at most 2 allocations
// and 256 bytes, and one more allocation with the channel of GoFunc, or for the
// attributes that its discipline asks for.
func TestAllocationBudget(t *testing.T) {
	const tasks = 20_000
	names := taskNames(tasks)
	tests := []struct {
		name          string
		queue         taskmanager.Discipline
		allocs, bytes float64
		submit        func(m *taskmanager.TaskManager, name string, fn func(context.Context) error) error
	}{
		{"Submit, with a key", taskmanager.Fair(nil), 3, 448, func(m *taskmanager.TaskManager, name string, fn func(context.Context) error) error {
			_, err := m.Submit(context.Background(), keyed{name, name[len(name)-1:], fn}) // an allocation of the test's own
			return err
		}},
		{"SubmitFunc", taskmanager.FIFO(), 2, 256, func(m *taskmanager.TaskManager, name string, fn func(context.Context) error) error {
			_, err := m.SubmitFunc(context.Background(), name, fn)
			return err
		}},
		{"GoFunc", taskmanager.FIFO(), 3, 384, func(m *taskmanager.TaskManager, name string, fn func(context.Context) error) error {
			_, err := m.GoFunc(name, fn)
			return err
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(test.queue))
			allocs, bytes := cost(tasks, func(n int) {
				// The only worker waits, so that the queue is as long each time.
				full := make(chan struct{})
				submitFunc(t, m, "gate", func(context.Context) error { <-full; return nil })
				var wg sync.WaitGroup
				wg.Add(n)
				fn := func(context.Context) error { wg.Done(); return nil }
				for _, name := range names[:n] {
					if err := test.submit(m, name, fn); err != nil {
						t.Fatal(err)
					}
				}
				close(full)
				wg.Wait()
				await(t, submitFunc(t, m, "last", fn0)) // all are off the books
			})
			// A few allocations of the collector and of growth are nobody's.
			if allocs > test.allocs+0.1 || bytes > test.bytes {
				t.Errorf("%.2f allocations and %.0f bytes a task, want at most %v and %v", allocs, bytes, test.allocs, test.bytes)
			}
		})
	}
}
