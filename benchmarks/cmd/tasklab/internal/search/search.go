// Package search looks for the best setting of a system whose behaviour can only be tried.
//
// The method has two steps. The first is successive halving (K. Jamieson, A. Talwalkar:
// Non-stochastic Best Arm Identification and Hyperparameter Optimization, AISTATS 2016), as in one
// bracket of Hyperband (L. Li et al., Journal of Machine Learning Research 18, 2018). Default and
// randomly drawn settings are tried on a small part of a workload; the better third is tried on a
// part three times as large, and so on, until the last ones are tried on all of it. The second step
// refines the best ones: it tries the settings around a setting, each of which differs from it in one
// parameter, moves to the best of them, and halves the distance when none is better.
//
// The same seed gives the same result, however many evaluations run at the same time.
package search

import (
	"context"
	"math/rand/v2"
	"slices"

	"golang.org/x/sync/errgroup"
)

const (
	// eta is the factor by which the part of the workload grows and the number of settings falls
	// from one rung to the next. The values 3 and 4 are usual.
	eta = 3

	// leastJobs is the size of the smallest rung. Percentiles of fewer jobs say little.
	leastJobs = 500

	// refining is the share of the settings that is kept for the refinement.
	refining = 0.25

	// The refinement begins with steps of a quarter of the range of a parameter.
	firstStep, lastStep = 1.0 / 4, 1.0 / 64
)

// Rungs returns how many jobs each rung has, for a workload of n jobs: n, n/3, n/9 and, for large
// workloads, n/27, in ascending order.
func Rungs(n int) []int {
	rungs := []int{n}
	for size := n / eta; size >= leastJobs && len(rungs) < 4; size /= eta {
		rungs = append(rungs, size)
	}
	slices.Reverse(rungs)
	return rungs
}

// Space describes the settings among which to search.
type Space[S any] struct {
	Defaults []S                         // are tried in any case
	Draw     func(random *rand.Rand) S   // returns a random setting
	Near     func(s S, step float64) []S // returns the settings at a distance, as a fraction of a range, in one parameter
	Name     func(s S) string            // tells settings apart
}

// Plan says how to search.
type Plan struct {
	Settings int    // how many settings to try
	Rungs    int    // how many parts of the workload there are, each contained in the next
	Seed     uint64 // of the random settings
	Parallel int    // how many evaluations may run at the same time
}

// first returns how many settings the first step tries.
func (p Plan) first() int { return max(p.Settings-int(refining*float64(p.Settings)), 1) }

// Evaluations returns how many evaluations each rung has if the plan is fulfilled.
func (p Plan) Evaluations() (of []int) {
	n := p.first()
	for range p.Rungs {
		of = append(of, n)
		n = promoted(n)
	}
	of[p.Rungs-1] += p.Settings - p.first()
	return of
}

// promoted returns how many of n trials the next rung has.
func promoted(n int) int { return (n + eta - 1) / eta }

// Evaluate tries a setting on a part of the workload, counted from 0. It is called by several
// goroutines at the same time. An error ends the search.
type Evaluate[S, R any] func(ctx context.Context, s S, rung int) (R, Score, error)

// Trial is a setting that was tried.
type Trial[S, R any] struct {
	Setting S
	Rung    int   // the largest part of the workload on which it was tried, or -1 for none
	Result  R     // there
	Score   Score // there
}

// Result is the result of a search.
type Result[S, R any] struct {
	Trials  []Trial[S, R] // in the order in which they were chosen
	Best    int           // the place of the best trial on the largest part that any was tried on; -1 if there is none
	Partial bool          // the search was ended early
}

// searcher is a search in progress.
type searcher[S, R any] struct {
	space    Space[S]
	plan     Plan
	evaluate Evaluate[S, R]
	trials   []Trial[S, R]
	known    map[string]bool // names of the trials
}

// Run searches until the plan is fulfilled, all settings near the best ones are tried, or ctx ends.
// In the last case the result is partial, and there is no error.
func Run[S, R any](ctx context.Context, space Space[S], plan Plan, evaluate Evaluate[S, R]) (Result[S, R], error) {
	s := &searcher[S, R]{space: space, plan: plan, evaluate: evaluate, known: make(map[string]bool)}
	err := s.halve(ctx)
	if err == nil {
		err = s.refine(ctx)
	}
	interrupted := ctx.Err() != nil
	if interrupted {
		err = nil
	}
	tried := slices.DeleteFunc(s.trials, func(t Trial[S, R]) bool { return t.Rung < 0 })
	return Result[S, R]{Trials: tried, Best: best(tried), Partial: interrupted}, err
}

// best returns the place of the best trial on the largest rung.
func best[S, R any](trials []Trial[S, R]) int {
	if len(trials) == 0 {
		return -1
	}
	return sorted(len(trials), func(a, b int) int {
		if d := trials[b].Rung - trials[a].Rung; d != 0 {
			return d
		}
		return trials[a].Score.Compare(trials[b].Score)
	})[0]
}

// sorted returns the numbers below n in an order. Equal ones keep theirs.
func sorted(n int, order func(a, b int) int) []int {
	places := make([]int, n)
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, order)
	return places
}

// halve is the first step.
func (s *searcher[S, R]) halve(ctx context.Context) error {
	first := s.plan.first()
	random := rand.New(rand.NewPCG(s.plan.Seed, 0))
	for _, d := range s.space.Defaults {
		if len(s.trials) < first {
			s.add(d)
		}
	}
	const futile = 100 // draws of known settings: there are few others
	for failed := 0; len(s.trials) < first && failed < futile; {
		if s.add(s.space.Draw(random)) {
			failed = 0
		} else {
			failed++
		}
	}
	running := make([]int, len(s.trials))
	for i := range running {
		running[i] = i
	}
	for rung := range s.plan.Rungs {
		if err := s.try(ctx, running, rung); err != nil {
			return err
		}
		if rung < s.plan.Rungs-1 {
			running = s.promote(running)
		}
	}
	return nil
}

// add adds a trial and reports whether it is new.
func (s *searcher[S, R]) add(setting S) bool {
	name := s.space.Name(setting)
	if s.known[name] {
		return false
	}
	s.known[name] = true
	s.trials = append(s.trials, Trial[S, R]{Setting: setting, Rung: -1})
	return true
}

// try evaluates trials on a rung.
func (s *searcher[S, R]) try(ctx context.Context, places []int, rung int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(s.plan.Parallel, 1))
	for _, i := range places {
		g.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			t := &s.trials[i]
			result, score, err := s.evaluate(ctx, t.Setting, rung)
			if err != nil {
				return err
			}
			t.Result, t.Score, t.Rung = result, score, rung
			return nil
		})
	}
	return g.Wait()
}

// promote selects the trials for the next rung. Half of the places go to those with the best
// scores. The others go to members of the Pareto front, spread evenly over it: a setting that is
// the cheapest on a part of the workload may fail on all of it, and the front has those with more
// reserve.
func (s *searcher[S, R]) promote(running []int) []int {
	room := promoted(len(running))
	scores := make([]Score, len(running))
	for i, place := range running {
		scores[i] = s.trials[place].Score
	}
	order := sorted(len(running), func(a, b int) int { return scores[a].Compare(scores[b]) })
	chosen := make(map[int]bool)
	for _, i := range order[:(room+1)/2] {
		chosen[i] = true
	}
	front := slices.DeleteFunc(Front(scores), func(i int) bool { return chosen[i] })
	for i, left := 0, min(room-len(chosen), len(front)); i < left; i++ {
		chosen[front[i*len(front)/left]] = true
	}
	for _, i := range order {
		if len(chosen) < room {
			chosen[i] = true
		}
	}
	var next []int
	for i, place := range running {
		if chosen[i] {
			next = append(next, place)
		}
	}
	return next
}

// refine is the second step. It begins at the best trial; when it has reached a local optimum, it
// continues at the best of those at which it has not been.
func (s *searcher[S, R]) refine(ctx context.Context) error {
	last := s.plan.Rungs - 1
	been := make(map[int]bool)
	for len(s.trials) < s.plan.Settings {
		order := sorted(len(s.trials), func(a, b int) int { return s.trials[a].Score.Compare(s.trials[b].Score) })
		at := slices.IndexFunc(order, func(i int) bool { return s.trials[i].Rung == last && !been[i] })
		if at < 0 {
			return nil
		}
		if err := s.climb(ctx, order[at], been); err != nil {
			return err
		}
	}
	return nil
}

// climb moves from a trial to better ones near it.
func (s *searcher[S, R]) climb(ctx context.Context, at int, been map[int]bool) error {
	been[at] = true
	for step := firstStep; step >= lastStep && len(s.trials) < s.plan.Settings; {
		var added []int
		for _, setting := range s.space.Near(s.trials[at].Setting, step) {
			if len(s.trials) < s.plan.Settings && s.add(setting) {
				added = append(added, len(s.trials)-1)
			}
		}
		if err := s.try(ctx, added, s.plan.Rungs-1); err != nil {
			return err
		}
		better := at
		for _, i := range added {
			if s.trials[i].Score.Compare(s.trials[better].Score) < 0 {
				better = i
			}
		}
		if better == at {
			step /= 2
		}
		at = better
		been[at] = true
	}
	return nil
}
