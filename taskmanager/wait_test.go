package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// census counts the tasks that run, without those that wait, and the largest number so far.
type census struct{ now, most atomic.Int64 }

func (c *census) enter() {
	n := c.now.Add(1)
	for {
		most := c.most.Load()
		if n <= most || c.most.CompareAndSwap(most, n) {
			return
		}
	}
}

func (c *census) leave() { c.now.Add(-1) }

// wait calls a function that waits. The task does not count meanwhile.
func (c *census) wait(wait func() error) error {
	c.leave()
	defer c.enter()
	return wait()
}

// TestTreeOfTasksOnOneWorker runs deep and broad trees of tasks in which each task waits
// for its children, with each way to wait. There may never be more running tasks than the
// maximum.
func TestTreeOfTasksOnOneWorker(t *testing.T) {
	shapes := map[string]struct{ depth, children, max int }{
		"deep":       {1000, 1, 1},
		"deep, two":  {1000, 1, 2},
		"broad":      {8, 2, 1},
		"broad, two": {5, 4, 2},
	}
	ways := map[string]func(ctx context.Context, h *taskmanager.Future[int]) (int, error){
		"Result": func(ctx context.Context, f *taskmanager.Future[int]) (int, error) { return f.Result(ctx) },
		"another context": func(_ context.Context, f *taskmanager.Future[int]) (int, error) {
			return f.Result(context.Background())
		},
		"derived context":   derivedResult,
		"another goroutine": resultElsewhere,
		"Blocking":          blockingResult,
	}
	for shape, s := range shapes {
		for way, result := range ways {
			t.Run(shape+"/"+way, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(0, s.max))
				var c census
				var node func(name string, depth int) func(context.Context) (int, error)
				node = func(name string, depth int) func(context.Context) (int, error) {
					return func(ctx context.Context) (int, error) {
						c.enter()
						defer c.leave()
						sum := 1
						if depth == 1 {
							return sum, nil
						}
						var futures []*taskmanager.Future[int]
						for i := range s.children {
							child := fmt.Sprintf("%s/%d", name, i)
							if s.children == 1 {
								child = fmt.Sprint(depth)
							}
							f, err := taskmanager.Async(ctx, m, child, node(child, depth-1))
							if err != nil {
								return 0, err
							}
							futures = append(futures, f)
						}
						for _, f := range futures {
							err := c.wait(func() error {
								n, err := result(ctx, f)
								sum += n
								return err
							})
							if err != nil {
								return 0, err
							}
						}
						return sum, nil
					}
				}
				f, err := taskmanager.Async(t.Context(), m, "root", node("root", s.depth))
				if err != nil {
					t.Fatal(err)
				}
				want, layer := 0, 1
				for range s.depth {
					want += layer
					layer *= s.children
				}
				if got, err := f.Result(t.Context()); got != want || err != nil {
					t.Errorf("the tree has %d tasks, %v; want %d", got, err, want)
				}
				if most := c.most.Load(); most > int64(s.max) {
					t.Errorf("%d tasks were under way at once, want at most %d", most, s.max)
				}
			})
		}
	}
}

func derivedResult(ctx context.Context, f *taskmanager.Future[int]) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return f.Result(ctx)
}

// resultElsewhere waits on a goroutine that the task starts.
func resultElsewhere(ctx context.Context, f *taskmanager.Future[int]) (n int, err error) {
	var wg sync.WaitGroup
	wg.Go(func() { n, err = f.Result(ctx) })
	wg.Wait()
	return n, err
}

// blockingResult waits for a channel, which the manager cannot see, in Blocking.
func blockingResult(ctx context.Context, f *taskmanager.Future[int]) (n int, err error) {
	taskmanager.Blocking(ctx, func() { <-f.Done() })
	return f.Result(ctx)
}

// TestGroupInATask waits in a task for a group with a limit, on one worker.
func TestGroupInATask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		root, err := taskmanager.Async(t.Context(), m, "root", func(ctx context.Context) ([]int, error) {
			g := taskmanager.NewResultGroup[int](ctx, m, taskmanager.WithGroupLimit(2))
			for i := range 20 {
				if err := g.Go(fmt.Sprint(i), func(context.Context) (int, error) { return i * i, nil }); err != nil {
					return nil, err
				}
			}
			return g.Wait(ctx)
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := root.Result(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := make([]int, 20)
		for i := range want {
			want[i] = i * i
		}
		check.Equal(t, "the results", got, want)
	})
}

// TestCyclesOfWaits checks a ring of tasks: only the last one that begins to wait gets
// ErrWouldDeadlock.
func TestCyclesOfWaits(t *testing.T) {
	const n = 5
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 1))
		handles := make([]*taskmanager.Handle, n)
		ready := make(chan struct{})
		var refused atomic.Int32
		for i := range n {
			handles[i] = submitFunc(t, m, fmt.Sprint(i), func(ctx context.Context) error {
				taskmanager.Blocking(ctx, func() { <-ready })
				err := handles[(i+1)%n].Wait(ctx)
				if errors.Is(err, taskmanager.ErrWouldDeadlock) {
					refused.Add(1)
					return nil
				}
				return err
			})
		}
		close(ready)
		for _, h := range handles {
			if err := wait(t, h); err != nil {
				t.Errorf("task %s: %v", h.Name(), err)
			}
		}
		if got := refused.Load(); got != 1 {
			t.Errorf("%d of a ring of tasks were refused, want 1", got)
		}
	})
}

// TestCyclesThroughGroupsAndKeys checks cycles through a group, the limit of a key, room in a
// group, and the manager itself.
func TestCyclesThroughGroupsAndKeys(t *testing.T) {
	tests := map[string]func(ctx context.Context, m *taskmanager.TaskManager, self *taskmanager.Handle) error{
		"itself": func(ctx context.Context, _ *taskmanager.TaskManager, self *taskmanager.Handle) error {
			return self.Wait(ctx)
		},
		"a group that waits for it": func(ctx context.Context, m *taskmanager.TaskManager, self *taskmanager.Handle) error {
			g := m.Group(ctx)
			if err := g.Go("member", self.Wait, taskmanager.WithKey("other")); err != nil {
				return err
			}
			return g.Wait(ctx)
		},
		"its key": func(ctx context.Context, m *taskmanager.TaskManager, _ *taskmanager.Handle) error {
			h, err := m.SubmitFunc(ctx, "same key", fn0, taskmanager.WithKey("key"))
			if err != nil {
				return err
			}
			defer h.Cancel()
			return h.Wait(ctx)
		},
		"its key, which a delayed task has": func(ctx context.Context, m *taskmanager.TaskManager, _ *taskmanager.Handle) error {
			h, err := m.SubmitFunc(ctx, "same key", fn0, taskmanager.WithKey("key"), taskmanager.WithDelay(time.Hour))
			if err != nil {
				return err
			}
			defer h.Cancel()
			return h.Wait(ctx)
		},
		"its key, by way of another task": func(ctx context.Context, m *taskmanager.TaskManager, _ *taskmanager.Handle) error {
			h, err := m.SubmitFunc(ctx, "same key", fn0, taskmanager.WithKey("key"))
			if err != nil {
				return err
			}
			defer h.Cancel()
			between, err := m.SubmitFunc(ctx, "between", h.Wait, taskmanager.WithKey("other"))
			if err != nil {
				return err
			}
			return between.Wait(ctx)
		},
		"room in a group": func(ctx context.Context, m *taskmanager.TaskManager, self *taskmanager.Handle) error {
			g := m.Group(ctx, taskmanager.WithGroupLimit(1))
			if err := g.Go("member", self.Wait, taskmanager.WithKey("other")); err != nil {
				return err
			}
			_ = g.Go("more", fn0) // this call or the member's wait gets the error
			return g.Wait(ctx)
		},
		"WaitIdle": func(ctx context.Context, m *taskmanager.TaskManager, _ *taskmanager.Handle) error {
			return m.WaitIdle(ctx)
		},
		"Drain": func(ctx context.Context, m *taskmanager.TaskManager, _ *taskmanager.Handle) error {
			return m.Drain(ctx)
		},
		"Drain, with another context": func(_ context.Context, m *taskmanager.TaskManager, _ *taskmanager.Handle) error {
			return m.Drain(context.Background())
		},
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(0, 4), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())),
					taskmanager.WithLimit(1, taskmanager.Block))
				h, err := m.SubmitFunc(t.Context(), "root", func(ctx context.Context) error {
					self, ok := taskmanager.FromContext(ctx)
					if !ok {
						t.Error("a task's context does not know the task")
					}
					return body(ctx, m, self)
				}, taskmanager.WithKey("key"))
				if err != nil {
					t.Fatal(err)
				}
				if err := wait(t, h); !errors.Is(err, taskmanager.ErrWouldDeadlock) {
					t.Errorf("ended with %v, want ErrWouldDeadlock", err)
				}
			})
		})
	}
}

// TestWaitsThatAreNotCycles checks waits that look like cycles but end.
func TestWaitsThatAreNotCycles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 1), taskmanager.WithQueue(taskmanager.LimitByKey(2, taskmanager.FIFO())))
		free := make(chan struct{})
		// One of two tasks of a key waits for a third one, which can run when the other ends.
		other, err := m.SubmitFunc(t.Context(), "other", func(ctx context.Context) error {
			taskmanager.Blocking(ctx, func() { <-free })
			return nil
		}, taskmanager.WithKey("key"))
		if err != nil {
			t.Fatal(err)
		}
		h, err := m.SubmitFunc(t.Context(), "root", func(ctx context.Context) error {
			third, err := m.SubmitFunc(ctx, "third", fn0, taskmanager.WithKey("key"))
			if err != nil {
				return err
			}
			return third.Wait(ctx)
		}, taskmanager.WithKey("key"))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		check.Equal(t, "what waits", m.TaskStatus()["root"].Status, taskmanager.Blocked)
		close(free)
		if err := errors.Join(wait(t, other), wait(t, h)); err != nil {
			t.Error(err)
		}
	})
}

// TestRoomInAGroupNeedsOneEnd checks that a submit may wait for room in a group although
// one of the members waits for the submitter, since the end of another member makes room.
func TestRoomInAGroupNeedsOneEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 1))
		free := make(chan struct{})
		h := submitFunc(t, m, "root", func(ctx context.Context) error {
			self, _ := taskmanager.FromContext(ctx)
			g := m.Group(ctx, taskmanager.WithGroupLimit(2))
			return errors.Join(
				g.Go("waits", self.Wait),
				g.Go("ends", func(ctx context.Context) error {
					taskmanager.Blocking(ctx, func() { <-free })
					return nil
				}),
				g.Go("more", fn0),
			)
		})
		synctest.Wait()
		check.Equal(t, "what waits for room", m.TaskStatus()["root"].Status, taskmanager.Blocked)
		close(free)
		if err := wait(t, h); err != nil {
			t.Error(err)
		}
	})
}

// TestCallerRunsLendsTheSlotOfTheCaller checks that a task that runs in the submit of
// another one lends the slot of that one while it waits.
func TestCallerRunsLendsTheSlotOfTheCaller(t *testing.T) {
	for _, own := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.CallerRuns))
			h := submitFunc(t, m, "root", func(ctx context.Context) error {
				third, err := m.SubmitFunc(ctx, "queued", fn0)
				if err != nil {
					return err
				}
				inline, err := m.SubmitFunc(ctx, "inline", func(ctx context.Context) error {
					if !own {
						ctx = context.Background()
					}
					return third.Wait(ctx)
				})
				if err != nil {
					return err
				}
				return inline.Wait(ctx)
			})
			if err := wait(t, h); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBlockingOutsideATask checks that Blocking calls the function.
func TestBlockingOutsideATask(t *testing.T) {
	called := false
	taskmanager.Blocking(context.Background(), func() { called = true })
	if !called {
		t.Error("the function was not called")
	}
}

// TestCrashWhileTheSlotIsLent checks that no worker is lost after a panic or Goexit in
// Blocking, and after the end of a task one of whose goroutines still waits.
func TestCrashWhileTheSlotIsLent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 2))
		free := make(chan struct{})
		long := submitFunc(t, m, "long", func(context.Context) error { <-free; return nil })
		var left sync.WaitGroup
		for i, body := range []func(context.Context) error{
			func(ctx context.Context) error {
				taskmanager.Blocking(ctx, func() { panic(errFailed) })
				return nil
			},
			func(ctx context.Context) error {
				taskmanager.Blocking(ctx, func() { runtime.Goexit() })
				return nil
			},
			func(ctx context.Context) error {
				begun := make(chan struct{})
				left.Go(func() { taskmanager.Blocking(ctx, func() { close(begun); <-free }) })
				<-begun
				return nil
			},
		} {
			await(t, submitFunc(t, m, fmt.Sprint(i), body))
		}
		synctest.Wait()
		if s := m.Snapshot(); s.Busy != 1 || s.Lent != 0 || s.Workers > 2 {
			t.Errorf("after the crashes: %+v", s)
		}
		close(free)
		left.Wait()
		await(t, long)
		synctest.Wait()
		if s := m.Snapshot(); s.Busy != 0 || s.Lent != 0 || s.Workers > 2 {
			t.Errorf("in the end: %+v", s)
		}
	})
}
