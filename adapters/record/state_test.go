package record_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/adapters/record"
	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// subject is a task of the state machine, and what its row must say.
type subject struct {
	handle *taskmanager.Handle
	plan   []execution // what its executions do; the last one repeats

	began, arrival    time.Duration // of the submit, and when it is due; since the recording began
	first             time.Duration // when its first execution began
	total             time.Duration // of all executions
	ran, failed, mean int           // executions; those that failed, and that count for the mean
	mayBeLate         bool
}

type execution struct {
	takes time.Duration
	ends  string // success, failure or postponed
}

// Execute does what the plan says.
func (x *subject) run(ctx context.Context, began time.Time) (err error) {
	start := time.Now()
	if x.ran == 0 {
		x.first = start.Sub(began)
	}
	do := x.plan[min(x.ran, len(x.plan)-1)]
	x.ran++
	defer func() { x.total += time.Since(start) }()
	select {
	case <-time.After(do.takes):
	case <-ctx.Done():
		x.mean++
		return context.Cause(ctx)
	}
	switch do.ends {
	case "failure":
		x.failed++
		x.mean++
		return errFailed
	case "postponed":
		return taskmanager.NotYet(time.Second)
	}
	x.mean++
	return nil
}

// TestEveryTaskHasARow submits, cancels, drops, delays and restarts tasks at random, and checks that
// each accepted task has exactly one row that says what happened, or was dropped.
func TestEveryTaskHasARow(t *testing.T) {
	outer := t
	check.Property(t, func(rt *rapid.T) {
		overflow := rapid.SampledFrom([]taskmanager.Overflow{taskmanager.DropOldest, taskmanager.DropNewest, taskmanager.Reject}).Draw(rt, "overflow")
		workers := rapid.IntRange(1, 3).Draw(rt, "workers")
		buffer := rapid.SampledFrom([]int{2, 1000}).Draw(rt, "buffer")
		ops := rapid.SliceOfN(rapid.SampledFrom([]string{"submit", "submit", "submit", "sleep", "cancel", "pause", "resume", "hang", "work"}), 1, 60).Draw(rt, "ops")
		plans := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) execution {
			return execution{
				// Odd numbers, so that no two events of different tasks coincide often.
				time.Duration(rapid.IntRange(0, 5000).Draw(rt, "ms"))*time.Millisecond + 1,
				rapid.SampledFrom([]string{"success", "success", "failure", "postponed"}).Draw(rt, "end"),
			}
		}), 1, 4), 1, 20).Draw(rt, "plans")
		numbers := rapid.SliceOfN(rapid.IntRange(0, 1000), 1, 20).Draw(rt, "numbers")
		drains := rapid.Bool().Draw(rt, "drains")
		synctest.Test(outer, func(t *testing.T) {
			hangs := newGate()
			disk := new(memory)
			rec := newOn(t, disk, record.Config{MaxBytes: 4096, Buffer: buffer})
			disk.write = func(b []byte) (int, error) { hangs.pass(); return len(b), nil }
			began := time.Now()
			m := start(t, taskmanager.WithObserver(rec), taskmanager.WithWorkers(workers, workers), taskmanager.WithLimit(3, overflow))
			var tasks []*subject
			paused := false
			resume := func() {
				if paused {
					time.Sleep(10 * time.Second) // all executions have ended long ago, so that no gap is short enough to count
				}
				m.Resume()
				paused = false
			}
			for i, op := range ops {
				n := numbers[i%len(numbers)]
				switch op {
				case "submit":
					tasks = append(tasks, submitPlan(t, m, began, len(tasks), n, plans[i%len(plans)]))
				case "cancel":
					if len(tasks) > 0 && tasks[n%len(tasks)].handle != nil {
						tasks[n%len(tasks)].handle.Cancel()
					}
				case "sleep":
					time.Sleep(time.Duration(n) * 10 * time.Millisecond)
				case "pause":
					m.Pause()
					paused = true
				case "resume":
					resume()
				case "hang":
					hangs.close()
				case "work":
					hangs.open()
				}
				synctest.Wait()
			}
			resume()
			if drains {
				time.Sleep(time.Minute)
			}
			for _, x := range tasks {
				if x.handle != nil && !drains {
					x.handle.Cancel()
				}
			}
			check.Is(t, "Stop", m.Stop(t.Context()), nil)
			hangs.open()
			check.Is(t, "Close", rec.Close(), nil)
			rows, told := parseAll(t, disk.texts(t))
			check.Equal(t, "dropped rows in the trace", int64(told), rec.Dropped())
			check.Equal(t, "rows and dropped ones", uint64(len(rows))+uint64(rec.Dropped()), m.Counts().Accepted)
			if buffer == 1000 {
				check.Equal(t, "dropped", told, 0)
			}
			seen := make(map[string]bool)
			for _, r := range rows {
				if seen[r.Key] {
					t.Errorf("task %s has two rows", r.Key)
				}
				seen[r.Key] = true
				tasks[number(t, r.Key)].check(t, r)
			}
		})
	})
}

// submitPlan submits a task. Its key is its number, by which its row is found.
func submitPlan(t *testing.T, m *taskmanager.TaskManager, began time.Time, number, n int, plan []execution) *subject {
	x := &subject{plan: plan, began: time.Since(began)}
	opts := []taskmanager.TaskOption{
		taskmanager.WithKey(strconv.Itoa(number)), taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(time.Second))),
	}
	x.arrival = x.began
	if n%4 == 0 {
		delay := time.Duration(n+1) * time.Millisecond
		opts = append(opts, taskmanager.WithDelay(delay))
		x.arrival += delay
	}
	if n%3 == 0 {
		opts = append(opts, taskmanager.WithTimeout(time.Second))
		x.mayBeLate = true
	}
	h, err := m.SubmitFunc(t.Context(), fmt.Sprint(number), func(ctx context.Context) error { return x.run(ctx, began) }, opts...)
	if err != nil {
		check.Is(t, "Submit", err, taskmanager.ErrQueueFull)
		return x
	}
	x.handle = h
	return x
}

// check checks the row of a task.
func (x *subject) check(t *testing.T, got entry) {
	t.Helper()
	if x.handle == nil {
		t.Errorf("a refused task has the row %+v", got)
		return
	}
	want := entry{Kind: "func", Key: got.Key, At: x.arrival, Fails: x.failed, Wait: x.first - x.arrival, NeverRan: x.ran == 0}
	switch {
	case x.ran > 0:
		want.Service = x.total / time.Duration(max(1, x.mean))
	case got.At < x.arrival: // it ended before it was due
		want.At, want.Wait = x.began, got.Wait
	default:
		want.Wait = got.Wait
	}
	if x.ran == 0 && (got.Outcome == "cancelled" || got.Outcome == "stopped") {
		want.NeverRan = got.NeverRan // a worker may have taken it just before; then its execution took no time
	}
	if x.mayBeLate {
		want.Fails = got.Fails // a timeout is a failure, and a cancellation is not
	}
	want.Outcome = got.Outcome
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the row of the task (-want +got):\n%s", diff)
	}
	if ok := x.handle.Err() == nil; ok != (got.Outcome == "success") {
		t.Errorf("the task ended with %v, and its row says %s", x.handle.Err(), got.Outcome)
	}
}

// gate lets callers of pass wait while it is closed.
type gate struct{ closed chan chan struct{} }

func newGate() *gate {
	g := &gate{make(chan chan struct{}, 1)}
	g.closed <- nil
	return g
}

func (g *gate) pass() {
	c := <-g.closed
	g.closed <- c
	if c != nil {
		<-c
	}
}

func (g *gate) close() {
	if c := <-g.closed; c != nil {
		g.closed <- c
		return
	}
	g.closed <- make(chan struct{})
}

func (g *gate) open() {
	if c := <-g.closed; c != nil {
		close(c)
	}
	g.closed <- nil
}
