// Package cause reports why a context ended.
package cause

import (
	"context"
	"errors"
)

// Of returns an error for the end of ctx, which must be done. It wraps both ctx.Err() and
// [context.Cause]; if the two are the same, it is that error itself.
//
// Of calls no method of the cause. The cause may be any error, and its methods run when the
// caller reads the text of the result or uses errors.Is.
func Of(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if same(cause, err) {
		return err
	}
	return &ended{err, cause}
}

// same reports whether two errors are identical. Values of incomparable types are not.
func same(a, b error) (same bool) {
	defer func() { _ = recover() }()
	return a == b //nolint:errorlint // identity is the question
}

// ended is the error of a context that ended with err because of cause.
type ended struct{ err, cause error }

// Error returns the text of the cause. The text of err precedes it unless the cause matches err.
func (e *ended) Error() string {
	if errors.Is(e.cause, e.err) {
		return e.cause.Error()
	}
	return e.err.Error() + ": " + e.cause.Error()
}

// Unwrap returns err and the cause.
func (e *ended) Unwrap() []error { return []error{e.err, e.cause} }
