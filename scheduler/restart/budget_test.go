package restart_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// TestBudgetHoldsOverEveryInterval checks the bound between any two failures: at most
// burst restarts, plus share for each start. A model of the token bucket, which counts in
// thousandths of a token, checks that Budget refuses no other restart.
func TestBudgetHoldsOverEveryInterval(t *testing.T) {
	const token = 1000
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.OneOf(rapid.IntRange(1, token), rapid.SampledFrom([]int{1, 100, 290, token})).Draw(t, "share")
		burst := rapid.IntRange(1, 8).Draw(t, "burst")
		agrees := false
		p := restart.Budget(float64(share)/token, burst, restart.Func(
			func(restart.Failure) (time.Duration, bool) { return time.Second, agrees }))

		type moment struct{ starts, restarts int } // totals before a failure
		var moments []moment
		var now moment
		held, seen := burst*token, 0
		for range rapid.IntRange(1, 80).Draw(t, "failures") {
			now.starts += rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 3*token/share), rapid.IntRange(0, 10)).Draw(t, "starts")
			agrees = rapid.IntRange(0, 4).Draw(t, "inner agrees") > 0
			moments = append(moments, now)
			got := next(p, restart.Failure{Attempt: 1, Starts: uint64(now.starts), Restarts: uint64(now.restarts)})

			held = min(held+share*(now.starts-seen), burst*token)
			seen = now.starts
			if want := agrees && held >= token; got.OK != want {
				t.Fatalf("failure %d: restart is %v, want %v, with %d thousandths of a token held and the inner policy saying %v",
					len(moments), got.OK, want, held, agrees)
			}
			if got.OK {
				check.Equal(t, "the inner policy's delay", got.Delay, time.Second)
				held -= token
				now.restarts++
			}
		}
		moments = append(moments, now)
		for i, from := range moments {
			for j, to := range moments[i+1:] {
				restarts, starts := to.restarts-from.restarts, to.starts-from.starts
				if restarts*token > burst*token+share*starts {
					t.Fatalf("%d restarts for %d starts from failure %d to %d, with a burst of %d and a share of %d/1000",
						restarts, starts, i+1, i+j+1, burst, share)
				}
			}
		}
	})
}

// TestBudgetIsSharedByGoroutines checks the bound between any two rounds. The failures of
// a round come from several goroutines at once.
func TestBudgetIsSharedByGoroutines(t *testing.T) {
	const (
		workers, rounds, each = 4, 40, 50
		burst                 = 10
		share                 = 0.25
	)
	p := restart.Budget(share, burst, restart.Constant(0))
	var starts, restarts atomic.Int64
	totals := [][2]int64{{0, 0}}
	for round := range rounds {
		var wg sync.WaitGroup
		for w := range workers {
			random := seeded(uint64(round*workers + w))
			wg.Go(func() {
				for range each {
					if random.IntN(3) > 0 {
						starts.Add(1)
					}
					f := restart.Failure{Attempt: 1, Starts: uint64(starts.Load()), Restarts: uint64(restarts.Load())}
					if next(p, f).OK {
						restarts.Add(1)
					}
				}
			})
		}
		wg.Wait()
		totals = append(totals, [2]int64{starts.Load(), restarts.Load()})
	}
	for i, from := range totals {
		for j, to := range totals[i+1:] {
			started, restarted := to[0]-from[0], to[1]-from[1]
			if float64(restarted) > burst+share*float64(started) {
				t.Fatalf("%d restarts for %d starts in rounds %d to %d, want at most %d and a quarter of the starts",
					restarted, started, i, i+j, burst)
			}
		}
	}
	// There are far more failures than tokens, so nearly every token must be spent.
	if got, least := restarts.Load(), int64(share*float64(starts.Load())); got < least {
		t.Errorf("%d restarts for %d starts, want at least a quarter, %d", got, starts.Load(), least)
	}
}

// granted returns the number of n failures that p restarts.
func granted(p restart.Policy, starts uint64, n int) int {
	granted := 0
	for range n {
		if next(p, restart.Failure{Starts: starts}).OK {
			granted++
		}
	}
	return granted
}

func TestBudgetIsExactAtItsLimits(t *testing.T) {
	tenth := restart.Budget(0.1, 2, restart.Constant(0))
	check.Equal(t, "restarts of the burst", granted(tenth, 0, 9), 2)
	for starts := range uint64(10) {
		check.Equal(t, "restarts before ten starts", granted(tenth, starts, 1), 0)
	}
	check.Equal(t, "restarts at ten starts, each a tenth", granted(tenth, 10, 9), 1)
	check.Equal(t, "restarts at fewer starts than before", granted(tenth, 3, 9), 0)
	check.Equal(t, "restarts at the same number of starts", granted(tenth, 10, 9), 0)
	check.Equal(t, "restarts after very many starts", granted(tenth, math.MaxUint64, 9), 2)

	large := restart.Budget(1, 1<<30, restart.Constant(0))
	check.Equal(t, "restarts with a large burst", granted(large, math.MaxUint64, 100), 100)
	precise := restart.Budget(15e-9, 3, restart.Constant(0)) // 15e-9*1e9 is less than 15
	check.Equal(t, "restarts of the burst with a precise share", granted(precise, 0, 9), 3)
	check.Equal(t, "restarts just before the third token is whole", granted(precise, 199_999_999, 9), 2)
	check.Equal(t, "restarts when it is", granted(precise, 200_000_000, 9), 1)
	small := restart.Budget(1e-300, 1, restart.Constant(0))
	check.Equal(t, "restarts with a small share", granted(small, 999_999_999, 9), 1)
}

// TestBudgetSpendsNothingOnARefusal checks that a refusal by the inner policy, or by a
// decorator of the Budget, takes no token.
func TestBudgetSpendsNothingOnARefusal(t *testing.T) {
	p := restart.Budget(0.1, 1, restart.MaxAttempts(2, restart.Constant(0)))
	for range 5 {
		check.Equal(t, "answer to attempt 2 of 2", next(p, restart.Failure{Attempt: 2}), givesUp)
	}
	check.Equal(t, "answer to attempt 1", next(p, restart.Failure{Attempt: 1}), after(0))

	inner := restart.Budget(0.1, 1, restart.Constant(0))
	for name, outer := range map[string]restart.Policy{
		"MaxAttempts": restart.MaxAttempts(1, inner),
		"Intensity":   restart.Intensity(1, time.Second, inner),
		"When":        restart.When(func(error) bool { return false }, inner),
	} {
		check.Equal(t, name, next(outer, restart.Failure{Attempt: 1, Recent: 1}), givesUp)
	}
	check.Equal(t, "answer within", next(inner, restart.Failure{Attempt: 1}), after(0))
}
