package restart_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// attempts generates numbers of attempts, up to the largest int.
func attempts() *rapid.Generator[int] {
	return rapid.OneOf(rapid.IntRange(1, 80), rapid.IntRange(1, 1000), rapid.Just(math.MaxInt))
}

func delays() *rapid.Generator[time.Duration] {
	return rapid.Map(
		rapid.OneOf(rapid.Int64Range(1, int64(time.Hour)), rapid.Int64Range(1, math.MaxInt64), rapid.Just(int64(math.MaxInt64))),
		func(n int64) time.Duration { return time.Duration(n) })
}

func TestExponentialStaysWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := delays().Draw(t, "delay"), delays().Draw(t, "delay")
		base, limit := min(a, b), max(a, b)
		attempt := attempts().Draw(t, "attempt")
		seed := rapid.Uint64().Draw(t, "seed")
		ask := func() answer {
			return next(restart.Exponential(base, limit), restart.Failure{Attempt: attempt, Rand: seeded(seed)})
		}
		got := ask()
		if !got.OK {
			t.Fatalf("gave up at attempt %d, want never", attempt)
		}
		ceiling := float64(limit)
		if attempt < 2000 {
			ceiling = min(ceiling, float64(base)*math.Pow(2, float64(attempt-2)))
		}
		if attempt == 1 {
			ceiling = 0
		}
		if got.Delay < 0 || float64(got.Delay) > ceiling {
			t.Fatalf("delay %v at attempt %d, want 0 to %v", got.Delay, attempt, time.Duration(ceiling))
		}
		if again := ask(); again != got {
			t.Fatalf("the same source of randomness gave %v and then %v", got, again)
		}
	})
}

// TestExponentialUsesItsWholeRange checks that the mean delay is half the upper bound,
// which doubles up to the limit.
func TestExponentialUsesItsWholeRange(t *testing.T) {
	const n = 10_000
	p := restart.Exponential(10*time.Millisecond, 10*time.Second)
	random := rand.New(rand.NewPCG(1, 2))
	for attempt, ceiling := range map[int]time.Duration{
		2: 10 * time.Millisecond, 3: 20 * time.Millisecond, 7: 320 * time.Millisecond, 11: 5120 * time.Millisecond,
		12: 10 * time.Second, 1000: 10 * time.Second, math.MaxInt: 10 * time.Second,
	} {
		var sum, most time.Duration
		for range n {
			d := next(p, restart.Failure{Attempt: attempt, Rand: random}).Delay
			sum += d
			most = max(most, d)
		}
		// The standard error of the mean of 10,000 is 0.3% of the upper bound.
		if mean := sum / n; mean < ceiling*48/100 || mean > ceiling*52/100 {
			t.Errorf("the mean delay at attempt %d is %v, want about half of %v", attempt, mean, ceiling)
		}
		if most < ceiling*99/100 || most >= ceiling {
			t.Errorf("the longest delay at attempt %d is %v, want nearly %v", attempt, most, ceiling)
		}
	}
}

func TestExponentialDefaults(t *testing.T) {
	got := restart.Exponential(0, -1)
	if want := restart.Default(); got != want {
		t.Errorf("Exponential(0, -1) is %+v, want the default %+v", got, want)
	}
	r, ok := got.(restart.Resetter)
	if !ok || r.ResetAfter() != restart.DefaultCap {
		t.Errorf("the default policy must reset after %v", restart.DefaultCap)
	}
	if d, ok := got.Next(restart.Failure{Attempt: 1}); d != 0 || !ok {
		t.Errorf("the first restart is after %v, %v; want at once", d, ok)
	}
}

// TestDefaultTamesATaskThatFailsAtOnce checks the number of restarts in the first second.
// Without delays there would be several hundred thousand.
func TestDefaultTamesATaskThatFailsAtOnce(t *testing.T) {
	const most = 20
	p := restart.Default()
	for seed := range uint64(200) {
		random := seeded(seed)
		var now, previous time.Duration
		restarts := 0
		for restarts <= most {
			got := next(p, restart.Failure{
				Attempt: restarts + 1, Previous: previous, Now: time.Unix(0, int64(now)), Rand: random,
			})
			if !got.OK {
				t.Fatalf("seed %d: gave up after %d restarts, want never", seed, restarts)
			}
			previous = got.Delay
			now += got.Delay
			if now > time.Second {
				break
			}
			restarts++
		}
		if restarts > most {
			t.Errorf("seed %d: more than %d restarts in the first second", seed, most)
		}
	}
}

// TestDecorrelatedStaysWithinItsBounds checks that a delay is at least base, at most three
// times the previous delay, and at most limit.
func TestDecorrelatedStaysWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := delays().Draw(t, "delay"), delays().Draw(t, "delay")
		base, limit := min(a, b), max(a, b)
		attempt := attempts().Draw(t, "attempt")
		previous := rapid.OneOf(delays(), rapid.Just(time.Duration(0))).Draw(t, "previous")
		random := seeded(rapid.Uint64().Draw(t, "seed"))
		got := next(restart.Decorrelated(base, limit), restart.Failure{Attempt: attempt, Previous: previous, Rand: random})
		if !got.OK {
			t.Fatalf("gave up at attempt %d, want never", attempt)
		}
		if attempt == 1 {
			previous = base
		}
		ceiling := min(float64(limit), 3*float64(max(previous, base)))
		if got.Delay < base || float64(got.Delay) > ceiling {
			t.Fatalf("delay %v at attempt %d after one of %v, want %v to %v", got.Delay, attempt, previous, base, time.Duration(ceiling))
		}
	})
}

// TestDecorrelatedGrowsToItsLimit checks that delays grow along a row of failures, stay
// below the limit, and start at base again in a new row.
func TestDecorrelatedGrowsToItsLimit(t *testing.T) {
	const base, limit = 10 * time.Millisecond, 10 * time.Second
	p := restart.Decorrelated(base, limit)
	var first, late time.Duration
	const rows, length = 200, 100
	for seed := range uint64(rows) {
		answers := row(p, seed, length)
		for i, got := range answers {
			if got.Delay < base || got.Delay >= limit {
				t.Fatalf("seed %d: delay %v at attempt %d, want %v to below %v", seed, got.Delay, i+1, base, limit)
			}
		}
		if d := answers[0].Delay; d >= 3*base {
			t.Errorf("seed %d: the first delay is %v, want below %v", seed, d, 3*base)
		}
		first += answers[0].Delay / rows
		late += answers[length-1].Delay / rows
	}
	if first < 19*time.Millisecond || first > 21*time.Millisecond {
		t.Errorf("the mean of the first delays is %v, want about 20ms", first)
	}
	if late < time.Second {
		t.Errorf("the mean of the hundredth delays is %v, want seconds", late)
	}
	if got := next(p, restart.Failure{Attempt: 1, Previous: limit, Rand: seeded(1)}); got.Delay >= 3*base {
		t.Errorf("the first delay of a new row is %v, want below %v", got.Delay, 3*base)
	}
}

// TestDecorrelatedUsesItsWholeRange checks that the mean delay is half-way between base
// and the upper bound, and that no delay reaches the upper bound.
func TestDecorrelatedUsesItsWholeRange(t *testing.T) {
	const n = 10_000
	random := seeded(1)
	for _, tc := range []struct{ base, limit, previous, ceiling time.Duration }{
		{time.Second, time.Hour, 0, 3 * time.Second},
		{time.Second, time.Hour, 5 * time.Second, 15 * time.Second},
		{time.Second, time.Hour, 20 * time.Minute, time.Hour},
		{time.Second, time.Hour, 30 * time.Minute, time.Hour},
		{time.Second, time.Hour, 24 * time.Hour, time.Hour}, // chosen by another policy
		{time.Second, time.Second + 2, time.Second, time.Second + 2},
		{1, time.Hour, 1, 3},
		{1, math.MaxInt64, math.MaxInt64 / 2, math.MaxInt64},
		{1, math.MaxInt64, math.MaxInt64, math.MaxInt64},
	} {
		p := restart.Decorrelated(tc.base, tc.limit)
		var sum float64
		var most time.Duration
		for range n {
			d := next(p, restart.Failure{Attempt: 2, Previous: tc.previous, Rand: random}).Delay
			sum += float64(d-tc.base) / n
			most = max(most, d)
		}
		middle := float64(tc.ceiling-tc.base-1) / 2
		if sum < middle*0.95 || sum > middle*1.05 {
			t.Errorf("the mean delay after one of %v is %v above %v, want about %v", tc.previous, time.Duration(sum), tc.base, time.Duration(middle))
		}
		if most >= tc.ceiling {
			t.Errorf("the longest delay after one of %v is %v, want below %v", tc.previous, most, tc.ceiling)
		}
	}
}

func TestDecorrelatedDefaults(t *testing.T) {
	const base, limit = restart.DefaultBase, restart.DefaultCap
	p := restart.Decorrelated(0, 0)
	check.Equal(t, "answers", row(p, 1, 20), row(restart.Decorrelated(base, limit), 1, 20))
	check.Equal(t, "ResetAfter", resetAfter(p), limit)
	check.Equal(t, "answer without a range", next(restart.Decorrelated(base, base), restart.Failure{Attempt: 9, Rand: seeded(1)}), after(base))
}
