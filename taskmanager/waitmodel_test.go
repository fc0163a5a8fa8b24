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

// TestWaitsEqualTheirModel has tasks of two managers wait for each other, for groups and for room
// in groups, while limits per key hold other tasks back. Exactly the waits and submits that the
// model calls stuck are refused, and submits get room in the order of their arrival.
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
				"finish": func(t *rapid.T) { seen[w.finish(t)]++ },
				"submit": func(t *rapid.T) { seen[w.submit(t)]++ },
				"batch":  func(t *rapid.T) { seen[w.open(t)]++ },
				"item":   func(t *rapid.T) { seen[w.item(t)]++ },
				"use up": func(t *rapid.T) { seen[w.useUp(t)]++ },
				"enter":  func(t *rapid.T) { seen[w.enter(t)]++ },
				"enter2": func(t *rapid.T) { seen[w.enter(t)]++ },
				"room":   func(t *rapid.T) { seen[w.makeRoom(t)]++ },
				"":       w.check,
			})
		})
	})
	for _, what := range []string{"refused", "waits", "over", "submitted", "waits for room", "no room", "got room", "submitted as an item", "not submitted as an item"} {
		if seen[what] == 0 {
			t.Errorf("no wait or submit was of the kind %q", what)
		}
	}
}

// waitWorld are managers whose disciplines limit tasks by key, each with a group, and their tasks.
type waitWorld struct {
	m []*taskmanager.TaskManager

	resources []bool // the keys are those of resources, by manager

	groups []*taskmanager.Group
	tasks  []*waitTask // that have not ended, in the order of their submits
	waits  []*modelWait
	made   int
	failed bool               // a submit was refused, and so a group has failed; the rest is not modelled
	limit  int                // of each group; 0: none
	end    context.CancelFunc // ends the contexts of the groups
}

// waitTask is a task of the model.
type waitTask struct {
	h       *taskmanager.Handle
	name    string
	m       int
	key     string
	member  bool        // of the group
	batch   *modelBatch // of which it is an item, or nil
	running bool
	orders  chan func(ctx context.Context)
}

// modelWait is a wait that has begun and not ended.
type modelWait struct {
	of     *waitTask
	on     *waitTask   // nil: the group of manager m, or room in it, or a batch
	batch  *modelBatch // not nil: the task has begun a batch on manager m, whose items have to end
	enters *waitTask   // nil: not for room; otherwise the task that will be a member
	m      int
	cancel context.CancelFunc
	err    chan error
}

const limitPerKey = 2

// waitDisciplines allow two tasks of a key at once.
var waitDisciplines = map[string]taskmanager.Discipline{
	"LimitByKey": taskmanager.LimitByKey(limitPerKey, taskmanager.FIFO()),
	"LimitBy":    taskmanager.LimitBy(limitPerKey, (*taskmanager.Handle).Key, taskmanager.FIFO()),
	"Resources":  taskmanager.Resources(map[string]int64{"a": limitPerKey, "b": limitPerKey}, taskmanager.FIFO()),
}

func newWaitWorld(t *rapid.T) *waitWorld {
	w := &waitWorld{limit: rapid.SampledFrom([]int{0, 1, 2, 3}).Draw(t, "limit")}
	var opts []taskmanager.GroupOption
	if w.limit > 0 {
		opts = append(opts, taskmanager.WithGroupLimit(w.limit))
	}
	var ctx context.Context
	ctx, w.end = context.WithCancel(context.Background())
	for i := range 2 {
		kind := rapid.SampledFrom([]string{"LimitByKey", "LimitBy", "Resources"}).Draw(t, "discipline")
		w.resources = append(w.resources, kind == "Resources")
		m, err := taskmanager.Start(taskmanager.WithWorkers(0, 20), taskmanager.WithQueue(waitDisciplines[kind]))
		if err != nil {
			t.Fatal(err)
		}
		w.m, w.groups = append(w.m, m), append(w.groups, m.Group(ctx, opts...))
		for range 3 {
			w.add(t, i, "a", i == 0 && !w.isFull(i))
		}
	}
	return w
}

// submit submits a task. It is refused if it would be stuck, as a member of a group that is
// awaited.
func (w *waitWorld) submit(t *rapid.T) (kind string) {
	m, key := rapid.IntRange(0, 1).Draw(t, "manager"), drawKey(t)
	member := rapid.Bool().Draw(t, "member")
	if w.failed || len(w.tasks) >= 12 || member && w.isFull(m) {
		return "none"
	}
	return w.add(t, m, key, member)
}

func drawKey(t *rapid.T) string { return rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key") }

func (w *waitWorld) add(t *rapid.T, m int, key string, member bool) (kind string) {
	return w.launchNow(t, w.newTask(m, key, member))
}

// launchNow submits a task that needs no room in a group.
func (w *waitWorld) launchNow(t *rapid.T, x *waitTask) (kind string) {
	refused := w.begins(x)
	return w.submitted(t, x, refused, w.launch(context.Background(), x))
}

// newTask returns a task that no manager has yet.
func (w *waitWorld) newTask(m int, key string, member bool) *waitTask {
	w.made++
	return &waitTask{name: fmt.Sprint("task ", w.made), m: m, key: key, member: member, orders: make(chan func(context.Context))}
}

// launch submits a task.
func (w *waitWorld) launch(ctx context.Context, x *waitTask) (err error) {
	do := func(ctx context.Context) error {
		for order := range x.orders {
			order(ctx)
		}
		return nil
	}
	opts := []taskmanager.TaskOption{taskmanager.WithKey(x.key)}
	if w.resources[x.m] {
		opts = append(opts, taskmanager.WithResource(x.key, 1))
	}
	switch {
	case x.member:
		return w.groups[x.m].Go(x.name, do, opts...)
	case x.batch != nil:
		return x.batch.launchItem(ctx, w.m[x.m], x, do, opts)
	}
	_, err = w.m[x.m].SubmitFunc(ctx, x.name, do, opts...)
	return err
}

// begins adds a task to the model, and reports whether it would be stuck.
func (w *waitWorld) begins(x *waitTask) (stuck bool) {
	w.tasks = append(w.tasks, x)
	w.start()
	return w.isStuck(x)
}

// submitted compares the result of the submit of the last task.
func (w *waitWorld) submitted(t *rapid.T, x *waitTask, refused bool, err error) (kind string) {
	if !refused {
		check.Is(t, "a submit", err, nil)
		x.h, _ = w.m[x.m].Lookup(x.name)
		return "submitted"
	}
	check.Is(t, "a submit", err, taskmanager.ErrWouldDeadlock)
	w.failed = x.member
	w.tasks = w.tasks[:len(w.tasks)-1]
	return "not submitted"
}

// isFull reports whether the group of a manager is full.
func (w *waitWorld) isFull(m int) bool {
	return w.limit > 0 && len(w.targets(&modelWait{m: m})) == w.limit
}

// enter has a task submit another one to the group of its manager, which is full.
func (w *waitWorld) enter(t *rapid.T) (kind string) {
	x := w.runningTask(t)
	if x == nil || w.failed || !w.isFull(x.m) {
		return "none"
	}
	on := &modelWait{of: x, enters: w.newTask(x.m, drawKey(t), true), m: x.m, cancel: func() {}, err: make(chan error, 1)}
	w.waits = append(w.waits, on)
	refused := w.isStuck(x)
	x.orders <- func(ctx context.Context) { on.err <- w.launch(ctx, on.enters) } // known by its goroutine
	synctest.Wait()
	if !refused {
		return "waits for room"
	}
	w.failed = true
	if len(on.err) == 0 {
		t.Fatalf("a submit that could get no room was not refused, in%v", w)
	}
	check.Is(t, "a submit to a full group", w.over(len(w.waits)-1), taskmanager.ErrWouldDeadlock)
	return "no room"
}

// handOn gives the place of a member that has ended to the first submit that waits for it.
func (w *waitWorld) handOn(t *rapid.T, m int) (kind string) {
	i := slices.IndexFunc(w.waits, func(on *modelWait) bool { return on.enters != nil && on.m == m })
	if i < 0 {
		return "finished"
	}
	on := w.waits[i]
	if len(on.err) == 0 {
		t.Fatalf("the first submit in the line did not get the place, in%v", w)
	}
	err := w.over(i)
	if w.submitted(t, on.enters, w.begins(on.enters), err) == "submitted" {
		return "got room"
	}
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
		ofGroup := on.on == nil && on.batch == nil && x.member && x.m == on.m
		if x == on.on || ofGroup || on.batch != nil && x.batch == on.batch {
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
				left := slices.DeleteFunc(w.targets(on), func(y *waitTask) bool { return !isLeft(y) })
				return on.of == x && len(left) > 0 && (on.enters == nil || len(left) == w.limit)
			})
		})
	}
	return isLeft(x)
}

// String shows the tasks and waits in the report of a failure.
func (w *waitWorld) String() (s string) {
	for i, x := range w.tasks {
		s += fmt.Sprintf("\n  %d: manager %d, key %s, member %t, batch %p, running %t; waits for", i, x.m, x.key, x.member, x.batch, x.running)
		for _, on := range w.waits {
			switch {
			case on.of == x && on.enters != nil:
				s += fmt.Sprintf(" room in group %d for a task with key %s", on.m, on.enters.key)
			case on.of == x && on.batch != nil:
				s += fmt.Sprintf(" the items of batch %p", on.batch)
			case on.of == x && on.on == nil:
				s += fmt.Sprintf(" group %d", on.m)
			case on.of == x:
				s += fmt.Sprintf(" task %d", slices.Index(w.tasks, on.on))
			}
		}
	}
	return s
}

func newWait(of *waitTask) *modelWait { return &modelWait{of: of, err: make(chan error, 1)} }

func (w *waitWorld) wait(t *rapid.T) (kind string) {
	x := w.runningTask(t)
	if x == nil || w.failed {
		return "none"
	}
	on := newWait(x)
	if rapid.IntRange(0, 3).Draw(t, "group") == 0 {
		on.m = rapid.IntRange(0, 1).Draw(t, "of manager")
	} else {
		on.on = rapid.SampledFrom(w.tasks).Draw(t, "on")
	}
	return w.begin(t, on)
}

// begin has a running task begin a wait.
func (w *waitWorld) begin(t *rapid.T, on *modelWait) (kind string) {
	x := on.of
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
		check.Is(t, "a wait for nothing", w.over(len(w.waits)-1), nil)
		return "over"
	case refused:
		if len(on.err) == 0 {
			t.Fatalf("a wait that could not end was not refused, in%v", w)
		}
		check.Is(t, "a wait", w.over(len(w.waits)-1), taskmanager.ErrWouldDeadlock)
		return "refused"
	}
	return "waits"
}

// runningTask draws a task that runs and takes orders.
func (w *waitWorld) runningTask(t *rapid.T) *waitTask {
	running := slices.DeleteFunc(slices.Clone(w.tasks), func(x *waitTask) bool {
		return !x.running || slices.ContainsFunc(w.waits, func(on *modelWait) bool { return on.of == x && on.enters != nil })
	})
	if len(running) == 0 {
		return nil
	}
	return rapid.SampledFrom(running).Draw(t, "task")
}

// over returns the error of a wait that has ended.
func (w *waitWorld) over(i int) error {
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
	if w.waits[i].enters != nil || w.waits[i].batch != nil {
		return // only the end of the group's context ends it, or that of the batch
	}
	w.waits[i].cancel()
	check.Is(t, "a cancelled wait", w.over(i), context.Canceled)
}

// finish ends a task that does not wait.
func (w *waitWorld) finish(t *rapid.T) (kind string) {
	if x := w.runningTask(t); x != nil {
		return w.finishes(t, x)
	}
	return "none"
}

// makeRoom ends a member of a full group that does not wait.
func (w *waitWorld) makeRoom(t *rapid.T) (kind string) {
	for _, on := range w.waits {
		if on.enters == nil {
			continue
		}
		for _, x := range w.targets(on) {
			if x.running && !w.isWaiting(x) {
				return w.finishes(t, x)
			}
		}
	}
	return "none"
}

func (w *waitWorld) isWaiting(x *waitTask) bool {
	return slices.ContainsFunc(w.waits, func(on *modelWait) bool { return on.of == x })
}

// finishes ends a task unless it waits, and the waits for it.
func (w *waitWorld) finishes(t *rapid.T, x *waitTask) (kind string) {
	w.closeBatches(x)
	if w.failed || w.isWaiting(x) {
		return "none"
	}
	close(x.orders)
	w.tasks = slices.DeleteFunc(w.tasks, func(y *waitTask) bool { return y == x })
	w.start()
	synctest.Wait()
	kind = "finished"
	if x.member {
		kind = w.handOn(t, x.m)
	}
	for i, on := range slices.Backward(w.waits) {
		if len(w.targets(on)) == 0 && !w.failed && on.batch == nil {
			check.Is(t, "a wait whose tasks have ended", w.over(i), nil)
		}
	}
	return kind
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

// stop ends all waits, those for room last: with the contexts of the groups, members that have not
// started end too, and waits for them might be over before they are cancelled. After the failure of a
// group, which is not modelled, waits may be over already.
func (w *waitWorld) stop(t *rapid.T) {
	synctest.Wait()
	defer w.end()
	w.closeAllBatches()
	for len(w.waits) > 0 {
		i := slices.IndexFunc(w.waits, func(on *modelWait) bool { return on.enters == nil })
		if i < 0 {
			w.end()
			i = len(w.waits) - 1
		}
		on := w.waits[i]
		isOver := w.failed && len(on.err) > 0
		on.cancel()
		switch err := w.over(i); {
		case isOver && on.enters == nil && err == nil:
		case w.failed && errors.Is(err, taskmanager.ErrWouldDeadlock):
		case !errors.Is(err, context.Canceled):
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
