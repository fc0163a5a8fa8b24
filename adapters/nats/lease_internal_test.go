package nats

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestLeaseEndsBeforeThatOfTheServer lets a worker and a server count the same lease. Requests to extend
// it take any time and may be lost.
func TestLeaseEndsBeforeThatOfTheServer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const length = time.Second
		start := time.Now()
		// The server delivers after the floor, and at the latest when the worker still takes the task.
		delivered := start.Add(time.Duration(rapid.Int64Range(0, int64(share(length, staleAt))).Draw(rt, "delivered after")))
		l := lease{length: length, from: start, sent: start}
		server := delivered // from when the server counts
		type request struct{ sent, arrives, answered time.Time }
		var open []request
		now := delivered
		for range 60 {
			step := time.Duration(rapid.Int64Range(1, int64(length/10)).Draw(rt, "step"))
			now = now.Add(step)
			var rest []request
			for _, r := range open {
				if !r.arrives.After(now) && r.arrives.Before(server.Add(length)) && r.arrives.After(server) {
					server = r.arrives
				}
				if !r.answered.After(now) {
					l.confirm(r.sent)
					continue
				}
				rest = append(rest, r)
			}
			open = rest
			switch l.step(now) {
			case leaseLost:
				return
			case leaseExtend:
				if rapid.Bool().Draw(rt, "lost") {
					continue
				}
				there := time.Duration(rapid.Int64Range(0, int64(length/2)).Draw(rt, "there"))
				back := time.Duration(rapid.Int64Range(0, int64(length/2)).Draw(rt, "back"))
				open = append(open, request{now, now.Add(there), now.Add(there + back)})
			case leaseHolds:
			}
			if end := server.Add(length); !now.Before(end) {
				rt.Fatalf("the worker runs the task %v after the end of the lease", now.Sub(end))
			}
		}
	})
}

// TestLeaseIsExtendedInTime runs a lease whose extensions are confirmed at once.
func TestLeaseIsExtendedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lease{length: time.Second, from: time.Now(), sent: time.Now()}
		extended := 0
		for range 200 {
			time.Sleep(l.length / 20)
			switch l.step(time.Now()) {
			case leaseExtend:
				extended++
				l.confirm(time.Now())
			case leaseLost:
				t.Fatal("the lease is lost")
			case leaseHolds:
			}
		}
		if extended != 40 { // ten seconds
			t.Errorf("%d extensions, want 40", extended)
		}
	})
}
