package taskmanager

import (
	"context"
	"runtime/pprof"
	"runtime/trace"

	"github.com/seed56799101/taskmanager/internal/text"
	"github.com/seed56799101/taskmanager/observe"
)

// WithProfiling adds the task to profiles and execution traces. The default is off; it
// costs about a microsecond for each execution.
//
// While a task runs, its goroutine and the goroutines that it starts have the pprof labels
// taskmanager.task.kind and taskmanager.task.name, in addition to the labels of the context
// passed to the submit. Use go tool pprof with -tagfocus, or with -tagroot for a root per
// kind.
//
// While an execution trace is recorded, each execution is a task of the trace. Its type is
// "run " followed by the kind, and a log message of it has the name. Find it under
// "User-defined tasks" of go tool trace.
//
// Kinds and names are valid UTF-8 of at most 256 bytes there; see package observe.
func WithProfiling() Option {
	return option{name: "WithProfiling", set: func(c *config) { c.profiles = true }}
}

// profile labels the calling goroutine with the claimed task that it is about to run. done
// removes the labels. The goroutine is a worker's or was started to run the task, so there
// are no earlier labels to restore.
func (m *TaskManager) profile(h *Handle) (done func()) {
	h.word.Lock()
	ctx, kind := h.ctxLocked(), h.kindLocked()
	h.word.Unlock()
	name := text.Clean(h.name, text.NameLimit) // long strings would crash the execution tracer
	kind = text.Clean(kind, text.NameLimit)
	values := pprof.WithLabels(ctx.Lazy().Values(), pprof.Labels(observe.KindLabel, kind, observe.NameLabel, name))
	traced := func() {}
	if trace.IsEnabled() {
		values, traced = traceRun(values, name, kind)
	}
	ctx.Lazy().SetValues(values)
	pprof.SetGoroutineLabels(values)
	return func() {
		traced()
		pprof.SetGoroutineLabels(context.Background())
	}
}

// traceRun begins a task of the execution trace.
func traceRun(ctx context.Context, name, kind string) (in context.Context, end func()) {
	in, t := trace.NewTask(ctx, "run "+kind)
	trace.Log(in, observe.NameLabel, name)
	region := trace.StartRegion(in, "execute")
	return in, func() {
		region.End()
		t.End()
	}
}
