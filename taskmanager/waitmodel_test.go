package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestWaitsEqualTheirModel has tasks of two managers wait for each other and for groups, while
// limits per key hold other tasks back. Exactly the waits that the model calls stuck are refused.
func TestWaitsEqualTheirModel(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			w := newWaitWorld(t)
			defer w.stop(t)
			t.Repeat(map[string]func(*rapid.T){
				"wait":   func(t *rapid.T) { seen[w.wait(t)]++ },
				"wait2":  func(t *rapid.T) { seen[w.wait(t)]++ },
				"wait3":  func(t *rapid.T) { seen[w.wait(t)]++ },
				"cancel": w.cancel,
				"finish": w.finish,
				"submit": func(t *rapid.T) { seen[w.submit(t)]++ },
				"":       w.check,
			})
		})
	})
	for _, what := range []string{"refused", "waits", "over", "submitted"} {
		if seen[what] == 0 {
			t.Errorf("no wait or submit was of the kind %q", what)
		}
	}
}

// waitWorld are managers under LimitByKey, each with a group, and their tasks.
type waitWorld struct {
	m      []*taskmanager.TaskManager
	groups []*taskmanager.Group
	tasks  []*waitTask // that have not ended, in the order of their submits
	waits  []*modelWait
	made   int
	failed bool // a submit was refused, and so a group has failed; the rest is not modelled
}

// waitTask is a task of the model.
type waitTask struct {
	h       *taskmanager.Handle
	m       int
	key     string
	member  bool // of the group
	running bool
	orders  chan func(ctx context.Context)
}

// modelWait is a wait that has begun and not ended.
type modelWait struct {
	of     *waitTask
	on     *waitTask // nil: the group of manager m
	m      int
	cancel context.CancelFunc
	err    chan error
}

const limitPerKey = 2

func newWaitWorld(t *rapid.T) *waitWorld {
	w := &waitWorld{}
	for i := range 2 {
		m, err := taskmanager.Start(taskmanager.WithWorkers(0, 20), taskmanager.WithQueue(taskmanager.LimitByKey(limitPerKey, taskmanager.FIFO())))
		if err != nil {
			t.Fatal(err)
		}
		w.m, w.groups = append(w.m, m), append(w.groups, m.Group(context.Background()))
		for range 3 {
			w.add(t, i, "a", i == 0)
		}
	}
	return w
}

// submit submits a task. It is refused if it would be stuck, as a member of a group that is
// awaited.
func (w *waitWorld) submit(t *rapid.T) (kind string) {
	if w.failed || len(w.tasks) >= 12 {
		return "none"
	}
	return w.add(t, rapid.IntRange(0, 1).Draw(t, "manager"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"), rapid.Bool().Draw(t, "member"))
}

func (w *waitWorld) add(t *rapid.T, m int, key string, member bool) (kind string) {
	x := &waitTask{m: m, key: key, member: member, orders: make(chan func(context.Context))}
	name := fmt.Sprint("task ", w.made)
	w.made++
	do := func(ctx context.Context) error {
		for order := range x.orders {
			order(ctx)
		}
		return nil
	}
	w.tasks = append(w.tasks, x)
	w.start()
	refused := w.isStuck(x)
	var err error
	if member {
		err = w.groups[m].Go(name, do, taskmanager.WithKey(key))
	} else {
		_, err = w.m[m].SubmitFunc(context.Background(), name, do, taskmanager.WithKey(key))
	}
	if !refused {
		check.Is(t, "a submit", err, nil)
		x.h, _ = w.m[m].Lookup(name)
		return "submitted"
	}
	check.Is(t, "a submit", err, taskmanager.ErrWouldDeadlock)
	w.failed = true
	w.tasks = w.tasks[:len(w.tasks)-1]
	return "not submitted"
}

// start runs the tasks that the limits of their keys allow.
func (w *waitWorld) start() {
	for _, x := range w.tasks {
		x.running = x.running || len(w.runningWith(x)) < limitPerKey
	}
}

// runningWith returns the tasks that run with the key of a task.
func (w *waitWorld) runningWith(x *waitTask) (list []*waitTask) {
	for _, y := range w.tasks {
		if y.running && y.m == x.m && y.key == x.key {
			list = append(list, y)
		}
	}
	return list
}

// targets returns the tasks for which a wait waits.
func (w *waitWorld) targets(on *modelWait) (list []*waitTask) {
	for _, x := range w.tasks {
		if x == on.on || on.on == nil && x.member && x.m == on.m {
			list = append(list, x)
		}
	}
	return list
}

// isStuck removes tasks that can end from all tasks, until none is left that can, and reports
// whether a task is among the rest.
func (w *waitWorld) isStuck(x *waitTask) bool {
	rest := slices.Clone(w.tasks)
	isLeft := func(x *waitTask) bool { return slices.Contains(rest, x) }
	for before := -1; before != len(rest); {
		before = len(rest)
		rest = slices.DeleteFunc(slices.Clone(rest), func(x *waitTask) bool {
			if !x.running {
				return slices.ContainsFunc(w.runningWith(x), func(y *waitTask) bool { return !isLeft(y) })
			}
			return !slices.ContainsFunc(w.waits, func(on *modelWait) bool {
				return on.of == x && slices.ContainsFunc(w.targets(on), isLeft)
			})
		})
	}
	return isLeft(x)
}

// String shows the tasks and waits in the report of a failure.
func (w *waitWorld) String() (s string) {
	for i, x := range w.tasks {
		s += fmt.Sprintf("\n  %d: manager %d, key %s, member %t, running %t; waits for", i, x.m, x.key, x.member, x.running)
		for _, on := range w.waits {
			switch {
			case on.of == x && on.on == nil:
				s += fmt.Sprintf(" group %d", on.m)
			case on.of == x:
				s += fmt.Sprintf(" task %d", slices.Index(w.tasks, on.on))
			}
		}
	}
	return s
}

func (w *waitWorld) wait(t *rapid.T) (kind string) {
	x := w.runningTask(t)
	if x == nil || w.failed {
		return "none"
	}
	on := &modelWait{of: x, err: make(chan error, 1)}
	if rapid.IntRange(0, 3).Draw(t, "group") == 0 {
		on.m = rapid.IntRange(0, 1).Draw(t, "of manager")
	} else {
		on.on = rapid.SampledFrom(w.tasks).Draw(t, "on")
	}
	w.waits = append(w.waits, on)
	over, refused := len(w.targets(on)) == 0, w.isStuck(x)
	x.orders <- func(ctx context.Context) {
		ctx, on.cancel = context.WithCancel(ctx)
		go func() {
			if on.on != nil {
				on.err <- on.on.h.Wait(ctx)
			} else {
				on.err <- w.groups[on.m].Wait(ctx)
			}
		}()
	}
	synctest.Wait()
	switch {
	case over:
		check.Is(t, "a wait for nothing", w.end(len(w.waits)-1), nil)
		return "over"
	case refused:
		if len(on.err) == 0 {
			t.Fatalf("a wait that could not end was not refused, in%v", w)
		}
		check.Is(t, "a wait", w.end(len(w.waits)-1), taskmanager.ErrWouldDeadlock)
		return "refused"
	}
	return "waits"
}

// runningTask draws a running task.
func (w *waitWorld) runningTask(t *rapid.T) *waitTask {
	running := slices.DeleteFunc(slices.Clone(w.tasks), func(x *waitTask) bool { return !x.running })
	if len(running) == 0 {
		return nil
	}
	return rapid.SampledFrom(running).Draw(t, "task")
}

// end returns the error of a wait that has ended.
func (w *waitWorld) end(i int) error {
	on := w.waits[i]
	w.waits = slices.Delete(w.waits, i, i+1)
	defer on.cancel()
	return <-on.err
}

// cancel ends a wait by its context.
func (w *waitWorld) cancel(t *rapid.T) {
	if w.failed || len(w.waits) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.waits)-1).Draw(t, "wait")
	w.waits[i].cancel()
	check.Is(t, "a cancelled wait", w.end(i), context.Canceled)
}

// finish ends a task that does not wait, and the waits for it.
func (w *waitWorld) finish(t *rapid.T) {
	x := w.runningTask(t)
	if x == nil || w.failed || slices.ContainsFunc(w.waits, func(on *modelWait) bool { return on.of == x }) {
		return
	}
	close(x.orders)
	w.tasks = slices.DeleteFunc(w.tasks, func(y *waitTask) bool { return y == x })
	w.start()
	synctest.Wait()
	for i, on := range slices.Backward(w.waits) {
		if len(w.targets(on)) == 0 {
			check.Is(t, "a wait whose tasks have ended", w.end(i), nil)
		}
	}
}

// check compares which waits have not ended, and which tasks run.
func (w *waitWorld) check(t *rapid.T) {
	synctest.Wait()
	if w.failed {
		return
	}
	for _, on := range w.waits {
		check.Equal(t, "errors of a wait that goes on", len(on.err), 0)
	}
	for _, x := range w.tasks {
		check.Equal(t, x.h.Name()+" has started", isClosed(x.h.Started()), x.running)
	}
}

func (w *waitWorld) stop(t *rapid.T) {
	for i, on := range slices.Backward(w.waits) {
		on.cancel()
		if err := w.end(i); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled wait: %v", err)
		}
	}
	for i := range w.m {
		check.Equal(t, "waits left", taskmanager.WaitsLeft(w.m[i]), 0)
	}
	for _, x := range w.tasks {
		close(x.orders)
	}
	for i := range w.m {
		stop(t, w.m[i])
	}
}
