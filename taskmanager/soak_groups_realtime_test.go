package taskmanager_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// told are the tasks whose function of WithOnEnd was called.
type told struct {
	tasks sync.Map // the keys are *taskmanager.Handle
	calls atomic.Int64
}

// onEnd may return an option that checks that the end of the task is visible and is told once.
func (t *soakTask) onEnd(random *rand.Rand) (opts []taskmanager.TaskOption) {
	if t.tells = random.IntN(4) == 0; !t.tells {
		return nil
	}
	x, again := t.x, random.IntN(4) == 0
	seed := random.Uint64()
	return []taskmanager.TaskOption{taskmanager.WithOnEnd(func(h *taskmanager.Handle) {
		x.told.calls.Add(1)
		if _, twice := x.told.tasks.LoadOrStore(h, nil); twice {
			x.fail("the end of %q is told twice", h.Name())
		}
		if other, taken := x.m.Lookup(h.Name()); !isClosed(h.Done()) || taken && other == h {
			x.fail("the end of %q is told before it is visible", h.Name())
		}
		if again && x.enter() {
			defer x.leave()
			next := x.newTask(rand.New(rand.NewPCG(seed, 0)), -1, nil)
			h, err := x.m.TrySubmit(context.Background(), next)
			next.accept("at the end of another", h, err)
		}
	})}
}

// checkTold checks that the ends of all accepted tasks were told that asked for it.
func (x *life) checkTold() {
	want := int64(0)
	for _, t := range x.tasks {
		if !t.tells || !t.taken {
			continue
		}
		want++
		if t.h == nil {
			continue
		}
		if _, ok := x.told.tasks.Load(t.h); !ok {
			x.fail("the end of %q, %v, was not told", t.name, t.h.Err())
		}
	}
	if got := x.told.calls.Load(); got != want {
		x.fail("%d ends were told, want %d", got, want)
	}
}

// toGroup submits a task to a group in a random way. It reports whether the submit has a place among
// the results.
func (x *life) toGroup(g *taskmanager.ResultGroup[string], t *soakTask, random *rand.Rand) (counts bool, err error) {
	fn := func(ctx context.Context) (string, error) { return t.name, t.Execute(ctx) }
	opts := t.options(random)
	switch random.IntN(4) {
	case 0:
		err = g.TryGo(t.name, fn, opts...)
		t.accept("group, trying", nil, err)
		return !errors.Is(err, taskmanager.ErrQueueFull), err
	case 1:
		gone := errors.New("the context of the wait has ended")
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Duration(random.IntN(2000))*time.Microsecond, gone)
		defer cancel()
		if t.by != nil { // a task continues without a slot when its wait is cut short, which the soak expects only at its end
			ctx = t.by.ctx
		}
		err = g.GoContext(ctx, t.name, fn, opts...)
		t.accept("group, for a while", nil, err)
		return !errors.Is(err, gone), err
	default:
		err = g.Go(t.name, fn, opts...)
		t.accept("group", nil, err)
		return true, err
	}
}

// controlGroup may change the limit of a group, or cancel it.
func (x *life) controlGroup(g *taskmanager.ResultGroup[string], random *rand.Rand) (cancelled bool) {
	switch random.IntN(20) {
	case 0:
		g.Cancel()
		x.s.count("group: Cancel")
		return true
	case 1, 2, 3:
		if err := g.SetLimit(random.IntN(4)); err != nil {
			x.fail("SetLimit: %v", err)
		}
		x.s.count("group: SetLimit")
	case 4:
		g.Context()
		g.Done()
	}
	return false
}

// plainGroup submits a group of tasks without results, and checks its error.
func (d *driver) plainGroup() {
	ctx, cancel := d.brief()
	defer cancel()
	var opts []taskmanager.GroupOption
	collect := d.random.IntN(2) == 0
	if collect {
		opts = append(opts, taskmanager.WithCollect())
	}
	g := d.m.Group(context.Background(), opts...)
	members := make(map[string][]*soakTask)
	var faults []error
	for range 1 + d.random.IntN(5) {
		t := d.newTask(d.random, d.random.IntN(2*soakNames)-soakNames, nil)
		t.grouped = true
		if op, err := d.toPlainGroup(g, t); op != "TryGo" || !errors.Is(err, taskmanager.ErrQueueFull) {
			members[t.name] = append(members[t.name], t)
			if err != nil {
				faults = append(faults, err)
			}
		}
	}
	err := g.Wait(ctx)
	if ctx.Err() != nil || errors.Is(err, taskmanager.ErrWouldDeadlock) {
		return
	}
	d.s.count("plain groups waited for")
	if err == nil && len(faults) > 0 {
		d.fail("a group that has refused tasks ended without an error: %v", faults)
	}
	failures := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && collect {
		failures = joined.Unwrap()
	}
	for _, failure := range failures {
		if e, ok := errors.AsType[*taskmanager.TaskError](failure); failure != nil && (!ok || members[e.Name] == nil || e.Err == nil) {
			d.fail("the failure of a group is %v, and its members are %v", failure, slices.Sorted(maps.Keys(members)))
		}
	}
	for name, list := range members {
		for _, t := range list {
			if t.inside.Load() > 0 || err == nil && !d.skips && !t.succeed.Load() {
				d.fail("after the wait for its group the task %q runs, or has not succeeded: %v", name, err)
			}
		}
	}
}

// toPlainGroup submits a task to a group in a random way.
func (d *driver) toPlainGroup(g *taskmanager.Group, t *soakTask) (op string, err error) {
	opts := t.options(d.random)
	switch d.random.IntN(4) {
	case 0:
		op, err = "Go", g.Go(t.name, t.Execute, opts...)
	case 1:
		op, err = "TryGo", g.TryGo(t.name, t.Execute, opts...)
	case 2:
		op, err = "GoContext", g.GoContext(context.Background(), t.name, t.Execute, opts...)
	default:
		op, err = "Submit", g.Submit(t.asTask(d.random), opts...)
	}
	t.accept("plain group: "+op, nil, err)
	return op, err
}
