package workload

import (
	"context"
	"crypto/sha256"
	"time"
)

// Work is what a synthetic task does for its service time. It ends early with
// the context.
type Work func(ctx context.Context, service time.Duration) error

// Sleep waits, like a task that makes a remote call.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// NewComputation returns work that computes what one processor computes alone in
// the service time. Tasks that share a processor take longer.
func NewComputation() Work {
	rounds := 0
	begin := time.Now()
	for time.Since(begin) < 50*time.Millisecond {
		compute()
		rounds++
	}
	perSecond := float64(rounds) / time.Since(begin).Seconds()
	return func(ctx context.Context, d time.Duration) error {
		for range int(d.Seconds() * perSecond) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			compute()
		}
		return nil
	}
}

// compute takes some microseconds.
func compute() {
	var block [4096]byte
	_ = sha256.Sum256(block[:])
}
