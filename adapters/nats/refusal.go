package nats

import (
	"context"
	"errors"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// refusable returns a context that ends when the server refuses the connection a request, for want of a
// permission. The server does not answer such a request, which would last as long as the context; only
// the connection learns of it. The function stop must be called.
//
// Another request of the same connection may be the one that is refused. Then the caller fails although
// its own requests are allowed, and the error says which subject was refused.
func refusable(ctx context.Context, nc *natsgo.Conn) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	before := nc.LastError()
	if !errors.Is(before, natsgo.ErrPermissionViolation) {
		before = nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond) // the connection has no event for it
		defer tick.Stop()
		for {
			if err := nc.LastError(); err != before && errors.Is(err, natsgo.ErrPermissionViolation) { //nolint:errorlint // is it the same violation?
				cancel(wrapf("nats: the credentials of the connection do not allow it; see Permissions: %w", err))
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}

// refused returns why a context of refusable has ended, if that is why err occurred, or err.
func refused(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, natsgo.ErrPermissionViolation) {
		return cause
	}
	return err
}

// badCredentials reports whether a connection has failed, or was ended, because the server does not accept its user.
func badCredentials(err error) bool {
	return errors.Is(err, natsgo.ErrAuthorization) || errors.Is(err, natsgo.ErrAuthExpired) ||
		errors.Is(err, natsgo.ErrAuthRevoked) || errors.Is(err, natsgo.ErrAccountAuthExpired)
}
