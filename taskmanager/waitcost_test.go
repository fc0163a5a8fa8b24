package taskmanager_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// allocated returns the number of bytes that a function allocates. Unlike its time, it does
// not depend on what else the machine does, and it bounds the steps of a search, which
// remembers what it has visited.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// linear checks that four times the size allocates about four times as much. A quadratic
// cost would be sixteen times as high.
func linear(t *testing.T, do func(t *testing.T, n int)) {
	t.Helper()
	const n = 500
	cost := func(n int) (bytes uint64) {
		bubble(t, func(t *testing.T) { bytes = allocated(func() { do(t, n) }) })
		return bytes
	}
	cost(4 * n) // the first run fills pools and maps, and leaves goroutines that the runtime uses again
	small, large := cost(n), cost(4*n)
	t.Logf("%d bytes each for %d, %d for %d", small/n, n, large/4/n, 4*n)
	if large > 7*small {
		t.Errorf("%d take %d bytes and %d take %d, want about four times as many", n, small, 4*n, large)
	}
}

// crowd are n tasks that run at once, each of which does as it is told.
type crowd struct {
	handles []*taskmanager.Handle
	orders  []chan func(ctx context.Context)
}

func newCrowd(t *testing.T, m *taskmanager.TaskManager, n int, opts func(i int) []taskmanager.TaskOption) *crowd {
	t.Helper()
	c := &crowd{}
	for i := range n {
		orders := make(chan func(context.Context), 1)
		c.orders = append(c.orders, orders)
		var o []taskmanager.TaskOption
		if opts != nil {
			o = opts(i)
		}
		c.handles = append(c.handles, submitFunc(t, m, fmt.Sprint(i), func(ctx context.Context) error {
			for do := range orders {
				do(ctx)
			}
			return nil
		}, o...))
	}
	synctest.Wait()
	return c
}

// waits has task i wait for task j, and returns when it waits.
func (c *crowd) waits(t *testing.T, i, j int) {
	t.Helper()
	c.orders[i] <- func(ctx context.Context) {
		if err := c.handles[j].Wait(ctx); err != nil {
			t.Errorf("task %d waits for task %d: %v", i, j, err)
		}
	}
	synctest.Wait()
}

// end ends all tasks, as soon as they do not wait.
func (c *crowd) end(t *testing.T) {
	t.Helper()
	for _, orders := range c.orders {
		close(orders)
	}
	for _, h := range c.handles {
		check.Is(t, h.Name(), wait(t, h), nil)
	}
}

// TestLongChainsOfWaitsAreLinear: a chain of tasks, each of which waits for the next one,
// costs as much as its length, whether the waits begin at its head or at its end, and also
// if the limit of a key could hold back what is waited for.
func TestLongChainsOfWaitsAreLinear(t *testing.T) {
	keys := taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO()))
	own := func(i int) []taskmanager.TaskOption {
		return []taskmanager.TaskOption{taskmanager.WithKey(fmt.Sprint(i))}
	}
	for _, c := range []struct {
		name    string
		opts    []taskmanager.Option
		each    func(i int) []taskmanager.TaskOption
		forward bool
	}{
		{"from the first task", nil, nil, true},
		{"from the last task", nil, nil, false},
		{"from the first task, with keys", []taskmanager.Option{keys}, own, true},
		{"from the last task, with keys", []taskmanager.Option{keys}, own, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			linear(t, func(t *testing.T, n int) {
				m := start(t, append(c.opts, taskmanager.WithWorkers(n, n))...)
				tasks := newCrowd(t, m, n, c.each)
				for i := range n - 1 {
					if !c.forward {
						i = n - 2 - i
					}
					tasks.waits(t, i, i+1)
				}
				tasks.end(t)
			})
		})
	}
}

// TestManyWaitsOfOneTaskAreLinear: n goroutines of a task wait for the same task, which
// waits itself, or for the same group.
func TestManyWaitsOfOneTaskAreLinear(t *testing.T) {
	for _, group := range []bool{false, true} {
		t.Run(fmt.Sprintf("group=%t", group), func(t *testing.T) {
			linear(t, func(t *testing.T, n int) {
				m := start(t, taskmanager.WithWorkers(4, 4))
				tasks := newCrowd(t, m, 3, nil)
				tasks.waits(t, 0, 1)
				tasks.waits(t, 1, 2)
				on := tasks.handles[1].Wait
				if group {
					g := m.Group(t.Context())
					check.Is(t, "Go", g.Go("member", tasks.handles[1].Wait), nil)
					synctest.Wait()
					on = g.Wait
				}
				many := submitFunc(t, m, "many", func(ctx context.Context) error {
					var waits sync.WaitGroup
					for range n {
						waits.Go(func() { check.Is(t, "a wait", on(ctx), nil) })
					}
					waits.Wait()
					return nil
				})
				synctest.Wait()
				tasks.end(t)
				await(t, many)
			})
		})
	}
}

// TestManyTasksThatWaitForOneGroupAreLinear: n tasks wait for a group of n members that wait
// themselves.
func TestManyTasksThatWaitForOneGroupAreLinear(t *testing.T) {
	linear(t, func(t *testing.T, n int) {
		m := start(t, taskmanager.WithWorkers(2*n+1, 2*n+1))
		tasks := newCrowd(t, m, n+1, nil)
		g := m.Group(t.Context())
		for i := range n {
			check.Is(t, "Go", g.Go(fmt.Sprint("member ", i), tasks.handles[n].Wait), nil)
		}
		synctest.Wait()
		for i := range n {
			tasks.orders[i] <- func(ctx context.Context) { check.Is(t, "a wait", g.Wait(ctx), nil) }
		}
		synctest.Wait()
		tasks.end(t)
	})
}

// TestManyMembersThatWaitForASubmitterAreLinear: half of the members of a full group wait for
// the task that waits for room in the group.
func TestManyMembersThatWaitForASubmitterAreLinear(t *testing.T) {
	linear(t, func(t *testing.T, n int) {
		m := start(t, taskmanager.WithWorkers(n+1, n+1))
		release, end := make(chan struct{}, n), make(chan struct{})
		submitter := submitFunc(t, m, "submitter", func(ctx context.Context) error {
			self, _ := taskmanager.FromContext(ctx)
			g := m.Group(t.Context(), taskmanager.WithGroupLimit(n))
			for i := range n {
				err := g.Go(fmt.Sprint(i), func(ctx context.Context) error {
					if i%2 == 0 {
						<-release
						return self.Wait(ctx)
					}
					<-end
					return nil
				})
				check.Is(t, "Go", err, nil)
			}
			return g.Go("more", fn0)
		})
		synctest.Wait()
		for range n / 2 {
			release <- struct{}{}
		}
		synctest.Wait()
		close(end)
		check.Is(t, "the submitter", wait(t, submitter), nil)
	})
}

// TestDeepCallerRunsIsLinear: each task submits another one that runs inside its submit, in
// one manager or in two that take turns. On the way back each lends the slot of the first.
func TestDeepCallerRunsIsLinear(t *testing.T) {
	for _, managers := range []int{1, 2} {
		t.Run(fmt.Sprint("managers=", managers), func(t *testing.T) {
			linear(t, func(t *testing.T, n int) {
				deepest := 0
				fullManagers(t, managers, func(ctx context.Context, m []*taskmanager.TaskManager) {
					var nest func(ctx context.Context, depth int)
					nest = func(ctx context.Context, depth int) {
						if deepest = depth; depth == n {
							return
						}
						_, err := m[depth%managers].SubmitFunc(ctx, fmt.Sprint(depth), func(ctx context.Context) error {
							nest(ctx, depth+1)
							return nil
						})
						check.Is(t, "SubmitFunc", err, nil)
						if deepest == n { // each before has run in its submit
							taskmanager.Blocking(ctx, func() {})
						}
					}
					nest(ctx, 0)
				})
				check.Equal(t, "the depth", deepest, n)
			})
		})
	}
}

// fullManagers starts managers under CallerRuns that have no room, and calls do in a task of
// the first of them.
func fullManagers(t *testing.T, n int, do func(ctx context.Context, m []*taskmanager.TaskManager)) {
	t.Helper()
	m := make([]*taskmanager.TaskManager, n)
	release := make(chan struct{})
	var root *taskmanager.Handle
	for i := range n {
		m[i] = start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.CallerRuns))
		h := submitFunc(t, m[i], "running", func(ctx context.Context) error {
			if i == 0 {
				synctest.Wait()
				do(ctx, m)
				close(release)
			}
			<-release
			return nil
		})
		if i == 0 {
			root = h
		}
	}
	for i := range n {
		go func() { submitFunc(t, m[i], "queued", fn0) }()
	}
	check.Is(t, "the root", wait(t, root), nil)
	for i := range m {
		check.Is(t, "WaitIdle", m[i].WaitIdle(t.Context()), nil)
	}
	synctest.Wait() // for tasks of other managers that waited for those
	for i := range m {
		check.Equal(t, "waits left", taskmanager.WaitsLeft(m[i]), 0)
	}
}
