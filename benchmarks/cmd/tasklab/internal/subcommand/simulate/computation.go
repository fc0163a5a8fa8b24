package simulate

import (
	"context"
	"crypto/sha256"
	"time"
)

// work is what a task does for its service time in real time. It ends early with
// the context.
type work func(ctx context.Context, service time.Duration) error

// newComputation returns work that computes what one processor computes alone in
// the service time. Tasks that share a processor take longer.
func newComputation() work {
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
