package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

var policies = []taskmanager.Overflow{
	taskmanager.Block, taskmanager.Reject, taskmanager.DropNewest,
	taskmanager.DropOldest, taskmanager.DropWorst, taskmanager.CallerRuns,
}

// TestOverflow of a manager with one worker, and room for one task, when four items are in flight.
// Each item takes a second. Under Block and CallerRuns they wait. Under the other policies an item
// without room fails, or another one is dropped.
func TestOverflow(t *testing.T) {
	for policy, want := range map[taskmanager.Overflow]string{
		taskmanager.Block:      "0 1 2 3 4 5",
		taskmanager.Reject:     "0 1 full full 4 5",
		taskmanager.DropNewest: "0 1 dropped dropped 4 5",
		taskmanager.DropOldest: "0 dropped dropped 3 4 5",
		taskmanager.DropWorst:  "0 1 dropped dropped 4 5",
		taskmanager.CallerRuns: "0 1 2 3 4 5",
	} {
		t.Run(policy.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, policy))
				items := func(yield func(int) bool) { // the last two come when the others have ended
					for i := range 6 {
						if i == 4 {
							time.Sleep(10 * time.Second)
						}
						if !yield(i) {
							return
						}
						synctest.Wait()
					}
				}
				got := ""
				for result, err := range batch.Map(t.Context(), m, "a", items, func(ctx context.Context, i int) (int, error) {
					return i, sleep(ctx, time.Second)
				}, inFlight(4), batch.WithCollect()) {
					switch {
					case errors.Is(err, taskmanager.ErrQueueFull):
						got += " full"
					case errors.Is(err, taskmanager.ErrDropped):
						got += " dropped"
					default:
						check.Is(t, "an item", err, nil)
						got += fmt.Sprint(" ", result)
					}
				}
				check.Equal(t, "results", got, " "+want)
				idle(t, m)
			})
		})
	}
}

// TestDefaultInFlight: no policy makes an item fail in a manager that has nothing else to do.
func TestDefaultInFlight(t *testing.T) {
	for _, policy := range policies {
		for _, limit := range []int{0, 1, 3, 100} {
			for _, workers := range []int{1, 2, 40} {
				t.Run(fmt.Sprint(policy, " ", limit, " ", workers), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						m := start(t, taskmanager.WithWorkers(0, workers), taskmanager.WithLimit(limit, policy))
						waits := policy == taskmanager.Block || policy == taskmanager.CallerRuns
						if limit == 0 && !waits {
							t.Skip("an item may be refused because the worker of the previous one is not free yet")
						}
						read, most, passed := 0, 0, 0
						for _, err := range batch.Map(t.Context(), m, "a", naturals(&read), func(ctx context.Context, i int) (int, error) {
							return i, sleep(ctx, time.Second)
						}) {
							check.Is(t, "an item", err, nil)
							synctest.Wait()
							passed++
							most = max(most, read+1-passed) // and naturals counts when it continues
							if passed == 150 {
								break
							}
						}
						want := max(16, 2*workers)
						if !waits {
							want = min(want, limit)
						}
						if room := workers + limit; most > want || most < min(want, room) {
							t.Errorf("%d items are in flight, want %d", most, want)
						}
					})
				})
			}
		}
	}
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, taskmanager.NoMaximum))
		read := 0
		for _, err := range batch.Map(t.Context(), m, "a", naturals(&read), double) {
			check.Is(t, "an item", err, nil)
			synctest.Wait()
			check.Equal(t, "items in flight", read, 1000)
			break
		}
	})
}

// TestNested batches in tasks of the same manager end, with any policy, limit and number of
// workers, with the context of the task and with another one.
func TestNested(t *testing.T) {
	for _, policy := range policies {
		for _, limit := range []int{-1, 0, 1, 3} {
			for _, workers := range []int{1, 2} {
				for _, foreign := range []bool{false, true} {
					t.Run(fmt.Sprint(policy, " ", limit, " ", workers, " ", foreign), func(t *testing.T) {
						bubble(t, func(t *testing.T) { nested(t, policy, limit, workers, foreign) })
					})
				}
			}
		}
	}
}

func nested(t *testing.T, policy taskmanager.Overflow, limit, workers int, foreign bool) {
	opts := []taskmanager.Option{taskmanager.WithWorkers(0, workers)}
	if limit >= 0 {
		opts = append(opts, taskmanager.WithLimit(limit, policy))
	}
	m := start(t, opts...)
	var tree func(ctx context.Context, depth int) (int, error)
	tree = func(ctx context.Context, depth int) (sum int, _ error) {
		if depth == 0 {
			return 1, sleep(ctx, time.Second)
		}
		if foreign {
			ctx = context.Background()
		}
		for leaves, err := range batch.Map(ctx, m, "tree", slices.Values([]int{depth - 1, depth - 1, depth - 1}), tree,
			inFlight(2), batch.WithCollect()) {
			refused := errors.Is(err, taskmanager.ErrQueueFull) || errors.Is(err, taskmanager.ErrDropped)
			if err != nil && (!refused || limit < 0 || policy == taskmanager.Block || policy == taskmanager.CallerRuns) {
				return 0, err
			}
			sum += leaves
			time.Sleep(time.Second)
		}
		return sum, nil
	}
	trees := func(yield func(int) bool) {
		if yield(2) {
			time.Sleep(time.Second) // without a queue, the second tree needs the worker of the first
			yield(3)
		}
	}
	sums := collect(batch.Map(context.Background(), m, "tree", trees, tree, inFlight(1)))
	for i, p := range sums {
		check.Is(t, "a tree", p.err, nil)
		if full := []int{9, 27}[i]; (limit < 0 || policy == taskmanager.Block || policy == taskmanager.CallerRuns) && p.result != full {
			t.Errorf("tree %d has %d leaves, want %d", i, p.result, full)
		}
	}
	idle(t, m)
}

// TestItemsThatWaitForTheBatch: an item that waits for the task that runs the batch would wait for
// ever. One of the two waits fails.
func TestItemsThatWaitForTheBatch(t *testing.T) {
	for _, collecting := range [][]batch.Option{nil, {batch.WithCollect()}} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(0, 3))
			outer, err := m.SubmitFunc(t.Context(), "outer", func(ctx context.Context) error {
				self, _ := taskmanager.FromContext(ctx)
				read := 0
				return batch.ForEach(ctx, m, "item", naturals(&read), func(ctx context.Context, i int) error {
					if i < 3 {
						return nil
					}
					if err := self.Wait(ctx); err != nil {
						return fmt.Errorf("%w: %w", errFailed, err)
					}
					return nil
				}, slices.Concat(collecting, []batch.Option{inFlight(4), batch.WithTaskOptions(taskmanager.WithTimeout(time.Hour))})...)
			})
			check.Is(t, "SubmitFunc", err, nil)
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = outer.Wait(ctx)
			if collecting == nil {
				check.Is(t, "the task", err, taskmanager.ErrWouldDeadlock)
				check.Equal(t, "duration", time.Since(began), 0)
			}
			outer.Cancel()
			idleSoon(t, m)
		})
	}
}

// idleSoon checks that all tasks end.
func idleSoon(t *testing.T, m *taskmanager.TaskManager) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	check.Is(t, "WaitIdle", m.WaitIdle(ctx), nil)
}

// TestKeyHeldByTheTask: the items have the key of the task that waits for them, and at most one
// task of the key may run.
func TestKeyHeldByTheTask(t *testing.T) {
	for _, limited := range [][]taskmanager.Option{
		nil, {taskmanager.WithLimit(1, taskmanager.Block)}, {taskmanager.WithLimit(0, taskmanager.Block)},
	} {
		bubble(t, func(t *testing.T) { keyHeldByTheTask(t, limited) })
	}
}

func keyHeldByTheTask(t *testing.T, limited []taskmanager.Option) {
	m := start(t, append(limited, taskmanager.WithWorkers(0, 3), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())))...)
	outer, err := m.SubmitFunc(t.Context(), "outer", func(ctx context.Context) error {
		return batch.ForEach(ctx, m, "item", numbers(5), func(context.Context, int) error { return nil },
			batch.WithTaskOptions(taskmanager.WithKey("k")))
	}, taskmanager.WithKey("k"))
	check.Is(t, "SubmitFunc", err, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	check.Is(t, "the task", outer.Wait(ctx), taskmanager.ErrWouldDeadlock)
	idleSoon(t, m)
}

// TestEndOfANestedBatch: the task is cancelled while its batch waits, and the manager stops.
func TestEndOfANestedBatch(t *testing.T) {
	for name, end := range map[string]func(m *taskmanager.TaskManager, outer *taskmanager.Handle){
		"Cancel": func(_ *taskmanager.TaskManager, outer *taskmanager.Handle) { outer.Cancel() },
		"Stop":   func(m *taskmanager.TaskManager, _ *taskmanager.Handle) { _ = m.Stop(context.Background()) },
	} {
		for _, policy := range policies {
			for _, limit := range []int{0, 2} {
				t.Run(fmt.Sprint(name, " ", policy, " ", limit), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						m := start(t, taskmanager.WithWorkers(0, 2), taskmanager.WithLimit(limit, policy))
						outer, err := m.SubmitFunc(t.Context(), "outer", func(ctx context.Context) error {
							read := 0
							return batch.ForEach(ctx, m, "item", naturals(&read), func(ctx context.Context, i int) error {
								return sleep(ctx, time.Second)
							}, inFlight(2))
						})
						check.Is(t, "SubmitFunc", err, nil)
						time.Sleep(4500 * time.Millisecond)
						end(m, outer)
						synctest.Wait()
						if err := outer.Err(); err == nil {
							t.Error("the task has not ended, or without an error")
						}
						idle(t, m)
					})
				})
			}
		}
	}
}
