package taskmanager

import (
	"context"
	"iter"

	"github.com/seed56799101/taskmanager/taskmanager/internal/hooks"
)

// batchItems are the items of a batch, as what the task needs that runs the batch. It needs their
// ends from the beginning of the batch to its end, and not only while the batch waits for one of
// them: the end of a batch waits for all items, and that wait cannot be refused. So a wait is refused
// that would make an item depend on the task, even if the batch does not wait yet.
//
// An item needs nothing when it is added, or its submit is refused; see [TaskManager.closesCycle].
type batchItems hooks.Items

// needItems notes that the task for which the caller acts needs the ends of the items, until over is
// called. It returns nil if the caller acts for no task.
func (m *TaskManager) needItems(ctx context.Context, items *batchItems) (over func()) {
	h := m.caller(ctx).task
	if h == nil {
		return nil
	}
	h.noteWait(items) // which can make no task stuck, since there are no items yet
	return func() { h.removeWait(items) }
}

func (b *batchItems) manager() *TaskManager { return b.Manager.(*TaskManager) }
func (b *batchItems) one() bool             { return false }

// tasks returns the items that need something.
func (b *batchItems) tasks(g *waitGraph) iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		for item := range b.Outstanding {
			for h := range item.(*Handle).tasks(g) {
				if !yield(h) {
					return
				}
			}
		}
	}
}

// itemsLocked returns the items of the batch of which the task is one, or nil. The lock of h is held.
func (h *Handle) itemsLocked() *batchItems {
	if w, ok := h.cfg.watcher.(*watched); ok {
		return (*batchItems)(w.Items())
	}
	return nil
}
