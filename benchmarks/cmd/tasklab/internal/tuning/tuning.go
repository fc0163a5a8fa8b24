// Package tuning searches for the policy that meets objectives on one part of a workload at the
// least cost, and evaluates it on the other part.
package tuning

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/objective"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/policy"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/search"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// Problem is what to search for, and where.
type Problem struct {
	Objectives []objective.Objective // those of the user; there is at least one
	Minimise   objective.Quantity
	Parts      [2]Part // policies are chosen on the first and evaluated on the second
	Limits     policy.Limits
	Simulation []simulate.Option // of every replay
	Settings   int               // how many policies to try
	Margin     float64           // the share by which bounds are stricter when policies are chosen
	Seed       uint64
}

// Check returns an error if an objective, or the quantity to minimise, is about a key that does not
// occur in both parts, or if the objectives cannot all be met.
func (p *Problem) Check() error {
	for i, which := range []string{"first", "second"} {
		check := func(q objective.Quantity, what fmt.Stringer) error {
			if q.Keyed && !p.Parts[i].has(q.Key) {
				if !p.Parts[0].has(q.Key) && !p.Parts[1].has(q.Key) {
					which = "workload"
				} else {
					which += " part of the workload"
				}
				return fmt.Errorf("tasklab: %q: the key %q does not occur in the %s", what, q.Key, which)
			}
			return nil
		}
		for _, o := range p.Objectives {
			if err := check(o.Quantity, o); err != nil {
				return err
			}
		}
		if err := check(p.Minimise, p.Minimise); err != nil {
			return err
		}
	}
	return nil
}

// Outcome is what a replay says about a policy.
type Outcome struct {
	Cost      float64 // the quantity to minimise
	Quantity  float64 // the quantity of the first objective
	Violation float64 // of all objectives
	Strict    float64 // of all objectives with the margin
	Others    float64 // violation of all but the first
	Jobs      int
	Stalled   bool // jobs waited for ever; the other fields do not count
}

// stalled is the outcome of a policy that never runs some jobs.
var stalled = Outcome{Violation: math.MaxFloat64, Others: math.MaxFloat64, Cost: math.MaxFloat64, Quantity: math.MaxFloat64, Stalled: true}

// Tuner tunes. Its methods Progress and Tune may be called at the same time.
type Tuner struct {
	problem   Problem
	all       []objective.Objective // with the implied ones
	implied   []objective.Objective
	strict    []objective.Objective // with the margin
	rungs     []int
	replays   atomic.Int64 // that ended
	simulated atomic.Int64 // jobs
}

// New returns a tuner for a problem that Check accepts.
func New(p Problem) *Tuner {
	t := &Tuner{problem: p, rungs: search.Rungs(len(p.Parts[0].Jobs))}
	t.all, t.implied = objective.WithoutLosses(p.Objectives)
	for _, o := range t.all {
		t.strict = append(t.strict, o.Stricter(p.Margin))
	}
	return t
}

// Progress returns how many replays and jobs were simulated so far.
func (t *Tuner) Progress() (replays, jobs int) { return int(t.replays.Load()), int(t.simulated.Load()) }

// Planned returns how many replays and jobs will be simulated, without those on the second part.
func (t *Tuner) Planned() (replays, jobs int) {
	for rung, n := range t.plan().Evaluations() {
		replays += n
		jobs += n * t.rungs[rung]
	}
	return replays, jobs
}

// plan returns the plan of the search.
func (t *Tuner) plan() search.Plan {
	return search.Plan{Settings: t.problem.Settings, Rungs: len(t.rungs), Seed: t.problem.Seed, Parallel: runtime.GOMAXPROCS(0)}
}

// outcome returns what a report says.
func (t *Tuner) outcome(r simulate.Report) Outcome {
	return Outcome{
		Cost:      t.problem.Minimise.Of(r),
		Quantity:  t.all[0].Quantity.Of(r),
		Violation: objective.Violation(t.all, r),
		Strict:    objective.Violation(t.strict, r),
		Others:    objective.Violation(t.all[1:], r),
		Jobs:      r.Total.Jobs,
	}
}

// score returns the score of an outcome.
func (t *Tuner) score(o Outcome) search.Score {
	s := search.Score{Violation: o.Strict, Cost: o.Cost, Quality: o.Quantity}
	if t.all[0].AtLeast {
		s.Quality = -s.Quality
	}
	return s
}

// replay replays the first n jobs of a part under a policy.
func (t *Tuner) replay(ctx context.Context, p policy.Policy, part Part, n int) (simulate.Report, error) {
	if err := context.Cause(ctx); err != nil {
		return simulate.Report{}, err
	}
	var before int64
	progress := simulate.WithProgress(func(ended int) {
		t.simulated.Add(int64(ended) - before)
		before = int64(ended)
	})
	simulation := append(slices.Clip(t.problem.Simulation), progress)
	report, err := simulate.Run(ctx, part.workload(n), p.Start, simulation...)
	t.simulated.Add(int64(report.Total.Jobs-report.Total.Unfinished) - before)
	switch {
	case err != nil:
		return report, fmt.Errorf("tasklab: %s: %w", p, err)
	case report.Partial:
		return report, context.Cause(ctx)
	}
	t.replays.Add(1)
	return report, nil
}

// Tune searches, and evaluates the choice and the Pareto front. If ctx ends, the result covers what
// was found by then.
func (t *Tuner) Tune(ctx context.Context) (Result, error) {
	space, err := policy.NewSpace(t.problem.Limits)
	if err != nil {
		return Result{}, fmt.Errorf("tasklab: %w", err)
	}
	found, err := search.Run(ctx, space, t.plan(), func(ctx context.Context, p policy.Policy, rung int) (Outcome, search.Score, error) {
		report, err := t.replay(ctx, p, t.problem.Parts[0], t.rungs[rung])
		switch {
		case errors.Is(err, simulate.ErrStalled):
			return stalled, search.Score{Violation: stalled.Violation, Cost: stalled.Cost, Quality: stalled.Cost}, nil
		case err != nil:
			return Outcome{}, search.Score{}, err
		}
		o := t.outcome(report)
		return o, t.score(o), nil
	})
	if err != nil {
		return Result{}, err
	}
	result := t.describe()
	result.Interrupted = found.Partial
	for _, trial := range found.Trials {
		result.Trials = append(result.Trials, Trial{Policy: trial.Setting, Jobs: t.rungs[trial.Rung], Outcome: trial.Result})
	}
	if found.Best >= 0 {
		err = t.evaluate(ctx, &result, found)
	}
	result.Interrupted = ctx.Err() != nil
	_, result.Simulated = t.Progress()
	return result, err
}

// evaluate finds the front among the policies that were tried on as many jobs as the best one, and
// replays the choice and the front on the second part.
func (t *Tuner) evaluate(ctx context.Context, result *Result, found search.Result[policy.Policy, Outcome]) error {
	var peers []int
	var scores []search.Score
	for i, trial := range found.Trials {
		if trial.Rung == found.Trials[found.Best].Rung && trial.Result.Others == 0 {
			peers = append(peers, i)
			scores = append(scores, trial.Score)
		}
	}
	places := []int{found.Best}
	for _, i := range search.Front(scores) {
		result.Trials[peers[i]].Front = true
		if peers[i] != found.Best {
			places = append(places, peers[i])
		}
	}
	result.Trials[found.Best].Chosen = true
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	second := make([]*Outcome, len(result.Trials))
	for n, place := range places {
		g.Go(func() error {
			p := result.Trials[place].Policy
			report, err := t.replay(working, p, t.problem.Parts[1], len(t.problem.Parts[1].Jobs))
			switch {
			case errors.Is(err, simulate.ErrStalled):
				second[place] = &stalled
				return nil
			case err != nil:
				return err
			}
			o := t.outcome(report)
			second[place] = &o
			if n == 0 {
				result.Reports[1] = &report
			}
			return nil
		})
	}
	g.Go(func() error {
		report, err := t.replay(working, result.Trials[found.Best].Policy, t.problem.Parts[0], result.Trials[found.Best].Jobs)
		if err == nil {
			result.Reports[0] = &report
		}
		return err
	})
	err := g.Wait()
	for i := range second {
		result.Trials[i].Second = second[i]
	}
	if ctx.Err() != nil {
		return nil // the result is partial
	}
	return err
}
