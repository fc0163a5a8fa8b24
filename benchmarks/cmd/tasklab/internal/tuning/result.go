package tuning

import (
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/objective"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/policy"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// Trial is a policy that was tried.
type Trial struct {
	Policy  policy.Policy
	Jobs    int      // of the first part, from its beginning
	Outcome Outcome  // on them
	Second  *Outcome // on the second part; nil if it was not evaluated there
	Front   bool     // belongs to the Pareto front
	Chosen  bool
}

// Result is the result of tuning.
type Result struct {
	Title      string // describes the workload
	More       bool   // the workload has more jobs than were read
	Restarts   bool   // jobs of the workload fail
	Objectives []objective.Objective
	Implied    []objective.Objective
	Minimise   objective.Quantity
	Margin     float64
	Parts      [2]Part
	Split      float64
	Seed       uint64

	Trials      []Trial
	Simulated   int                 // jobs
	Reports     [2]*simulate.Report // of the choice, on both parts; nil if it was not evaluated there
	Interrupted bool
}

// describe returns a result without trials.
func (t *Tuner) describe() Result {
	p := t.problem
	r := Result{Objectives: p.Objectives, Implied: t.implied, Minimise: p.Minimise, Margin: p.Margin, Parts: p.Parts, Seed: p.Seed}
	for _, part := range p.Parts {
		r.Restarts = r.Restarts || slices.ContainsFunc(part.Jobs, func(j simulate.Job) bool { return j.Fails > 0 })
	}
	return r
}

// choice returns the chosen trial, or nil if none was tried.
func (r *Result) choice() *Trial {
	i := slices.IndexFunc(r.Trials, func(t Trial) bool { return t.Chosen })
	if i < 0 {
		return nil
	}
	return &r.Trials[i]
}

// front returns the trials of the Pareto front in the order of their costs, without repetitions of
// the same costs and qualities.
func (r *Result) front() (front []*Trial) {
	for i := range r.Trials {
		if r.Trials[i].Front {
			front = append(front, &r.Trials[i])
		}
	}
	slices.SortStableFunc(front, func(a, b *Trial) int {
		switch {
		case a.Outcome.Cost != b.Outcome.Cost:
			return sign(a.Outcome.Cost - b.Outcome.Cost)
		case a.Chosen:
			return -1
		case b.Chosen:
			return 1
		default:
			return 0
		}
	})
	return slices.CompactFunc(front, func(a, b *Trial) bool { return a.Outcome == b.Outcome })
}

func sign(d float64) int {
	if d < 0 {
		return -1
	}
	return 1
}

// Met reports whether the choice meets all objectives on all of the first part.
func (r *Result) Met() bool {
	c := r.choice()
	return c != nil && c.Outcome.Violation == 0 && c.Jobs == len(r.Parts[0].Jobs)
}

// MetSecond reports whether the choice meets all objectives on the second part.
func (r *Result) MetSecond() bool {
	c := r.choice()
	return c != nil && c.Second != nil && c.Second.Violation == 0
}

// all returns all objectives.
func (r *Result) all() []objective.Objective { return slices.Concat(r.Objectives, r.Implied) }

// quantities returns what the table of the choice shows: what the user asked about, and the rest.
func (r *Result) quantities() (all []objective.Quantity) {
	add := func(q objective.Quantity) {
		if !slices.Contains(all, q) {
			all = append(all, q)
		}
	}
	for _, o := range r.Objectives {
		add(o.Quantity)
	}
	add(r.Minimise)
	for _, text := range []string{
		"mean wait", "p50 wait", "p95 wait", "p99 wait", "max wait", "p99 sojourn", "mean run", "worker-seconds", "peak workers", "turns",
		"shed", "dropped", "failed", "late", "jain",
	} {
		q, err := objective.ParseQuantity(text)
		if err != nil {
			panic(err) // the list is wrong
		}
		add(q)
	}
	return all
}

// seconds returns a value for JSON: durations in seconds.
func seconds(q objective.Quantity, v float64) float64 {
	if q.Unit() == objective.Duration {
		return v / float64(time.Second)
	}
	return v
}

// Any reports whether any setting was tried.
func (r *Result) Any() bool { return r.choice() != nil }
