package batch_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

// TestFaultyItems: a panic, a Goexit, a time limit, and restarts.
func TestFaultyItems(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 10))
		runs := 0
		got := collect(batch.Map(t.Context(), m, "a", numbers(6), func(ctx context.Context, i int) (int, error) {
			switch i {
			case 1:
				panic(errFailed)
			case 2:
				runtime.Goexit()
			case 3:
				return 1, sleep(ctx, time.Hour)
			case 4:
				if runs++; runs < 3 {
					return 1, errFailed
				}
			}
			return i, nil
		}, batch.WithCollect(), batch.WithTaskOptions(
			taskmanager.WithTimeout(time.Second), taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(time.Second))),
		)))
		same(t, got, []pair{{0, nil}, {0, got[1].err}, {0, taskmanager.ErrGoexit}, {0, taskmanager.ErrTimeout}, {4, nil}, {5, nil}})
		if p, ok := errors.AsType[*taskmanager.PanicError](got[1].err); !ok || p.Value != any(errFailed) {
			t.Errorf("the error of a panic is %v", got[1].err)
		}
		check.Equal(t, "executions", runs, 3)
	})
}

// TestFaultySequence: a panic and a Goexit end the batch after the results of the items that were
// read, also with all errors.
func TestFaultySequence(t *testing.T) {
	for name, fail := range map[string]func(){"panic": func() { panic(errFailed) }, "Goexit": runtime.Goexit} {
		for _, opts := range [][]batch.Option{nil, {batch.WithCollect()}} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					m := start(t)
					items := func(yield func(int) bool) {
						if yield(1) && yield(2) {
							fail()
						}
					}
					got := collect(batch.Map(t.Context(), m, "a", items, func(ctx context.Context, i int) (int, error) {
						return i, sleep(ctx, time.Second)
					}, opts...))
					check.Equal(t, "pairs", len(got), 3)
					same(t, got, []pair{{1, nil}, {2, nil}, {0, got[2].err}})
					p, ok := errors.AsType[*taskmanager.PanicError](got[2].err)
					if name == "Goexit" {
						check.Is(t, "the batch", got[2].err, taskmanager.ErrGoexit)
					} else if !ok || p.Value != any(errFailed) || !strings.Contains(string(p.Stack), "TestFaultySequence") {
						t.Errorf("the error is %v", got[2].err)
					}
					idle(t, m)
				})
			})
		}
	}
}

// TestSlowSequence: a result does not wait for the next item, and the end of the loop waits for the
// sequence.
func TestSlowSequence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, begin := start(t), time.Now()
		items := func(yield func(int) bool) {
			for i := 0; ; i++ {
				if !yield(i) {
					return
				}
				time.Sleep(10 * time.Second)
			}
		}
		var at []time.Duration
		for _, err := range batch.Map(t.Context(), m, "a", items, func(ctx context.Context, i int) (int, error) {
			return i, sleep(ctx, time.Second)
		}) {
			check.Is(t, "an item", err, nil)
			at = append(at, time.Since(begin))
			if len(at) == 2 {
				break
			}
		}
		check.Equal(t, "times of the results", at, []time.Duration{time.Second, 11 * time.Second})
		check.Equal(t, "end of the loop", time.Since(begin), 20*time.Second)
		idle(t, m)
	})
}

// TestInvalidArguments: the only thing that Map yields is an error, and nothing runs.
func TestInvalidArguments(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		three := numbers(3)
		for want, pairs := range map[string]iter.Seq2[int, error]{
			"nil manager":                batch.Map(t.Context(), nil, "a", three, double),
			"nil context":                batch.Map(nil, m, "a", three, double), //nolint:staticcheck // that is the test
			"nil sequence":               batch.Map[int](t.Context(), m, "a", nil, double),
			"nil task":                   batch.Map[int, int](t.Context(), m, "a", three, nil),
			"batch option 2 is nil":      batch.Map(t.Context(), m, "a", three, double, inFlight(1), nil),
			"WithInFlight: the number":   batch.Map(t.Context(), m, "a", three, double, inFlight(0)),
			"WithProgress: the function": batch.Map(t.Context(), m, "a", three, double, batch.WithProgress(nil)),
			"WithCost: the cost is 0":    batch.Map(t.Context(), m, "a", three, double, batch.WithCollect(), batch.WithTaskOptions(taskmanager.WithCost(0))),
			"task option 2 is nil":       batch.Map(t.Context(), m, "a", three, double, batch.WithTaskOptions(nil)),
			"WithOverlap is for Every":   batch.Map(t.Context(), m, "a", three, double, batch.WithTaskOptions(taskmanager.WithOverlap(taskmanager.OverlapSkip))),
		} {
			got := collect(pairs)
			if len(got) != 1 || got[0].err == nil || !strings.Contains(got[0].err.Error(), want) {
				t.Errorf("the batch yields %v, want an error about %s", got, want)
			}
		}
		if err := batch.ForEach[int](t.Context(), m, "a", three, nil); !errors.Is(err, taskmanager.ErrNilTask) {
			t.Errorf("ForEach without a function returned %v", err)
		}
		check.Equal(t, "accepted tasks", m.Snapshot().Submitted, 0)
	})
}
