package nats

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// TestInsist: what settles a delivery is repeated while the server is away, or servers elect a leader, and
// for a shorter time if the server refuses it; not after the lease is lost, nor after the end of the worker.
func TestInsist(t *testing.T) {
	refusal := errors.New("refused")
	for name, tc := range map[string]struct {
		fault     error         // of the calls
		healed    time.Duration // when a call succeeds; 0: never
		lease     time.Duration
		ends      time.Duration // when the worker ends; 0: never
		want      error
		from, til time.Duration // of the time that it takes
	}{
		"succeeds":                {healed: -1, lease: time.Hour},
		"an election":             {fault: natsgo.ErrNoResponders, healed: 50 * time.Second, lease: time.Hour, from: 50 * time.Second, til: 56 * time.Second},
		"no answers":              {fault: context.DeadlineExceeded, healed: 50 * time.Second, lease: time.Hour, from: 50 * time.Second, til: 56 * time.Second},
		"away for ever":           {fault: natsgo.ErrTimeout, lease: time.Hour, want: natsgo.ErrTimeout, from: settlePatience - mostBackoff, til: settlePatience},
		"refused for some time":   {fault: refusal, healed: 5 * time.Second, lease: time.Hour, from: 5 * time.Second, til: 10 * time.Second},
		"refused for ever":        {fault: refusal, lease: time.Hour, want: refusal, from: refusedPatience - mostBackoff, til: refusedPatience},
		"the lease is lost":       {fault: natsgo.ErrTimeout, lease: 30 * time.Second, want: ErrLeaseLost, from: 18 * time.Second, til: 23 * time.Second},
		"the worker has to leave": {fault: natsgo.ErrTimeout, lease: time.Hour, ends: 7 * time.Second, want: natsgo.ErrTimeout, from: 7 * time.Second, til: 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tc.ends > 0 {
					time.AfterFunc(tc.ends, cancel)
				}
				began := time.Now()
				d := &delivery{w: &Worker{}, lease: lease{length: tc.lease, from: began}}
				err := d.insist(ctx, func(context.Context) error {
					if tc.healed != 0 && time.Since(began) >= tc.healed {
						return nil
					}
					return tc.fault
				})
				if !errors.Is(err, tc.want) {
					t.Errorf("insist returned %v, want %v", err, tc.want)
				}
				if took := time.Since(began); took < tc.from || took > tc.til {
					t.Errorf("it took %v, want %v to %v", took, tc.from, tc.til)
				}
			})
		})
	}
}
