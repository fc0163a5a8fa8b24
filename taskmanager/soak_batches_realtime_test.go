package taskmanager_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

// unique submits a task whose name the manager makes unique.
func (d *driver) unique() {
	t := d.newTask(d.random, -1, nil)
	opts := append(t.options(d.random), taskmanager.WithUniqueName())
	given := "name/1" // also that of other tasks
	ctx, cancel := d.brief()
	context.AfterFunc(ctx, cancel)
	h, err := d.m.SubmitFunc(ctx, given, func(ctx context.Context) error {
		if h, ok := taskmanager.FromContext(ctx); ok {
			t.name = h.Name()
		}
		return t.Execute(ctx)
	}, opts...)
	t.accept("WithUniqueName", h, err)
	if errors.Is(err, taskmanager.ErrAlreadyExists) {
		d.fail("a unique name is taken: %v", err)
	}
	if err == nil && !strings.HasPrefix(h.Name(), given+"#") {
		d.fail("the unique name of %q is %q", given, h.Name())
	}
	if h != nil {
		d.handles = append(d.handles, h)
	}
}

// batchMap runs a batch.
func (d *driver) batchMap() {
	ctx, cancel := d.brief()
	defer cancel()
	d.mapItems(ctx, d.random, nil)
}

// mapParent is a task that runs a batch on its manager.
func (e *execution) mapParent() error {
	if !e.x.enter() {
		return e.outcome()
	}
	defer e.x.leave()
	e.stepAside("a batch", func() { e.x.mapItems(e.ctx, e.random, e) })
	return e.outcome()
}

// mapItems runs a batch until ctx ends or a loop over it breaks. It checks that results come in
// order, that no more items are read than may be, and that nothing is left.
func (x *life) mapItems(ctx context.Context, random *rand.Rand, by *execution) {
	flight, most, breaks := 1+random.IntN(6), random.IntN(20), 1+random.IntN(30)
	opts := []batch.Option{batch.WithInFlight(flight)}
	collect := random.IntN(2) == 0
	if collect {
		opts = append(opts, batch.WithCollect())
	}
	done := 0
	opts = append(opts, batch.WithProgress(func(n int) {
		if n <= done {
			x.fail("a batch reports that %d items are done, after %d", n, done)
		}
		done = n
	}))
	// The sequence runs on another goroutine than the loop.
	var mu sync.Mutex
	var items []*soakTask
	other := rand.New(rand.NewPCG(random.Uint64(), 0))
	sequence := func(yield func(*soakTask) bool) {
		for range most {
			t := x.newTask(other, -1, by)
			t.linked = true
			mu.Lock()
			items = append(items, t)
			mu.Unlock()
			if !yield(t) {
				return
			}
		}
	}
	passed := 0
	for t, err := range batch.Map(ctx, x.m, "item", sequence, func(ctx context.Context, t *soakTask) (*soakTask, error) {
		if h, ok := taskmanager.FromContext(ctx); ok {
			t.name = h.Name()
		}
		return t, t.Execute(ctx)
	}, opts...) {
		e, ofItem := errors.AsType[*batch.ItemError](err)
		mu.Lock()
		same := err != nil || t == items[passed]
		mu.Unlock()
		switch {
		case !same, ofItem && e.Index != passed:
			x.fail("result %d of a batch is that of another item: %v", passed, err)
		case err != nil && !ofItem && ctx.Err() == nil && !errors.Is(err, taskmanager.ErrWouldDeadlock):
			x.fail("a batch has ended with %v", err)
		}
		passed++
		if random.IntN(4) == 0 {
			rest(ctx, time.Duration(random.IntN(300))*time.Microsecond)
		}
		if passed == breaks {
			break
		}
	}
	x.s.count("batches")
	for _, t := range items {
		if n := t.inside.Load(); n > 0 {
			x.fail("an item of a batch runs after its end")
		}
		if t.taken = t.runs.Load() > 0; t.taken {
			x.s.count("items of batches")
		} else { // it was refused, or has ended before it ran
			x.refused.Add(1)
		}
	}
	if done > len(items) {
		x.fail("%d items of a batch are done, of %d", done, len(items))
	}
}
