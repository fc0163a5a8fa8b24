package taskmanager_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

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
