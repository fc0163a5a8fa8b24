package taskmanager

import (
	"context"
	"time"

	"github.com/seed56799101/taskmanager/internal/lazycontext"
)

// taskContext is the context of one execution: a firstContext or a laterContext. It knows its
// task until the execution is over.
type taskContext = lazycontext.Lazy

// firstContext is a handle as the context of its first execution. So that context needs
// neither memory of its own nor a pointer to its task.
type firstContext Handle

// laterContext is the context of an execution after a restart, and of a first one that has
// values: those may be needed for longer than the handle.
type laterContext = lazycontext.Context[owner]

func (c *firstContext) Lazy() *lazycontext.Core     { return &c.firstCtx }
func (c *firstContext) Release()                    { c.firstCtx.Release() }
func (c *firstContext) Deadline() (time.Time, bool) { return c.firstCtx.Deadline() }
func (c *firstContext) Done() <-chan struct{}       { return c.firstCtx.Done() }
func (c *firstContext) Err() error                  { return c.firstCtx.Err() }

func (c *firstContext) Value(key any) any {
	return lazycontext.Value(&c.firstCtx, (*owner)(c), key)
}

// owner is a handle as the owner of its contexts. It keeps Identity out of the methods of
// Handle.
type owner Handle

// Identity returns the name of the task and the number of the execution, for logs.
func (o *owner) Identity() (task string, attempt int) {
	h := (*Handle)(o)
	h.word.Lock()
	defer h.word.Unlock()
	return h.name, h.attemptLocked()
}

// attemptLocked returns the number of the current execution, from 1. The lock of h is held.
func (h *Handle) attemptLocked() int {
	if r := h.retryLocked(); r != nil {
		return 1 + r.elsewhere + r.restarts + r.postponed
	}
	return 1
}

// ownerOf returns the task whose context ctx is, or is derived from, or nil.
func ownerOf(ctx context.Context) *Handle { return (*Handle)(lazycontext.OwnerOf[owner](ctx)) }

// FromContext returns the handle of the task whose context ctx is, or is derived from. It
// reports false if there is no such task, or if the execution with that context is over.
//
// An observer gets the task that the event is about, until its method returns, from the context
// that the method gets; from that named onto in BeginSubmit. In BeginSubmit the handle is for
// reading only, and must not be passed to other goroutines, since the task is not submitted
// yet; a cancellation takes effect as soon as it is. To call the manager with such a
// context does not count as a call by the task.
func FromContext(ctx context.Context) (h *Handle, ok bool) {
	h = (*Handle)(lazycontext.NearestOf[owner](ctx))
	return h, h != nil
}

// inform calls tell with a context that carries the values of ctx, and in which FromContext
// finds h until tell returns. It returns the result of tell, or ctx if that is the context that
// it has passed to tell. If there are only OTel observers, which do not ask for the handle, tell gets
// ctx, which takes no allocation.
func (s *observers) inform(ctx context.Context, h *Handle, tell func(ctx context.Context) context.Context) context.Context {
	if !s.asks {
		return tell(ctx)
	}
	about := lazycontext.NewAbout(ctx, (*owner)(h))
	defer about.Release()
	if result := tell(about); result != context.Context(about) {
		return result
	}
	return ctx
}

// originOf returns the context whose values a task carries that is submitted with ctx: ctx
// itself or, if ctx is the context of a task, the origin of that one. So a chain of tasks, each
// submitted by the previous one, does not keep all their contexts in memory.
func originOf(ctx context.Context) context.Context {
	switch c := ctx.(type) {
	case *firstContext:
		return c.firstCtx.Origin()
	case *laterContext:
		return c.Origin()
	}
	return ctx
}

// ctxLocked returns the context of the current execution. The lock of h is held.
func (h *Handle) ctxLocked() taskContext {
	if r := h.retryLocked(); r != nil && r.ctx != nil {
		return r.ctx
	}
	return h.firstContext()
}

// firstContext returns the context of the first execution.
func (h *Handle) firstContext() taskContext {
	if d := h.firstCtx.Detached(); d != nil {
		return d
	}
	return (*firstContext)(h)
}

// detachLocked returns the context for the first execution, which begins now. If it carries
// values, it is one apart from the handle: the task may leave goroutines behind that use it for
// longer than h should keep the values. The lock of h is held.
func (h *Handle) detachLocked() taskContext {
	if h.firstCtx.Plain() {
		return (*firstContext)(h)
	}
	later := new(laterContext)
	later.Own((*owner)(h))
	h.firstCtx.Detach(later)
	return later
}
