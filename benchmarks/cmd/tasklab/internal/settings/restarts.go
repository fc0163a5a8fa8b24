package settings

import (
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// NewRestart makes a restart policy. Each manager needs its own, since some
// policies keep state.
type NewRestart func() restart.Policy

// Restarts are the policies that decide when, and whether, a task that failed is
// tried again.
var Restarts = flagvalue.Menu[NewRestart]{
	Title:  "With -restart NAME, a task that failed is tried again",
	Option: "taskmanager.WithRestart($value)",
	Entries: []flagvalue.Entry[NewRestart]{
		{
			Name:       "exponential",
			Meaning:    "at once, and then after random delays whose bound doubles",
			Parameters: backoff(),
			Make: func(v flagvalue.Values) NewRestart {
				return func() restart.Policy { return restart.Exponential(v.Duration(0), v.Duration(1)) }
			},
			Code: "restart.Exponential($base, $cap)",
		},
		{
			Name:    "constant",
			Meaning: "after the same delay each time",
			Parameters: []flagvalue.Parameter{
				interval("delay", "the delay", 100*time.Millisecond, time.Millisecond, time.Minute),
			},
			Make: func(v flagvalue.Values) NewRestart {
				return func() restart.Policy { return restart.Constant(v.Duration(0)) }
			},
			Code: "restart.Constant($delay)",
		},
		{
			Name:       "decorrelated",
			Meaning:    "after random delays that grow, including the first",
			Parameters: backoff(),
			Make: func(v flagvalue.Values) NewRestart {
				return func() restart.Policy { return restart.Decorrelated(v.Duration(0), v.Duration(1)) }
			},
			Code: "restart.Decorrelated($base, $cap)",
		},
		{
			Name:    "never",
			Meaning: "not at all",
			Make:    flagvalue.Always[NewRestart](restart.Never),
			Code:    "restart.Never()",
		},
		{
			Name:    "intensity",
			Meaning: "as exponential, but each task not too often",
			Parameters: []flagvalue.Parameter{
				{
					Name: "restarts", Kind: flagvalue.Count, Default: 1, Least: 1, Most: 1000,
					Meaning: "the most restarts of a task", Tune: flagvalue.Range{From: 1, To: 20},
				},
				interval("window", "the time in which that many are allowed", 5*time.Second, time.Second, 5*time.Minute), // the defaults of OTP's supervisors
			},
			Make: func(v flagvalue.Values) NewRestart {
				return func() restart.Policy { return restart.Intensity(v.Count(0), v.Duration(1), nil) }
			},
			Code: "restart.Intensity($restarts, $window, nil)",
		},
		{
			Name:    "budget",
			Meaning: "as exponential, but not too many restarts of all tasks together",
			Parameters: []flagvalue.Parameter{
				{
					Name: "percent", Kind: flagvalue.Percent, Default: 10, Least: 0.1, Most: 100,
					Meaning: "restarts for each hundred tasks that start", Tune: flagvalue.Range{From: 1, To: 50, Even: true},
				},
				{
					Name: "burst", Kind: flagvalue.Count, Default: 10, Least: 1, Most: 1 << 30,
					Meaning: "restarts beyond those", Tune: flagvalue.Range{From: 1, To: 100},
				},
			},
			Make: func(v flagvalue.Values) NewRestart {
				return func() restart.Policy { return restart.Budget(v.Fraction(0), v.Count(1), nil) }
			},
			Code: "restart.Budget($percent, $burst, nil)",
		},
	},
}

// backoff declares the parameters of policies with growing delays.
func backoff() []flagvalue.Parameter {
	return []flagvalue.Parameter{
		interval("base", "the bound of the first random delay", restart.DefaultBase, time.Millisecond, 10*time.Second),
		interval("cap", "the longest delay", restart.DefaultCap, 100*time.Millisecond, 5*time.Minute),
	}
}
