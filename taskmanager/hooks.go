package taskmanager

import (
	"context"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/taskmanager/internal/hooks"
)

// Packages batch and simulate use these functions; see package hooks.
func init() {
	hooks.Prepare = func(ctx context.Context, manager, handle any, name string, task any, w *hooks.Watched, options any) error {
		m, h := manager.(*TaskManager), handle.(*Handle)
		h.init(m, name, task.(Task))
		return m.prepare(ctx, h, *options.(*[]TaskOption), (*watched)(w))
	}
	hooks.Launch = func(ctx context.Context, handle any) error {
		h := handle.(*Handle)
		err := h.m.launch(ctx, h, mayWait)
		if err != nil {
			h.discard(err) // the consumer may wait for it
		}
		return err
	}
	hooks.Cancel = func(handle any, reason error) {
		h := handle.(*Handle)
		h.m.cancel(h, reason)
	}
	hooks.Need = func(ctx context.Context, items *hooks.Items) (over func()) {
		b := (*batchItems)(items)
		return b.manager().needItems(ctx, b)
	}
	hooks.Lend = func(ctx context.Context, manager any) (back func()) {
		back, _ = manager.(*TaskManager).stepAside(ctx, nil) // without a dependency there is no error
		return back
	}
	hooks.Patient = func(ctx context.Context) context.Context {
		h := ownerOf(ctx)
		if h == nil {
			return ctx
		}
		return context.WithValue(ctx, patientKey{}, h)
	}
	hooks.Simulated = func(timer func(ring func()) scheduler.Timer, settle func()) any {
		return option{name: "hooks.Simulated", set: func(c *config) { c.timer, c.settle = timer, settle }}
	}
	hooks.Capacity = func(manager any) (workers, waiting int) {
		m := manager.(*TaskManager)
		workers, waiting = m.pool.Snapshot().Max, m.limit
		if m.blocks || m.callerRuns {
			waiting = -1
		}
		return workers, waiting
	}
}

// watched is a hooks.Watched as a watcher.
type watched hooks.Watched

func (w *watched) ended(_ *Handle, err error, _ acceptance) { w.Ended(err) }

// patientKey is the key of the task whose submits with a context wait for room; see hooks.Patient.
type patientKey struct{}

// contextInside reports whether a context is that of a task of m which must not wait for room with it. A
// task that a patient one has submitted has a context with the same value, but is another task.
func (m *TaskManager) contextInside(ctx context.Context) bool {
	h := ownerOf(ctx)
	return h != nil && h.m == m && ctx.Value(patientKey{}) != any(h)
}
