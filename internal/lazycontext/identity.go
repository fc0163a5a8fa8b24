package lazycontext

import (
	"context"
)

// Identified is an owner that says which task it is.
type Identified interface {
	// Identity is the name of the task, and the number of its execution, from 1.
	Identity() (task string, attempt int)
}

type identityKey struct{}

// identity is one that outlives the work of the owner.
type identity struct {
	task    string
	attempt int
}

// Identity is that of itself.
func (i identity) Identity() (task string, attempt int) { return i.task, i.attempt }

// WithIdentity has a context tell of a task when the work is over.
func WithIdentity(ctx context.Context, task string, attempt int) context.Context {
	return context.WithValue(ctx, identityKey{}, identity{task, attempt})
}

// IdentityOf tells on behalf of which task a context is used: the owner of the nearest
// Context, as long as its work goes on, or what WithIdentity says.
func IdentityOf(ctx context.Context) (task string, attempt int, ok bool) {
	if ctx == nil {
		return "", 0, false
	}
	who, ok := ctx.Value(identityKey{}).(Identified)
	if !ok {
		return "", 0, false
	}
	task, attempt = who.Identity()
	return task, attempt, true
}
