package lazycontext

import (
	"context"
	"sync/atomic"
)

// Context is a [Lazy] that is allocated apart from its owner, and does not keep the owner in
// memory once the work is over. Initialise it with [Context.Init], or with [Context.Own] and a
// method of its Core.
type Context[O any] struct {
	Core
	owner atomic.Pointer[O] // nil once the work is over
}

// Init sets the context whose values c carries, as [Core.Init] does, and the owner.
func (c *Context[O]) Init(origin context.Context, owner *O) {
	c.Core.Init(origin)
	c.Own(owner)
}

// Own sets the owner.
func (c *Context[O]) Own(owner *O) { c.owner.Store(owner) }

// Lazy returns the Core.
func (c *Context[O]) Lazy() *Core { return &c.Core }

// Release ends the context when its work is over, and removes the owner.
func (c *Context[O]) Release() {
	c.owner.Store(nil)
	c.Core.Release()
}

// Value returns the value of the context for a key.
func (c *Context[O]) Value(key any) any { return Value(&c.Core, c.owner.Load(), key) }

type ownerKey[O any] struct{}

// Value implements the method Value of a [Lazy] with the given Core and owner.
func Value[O any](c *Core, owner *O, key any) any {
	switch key.(type) {
	case ownerKey[O], nearestKey[O]:
		if c.Over() {
			return nil
		}
		return owner
	case identityKey:
		if owner == nil || c.Over() {
			return nil // not the identity of the task that submitted this one
		}
		return owner
	}
	return c.value(key)
}

// OwnerOf returns the owner of the nearest [Lazy] with such an owner that ctx is or is derived
// from. It returns nil if there is none, if that Lazy was released, or if ctx is nil.
func OwnerOf[O any](ctx context.Context) *O {
	if ctx == nil {
		return nil
	}
	owner, _ := ctx.Value(ownerKey[O]{}).(*O)
	return owner
}
