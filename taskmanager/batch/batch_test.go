package batch_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

// TestResultsInOrder as soon as they are available: each result comes when the item and all
// before it have ended.
func TestResultsInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, begin := start(t, taskmanager.WithWorkers(0, 10)), time.Now()
		seconds := []int{3, 1, 5, 2, 2, 6}
		var at []int
		for s, err := range batch.Map(t.Context(), m, "wait", slices.Values(seconds), func(ctx context.Context, s int) (int, error) {
			return s, sleep(ctx, time.Duration(s)*time.Second)
		}) {
			check.Is(t, "an item", err, nil)
			check.Equal(t, "the result", s, seconds[len(at)])
			at = append(at, int(time.Since(begin)/time.Second))
		}
		check.Equal(t, "times of the results", at, []int{3, 3, 5, 5, 5, 6})
		idle(t, m)
	})
}

// TestNamesAndKinds: each item is a task with a unique name, whose kind is that of the batch.
func TestNamesAndKinds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		err := batch.ForEach(t.Context(), m, "resize", slices.Values([]int{1, 2, 3}), func(ctx context.Context, i int) error {
			h, ok := taskmanager.FromContext(ctx)
			check.Equal(t, "a task", ok, true)
			check.Equal(t, "name", h.Name(), fmt.Sprint("resize#", i))
			check.Equal(t, "kind", h.Status().Kind, "resize")
			check.Equal(t, "key", h.Status().Description, "resizes")
			check.Equal(t, "value", ctx.Value(valueKey{}), any(nil))
			return nil
		}, batch.WithTaskOptions(taskmanager.WithDescription("resizes")))
		check.Is(t, "ForEach", err, nil)
		for kind, err := range batch.Map(context.WithValue(t.Context(), valueKey{}, "value"), m, "resize", slices.Values([]int{1}), func(ctx context.Context, _ int) (string, error) {
			h, _ := taskmanager.FromContext(ctx)
			return fmt.Sprint(h.Status().Kind, " ", ctx.Value(valueKey{})), nil
		}, batch.WithTaskOptions(taskmanager.WithKind("other"))) {
			check.Is(t, "an item", err, nil)
			check.Equal(t, "kind and value", kind, "other value")
		}
	})
}

type valueKey struct{}

// TestReadAhead: an infinite sequence is read no further than the items in flight, which are
// those whose results have not been passed to the loop.
func TestReadAhead(t *testing.T) {
	for _, n := range []int{1, 2, 7} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(0, 100))
			read, passed := 0, 0
			for _, err := range batch.Map(t.Context(), m, "a", naturals(&read), double, inFlight(n)) {
				check.Is(t, "an item", err, nil)
				passed++
				synctest.Wait()
				check.Equal(t, "items read", read, passed+n-1) // and naturals counts when it continues
				if passed == 20 {
					break
				}
			}
			idle(t, m)
		})
	}
}

// TestFirstError: what Map yields and what is cancelled when the third of five items fails after
// half a second. The items before it continue.
func TestFirstError(t *testing.T) {
	for name, c := range map[string]struct {
		second error // of the second item, which takes a second
		opts   []batch.Option
		want   []pair
		states string
		took   time.Duration
	}{
		"the first ones succeed": {nil, nil, []pair{{0, nil}, {1, nil}, {0, errFailed}}, "done done failed cancelled cancelled", time.Second},
		"an earlier one fails later": {
			errSecond, nil,
			[]pair{{0, nil}, {0, errSecond}}, "done failed failed cancelled cancelled", time.Second,
		},
		"all errors": {
			errSecond, []batch.Option{batch.WithCollect()},
			[]pair{{0, nil}, {0, errSecond}, {0, errFailed}, {3, nil}, {4, nil}}, "done failed failed done done", 4 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m, begin := start(t, taskmanager.WithWorkers(0, 10)), time.Now()
				states := make([]string, 5)
				fn := func(ctx context.Context, i int) (int, error) {
					states[i] = "failed"
					switch i {
					case 0:
						states[i] = "done"
					case 1:
						if err := sleep(ctx, time.Second); err != nil || c.second != nil {
							return i, errors.Join(err, c.second)
						}
						states[i] = "done"
					case 2:
						time.Sleep(time.Second / 2)
						return i, errFailed
					default:
						if err := sleep(ctx, time.Duration(i)*time.Second); err != nil {
							states[i] = "cancelled"
							check.Is(t, "the cause", err, taskmanager.ErrCancelled)
							check.Equal(t, "time of the cancellation", time.Since(begin), time.Second/2)
							return i, err
						}
						states[i] = "done"
					}
					return i, nil
				}
				got := collect(batch.Map(t.Context(), m, "a", slices.Values([]int{0, 1, 2, 3, 4}), fn, c.opts...))
				same(t, got, c.want)
				check.Equal(t, "states", strings.Join(states, " "), c.states)
				check.Equal(t, "duration", time.Since(begin), c.took)
				for i, p := range got {
					if e, ok := errors.AsType[*batch.ItemError](p.err); p.err != nil && (!ok || e.Index != i || e.Name != fmt.Sprint("a#", i+1)) {
						t.Errorf("the error of item %d is %+v", i, p.err)
					}
				}
				idle(t, m)
			})
		})
	}
}

// TestNothingStartsAfterAFailure: the items that wait are cancelled before those that run, which
// free their workers.
func TestNothingStartsAfterAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 5))
		var started atomic.Int32
		read := 0
		err := batch.ForEach(t.Context(), m, "a", naturals(&read), func(ctx context.Context, i int) error {
			started.Add(1)
			if i == 0 {
				time.Sleep(time.Second)
				return errFailed
			}
			return sleep(ctx, time.Hour)
		}, inFlight(100))
		check.Is(t, "ForEach", err, errFailed)
		check.Equal(t, "items started", started.Load(), 5)
		check.Equal(t, "items read", read, 100)
		idle(t, m)
	})
}

var errSecond = errors.New("the second one failed")

// TestForEachErrors: the first error, or all of them.
func TestForEachErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		odd := func(_ context.Context, i int) error {
			if i%2 == 1 {
				return fmt.Errorf("%d is odd", i)
			}
			return nil
		}
		err := batch.ForEach(t.Context(), m, "a", numbers(5), odd)
		check.Equal(t, "the error", err.Error(), `taskmanager: item 1, task "a#2": 1 is odd`)
		err = batch.ForEach(t.Context(), m, "b", numbers(5), odd, batch.WithCollect(), inFlight(1))
		lines := strings.Split(err.Error(), "\n")
		check.Equal(t, "the number of errors", len(lines), 2)
		check.Equal(t, "the last error", strings.HasSuffix(lines[1], "3 is odd"), true)
		check.Is(t, "ForEach of no items", batch.ForEach(t.Context(), m, "a", numbers(0), odd), nil)
	})
}

// TestEndOfTheLoop by break, panic and Goexit: the items in flight are cancelled, and have ended,
// and nothing remains.
func TestEndOfTheLoop(t *testing.T) {
	for name, leave := range map[string]func(){
		"break":  nil,
		"panic":  func() { panic(errFailed) },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m, begin := start(t, taskmanager.WithWorkers(0, 10)), time.Now()
				var running, cancelled atomic.Int32
				over := make(chan any)
				go func() {
					defer func() { over <- recover() }()
					read := 0
					for _, err := range batch.Map(t.Context(), m, "a", naturals(&read), func(ctx context.Context, i int) (int, error) {
						if i < 2 {
							return i, nil
						}
						running.Add(1)
						defer running.Add(-1)
						err := sleep(ctx, time.Hour)
						cancelled.Add(1)
						time.Sleep(time.Second) // it takes its time
						return i, err
					}, inFlight(5)) {
						check.Is(t, "an item", err, nil)
						synctest.Wait()
						if leave != nil {
							leave()
						}
						break
					}
					check.Equal(t, "running items", running.Load(), 0)
				}()
				value := <-over
				if name == "panic" != (value != nil) {
					t.Errorf("the loop panicked with %v", value)
				}
				check.Equal(t, "running items", running.Load(), 0)
				check.Equal(t, "cancelled items", cancelled.Load(), 4)
				check.Equal(t, "duration", time.Since(begin), time.Second)
				idle(t, m)
			})
		})
	}
}

// TestEndOfTheContext while the loop waits, and while its body runs.
func TestEndOfTheContext(t *testing.T) {
	for _, opts := range [][]batch.Option{nil, {batch.WithCollect()}} {
		for _, body := range []time.Duration{0, 5 * time.Second} {
			bubble(t, func(t *testing.T) {
				m, begin := start(t, taskmanager.WithWorkers(0, 10)), time.Now()
				ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, errFailed)
				defer cancel()
				var got []pair
				for result, err := range batch.Map(ctx, m, "a", numbers(8), func(ctx context.Context, i int) (int, error) {
					if i > 0 {
						err := sleep(ctx, time.Hour)
						check.Is(t, "the cause of an item", err, errFailed)
						check.Is(t, "the cause of an item", err, taskmanager.ErrCancelled)
						check.Equal(t, "time of the end of an item", time.Since(begin), 3*time.Second)
						return 0, err
					}
					return 1, nil
				}, opts...) {
					got = append(got, pair{result, err})
					time.Sleep(body)
				}
				same(t, got, []pair{{1, nil}, {0, errFailed}})
				check.Is(t, "the error", got[1].err, context.DeadlineExceeded)
				if _, ok := errors.AsType[*batch.ItemError](got[1].err); ok {
					t.Errorf("the end of the context is the error of an item: %v", got[1].err)
				}
				check.Equal(t, "duration", time.Since(begin), max(3*time.Second, 2*body))
				idle(t, m)
			})
		}
	}
}

// TestEndOfTheManager: Stop and Drain end the batch, even if it collects errors and the sequence
// does not end.
func TestEndOfTheManager(t *testing.T) {
	for name, c := range map[string]struct {
		end     func(m *taskmanager.TaskManager) error
		opts    []batch.Option
		results int // before the errors
		errors  int
	}{
		"Stop":                    {func(m *taskmanager.TaskManager) error { return m.Stop(context.Background()) }, nil, 2, 1},
		"Stop, with all errors":   {func(m *taskmanager.TaskManager) error { return m.Stop(context.Background()) }, []batch.Option{batch.WithCollect()}, 2, 3},
		"Drain":                   {func(m *taskmanager.TaskManager) error { return m.Drain(context.Background()) }, nil, 4, 1},
		"Drain, with all errors":  {func(m *taskmanager.TaskManager) error { return m.Drain(context.Background()) }, []batch.Option{batch.WithCollect()}, 4, 1},
		"Close":                   {func(m *taskmanager.TaskManager) error { m.Close(); return nil }, nil, 4, 1},
		"before it, and no error": {func(*taskmanager.TaskManager) error { return nil }, []batch.Option{batch.WithCollect()}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(0, 2))
				if c.results == 0 {
					stop(t, m)
				}
				go func() {
					time.Sleep(1500 * time.Millisecond)
					check.Is(t, name, c.end(m), nil)
				}()
				read, results, failures := 0, 0, 0
				for _, err := range batch.Map(t.Context(), m, "a", naturals(&read), func(ctx context.Context, i int) (int, error) {
					return i, sleep(ctx, time.Second)
				}, append(c.opts, inFlight(2))...) {
					if err == nil {
						results++
						check.Equal(t, "results come first", failures, 0)
						continue
					}
					failures++
					check.Is(t, "the error", err, taskmanager.ErrStopped)
				}
				check.Equal(t, "results", results, c.results)
				check.Equal(t, "errors", failures, c.errors)
				<-m.Done()
				time.Sleep(2 * time.Second)
			})
		})
	}
}

// TestProgress: the numbers increase to that of all items, and one call is made at a time.
func TestProgress(t *testing.T) {
	for name, c := range map[string]struct {
		call time.Duration
		want []int
	}{
		"quick": {0, []int{1, 2, 3, 4, 5}},
		"slow":  {2500 * time.Millisecond, []int{1, 3, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(0, 10))
				var calls []int
				var inside atomic.Int32
				err := batch.ForEach(t.Context(), m, "a", slices.Values([]int{5, 4, 3, 2, 1}), func(ctx context.Context, s int) error {
					return errors.Join(sleep(ctx, time.Duration(s)*time.Second), errFailed)
				}, batch.WithCollect(), batch.WithProgress(func(done int) {
					check.Equal(t, "calls at a time", inside.Add(1), 1)
					calls = append(calls, done)
					time.Sleep(c.call)
					inside.Add(-1)
				}))
				check.Is(t, "ForEach", err, errFailed)
				check.Equal(t, "calls in progress", inside.Load(), 0)
				check.Equal(t, "calls", calls, c.want)
			})
		})
	}
	bubble(t, func(t *testing.T) {
		m := start(t)
		calls := 0
		read := 0
		err := batch.ForEach(t.Context(), m, "a", naturals(&read), func(context.Context, int) error { return nil },
			batch.WithProgress(func(int) { calls++; panic(errFailed) }), batch.WithCollect())
		if p, ok := errors.AsType[*taskmanager.PanicError](err); !ok || p.Value != any(errFailed) {
			t.Errorf("after a panic of the function of WithProgress, ForEach returned %v", err)
		}
		check.Equal(t, "calls", calls, 1)
		idle(t, m)
	})
}

// TestRangeAgain: nothing happens before the range, and each range is a batch of its own.
func TestRangeAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		pairs := batch.Map(t.Context(), m, "a", numbers(3), double)
		check.Equal(t, "tasks before", m.Snapshot().Submitted, 0)
		for range 2 {
			same(t, collect(pairs), []pair{{0, nil}, {2, nil}, {4, nil}})
		}
		next, done := iter.Pull2(pairs)
		result, err, ok := next()
		same(t, []pair{{result, err}}, []pair{{0, nil}})
		check.Equal(t, "pulled", ok, true)
		done()
		idle(t, m)
	})
}
