// Package cause says why a context ended.
package cause

import (
	"context"
	"errors"
)

// Of is the reason why ctx ended: its error, and its cause where that says more.
// The context must have ended. No method of the cause is called before somebody reads
// the text, or asks for what it wraps.
func Of(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if same(cause, err) {
		return err
	}
	return &ended{err, cause}
}

// same reports whether two errors are one and the same. Those that Go cannot
// compare are not.
func same(a, b error) (same bool) {
	defer func() { _ = recover() }()
	return a == b //nolint:errorlint // it is what is wanted
}

// ended is that a context has ended with err because of a cause.
type ended struct{ err, cause error }

// Error is the text of the cause, after that of err unless the cause is of that kind.
func (e *ended) Error() string {
	if errors.Is(e.cause, e.err) {
		return e.cause.Error()
	}
	return e.err.Error() + ": " + e.cause.Error()
}

// Unwrap returns both.
func (e *ended) Unwrap() []error { return []error{e.err, e.cause} }
