package batch_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

// plan is what an item does.
type plan struct {
	takes time.Duration
	fails int // its first executions
}

// attempts is how often an item may run.
const attempts = 3

// fault returns the error of an item that is run alone.
func (p plan) fault() error {
	if p.fails >= attempts {
		return errFailed
	}
	return nil
}

// world is a random batch.
type world struct {
	plans    []plan
	inFlight int
	collect  bool
	breaks   int           // the number of pairs after which the loop breaks
	body     time.Duration // of each iteration of the loop
	gap      time.Duration // between two items of the sequence

	read, passed atomic.Int64
	runs         []atomic.Int32 // executions of each item
}

func drawWorld(t *rapid.T) *world {
	w := &world{
		inFlight: rapid.IntRange(1, 5).Draw(t, "in flight"),
		collect:  rapid.Bool().Draw(t, "collect"),
		body:     time.Duration(rapid.IntRange(0, 2).Draw(t, "body")) * time.Second,
		gap:      time.Duration(rapid.IntRange(0, 1).Draw(t, "gap")) * time.Second,
	}
	for range rapid.IntRange(0, 12).Draw(t, "items") {
		w.plans = append(w.plans, plan{
			takes: time.Duration(rapid.IntRange(0, 4).Draw(t, "takes")) * time.Second,
			fails: max(0, rapid.IntRange(-6, attempts).Draw(t, "fails")),
		})
	}
	w.breaks = rapid.IntRange(1, len(w.plans)+3).Draw(t, "breaks")
	w.runs = make([]atomic.Int32, len(w.plans))
	return w
}

// expected is the result of a loop that runs the items one after another.
func (w *world) expected() (want []pair) {
	for i, p := range w.plans {
		if len(want) == w.breaks {
			break
		}
		err := p.fault()
		if err != nil {
			want = append(want, pair{0, err})
		} else {
			want = append(want, pair{i, nil})
		}
		if err != nil && !w.collect {
			break
		}
	}
	return want
}

// items is the sequence. It checks that the batch reads no more items ahead than it may.
func (w *world) items(t check.T) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range w.plans {
			if ahead := int(w.read.Add(1) - w.passed.Load()); ahead > w.inFlight+1 { // the loop may not have counted the last one yet
				t.Errorf("%d items are in flight, and %d may be", ahead, w.inFlight)
			}
			if !yield(i) {
				return
			}
			time.Sleep(w.gap)
		}
	}
}

func (w *world) execute(ctx context.Context, i int) (int, error) {
	p := w.plans[i]
	n := int(w.runs[i].Add(1))
	if err := sleep(ctx, p.takes); err != nil {
		return 0, err
	}
	if n <= p.fails {
		return 0, errFailed
	}
	return i, nil
}

// TestMapEqualsALoop: order, results and errors are those of a loop that runs the items one after
// another, for random durations, failures, restarts, limits and loops that break.
func TestMapEqualsALoop(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		w := drawWorld(t)
		workers := rapid.IntRange(1, 4).Draw(t, "workers")
		limit := rapid.IntRange(-1, 3).Draw(t, "limit")
		nested := rapid.Bool().Draw(t, "nested")
		rapid.SyncTest(t, func(t *rapid.T) {
			opts := []taskmanager.Option{taskmanager.WithWorkers(0, workers)}
			if limit >= 0 {
				opts = append(opts, taskmanager.WithLimit(limit, taskmanager.Block))
			}
			m, err := taskmanager.Start(opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer stop(t, m)
			ctx, got := context.Background(), []pair(nil)
			if nested {
				outer, err := m.SubmitFunc(ctx, "outer", func(ctx context.Context) error {
					got = w.run(ctx, t, m)
					return nil
				})
				check.Is(t, "SubmitFunc", err, nil)
				check.Is(t, "the outer task", outer.Wait(ctx), nil)
			} else {
				got = w.run(ctx, t, m)
			}
			same(t, got, w.expected())
			for i, p := range got {
				if e, ok := errors.AsType[*batch.ItemError](p.err); p.err != nil && (!ok || e.Index != i) {
					t.Errorf("the error of item %d is %v", i, p.err)
				}
			}
			idle(t, m)
			synctest.Wait() // a worker is free a moment after its task has ended
			if s := m.Snapshot(); s.Busy != 0 || s.Queued != 0 {
				t.Errorf("after the batch the pool is not idle: %+v", s)
			}
		})
	})
}

// run ranges over the batch.
func (w *world) run(ctx context.Context, t check.T, m *taskmanager.TaskManager) (got []pair) {
	opts := []batch.Option{batch.WithInFlight(w.inFlight), batch.WithTaskOptions(
		taskmanager.WithRestart(restart.MaxAttempts(attempts, restart.Constant(time.Second))))}
	if w.collect {
		opts = append(opts, batch.WithCollect())
	}
	last := 0
	opts = append(opts, batch.WithProgress(func(done int) {
		if done <= last || done > int(w.read.Load()) {
			t.Errorf("%d items are done, after %d, of %d that were read", done, last, w.read.Load())
		}
		last = done
	}))
	for result, err := range batch.Map(ctx, m, "item", w.items(t), w.execute, opts...) {
		w.passed.Add(1)
		got = append(got, pair{result, err})
		time.Sleep(w.body)
		if len(got) == w.breaks {
			break
		}
	}
	for i := range w.runs {
		if n := int(w.runs[i].Load()); n > attempts || i < len(got) && got[i].err == nil && n != w.plans[i].fails+1 {
			t.Errorf("item %d ran %d times", i, n)
		}
	}
	if len(got) == len(w.plans) && last != len(w.plans) {
		t.Errorf("the last number of WithProgress is %d, of %d items", last, len(w.plans))
	}
	return got
}
