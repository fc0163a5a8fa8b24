package scheduler_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/scheduler"
)

func TestExponentialStaysWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "base"))
		limit := time.Duration(rapid.Int64Range(int64(base), math.MaxInt64).Draw(t, "limit"))
		attempt := rapid.OneOf(rapid.IntRange(1, 80), rapid.Just(1000), rapid.Just(math.MaxInt)).Draw(t, "attempt")
		seed := rapid.Uint64().Draw(t, "seed")
		next := func() time.Duration {
			d, ok := scheduler.Exponential(base, limit).Next(scheduler.Failure{
				Attempt: attempt, Rand: rand.New(rand.NewPCG(seed, 0)),
			})
			if !ok {
				t.Fatalf("gave up at attempt %d, want never", attempt)
			}
			return d
		}
		got := next()
		ceiling := float64(limit)
		if attempt < 2000 {
			ceiling = min(ceiling, float64(base)*math.Pow(2, float64(attempt-2)))
		}
		if attempt == 1 {
			ceiling = 0
		}
		if got < 0 || float64(got) > ceiling {
			t.Fatalf("delay %v at attempt %d, want 0 to %v", got, attempt, time.Duration(ceiling))
		}
		if again := next(); again != got {
			t.Fatalf("the same source of randomness gave %v and then %v", got, again)
		}
	})
}

func TestExponentialUsesItsWholeRange(t *testing.T) {
	const n = 10_000
	p := scheduler.DefaultRestart()
	random := rand.New(rand.NewPCG(1, 2))
	var sum time.Duration
	for range n {
		d, _ := p.Next(scheduler.Failure{Attempt: 1000, Rand: random})
		sum += d
	}
	// Uniform from 0 to 10 s: the mean of 10,000 is 5 s within some 30 ms.
	if mean := sum / n; mean < 4800*time.Millisecond || mean > 5200*time.Millisecond {
		t.Errorf("the mean delay at the cap is %v, want some 5s", mean)
	}
}

func TestExponentialDefaults(t *testing.T) {
	got := scheduler.Exponential(0, -1)
	if want := scheduler.DefaultRestart(); got != want {
		t.Errorf("Exponential(0, -1) is %+v, want the default %+v", got, want)
	}
	r, ok := got.(scheduler.Resetter)
	if !ok || r.ResetAfter() != scheduler.DefaultRestartCap {
		t.Errorf("the default policy must reset after %v", scheduler.DefaultRestartCap)
	}
	if d, ok := got.Next(scheduler.Failure{Attempt: 1}); d != 0 || !ok {
		t.Errorf("the first restart is after %v, %v; want at once", d, ok)
	}
}
