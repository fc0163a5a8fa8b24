package taskmanager

import (
	"context"
	"runtime/pprof"
	"runtime/trace"

	"github.com/seed56799101/taskmanager/observe"
)

// WithProfiling lets profiles be cut by task. While a task runs, its goroutine, and those
// that it starts, have the pprof labels taskmanager.task.kind and taskmanager.task.name
// (go tool pprof -tagfocus, or -tagroot to have a root in the graph for each kind), beside
// those that the context of the submit has. While an execution trace is taken, each
// execution is a task of it of the type "run " and the kind, with the name as a log message
// (go tool trace, "User-defined tasks"). It costs about a microsecond an execution, so it
// is off by default.
func WithProfiling() Option {
	return option{name: "WithProfiling", set: func(c *config) { c.profiles = true }}
}

// profile labels the calling goroutine with the claimed task that it is about to run, until
// the function that it returns is called. It is a worker, or was started for this.
func (m *TaskManager) profile(h *Handle) (done func()) {
	h.mu.Lock()
	ctx, kind := h.ctxLocked(), kindOf(h.task, h.cfg)
	h.mu.Unlock()
	values := pprof.WithLabels(ctx.Values(), pprof.Labels(observe.KindLabel, kind, observe.NameLabel, h.name))
	traced := func() {}
	if trace.IsEnabled() {
		values, traced = traceRun(values, h.name, kind)
	}
	ctx.SetValues(values)
	pprof.SetGoroutineLabels(values)
	return func() {
		traced()
		pprof.SetGoroutineLabels(context.Background())
	}
}

// traceRun makes a task of the execution trace of what is about to run.
func traceRun(ctx context.Context, name, kind string) (in context.Context, end func()) {
	in, t := trace.NewTask(ctx, "run "+kind)
	trace.Log(in, observe.NameLabel, name)
	region := trace.StartRegion(in, "execute")
	return in, func() {
		region.End()
		t.End()
	}
}
