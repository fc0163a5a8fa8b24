package settings

import (
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// Scaler decides how many workers there are.
type Scaler = scale.Scaler[scale.Snapshot]

// NewScaler makes a scaler. Each manager needs its own, since scalers keep state.
type NewScaler func() Scaler

// The bounds of durations.
const (
	shortest = float64(time.Microsecond)
	longest  = float64(24 * time.Hour)
)

// interval declares a parameter that is a duration, with the range for tuning.
func interval(name, meaning string, absent, from, to time.Duration) flagvalue.Parameter {
	return flagvalue.Parameter{
		Name: name, Kind: flagvalue.Duration, Default: float64(absent), Least: shortest, Most: longest,
		Meaning: meaning, Tune: flagvalue.Times(from, to),
	}
}

// Scalers are the scalers, and the decorators that modify their targets.
var Scalers = flagvalue.Menu[NewScaler]{
	Title:    "With -scaler NAME, within the bounds, the number of workers is",
	Option:   "taskmanager.WithScaler($value)",
	Entries:  scalers,
	Variants: decorators,
}

var scalers = []flagvalue.Entry[NewScaler]{
	{
		Name:    "demand",
		Meaning: "one for each task that runs, and one for each backlog of tasks that wait",
		Parameters: []flagvalue.Parameter{{
			Name: "backlog", Kind: flagvalue.Count, Default: 1, Least: 1, Most: 1_000_000,
			Meaning: "how many waiting tasks need another worker", Tune: flagvalue.Range{From: 1, To: 32},
		}},
		Make: func(v flagvalue.Values) NewScaler { return func() Scaler { return scale.Demand(v.Count(0)) } },
		Code: "scale.Demand($backlog)",
	},
	{
		Name:    "fixed",
		Meaning: "always the same",
		Parameters: []flagvalue.Parameter{{
			Name: "workers", Kind: flagvalue.Count, Default: 0, Absent: "-max", Least: 1, Most: 1_000_000,
			Meaning: "their number", Tune: flagvalue.Range{From: 1, To: 256},
		}},
		Make: func(v flagvalue.Values) NewScaler { return func() Scaler { return scale.Fixed(v.Count(0)) } },
		Code: "scale.Fixed($workers)",
	},
	{
		Name:    "step",
		Meaning: "raised half-way to -max whenever a task has waited for too long",
		Parameters: []flagvalue.Parameter{
			interval("wait", "how long is too long", scale.DefaultStepWait, 10*time.Millisecond, 10*time.Second),
		},
		Make: func(v flagvalue.Values) NewScaler { return func() Scaler { return scale.Step(v.Duration(0)) } },
		Code: "scale.Step($wait)",
	},
	{
		Name:    "targetwait",
		Meaning: "large enough that most tasks start in time",
		Parameters: []flagvalue.Parameter{
			interval("wait", "the time in which they should start", 100*time.Millisecond, 5*time.Millisecond, 10*time.Second),
			{
				Name: "percent", Kind: flagvalue.Percent, Default: 95, Least: 1, Most: 99.99,
				Meaning: "how many should start in time", Tune: flagvalue.Range{From: 80, To: 99.5, Even: true},
			},
			interval("window", "the time over which the load is measured; five service times if they are longer",
				5*time.Second, 500*time.Millisecond, time.Minute),
		},
		Make: func(v flagvalue.Values) NewScaler {
			return func() Scaler {
				return scale.TargetWait(scale.TargetWaitConfig{Wait: v.Duration(0), Share: v.Fraction(1), Window: v.Duration(2)})
			}
		},
		Code: "scale.TargetWait(scale.TargetWaitConfig{Wait: $wait, Share: $percent, Window: $window})",
	},
	{
		Name:    "utilisation",
		Meaning: "such that workers are busy for a share of the time",
		Parameters: []flagvalue.Parameter{
			{
				Name: "percent", Kind: flagvalue.Percent, Default: 70, Least: 1, Most: 100,
				Meaning: "the percentage of the time", Tune: flagvalue.Range{From: 20, To: 95, Even: true},
			},
			{
				Name: "window", Kind: flagvalue.Duration, Default: float64(6 * time.Second), Least: float64(600 * time.Millisecond), Most: longest,
				Meaning: "the time over which the load is averaged", Tune: flagvalue.Times(time.Second, time.Minute),
			},
		},
		Make: func(v flagvalue.Values) NewScaler {
			return func() Scaler {
				return scale.Utilisation(scale.UtilisationConfig{Target: v.Fraction(0), Stable: v.Duration(1)})
			}
		},
		Code: "scale.Utilisation(scale.UtilisationConfig{Target: $percent, Stable: $window})",
	},
	{
		Name:    "probe",
		Meaning: "raised or lowered by one from time to time, in the direction that raises the throughput",
		Parameters: []flagvalue.Parameter{
			interval("interval", "how often", scale.DefaultProbeInterval, 100*time.Millisecond, time.Minute),
		},
		Make: func(v flagvalue.Values) NewScaler { return func() Scaler { return scale.Probe(v.Duration(0)) } },
		Code: "scale.Probe($interval)",
	},
}

var decorators = []flagvalue.Variant[NewScaler]{
	{
		Name:    "stabilise",
		Meaning: "the highest target of the recent past",
		Parameters: []flagvalue.Parameter{
			interval("time", "how long that is", 5*time.Second, 100*time.Millisecond, 5*time.Minute),
		},
		Make: func(v flagvalue.Values, inner NewScaler) NewScaler {
			return func() Scaler { return scale.Stabilise(v.Duration(0), inner()) }
		},
		Code: "scale.Stabilise($time, $inner)",
	},
	{
		Name:    "tolerance",
		Meaning: "without small changes",
		Parameters: []flagvalue.Parameter{{
			Name: "percent", Kind: flagvalue.Percent, Default: 10, Least: 0, Most: 99,
			Meaning: "the largest change that is ignored", Tune: flagvalue.Range{From: 1, To: 50, Even: true},
		}},
		Make: func(v flagvalue.Values, inner NewScaler) NewScaler {
			return func() Scaler { return scale.Tolerance(v.Fraction(0), inner()) }
		},
		Code: "scale.Tolerance($percent, $inner)",
	},
	{
		Name:    "ratelimit",
		Meaning: "with a limit on new workers",
		Parameters: []flagvalue.Parameter{{
			Name: "rate", Kind: flagvalue.Number, Default: 10, Least: 0.001, Most: 1e6,
			Meaning: "the most new workers a second", Tune: flagvalue.Range{From: 0.5, To: 100},
		}},
		Make: func(v flagvalue.Values, inner NewScaler) NewScaler {
			return func() Scaler { return scale.RateLimit(v.Number(0), inner()) }
		},
		Code: "scale.RateLimit($rate, $inner)",
	},
}
