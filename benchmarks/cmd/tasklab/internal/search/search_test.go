package search_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	. "github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/search"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scores draws scores, many of which are equal in a respect.
func scores() *rapid.Generator[[]Score] {
	few := rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(0, 6).Draw(t, "value")) })
	return rapid.SliceOf(rapid.Custom(func(t *rapid.T) Score {
		return Score{Violation: few.Draw(t, "violation"), Cost: few.Draw(t, "cost"), Quality: few.Draw(t, "quality")}
	}))
}

// No member of the front is dominated, and every other one is dominated by a member.
func TestFront(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := scores().Draw(t, "scores")
		front := Front(all)
		if !slices.IsSortedFunc(front, func(a, b int) int { return int(all[a].Cost - all[b].Cost) }) {
			t.Errorf("%v is not in the order of the cost", front)
		}
		for i, s := range all {
			by := func(others []int) bool {
				return slices.ContainsFunc(others, func(j int) bool { return all[j].Dominates(s) })
			}
			everyone := make([]int, len(all))
			for j := range all {
				everyone[j] = j
			}
			switch member := slices.Contains(front, i); {
			case member && by(everyone):
				t.Errorf("member %d, %v, of %v is dominated", i, s, all)
			case !member && !by(front):
				t.Errorf("%d, %v, is no member of the front of %v, and no member dominates it", i, s, all)
			}
		}
	})
}

func TestRungs(t *testing.T) {
	for n, want := range map[int][]int{
		1: {1}, 1499: {1499}, 1500: {500, 1500}, 4500: {500, 1500, 4500}, 9000: {1000, 3000, 9000},
		27000: {1000, 3000, 9000, 27000}, 270000: {10000, 30000, 90000, 270000},
	} {
		if diff := cmp.Diff(want, Rungs(n)); diff != "" {
			t.Errorf("%d (-want +got):\n%s", n, diff)
		}
	}
}

// grid is a space of points with whole coordinates from 0 to 63.
type point [2]int

func grid() Space[point] {
	return Space[point]{
		Defaults: []point{{0, 0}, {63, 63}},
		Draw:     func(r *rand.Rand) point { return point{r.IntN(64), r.IntN(64)} },
		Near: func(p point, step float64) (near []point) {
			d := int(step * 64)
			for _, q := range []point{{p[0] - d, p[1]}, {p[0] + d, p[1]}, {p[0], p[1] - d}, {p[0], p[1] + d}} {
				if min(q[0], q[1]) >= 0 && max(q[0], q[1]) < 64 {
					near = append(near, q)
				}
			}
			return near
		},
		Name: func(p point) string { return fmt.Sprint(p) },
	}
}

// table evaluates points by a table of scores on each rung.
func table(score func(p point, rung int) Score) Evaluate[point, string] {
	return func(_ context.Context, p point, rung int) (string, Score, error) {
		return fmt.Sprint(p, rung), score(p, rung), nil
	}
}

// drawn returns a score that looks random.
func drawn(seed uint64, p point, rung int) Score {
	r := rand.New(rand.NewPCG(seed, uint64(rung*64*64+p[0]*64+p[1])))
	return Score{Violation: float64(r.IntN(3)), Cost: r.Float64(), Quality: r.Float64()}
}

// A setting that is the best on all rungs is the result, whatever else the search tries.
func TestTheBestIsNeverDiscarded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := Plan{
			Settings: rapid.IntRange(4, 100).Draw(t, "settings"),
			Rungs:    rapid.IntRange(1, 4).Draw(t, "rungs"),
			Seed:     rapid.Uint64().Draw(t, "seed"),
			Parallel: 2,
		}
		seed, best := rapid.Uint64().Draw(t, "seed of the scores"), point{63, 63}
		// Others may be cheaper and of better quality, but they violate more.
		cost, quality := rapid.Float64Range(0, 2).Draw(t, "cost"), rapid.Float64Range(0, 2).Draw(t, "quality")
		result, err := Run(t.Context(), grid(), plan, table(func(p point, rung int) Score {
			if p == best {
				return Score{Cost: cost, Quality: quality}
			}
			other := drawn(seed, p, rung)
			other.Violation++
			return other
		}))
		if err != nil {
			t.Fatal(err)
		}
		if got := result.Trials[result.Best]; got.Setting != best || got.Rung != plan.Rungs-1 {
			t.Fatalf("the result is %v", got)
		}
	})
}

// The number of settings is the planned one, and none is tried twice on a rung.
func TestPlanIsFulfilled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := Plan{Settings: rapid.IntRange(1, 100).Draw(t, "settings"), Rungs: rapid.IntRange(1, 4).Draw(t, "rungs"), Parallel: 3}
		var mu sync.Mutex
		tries := make(map[string]int)
		result, err := Run(t.Context(), grid(), plan, table(func(p point, rung int) Score {
			mu.Lock()
			defer mu.Unlock()
			tries[fmt.Sprint(p, rung)]++
			return drawn(1, p, rung)
		}))
		if err != nil || result.Partial {
			t.Fatal(result.Partial, err)
		}
		if len(result.Trials) != plan.Settings {
			t.Errorf("%d settings were tried, of %d", len(result.Trials), plan.Settings)
		}
		evaluations := 0
		for _, n := range plan.Evaluations() {
			evaluations += n
		}
		if len(tries) != evaluations {
			t.Errorf("%d evaluations, planned were %d", len(tries), evaluations)
		}
		for what, n := range tries {
			if n > 1 {
				t.Errorf("%s was tried %d times", what, n)
			}
		}
		for _, trial := range result.Trials {
			if diff := cmp.Diff(Trial[point, string]{trial.Setting, trial.Rung, fmt.Sprint(trial.Setting, trial.Rung), drawn(1, trial.Setting, trial.Rung)}, trial); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		}
	})
}

// The result depends on the seed, and not on the number of processors or evaluations at a time.
func TestDeterminism(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	run := func(seed uint64, processors, parallel int) Result[point, string] {
		runtime.GOMAXPROCS(processors)
		result, err := Run(t.Context(), grid(), Plan{Settings: 150, Rungs: 3, Seed: seed, Parallel: parallel},
			table(func(p point, rung int) Score { return drawn(7, p, rung) }))
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	want := run(1, 1, 1)
	for processors, parallel := range map[int]int{1: 8, 2: 2, 8: 5} {
		if diff := cmp.Diff(want, run(1, processors, parallel)); diff != "" {
			t.Errorf("%d processors, %d at a time (-want +got):\n%s", processors, parallel, diff)
		}
	}
	if cmp.Equal(want, run(2, 1, 1)) {
		t.Error("another seed gives the same result")
	}
}

// The refinement finds the best point of a smooth function, or one next to it. Draws rarely do.
func TestRefinement(t *testing.T) {
	for seed := range uint64(20) {
		result, err := Run(t.Context(), grid(), Plan{Settings: 100, Rungs: 2, Seed: seed}, table(func(p point, _ int) Score {
			return Score{Cost: math.Hypot(float64(p[0]-21), float64(p[1]-42))}
		}))
		if err != nil {
			t.Fatal(err)
		}
		if best := result.Trials[result.Best]; best.Score.Cost > 1 {
			t.Errorf("seed %d: the best is %v", seed, best)
		}
	}
}

// A space that has fewer settings than planned is searched in full.
func TestSmallSpace(t *testing.T) {
	space := Space[point]{
		Draw: func(r *rand.Rand) point { return point{r.IntN(2), r.IntN(3)} },
		Near: func(point, float64) []point { return []point{{1, 2}, {5, 5}} },
		Name: func(p point) string { return fmt.Sprint(p) },
	}
	result, err := Run(t.Context(), space, Plan{Settings: 50, Rungs: 2, Parallel: 2}, table(func(p point, rung int) Score { return drawn(1, p, rung) }))
	if err != nil || len(result.Trials) != 7 {
		t.Errorf("%d settings, %v", len(result.Trials), err)
	}
}

// When its context ends, a search returns what it knows.
func TestInterrupted(t *testing.T) {
	for _, after := range []int{0, 1, 40, 90, 120} {
		ctx, cancel := context.WithCancel(t.Context())
		if after == 0 {
			cancel()
		}
		n := 0
		result, err := Run(ctx, grid(), Plan{Settings: 100, Rungs: 3}, func(ctx context.Context, p point, rung int) (int, Score, error) {
			if n++; n == after {
				cancel()
			}
			return n, Score{Cost: drawn(1, p, 0).Cost + float64(rung)}, ctx.Err() // larger parts cost more
		})
		cancel()
		if err != nil || !result.Partial {
			t.Errorf("after %d: partial %v, %v", after, result.Partial, err)
		}
		if after <= 1 && (len(result.Trials) > 0 || result.Best != -1) {
			t.Errorf("after %d: %v", after, result)
		}
		for _, trial := range result.Trials {
			if best := result.Trials[result.Best]; trial.Rung > best.Rung {
				t.Errorf("after %d: the best was tried on rung %d, and another setting on rung %d", after, best.Rung, trial.Rung)
			}
		}
		if after > 1 && (len(result.Trials) == 0 || result.Best < 0) {
			t.Errorf("after %d: there is no result", after)
		}
	}
}

func TestError(t *testing.T) {
	bad := errors.New("bad setting")
	_, err := Run(t.Context(), grid(), Plan{Settings: 100, Rungs: 3, Parallel: 2}, func(_ context.Context, p point, _ int) (int, Score, error) {
		if p == (point{63, 63}) {
			return 0, Score{}, bad
		}
		return 0, Score{}, nil
	})
	if !errors.Is(err, bad) {
		t.Errorf("err = %v", err)
	}
}
