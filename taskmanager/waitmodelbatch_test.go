package taskmanager_test

import (
	"context"
	"slices"
	"sync"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/taskmanager"
	internal "github.com/seed56799101/taskmanager/taskmanager/internal/hooks"
)

// modelBatch is what package batch tells a manager about a batch: it belongs to a task, and that needs
// the ends of the items, though it need not wait.
type modelBatch struct {
	internal.Items

	over func()

	mu      sync.Mutex // guards the rest
	handles map[*taskmanager.Handle]struct{}
}

// modelItem is the task of an item, and its hooks.Watcher.
type modelItem struct {
	b  *modelBatch
	h  *taskmanager.Handle
	do func(ctx context.Context) error
}

func (i modelItem) Name() string                      { return "item" }
func (i modelItem) Execute(ctx context.Context) error { return i.do(ctx) }

func (i modelItem) Items() *internal.Items { return &i.b.Items }

func (i modelItem) Ended(error) {
	i.b.mu.Lock()
	defer i.b.mu.Unlock()
	delete(i.b.handles, i.h)
}

func (b *modelBatch) outstanding(yield func(any) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for h := range b.handles {
		if !yield(h) {
			return
		}
	}
}

// launchItem submits a task as an item of a batch.
func (b *modelBatch) launchItem(ctx context.Context, m *taskmanager.TaskManager, x *waitTask, do func(context.Context) error, opts []taskmanager.TaskOption) error {
	item := modelItem{b, new(taskmanager.Handle), do}
	if err := internal.Prepare(ctx, m, item.h, x.name, item, &internal.Watched{Watcher: item}, &opts); err != nil {
		return err
	}
	b.mu.Lock()
	b.handles[item.h] = struct{}{}
	b.mu.Unlock()
	err := internal.Launch(ctx, item.h)
	if err != nil {
		item.Ended(err)
	}
	return err
}

// open has a task begin a batch.
func (w *waitWorld) open(t *rapid.T) (kind string) {
	x := w.runningTask(t)
	if x == nil || w.failed {
		return "none"
	}
	w.openOn(t, x, rapid.IntRange(0, 1).Draw(t, "manager of the batch"))
	return "batch"
}

// openOn has a task begin a batch on a manager.
func (w *waitWorld) openOn(t *rapid.T, x *waitTask, m int) *modelBatch {
	b := &modelBatch{handles: make(map[*taskmanager.Handle]struct{})}
	on := newWait(x)
	on.batch, on.m, on.cancel = b, m, func() {}
	b.Items = internal.Items{Manager: w.m[on.m], Outstanding: b.outstanding}
	x.orders <- func(ctx context.Context) { b.over = internal.Need(ctx, &b.Items) }
	synctest.Wait()
	if b.over == nil {
		t.Fatal("a task that begins a batch was not found")
	}
	w.waits = append(w.waits, on)
	return b
}

// item adds an item to a batch. It is refused if it would be stuck.
func (w *waitWorld) item(t *rapid.T) (kind string) {
	var batches []*modelWait
	for _, on := range w.waits {
		if on.batch != nil {
			batches = append(batches, on)
		}
	}
	if w.failed || len(batches) == 0 || len(w.tasks) >= 12 {
		return "none"
	}
	on := rapid.SampledFrom(batches).Draw(t, "batch")
	return w.addItem(t, on.batch, on.m, drawKey(t))
}

// addItem adds an item with a key to a batch on a manager.
func (w *waitWorld) addItem(t *rapid.T, b *modelBatch, m int, key string) (kind string) {
	x := w.newTask(m, key, false)
	x.batch = b
	return w.launchNow(t, x) + " as an item"
}

// useUp has a task begin a batch, and the other tasks that run with its key wait for it. If they use up
// the limit of the key, an item with the key is refused.
func (w *waitWorld) useUp(t *rapid.T) (kind string) {
	x := w.runningTask(t)
	if x == nil || w.failed || len(w.tasks) >= 12 {
		return "none"
	}
	b := w.openOn(t, x, x.m)
	for _, y := range w.runningWith(x) {
		if y != x && !w.isWaiting(y) {
			on := newWait(y)
			on.on = x
			w.begin(t, on)
		}
	}
	return w.addItem(t, b, x.m, x.key)
}

// closeBatches ends the batches of a task that have no items.
func (w *waitWorld) closeBatches(x *waitTask) {
	w.waits = slices.DeleteFunc(w.waits, func(on *modelWait) bool {
		over := on.batch != nil && on.of == x && len(w.targets(on)) == 0
		if over {
			on.batch.over()
		}
		return over
	})
}

// closeAllBatches ends all batches, even if there are items.
func (w *waitWorld) closeAllBatches() {
	w.waits = slices.DeleteFunc(w.waits, func(on *modelWait) bool {
		if on.batch != nil {
			on.batch.over()
		}
		return on.batch != nil
	})
}
