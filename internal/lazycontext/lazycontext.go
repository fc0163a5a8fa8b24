// Package lazycontext provides a cancellable context that allocates nothing until it is used.
//
// A context from [context.WithCancelCause] takes three allocations, and most tasks never call a
// method of theirs. A [Core] is embedded by value in the owner of a context. The first call that
// needs a real context makes one with the standard library, which handles propagation and causes.
//
// A context is a [Lazy]: the owner itself under another type, or a [Context], which is allocated
// apart from its owner.
package lazycontext

import (
	"context"
	"sync/atomic"
	"time"
)

// Lazy is a context with a Core. It is the context of one piece of work (an execution of a task),
// and its owner is the value that stands for that work. Its methods of [context.Context] are
// those of the Core, except for Value, which must call the function [Value].
type Lazy interface {
	context.Context
	// Lazy returns the Core.
	Lazy() *Core
	// Release ends the context when its work is over; see [Core.Release].
	Release()
}

// Core is all of a [Lazy] but its owner. It carries the values of its base. It has its own
// cancellation and deadline, independent of those of the base. Initialise a Core with
// [Core.Init] before use and do not copy it. It is safe for concurrent use.
type Core struct {
	base context.Context // or a *special, or the Lazy that Detach has made
	// inner is nil until the context is used or cancelled. It changes from nil to a real
	// context, or from nil to released and from there to a cancelled real context. A real
	// context is never replaced, so a goroutine that has its Done channel sees the cancellation.
	inner atomic.Pointer[cancellable]
}

type cancellable struct {
	context.Context
	over   atomic.Bool // the work is over
	cancel context.CancelCauseFunc
}

// released is the inner value of a context that was released before its first use.
var released = new(cancellable)

// special holds the fields that few contexts need: a deadline, a link, and values in addition to
// those of the context that was passed to Init. A Context without them has no such allocation.
type special struct {
	context.Context                 // its values are those of the Context; see Values
	base            context.Context // see Base
	origin          context.Context // the one passed to Init
	link            context.Context // see Link; nil: none
	at              time.Time       // the deadline; zero: none
	cause           error           // of the end by deadline
}

// nothing is the base of a Context without values.
var nothing = context.Background()

// Init sets the context whose values c carries. It must be called once, before any other method.
// If origin is itself a Lazy, the caller must pass [Core.Origin] of its Core. Otherwise a chain of
// tasks, each submitted by the previous one, would keep all their contexts in memory.
func (c *Core) Init(origin context.Context) { c.base = origin }

// Origin returns the context that was passed to Init.
func (c *Core) Origin() context.Context {
	if s, ok := c.base.(*special); ok {
		return s.origin
	}
	return c.base
}

// Again is Init for a further execution of the same work. Its base is that of the first one.
func (c *Core) Again(first *Core) {
	c.base = first.base
	if s, ok := first.base.(*special); ok {
		c.base = s.origin
		c.SetBase(s.base)
		if s.link != nil {
			c.Link(s.link)
		}
	}
}

// Plain reports whether c carries no values and has no special fields.
func (c *Core) Plain() bool { return c.base == nothing }

// Detach makes to the context to use for the work, and must be called before c is used. Unless c
// is plain, goroutines that the work leaves behind may need its values for longer than the owner,
// of which c is a part, should keep them in memory. From then on, to carries them.
func (c *Core) Detach(to Lazy) {
	to.Lazy().base = c.base
	c.base = to
}

// Detached returns the argument of Detach, or nil before that call.
func (c *Core) Detached() Lazy {
	d, _ := c.base.(Lazy)
	return d
}

// Forget drops what c keeps in memory. A context to which c was detached is not affected.
func (c *Core) Forget() {
	if c.base != nothing {
		c.base = nothing
	}
}

// SetDeadline sets the time at which the context ends. Err then returns
// [context.DeadlineExceeded] and [context.Cause] returns cause. It must be called before the
// context is used. There is a timer only once Done is called.
func (c *Core) SetDeadline(at time.Time, cause error) {
	s := c.special()
	s.at, s.cause = at, cause
}

// Link makes c end when ctx does, with the error and the cause of ctx, like a context that is
// derived from ctx. ctx must come from [context.WithCancelCause]. Contexts made from c with Again
// have the same link. Link must be called before the context is used.
func (c *Core) Link(ctx context.Context) { c.special().link = ctx }

// linked carries the values of one context and ends with another one.
type linked struct {
	context.Context                 // from which the values come
	link            context.Context // from context.WithCancelCause
}

func (l linked) Done() <-chan struct{} { return l.link.Done() }
func (l linked) Err() error            { return l.link.Err() }

// Value looks key up in the values. The exception is the key by which package context finds the
// context to cancel: for this key alone, the link returns itself. With the link as their parent,
// derived contexts end at the same moment as the link, without a goroutine.
func (l linked) Value(key any) any {
	if v := l.Context.Value(key); v != nil {
		return v
	}
	if v := l.link.Value(key); v == any(l.link) {
		return v
	}
	return nil
}

// SetBase replaces the base by base, which must be derived from it. Contexts made from c with
// Again carry the values of base too. A Context that is initialised with c does not, so the
// values that tasks add do not accumulate when each task submits the next one. SetBase must be
// called before the context is used.
func (c *Core) SetBase(base context.Context) {
	if !same(base, c.Base()) {
		s := c.special()
		s.Context, s.base = base, base
	}
}

// SetValues is SetBase for c alone: contexts made from c with Again do not carry the values.
func (c *Core) SetValues(values context.Context) {
	if !same(values, c.Values()) {
		c.special().Context = values
	}
}

// same reports whether two contexts are identical. Values of incomparable types are not.
func same(a, b context.Context) (same bool) {
	defer func() { _ = recover() }()
	return a == b
}

// special returns the special fields of c. It allocates them at the first call.
func (c *Core) special() *special {
	s, ok := c.base.(*special)
	if !ok {
		s = &special{Context: c.base, base: c.base, origin: c.base}
		c.base = s
	}
	return s
}

// Base returns the context whose values all executions of the work carry.
func (c *Core) Base() context.Context {
	if s, ok := c.base.(*special); ok {
		return s.base
	}
	return c.base
}

// Values returns the context whose values c carries.
func (c *Core) Values() context.Context {
	if s, ok := c.base.(*special); ok {
		return s.Context
	}
	return c.base
}

// ended reports whether the deadline has passed or the link has ended.
func (s *special) ended() bool {
	return !s.at.IsZero() && !time.Now().Before(s.at) || s.link != nil && s.link.Err() != nil
}

// limit returns the fields with the deadline, and false if there is no deadline.
func (c *Core) limit() (s *special, ok bool) {
	s, ok = c.base.(*special)
	return s, ok && !s.at.IsZero()
}

// observe returns the real context. It makes one at the first call.
func (c *Core) observe() *cancellable {
	in := c.inner.Load()
	if in != nil && in != released {
		return in
	}
	parent := context.WithoutCancel(c.Values())
	if s, ok := c.base.(*special); ok && s.link != nil && in != released {
		parent = linked{parent, s.link}
	}
	ctx, cancel := context.WithCancelCause(parent)
	if in == released {
		cancel(nil)
	} else if l, ok := c.limit(); ok {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, l.at, l.cause)
		cancelParent := cancel
		cancel = func(cause error) { cancelParent(cause); stop() }
	}
	made := &cancellable{Context: ctx, cancel: cancel}
	made.over.Store(in == released)
	if c.inner.CompareAndSwap(in, made) {
		return made
	}
	cancel(nil)
	return c.observe() // another call of observe, or Release, was first
}

// Cancel ends the context. Err then returns [context.Canceled] and [context.Cause] returns cause.
// It has no effect on a context that has ended.
func (c *Core) Cancel(cause error) { c.observe().cancel(cause) }

// Release ends the context when its work is over, so that contexts derived from it end too. The
// owner is not found any more. Release allocates nothing if the context was never used.
func (c *Core) Release() {
	if c.inner.CompareAndSwap(nil, released) {
		return
	}
	in := c.observe()
	in.over.Store(true)
	in.cancel(nil)
}

// Over reports whether Release has been called.
func (c *Core) Over() bool {
	in := c.inner.Load()
	return in == released || in != nil && in.over.Load()
}

// Deadline returns the time given to SetDeadline.
func (c *Core) Deadline() (deadline time.Time, ok bool) {
	if l, ok := c.limit(); ok {
		return l.at, true
	}
	return time.Time{}, false
}

// Done returns a channel that is closed when the context ends.
func (c *Core) Done() <-chan struct{} { return c.observe().Done() }

// Err returns nil until the context ends: by Cancel or Release with [context.Canceled], by its
// deadline with [context.DeadlineExceeded], or with the error of its link.
func (c *Core) Err() error {
	switch in := c.inner.Load(); in {
	case nil:
		if s, ok := c.base.(*special); ok && s.ended() {
			return c.observe().Err()
		}
		return nil
	case released:
		return context.Canceled
	default:
		return in.Err()
	}
}

// value looks key up in the base. Once there is a real context, the lookup goes through it, so
// that context.Cause and the propagation of the standard library find the real context and not
// one of the base. Before that they do not look: they call Err or Done first.
func (c *Core) value(key any) any {
	if c.inner.Load() != nil {
		return c.observe().Value(key)
	}
	return c.base.Value(key)
}
