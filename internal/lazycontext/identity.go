package lazycontext

import (
	"context"
)

// Identified is implemented by owners that stand for an execution of a task.
type Identified interface {
	// Identity returns the name of the task and the number of the execution, from 1.
	Identity() (task string, attempt int)
}

type identityKey struct{}

// identity is an Identified that remains after the work of its owner is over.
type identity struct {
	task    string
	attempt int
}

// Identity returns the fields.
func (i identity) Identity() (task string, attempt int) { return i.task, i.attempt }

// WithIdentity returns a context with the identity of an execution that is over, or that did not
// take place.
func WithIdentity(ctx context.Context, task string, attempt int) context.Context {
	return context.WithValue(ctx, identityKey{}, identity{task, attempt})
}

// IdentityOf returns the identity of the execution to which ctx belongs: that of the owner of the
// nearest [Lazy], until its work is over, or the one given to [WithIdentity]. It reports false
// if there is none.
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
