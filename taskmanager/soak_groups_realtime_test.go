package taskmanager_test

import (
	"context"
	"errors"
	"math/rand/v2"
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
