package taskmanager_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// cost returns the allocations and bytes per call of n calls, on all goroutines.
func cost(n int, calls func(n int)) (allocs, bytes float64) {
	var before, after runtime.MemStats
	calls(n) // warm up: let buffers grow
	runtime.ReadMemStats(&before)
	calls(n)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
}

// keyed is a task with a key.
type keyed struct {
	name, key string
	execute   func(context.Context) error
}

func (k keyed) Name() string                      { return k.name }
func (k keyed) Key() string                       { return k.key }
func (k keyed) Execute(ctx context.Context) error { return k.execute(ctx) }

// TestAllocationBudget checks that a task takes at most 2 allocations and 256 bytes from
// submit to done. The channel of GoFunc, or attributes for the discipline, may take one
// more allocation.
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
			_, err := m.Submit(context.Background(), keyed{name, name[len(name)-1:], fn}) // the conversion to Task is one of the allocations
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
				// Block the only worker, so that the queue has the same length each time.
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
				await(t, submitFunc(t, m, "last", fn0)) // all others have ended
			})
			// Allow for a few allocations of the runtime and of growing buffers.
			if allocs > test.allocs+0.1 || bytes > test.bytes {
				t.Errorf("%.2f allocations and %.0f bytes a task, want at most %v and %v", allocs, bytes, test.allocs, test.bytes)
			}
		})
	}
}
