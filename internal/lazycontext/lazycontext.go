// Package lazycontext provides a cancellable context that costs nothing until
// somebody looks at it.
//
// A context from context.WithCancelCause takes three allocations, and most
// tasks never ask theirs anything. A [Context] is embedded by value where it
// belongs and makes the real context, with all that the standard library knows
// about propagation and causes, at the first call that needs it.
package lazycontext

import (
	"context"
	"sync/atomic"
	"time"
)

// Context carries the values of its base, but neither its cancellation nor its
// deadline; it has those of its own. It belongs to an owner, whose work it is
// given to. Set it up with [Context.Init] before use and do not copy it. It is safe
// for concurrent use.
type Context[O any] struct {
	base  context.Context   // in a limited, if there is a deadline
	owner atomic.Pointer[O] // nil once the work is over
	// inner is nil until the context is observed or cancelled. It goes from nil
	// to a real context, or to the mark released and from there to a real
	// context that is cancelled; a real one is never replaced, so whoever saw
	// its Done channel sees the cancellation.
	inner atomic.Pointer[cancellable]
}

type cancellable struct {
	context.Context
	cancel context.CancelCauseFunc
}

// released stands for a context that was released before anybody observed it.
var released = new(cancellable)

// limited is a base with a deadline beside it: few contexts have one, and those that
// have none need no room for it.
type limited struct {
	context.Context
	at    time.Time
	cause error
}

type ownerKey[O any] struct{}

// OwnerOf returns the owner of the Context that ctx is or was derived from, the
// nearest if there are several, and nil if there is none, or it was released, or ctx is
// nil.
func OwnerOf[O any](ctx context.Context) *O {
	if ctx == nil {
		return nil
	}
	owner, _ := ctx.Value(ownerKey[O]{}).(*O)
	return owner
}

// Init sets the context whose values are carried, and the owner. It must be
// called once, before any other method. If the base is a Context itself, which
// adds no values, its base is taken in its place, so that one made in another,
// made in another, does not keep all of them.
func (c *Context[O]) Init(base context.Context, owner *O) {
	if outer, ok := base.(*Context[O]); ok {
		base = outer.Base()
	}
	c.base = base
	c.owner.Store(owner)
}

// SetDeadline has the context end at a time: Err is then context.DeadlineExceeded,
// and context.Cause returns cause. It must be called before anybody can have the
// context, and costs a timer only once somebody waits for the end.
func (c *Context[O]) SetDeadline(at time.Time, cause error) {
	c.base = &limited{c.Base(), at, cause}
}

// Base is the context whose values are carried.
func (c *Context[O]) Base() context.Context {
	if l, ok := c.base.(*limited); ok {
		return l.Context
	}
	return c.base
}

// observe returns the real context, making it if need be.
func (c *Context[O]) observe() *cancellable {
	in := c.inner.Load()
	if in != nil && in != released {
		return in
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(c.Base()))
	if in == released {
		cancel(nil)
	} else if l, ok := c.base.(*limited); ok {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, l.at, l.cause)
		cancelParent := cancel
		cancel = func(cause error) { cancelParent(cause); stop() }
	}
	made := &cancellable{ctx, cancel}
	if c.inner.CompareAndSwap(in, made) {
		return made
	}
	cancel(nil)
	return c.observe() // lost to another observer, or to Release
}

// Cancel ends the context: Err is then context.Canceled, and context.Cause
// returns cause. Only the first end counts.
func (c *Context[O]) Cancel(cause error) { c.observe().cancel(cause) }

// Release ends the context without a cause when its work is over, so that
// nothing derived from it stays behind. It allocates nothing when nobody has
// observed the context.
func (c *Context[O]) Release() {
	c.owner.Store(nil)
	if !c.inner.CompareAndSwap(nil, released) {
		c.observe().cancel(nil)
	}
}

// Deadline is that of SetDeadline.
func (c *Context[O]) Deadline() (deadline time.Time, ok bool) {
	if l, ok := c.base.(*limited); ok {
		return l.at, true
	}
	return time.Time{}, false
}

// Done is closed when the context has ended.
func (c *Context[O]) Done() <-chan struct{} { return c.observe().Done() }

// Err is nil until the context is cancelled or released, then context.Canceled, or
// until the deadline has passed.
func (c *Context[O]) Err() error {
	switch in := c.inner.Load(); in {
	case nil:
		if l, ok := c.base.(*limited); ok && !time.Now().Before(l.at) {
			return c.observe().Err()
		}
		return nil
	case released:
		return context.Canceled
	default:
		return in.Err()
	}
}

// Value looks key up in the base. Once there is a real context the lookup passes
// through it, which is how context.Cause and the standard library's propagation
// find it rather than one that the base has. Before that they do not look: they
// ask for Err or Done first.
func (c *Context[O]) Value(key any) any {
	if _, ok := key.(ownerKey[O]); ok {
		return c.owner.Load()
	}
	if c.inner.Load() != nil {
		return c.observe().Value(key)
	}
	return c.base.Value(key)
}
