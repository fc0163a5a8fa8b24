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
	base  context.Context   // or a *special
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

// special is what only contexts need that have a deadline, or more values than those of
// the context they were made with. The others need no room for it.
type special struct {
	context.Context // the values
	base, origin    context.Context
	at              time.Time // zero: no deadline
	cause           error
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
// called once, before any other method. If that is a Context itself, the one it was made
// with is taken in its place, so that one made in another, made in another, does not keep
// all of them.
func (c *Context[O]) Init(origin context.Context, owner *O) {
	c.base = Origin[O](origin)
	c.owner.Store(owner)
}

// Again is Init for another piece of the same work: it begins with the base of the first.
func (c *Context[O]) Again(first *Context[O], owner *O) {
	c.base = first.base
	if s, ok := first.base.(*special); ok {
		c.base = s.origin
		c.SetBase(s.base)
	}
	c.owner.Store(owner)
}

// Origin is the context whose values a Context made with ctx would carry: ctx itself, or,
// if that is a Context, the one it was made with.
func Origin[O any](ctx context.Context) context.Context {
	c, ok := ctx.(*Context[O])
	if !ok {
		return ctx
	}
	if s, ok := c.base.(*special); ok {
		return s.origin
	}
	return c.base
}

// SetDeadline has the context end at a time: Err is then context.DeadlineExceeded,
// and context.Cause returns cause. It must be called before anybody can have the
// context, and costs a timer only once somebody waits for the end.
func (c *Context[O]) SetDeadline(at time.Time, cause error) {
	s := c.special()
	s.at, s.cause = at, cause
}

// SetBase has the context carry the values of another one, which is derived from the one
// it was made with, and so those that are made of it with Again. A Context that is made
// with this one does not carry them, lest the values of one in another pile up. It must be
// called before anybody can have the context.
func (c *Context[O]) SetBase(base context.Context) {
	if !same(base, c.Base()) {
		s := c.special()
		s.Context, s.base = base, base
	}
}

// SetValues is SetBase for this context alone.
func (c *Context[O]) SetValues(values context.Context) {
	if !same(values, c.Values()) {
		c.special().Context = values
	}
}

// same reports whether two contexts are one and the same. Those that Go cannot compare
// are not.
func same(a, b context.Context) (same bool) {
	defer func() { _ = recover() }()
	return a == b
}

// special makes room for what few contexts have.
func (c *Context[O]) special() *special {
	s, ok := c.base.(*special)
	if !ok {
		s = &special{Context: c.base, base: c.base, origin: c.base}
		c.base = s
	}
	return s
}

// Base is the context whose values all pieces of the work carry.
func (c *Context[O]) Base() context.Context {
	if s, ok := c.base.(*special); ok {
		return s.base
	}
	return c.base
}

// Values is the context whose values this one carries.
func (c *Context[O]) Values() context.Context {
	if s, ok := c.base.(*special); ok {
		return s.Context
	}
	return c.base
}

// limit is the deadline, if there is one.
func (c *Context[O]) limit() (s *special, ok bool) {
	s, ok = c.base.(*special)
	return s, ok && !s.at.IsZero()
}

// observe returns the real context, making it if need be.
func (c *Context[O]) observe() *cancellable {
	in := c.inner.Load()
	if in != nil && in != released {
		return in
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(c.Values()))
	if in == released {
		cancel(nil)
	} else if l, ok := c.limit(); ok {
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
	if l, ok := c.limit(); ok {
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
		if l, ok := c.limit(); ok && !time.Now().Before(l.at) {
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
	switch key.(type) {
	case ownerKey[O]:
		return c.owner.Load()
	case identityKey:
		if owner := c.owner.Load(); owner != nil {
			return owner
		}
		return nil // not that of whoever has submitted the work
	}
	if c.inner.Load() != nil {
		return c.observe().Value(key)
	}
	return c.base.Value(key)
}
