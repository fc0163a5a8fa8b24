package policy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/search"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Limits are the limits of a search space.
type Limits struct {
	Queues   []flagvalue.Setting[taskmanager.Discipline]
	Scalers  []flagvalue.Setting[settings.NewScaler]
	Min, Max int     // no policy has fewer or more workers
	Load     float64 // fewer workers cannot keep up; 0 if it is not known
	Common   settings.Common
	KeepIdle bool // all policies have the idle timeout of Common; otherwise it is searched for
}

// DefaultIdleTimeout is the idle timeout of the default policies. It is the default of a manager.
const DefaultIdleTimeout = 10 * time.Second

// idleTimeout is the range of idle timeouts.
var idleTimeout = flagvalue.Parameter{Name: "idle", Kind: flagvalue.Duration, Tune: flagvalue.Times(100*time.Millisecond, time.Minute)}

// space is a search space.
type space struct {
	limits          Limits
	queues, scalers []form
}

// NewSpace returns the search space within limits. It has the queues and scalers, with the
// parameters that are not given, and the minimum and maximum of workers and the idle timeout. An
// error says which queue or scaler the manager refuses.
func NewSpace(limits Limits) (search.Space[Policy], error) {
	s := &space{limits: limits}
	for _, q := range limits.Queues {
		s.queues = append(s.queues, newForm(&settings.Disciplines, q.Name))
	}
	for _, scaler := range limits.Scalers {
		s.scalers = append(s.scalers, newForm(&settings.Scalers, scaler.Name))
	}
	defaults := s.defaults()
	for _, p := range defaults {
		if err := p.try(); err != nil {
			return search.Space[Policy]{}, fmt.Errorf("-queue %s, -scaler %s: %w", p.Queue.Name, p.Scaler.Name, err)
		}
	}
	return search.Space[Policy]{Defaults: defaults, Draw: s.draw, Near: s.near, Name: Policy.String}, nil
}

// most is the range of the maximum number of workers.
func (s *space) most() flagvalue.Parameter {
	least := min(max(1, s.limits.Min, int(math.Ceil(s.limits.Load))), s.limits.Max)
	return flagvalue.Parameter{Kind: flagvalue.Count, Tune: flagvalue.Range{From: float64(least), To: float64(s.limits.Max)}}
}

// least is the range of the minimum number of workers, below a maximum.
func (s *space) least(most int) flagvalue.Parameter {
	return flagvalue.Parameter{Kind: flagvalue.Count, Tune: flagvalue.Range{From: float64(max(1, s.limits.Min)), To: float64(most)}}
}

// defaults returns a policy for each queue and scaler, with the widest bounds on the workers.
func (s *space) defaults() (all []Policy) {
	for q := range s.queues {
		for scaler := range s.scalers {
			all = append(all, s.build(gene{
				queue: q, scaler: scaler, least: s.limits.Min, most: s.limits.Max, idle: DefaultIdleTimeout,
				values: slices.Concat(s.queues[q].defaults(), s.scalers[scaler].defaults()),
			}))
		}
	}
	return all
}

// gene is what the search varies.
type gene struct {
	queue, scaler int // places in the lists of the space
	least, most   int
	idle          time.Duration
	values        []float64 // of the parameters of the queue, and then of the scaler
}

// parameters returns the parameters that the values are for.
func (s *space) parameters(g gene) []flagvalue.Parameter {
	return slices.Concat(s.queues[g.queue].chosen, s.scalers[g.scaler].chosen)
}

// build makes the policy of a gene.
func (s *space) build(g gene) Policy {
	ofQueue := len(s.queues[g.queue].chosen)
	queue, err := settings.Disciplines.Find(s.queues[g.queue].word(g.values[:ofQueue]))
	if err != nil {
		panic(fmt.Sprintf("tasklab: a value for tuning is not allowed: %v", err))
	}
	scaler, err := settings.Scalers.Find(s.scalers[g.scaler].word(g.values[ofQueue:]))
	if err != nil {
		panic(fmt.Sprintf("tasklab: a value for tuning is not allowed: %v", err))
	}
	if s.limits.KeepIdle {
		g.idle = s.limits.Common.IdleTimeout
	}
	if s.constant(g) { // the other values do not matter
		g.least, g.idle = g.most, DefaultIdleTimeout
	}
	common := s.limits.Common
	common.IdleTimeout = g.idle
	return Policy{settings.Candidate{Queue: queue, Scaler: scaler, Min: g.least, Max: g.most, Common: &common}, g}
}

// constant reports whether the number of workers is always the maximum.
func (s *space) constant(g gene) bool { return s.limits.Scalers[g.scaler].Name == "fixed" }

// draw returns a random policy.
func (s *space) draw(random *rand.Rand) Policy {
	for range 1000 {
		if p := s.drawAny(random); p.try() == nil {
			return p
		}
	}
	return s.defaults()[0]
}

// drawAny returns a random policy. Values of its parameters may exclude each other.
func (s *space) drawAny(random *rand.Rand) Policy {
	g := gene{queue: random.IntN(len(s.queues)), scaler: random.IntN(len(s.scalers))}
	g.most = count(s.most(), random.Float64())
	g.least = s.minimum(g.most, random.Float64())
	g.idle = time.Duration(idleTimeout.At(random.Float64()))
	for _, p := range s.parameters(g) {
		v := p.Default
		if place := random.Float64(); p.Tunable() {
			v = p.At(place)
		}
		g.values = append(g.values, v)
	}
	return s.build(g)
}

// count returns the whole number at a place.
func count(p flagvalue.Parameter, place float64) int { return int(p.At(place)) }

// minimum returns the minimum number of workers at a place. If it may be 0, that is at the
// beginning.
func (s *space) minimum(most int, place float64) int {
	if s.limits.Min == 0 && place <= 0.1 {
		return 0
	}
	return count(s.least(most), place)
}

// near returns the policies that differ from one in one respect.
func (s *space) near(from Policy, step float64) (all []Policy) {
	add := func(change func(g *gene)) {
		g := from.gene
		g.values = slices.Clone(g.values)
		change(&g)
		if p := s.build(g); p.try() == nil {
			all = append(all, p)
		}
	}
	for _, step := range []float64{-step, step} {
		add(func(g *gene) {
			g.most = move(s.most(), g.most, step)
			g.least = min(g.least, g.most)
		})
		if !s.constant(from.gene) {
			add(func(g *gene) {
				place := place(s.least(g.most), float64(g.least)) + step
				if g.least = s.minimum(g.most, place); g.least == from.Min {
					g.least = move(s.least(g.most), g.least, step)
				}
			})
			add(func(g *gene) { g.idle = time.Duration(idleTimeout.At(place(idleTimeout, float64(g.idle)) + step)) })
		}
		for i, p := range s.parameters(from.gene) {
			if p.Tunable() {
				add(func(g *gene) { g.values[i] = p.At(place(p, g.values[i]) + step) })
			}
		}
	}
	return all
}

// move returns the number at a distance from another, and at least the next number.
func move(p flagvalue.Parameter, from int, step float64) int {
	to := count(p, place(p, float64(from))+step)
	if next := from + int(math.Copysign(1, step)); to == from && float64(next) >= p.Tune.From && float64(next) <= p.Tune.To {
		return next
	}
	return to
}

// place returns the place of a value in the range of a parameter: it inverts
// [flagvalue.Parameter.At].
func place(p flagvalue.Parameter, v float64) float64 {
	r := p.Tune
	v = min(max(v, r.From), r.To)
	switch {
	case r.To == r.From:
		return 0
	case r.Even:
		return (v - r.From) / (r.To - r.From)
	default:
		return math.Log(v/r.From) / math.Log(r.To/r.From)
	}
}
