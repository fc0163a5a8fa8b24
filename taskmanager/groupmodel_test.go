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

// TestGroupsWithALimitEqualTheirModel submits to a group in all ways, ends its members, gives waits
// for room up and changes the limit. Submits get room in the order of their arrival, and all that is
// waiting learns of a failure.
func TestGroupsWithALimitEqualTheirModel(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			w := newRoomWorld(t)
			defer w.stop(t)
			t.Repeat(map[string]func(*rapid.T){
				"submit":  w.submit,
				"submit2": w.submit,
				"try":     w.try,
				"within":  w.submitWithin,
				"giveUp":  w.giveUp,
				"limit":   w.setLimit,
				"end":     w.end,
				"cancel":  w.cancel,
				"context": w.endContext,
				"group":   w.cancelGroup,
				"":        w.check,
			})
		})
	})
}

// roomWorld is a group with a limit and its model.
type roomWorld struct {
	m         *taskmanager.TaskManager
	g         roomGroup
	limit     int // 0: none
	collect   bool
	endsGroup context.CancelFunc

	made    int
	members []*roomTask // that run
	line    []*roomTask // whose submits wait
	failed  bool
	reason  error // why; nil: not known
}

// roomGroup has what groups with and without results have in common, and the others as functions.
type roomGroup struct {
	shared interface {
		Context() context.Context
		Cancel()
		Done() <-chan struct{}
		SetLimit(n int) error
	}
	add, try func(name string, fn func(context.Context) error) error
	within   func(ctx context.Context, name string, fn func(context.Context) error) error
	wait     func(ctx context.Context) error
}

func plainRoomGroup(g *taskmanager.Group) roomGroup {
	type fn = func(context.Context) error
	return roomGroup{
		g,
		func(name string, f fn) error { return g.Go(name, f) },
		func(name string, f fn) error { return g.TryGo(name, f) },
		func(ctx context.Context, name string, f fn) error { return g.GoContext(ctx, name, f) },
		g.Wait,
	}
}

func resultRoomGroup(g *taskmanager.ResultGroup[int]) roomGroup {
	type fn = func(context.Context) error
	with := func(f fn) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) { return 7, f(ctx) }
	}
	return roomGroup{
		g,
		func(name string, f fn) error { return g.Go(name, with(f)) },
		func(name string, f fn) error { return g.TryGo(name, with(f)) },
		func(ctx context.Context, name string, f fn) error { return g.GoContext(ctx, name, with(f)) },
		func(ctx context.Context) error { _, err := g.Wait(ctx); return err },
	}
}

type roomTask struct {
	name   string
	taken  bool          // the name is: the submit fails when it gets room
	giveUp func()        // ends the wait for room; nil: nothing does
	result chan error    // of the submit
	end    chan error    // what the task returns
	begun  chan struct{} // closed
}

func newRoomWorld(t *rapid.T) *roomWorld {
	m, err := taskmanager.Start(taskmanager.WithWorkers(0, 10))
	if err != nil {
		t.Fatal(err)
	}
	w := &roomWorld{m: m, limit: rapid.IntRange(1, 3).Draw(t, "limit"), collect: rapid.Bool().Draw(t, "collect")}
	opts := []taskmanager.GroupOption{taskmanager.WithGroupLimit(w.limit)}
	if w.collect {
		opts = append(opts, taskmanager.WithCollect())
	}
	var ctx context.Context
	ctx, w.endsGroup = context.WithCancel(context.Background())
	if rapid.Bool().Draw(t, "results") {
		w.g = resultRoomGroup(taskmanager.NewResultGroup[int](ctx, m, opts...))
	} else {
		w.g = plainRoomGroup(m.Group(ctx, opts...))
	}
	if _, err := m.SubmitFunc(context.Background(), "taken", untilCancelled); err != nil {
		t.Fatal(err)
	}
	return w
}

// draw draws a task.
func (w *roomWorld) draw(t *rapid.T) *roomTask {
	w.made++
	x := &roomTask{
		name:   fmt.Sprint("task ", w.made),
		taken:  rapid.IntRange(0, 3).Draw(t, "taken") == 0,
		result: make(chan error, 1), end: make(chan error, 1), begun: make(chan struct{}),
	}
	if x.taken {
		x.name = "taken"
	}
	return x
}

func (x *roomTask) execute(ctx context.Context) error {
	close(x.begun)
	select {
	case err := <-x.end:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// come begins a submit.
func (w *roomWorld) come(t *rapid.T, x *roomTask, submit func() error) {
	go func() { x.result <- submit() }()
	synctest.Wait()
	if w.failed {
		check.Is(t, "a submit to a group that has failed", <-x.result, context.Canceled)
		return
	}
	w.line = append(w.line, x)
	w.admit(t)
}

func (w *roomWorld) submit(t *rapid.T) {
	x := w.draw(t)
	w.come(t, x, func() error { return w.g.add(x.name, x.execute) })
}

// submitWithin submits with a context that giveUp may end.
func (w *roomWorld) submitWithin(t *rapid.T) {
	x := w.draw(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	x.giveUp = func() { cancel(errGivenUp) }
	w.come(t, x, func() error { return w.g.within(ctx, x.name, x.execute) })
}

var errGivenUp = errors.New("given up")

// try submits without waiting.
func (w *roomWorld) try(t *rapid.T) {
	x := w.draw(t)
	if w.failed || w.hasRoom() {
		w.come(t, x, func() error { return w.g.try(x.name, x.execute) })
		return
	}
	check.Is(t, "a submit without room", w.g.try(x.name, x.execute), taskmanager.ErrQueueFull)
}

// giveUp ends the context of a submit. Only one that waits for room is concerned.
func (w *roomWorld) giveUp(t *rapid.T) {
	all := append(append([]*roomTask(nil), w.line...), w.members...)
	if len(all) == 0 {
		return
	}
	x := all[rapid.IntRange(0, len(all)-1).Draw(t, "task")]
	if x.giveUp == nil {
		return
	}
	x.giveUp()
	synctest.Wait()
	for i, y := range w.line {
		if x == y {
			w.line = append(w.line[:i:i], w.line[i+1:]...)
			w.result(t, x, errGivenUp)
			return
		}
	}
}

// setLimit changes the limit. It does not let several submits in at once of which one fails, since
// that one may end the group before or after the others.
func (w *roomWorld) setLimit(t *rapid.T) {
	limit := rapid.IntRange(0, 4).Draw(t, "limit")
	enter := min(limit-len(w.members), len(w.line))
	if limit == 0 {
		enter = len(w.line)
	}
	if enter > 1 && !w.collect && slices.ContainsFunc(w.line[:enter], func(x *roomTask) bool { return x.taken }) {
		return
	}
	w.limit = limit
	check.Is(t, "SetLimit", w.g.shared.SetLimit(w.limit), nil)
	synctest.Wait()
	w.admit(t)
}

func (w *roomWorld) cancelGroup(t *rapid.T) {
	if w.made < 6 || w.failed {
		return
	}
	w.g.shared.Cancel()
	synctest.Wait()
	w.fail(t)
	w.reason = taskmanager.ErrCancelled
}

func (w *roomWorld) hasRoom() bool { return w.limit == 0 || len(w.members) < w.limit }

// admit lets submits in while there is room.
func (w *roomWorld) admit(t *rapid.T) {
	for len(w.line) > 0 && w.hasRoom() {
		x := w.line[0]
		w.line = w.line[1:]
		if !x.taken {
			w.members = append(w.members, x)
			w.result(t, x, nil)
			continue
		}
		w.result(t, x, taskmanager.ErrAlreadyExists)
		if !w.collect {
			w.fail(t)
			w.reason = taskmanager.ErrAlreadyExists
		}
	}
}

func (w *roomWorld) result(t *rapid.T, x *roomTask, want error) {
	if len(x.result) == 0 {
		t.Fatalf("the submit of %s has not returned", x.name)
	}
	check.Is(t, "the submit of "+x.name, <-x.result, want)
}

// fail ends all members and submits.
func (w *roomWorld) fail(t *rapid.T) {
	for _, x := range w.line {
		w.result(t, x, context.Canceled)
	}
	w.members, w.line, w.failed = nil, nil, true
}

// leave ends a member.
func (w *roomWorld) leave(t *rapid.T, failure error, end func(*roomTask)) {
	if len(w.members) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.members)-1).Draw(t, "member")
	end(w.members[i])
	synctest.Wait()
	w.members = append(w.members[:i:i], w.members[i+1:]...)
	if failure != nil && !w.collect {
		w.fail(t)
		w.reason = failure
	}
	w.admit(t)
}

func (w *roomWorld) end(t *rapid.T) {
	err := rapid.SampledFrom([]error{nil, nil, nil, errFailed}).Draw(t, "error")
	w.leave(t, err, func(x *roomTask) { x.end <- err })
}

func (w *roomWorld) cancel(t *rapid.T) {
	w.leave(t, taskmanager.ErrCancelled, func(x *roomTask) { w.m.Cancel(x.name) })
}

func (w *roomWorld) endContext(t *rapid.T) {
	if w.made < 6 || w.failed {
		return
	}
	busy := len(w.members) > 0
	w.endsGroup()
	synctest.Wait()
	w.fail(t)
	if busy { // otherwise the end is no failure
		w.reason = context.Canceled
	}
}

// check compares what runs, and whether Wait would return.
func (w *roomWorld) check(t *rapid.T) {
	synctest.Wait()
	for _, x := range w.members {
		check.Equal(t, x.name+" has begun", isClosed(x.begun), true)
	}
	for _, x := range w.line {
		check.Equal(t, x.name+" has begun", isClosed(x.begun), false)
		check.Equal(t, x.name+" has a result", len(x.result), 0)
	}
	ended, cancel := context.WithCancelCause(context.Background())
	cancel(errCut)
	check.Equal(t, "Done is closed", isClosed(w.g.shared.Done()), len(w.members) == 0)
	check.Equal(t, "the context of the group has ended", isClosed(w.g.shared.Context().Done()), w.failed)
	check.Equal(t, "a Wait would wait", errors.Is(w.g.wait(ended), errCut), len(w.members) > 0)
	if w.failed && w.reason != nil {
		check.Is(t, "Wait for a group that has failed", w.g.wait(context.Background()), w.reason)
	}
}

var errCut = errors.New("cut short")

// stop ends the group in the middle of everything.
func (w *roomWorld) stop(t *rapid.T) {
	w.endsGroup()
	_ = w.g.wait(context.Background())
	stop(t, w.m)
}
