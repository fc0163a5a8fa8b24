package settings

import (
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// Scaler decides how many workers there are.
type Scaler = scale.Scaler[scale.Snapshot]

// NewScaler makes a scaler. Each manager needs its own, since scalers keep state.
type NewScaler func() Scaler

const (
	stabiliseTime = 5 * time.Second
	tolerated     = 0.1
	newPerSecond  = 10
)

// Scalers are the scalers, and the decorators that modify their targets.
var Scalers = flagvalue.Menu[NewScaler]{
	Title: "With -scaler NAME, within the bounds, the number of workers is",
	Entries: []flagvalue.Named[NewScaler]{
		{
			Name:    "demand",
			Meaning: "one for each task that runs or waits",
			Value:   func() Scaler { return scale.Demand(1) },
		},
		{
			Name:    "fixed",
			Meaning: "always -max",
			Value:   func() Scaler { return scale.Fixed(0) },
		},
		{
			Name:    "step",
			Meaning: fmt.Sprintf("raised half-way to -max whenever a task has waited for %v", scale.DefaultStepWait),
			Value:   func() Scaler { return scale.Step(0) },
		},
		{
			Name:    "targetwait",
			Meaning: "large enough that 95% of the tasks start within 100ms",
			Value:   func() Scaler { return scale.TargetWait(scale.TargetWaitConfig{}) },
		},
		{
			Name:    "utilisation",
			Meaning: "such that each worker is busy for 70% of the time",
			Value:   func() Scaler { return scale.Utilisation(scale.UtilisationConfig{}) },
		},
		{
			Name: "probe",
			Meaning: fmt.Sprintf("raised or lowered by one every %v, in the direction that raises the throughput",
				scale.DefaultProbeInterval),
			Value: func() Scaler { return scale.Probe(0) },
		},
	},
	Variants: []flagvalue.Named[func(NewScaler) NewScaler]{
		{
			Name:    "stabilise",
			Meaning: fmt.Sprintf("the highest target of the last %v", stabiliseTime),
			Value: func(inner NewScaler) NewScaler {
				return func() Scaler { return scale.Stabilise(stabiliseTime, inner()) }
			},
		},
		{
			Name:    "tolerance",
			Meaning: fmt.Sprintf("without changes of %.0f%% or less", 100*tolerated),
			Value: func(inner NewScaler) NewScaler {
				return func() Scaler { return scale.Tolerance(tolerated, inner()) }
			},
		},
		{
			Name:    "ratelimit",
			Meaning: fmt.Sprintf("with at most %d new workers a second", newPerSecond),
			Value: func(inner NewScaler) NewScaler {
				return func() Scaler { return scale.RateLimit(newPerSecond, inner()) }
			},
		},
	},
}
