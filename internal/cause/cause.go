// Package cause says why a context ended.
package cause

import (
	"context"
	"errors"
	"fmt"
)

// Of is the reason why ctx ended: its error, and its cause where that says more.
// The context must have ended.
func Of(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
