package nats

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSourceFollowsItsRequests plays a server that answers requests in all ways, also late ones, and
// compares what the source believes with what the server knows.
func TestSourceFollowsItsRequests(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &source{batch: 1}
		now := time.Now()
		token, left, poll := "", 0, false // what the server knows of the last request
		check := func() {
			if s.asking() != (left > 0) || left > 0 && s.request.left != left {
				rt.Fatalf("the source expects %d tasks, the server %d", s.request.left, left)
			}
			if s.batch < 1 || s.batch > mostBatch {
				rt.Fatalf("batch %d", s.batch)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"ask": func(rt *rapid.T) {
				if s.asking() || now.Before(s.retryAt) {
					rt.Skip("not possible now")
				}
				left, poll = rapid.IntRange(1, 5).Draw(rt, "n"), rapid.Bool().Draw(rt, "poll")
				token = s.open(request{left: left, poll: poll, sent: now, expires: now.Add(time.Second)}, 7)
			},
			"task": func(rt *rapid.T) {
				if polled, _ := s.arrived(now); polled != (left > 0 && poll) {
					rt.Fatalf("polled is %v", polled)
				}
				left = max(0, left-1)
			},
			"end": func(rt *rapid.T) {
				code := rapid.SampledFrom([]string{"404", "408"}).Draw(rt, "code")
				want := answerEmpty
				if left == 0 {
					want = answerIgnored
				}
				if got := s.status(token, code, "", now); got != want {
					rt.Fatalf("answer %d, want %d", got, want)
				}
				left = 0
			},
			"failure": func(rt *rapid.T) {
				text := rapid.SampledFrom([]string{"Leadership Change", "Consumer Deleted", "Server Shutdown"}).Draw(rt, "text")
				if got := s.status(token, "409", text, now); (got == answerIgnored) != (left == 0) {
					rt.Fatalf("answer %d", got)
				}
				if left > 0 && !s.retryAt.After(now) {
					rt.Fatal("the source is asked again at once")
				}
				left = 0
			},
			"late": func(rt *rapid.T) {
				if got := s.status("7-never", "404", "", now); got != answerIgnored {
					rt.Fatalf("answer %d to an unknown request", got)
				}
			},
			"beat": func(*rapid.T) { s.status(token, "100", "Idle Heartbeat", now) },
			"time": func(*rapid.T) {
				now = now.Add(3 * time.Second)
				if s.silent(now) {
					s.fail(now)
					left = 0
				}
			},
			"": func(*rapid.T) { check() },
		})
	})
}

func TestSourceBacksOff(t *testing.T) {
	s := &source{batch: 1}
	now := time.Now()
	for i, want := range []time.Duration{50, 100, 200, 400, 800, 1600, 3200, 5000, 5000} {
		s.fail(now)
		if got := s.retryAt.Sub(now); got != want*time.Millisecond {
			t.Errorf("wait %d is %v", i, got)
		}
	}
	s.arrived(now)
	s.fail(now)
	if got := s.retryAt.Sub(now); got != firstBackoff {
		t.Errorf("after a task the wait is %v", got)
	}
}

// TestWaitsAreLong checks that the requests of an idle worker are few, and not renewed together.
func TestWaitsAreLong(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 3000).Draw(rt, "sources")
		seen := map[time.Duration]bool{}
		for range n {
			wait := waitTime(n)
			if rate := float64(n) / wait.Seconds(); rate > 0.2 {
				rt.Fatalf("a wait of %v with %d sources: %.2f requests a second, want at most 0.2", wait, n, rate)
			}
			seen[wait.Round(time.Millisecond)] = true
		}
		if len(seen) < n/2 {
			rt.Errorf("%d sources renew their requests at %d times only", n, len(seen))
		}
	})
}
