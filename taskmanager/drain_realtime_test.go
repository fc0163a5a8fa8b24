package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestDrainUnderLoadLosesNothing drains managers while goroutines submit tasks in different
// ways. Each accepted task must run to its end, including delays and restarts.
func TestDrainUnderLoadLosesNothing(t *testing.T) {
	for round := range 20 {
		opts := []taskmanager.Option{taskmanager.WithWorkers(round%3, 4), taskmanager.WithRestart(brisk{})}
		if round%2 == 1 {
			opts = append(opts, taskmanager.WithLimit(round%5, taskmanager.Block))
		}
		d := &drained{m: start(t, opts...)}
		var submitters sync.WaitGroup
		for i := range 4 {
			submitters.Go(func() { d.submit(t, i, rand.New(rand.NewPCG(uint64(round), uint64(i)))) })
		}
		for d.accepted.Load() < 300 {
			runtime.Gosched()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := d.m.Drain(ctx); err != nil {
			t.Fatalf("round %d: Drain: %v", round, err)
		}
		cancel()
		submitters.Wait()
		for _, h := range d.handles {
			if !isClosed(h.Done()) || h.Err() != nil {
				t.Errorf("round %d: task %q has ended: %v, with %v", round, h.Name(), isClosed(h.Done()), h.Err())
			}
		}
		if accepted, done := d.accepted.Load(), d.done.Load(); accepted != done || accepted != int64(len(d.handles)) {
			t.Errorf("round %d: %d tasks were accepted, %d have a handle, %d were done", round, accepted, len(d.handles), done)
		}
	}
}

// drained is a manager that is drained under load.
type drained struct {
	m              *taskmanager.TaskManager
	accepted, done atomic.Int64

	mu      sync.Mutex
	handles []*taskmanager.Handle
}

// submit submits tasks until the manager refuses them.
func (d *drained) submit(t *testing.T, submitter int, random *rand.Rand) {
	for i := 0; ; i++ {
		name := fmt.Sprint(submitter, "/", i)
		var handles []*taskmanager.Handle
		var err error
		switch random.IntN(3) {
		case 0:
			handles, err = d.m.SubmitAll(t.Context(), []taskmanager.Task{d.task(name+"/a", 0), d.task(name+"/b", 0)})
			if errors.Is(err, taskmanager.ErrQueueFull) { // the limit is too small for two tasks
				continue
			}
		case 1:
			var h *taskmanager.Handle
			h, err = d.m.Submit(t.Context(), d.task(name, 0), taskmanager.WithDelay(time.Duration(random.IntN(200))*time.Microsecond))
			handles = append(handles, h)
		default:
			var h *taskmanager.Handle
			h, err = d.m.Submit(t.Context(), d.task(name, random.IntN(3)))
			handles = append(handles, h)
		}
		if err != nil {
			if !errors.Is(err, taskmanager.ErrStopped) {
				t.Errorf("submit: %v", err)
			}
			return
		}
		d.accepted.Add(int64(len(handles)))
		d.mu.Lock()
		d.handles = append(d.handles, handles...)
		d.mu.Unlock()
	}
}

// task returns a task that fails the given number of times and then succeeds.
func (d *drained) task(name string, failures int) *task {
	return &task{
		name: name,
		execute: func(context.Context) error {
			if failures--; failures >= 0 {
				return errFailed
			}
			d.done.Add(1)
			return nil
		},
		restart: func(context.Context, error) bool { return true },
	}
}

// TestWaitIdleSeesTasksThatSubmitTasks checks WaitIdle with chains of tasks, each of which
// submits the next one before it ends. There is no idle moment before the chains end,
// wherever the names are stored.
func TestWaitIdleSeesTasksThatSubmitTasks(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(2, 2))
	for round := range 200 {
		var ended atomic.Int32
		var link func(i int) func(context.Context) error
		link = func(i int) func(context.Context) error {
			return func(ctx context.Context) error {
				defer ended.Add(1)
				if i == 0 {
					return nil
				}
				_, err := m.SubmitFunc(ctx, fmt.Sprint(round, "/", i-1), link(i-1))
				return err
			}
		}
		submitFunc(t, m, fmt.Sprint(round, "/first"), link(20))
		if err := m.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := ended.Load(); n != 21 {
			t.Fatalf("round %d: WaitIdle has returned after %d of 21 tasks", round, n)
		}
	}
}
