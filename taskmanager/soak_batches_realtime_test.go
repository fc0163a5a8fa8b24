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
	if t.kind == "" {
		t.kind = given
	}
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
	d.runBatch(ctx, d.random, nil)
}

// mapParent is a task that runs a batch on its manager.
func (e *execution) mapParent() error {
	if !e.x.enter() {
		return e.outcome()
	}
	defer e.x.leave()
	e.stepAside("a batch", func() { e.x.runBatch(e.ctx, e.random, e) })
	return e.outcome()
}

func (x *life) runBatch(ctx context.Context, random *rand.Rand, by *execution) {
	b := newSoakBatch(x, random, by)
	if random.IntN(2) == 0 {
		b.mapItems(ctx, random)
	} else {
		b.forEach(ctx)
	}
	b.check()
}

// soakBatch is a batch and what the soak knows about it.
type soakBatch struct {
	x       *life
	by      *execution
	most    int // items
	collect bool
	timeout bool
	kind    string
	opts    []batch.Option
	done    int // the last number of WithProgress
	random  *rand.Rand

	mu    sync.Mutex // the sequence runs on another goroutine than the loop
	items []*soakTask
}

func newSoakBatch(x *life, random *rand.Rand, by *execution) *soakBatch {
	b := &soakBatch{x: x, by: by, most: random.IntN(20), kind: "item", random: rand.New(rand.NewPCG(random.Uint64(), 0))}
	if random.IntN(4) > 0 {
		b.opts = append(b.opts, batch.WithInFlight(1+random.IntN(6)))
	}
	if b.collect = random.IntN(2) == 0; b.collect {
		b.opts = append(b.opts, batch.WithCollect())
	}
	if random.IntN(3) == 0 {
		b.timeout, b.kind = true, "item of a batch"
		b.opts = append(b.opts, batch.WithTaskOptions(
			taskmanager.WithTimeout(time.Duration(1+random.IntN(3000))*time.Microsecond), taskmanager.WithKind(b.kind)))
	}
	b.opts = append(b.opts, batch.WithProgress(func(n int) {
		if n <= b.done {
			x.fail("a batch reports that %d items are done, after %d", n, b.done)
		}
		b.done = n
	}))
	return b
}

// sequence yields the items.
func (b *soakBatch) sequence(yield func(*soakTask) bool) {
	for range b.most {
		t := b.x.newTask(b.random, -1, b.by)
		t.linked, t.timeout, t.kind = true, b.timeout, b.kind
		b.mu.Lock()
		b.items = append(b.items, t)
		b.mu.Unlock()
		if !yield(t) {
			return
		}
	}
}

// runItem is the function of the batch.
func (*soakBatch) runItem(ctx context.Context, t *soakTask) error {
	if h, ok := taskmanager.FromContext(ctx); ok {
		t.name = h.Name()
	}
	return t.Execute(ctx)
}

// fault checks an error of the batch. It returns the one of an item, or nil.
func (b *soakBatch) fault(ctx context.Context, err error) *batch.ItemError {
	e, ofItem := errors.AsType[*batch.ItemError](err)
	if !ofItem {
		if ctx.Err() == nil && !errors.Is(err, taskmanager.ErrWouldDeadlock) {
			b.x.fail("a batch has ended with %v", err)
		}
		return nil
	}
	if e.Err == nil || !strings.HasPrefix(e.Name, "item") {
		b.x.fail("the error of an item is %+v", e)
	}
	return e
}

// mapItems runs Map until ctx ends or the loop breaks, and checks that results come in order.
func (b *soakBatch) mapItems(ctx context.Context, random *rand.Rand) {
	b.x.s.count("batches: Map")
	breaks, passed := 1+random.IntN(30), 0
	for t, err := range batch.Map(ctx, b.x.m, "item", b.sequence, func(ctx context.Context, t *soakTask) (*soakTask, error) {
		return t, b.runItem(ctx, t)
	}, b.opts...) {
		b.mu.Lock()
		same := err != nil || t == b.items[passed]
		b.mu.Unlock()
		if err != nil {
			e := b.fault(ctx, err)
			same = e == nil || e.Index == passed
		}
		if !same {
			b.x.fail("result %d of a batch is that of another item: %v", passed, err)
		}
		passed++
		if random.IntN(4) == 0 {
			rest(ctx, time.Duration(random.IntN(300))*time.Microsecond)
		}
		if passed == breaks {
			break
		}
	}
}

// forEach runs ForEach until ctx ends, and checks which items the error is about.
func (b *soakBatch) forEach(ctx context.Context) {
	b.x.s.count("batches: ForEach")
	err := batch.ForEach(ctx, b.x.m, "item", b.sequence, b.runItem, b.opts...)
	faults := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		faults = joined.Unwrap()
	}
	failed := make(map[int]bool)
	last, whole := -1, true
	for _, err := range faults {
		if err == nil {
			continue
		}
		e := b.fault(ctx, err)
		if e == nil || errors.Is(err, taskmanager.ErrStopped) || errors.Is(err, taskmanager.ErrWouldDeadlock) {
			whole = false // no further items were read
		}
		if e == nil {
			continue
		}
		if e.Index <= last || e.Index >= len(b.items) {
			b.x.fail("the errors of ForEach are not in the order of the %d items: %v", len(b.items), faults)
			return
		}
		last, failed[e.Index] = e.Index, true
	}
	if !b.collect && len(faults) > 2 {
		b.x.fail("ForEach returned %d errors: %v", len(faults), faults)
	}
	if !whole || !b.collect && err != nil {
		return // some items were cancelled, or not read
	}
	b.x.s.count("batches: ForEach to the end")
	if len(b.items) != b.most {
		b.x.fail("ForEach has read %d items of %d: %v", len(b.items), b.most, err)
	}
	for i, t := range b.items {
		if !failed[i] && !t.succeed.Load() && !b.x.skips {
			b.x.fail("item %d of ForEach has not succeeded, and the error is %v", i, err)
		}
	}
}

// check checks that nothing of the batch is left, and which items ran.
func (b *soakBatch) check() {
	for _, t := range b.items {
		if n := t.inside.Load(); n > 0 {
			b.x.fail("an item of a batch runs after its end")
		}
		if t.taken = t.runs.Load() > 0; t.taken {
			b.x.s.count("items of batches")
		} else { // it was refused, or has ended before it ran
			b.x.refused.Add(1)
		}
	}
	if b.done > len(b.items) {
		b.x.fail("%d items of a batch are done, of %d", b.done, len(b.items))
	}
}
