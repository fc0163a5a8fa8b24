package lazycontext

import (
	"context"
	"sync/atomic"
)

// About is the context that an observer gets with an event of an owner, until [About.Release].
// [NearestOf] finds the owner in it, and [OwnerOf] does not, because an observer does not act for the
// owner. After that it only carries the values of its parent, so contexts that were derived from it
// do not keep the owner in memory.
type About[O any] struct {
	context.Context

	owner atomic.Pointer[O] // nil once it is released
}

// NewAbout returns a context with the values of parent. If parent is itself an About, its own
// parent takes its place. Otherwise a chain of tasks, each submitted with the context of an event
// of the previous one, would keep a context for each of them in memory.
func NewAbout[O any](parent context.Context, owner *O) *About[O] {
	if p, ok := parent.(*About[O]); ok {
		parent = p.Context
	}
	a := &About[O]{Context: parent}
	a.owner.Store(owner)
	return a
}

// Release removes the owner.
func (a *About[O]) Release() { a.owner.Store(nil) }

// Value returns the value of the context for a key.
func (a *About[O]) Value(key any) any {
	if _, ok := key.(nearestKey[O]); ok {
		return a.owner.Load() // also if it is nil: the task that submitted this one is not nearest
	}
	return a.Context.Value(key)
}

type nearestKey[O any] struct{}

// NearestOf returns the owner of the nearest [Lazy] or [About] with such an owner that ctx is or is
// derived from. It returns nil if there is none, if that one was released, or if ctx is nil.
func NearestOf[O any](ctx context.Context) *O {
	if ctx == nil {
		return nil
	}
	owner, _ := ctx.Value(nearestKey[O]{}).(*O)
	return owner
}
