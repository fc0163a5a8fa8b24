package settings

import (
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// NewRestart makes a restart policy. Each manager needs its own, since some
// policies keep state.
type NewRestart func() restart.Policy

const (
	constantDelay   = 100 * time.Millisecond
	intensityWindow = 5 * time.Second // with one restart, the default of OTP's supervisors
	budgetBurst     = 10
	budgetTasks     = 10
)

// Restarts are the policies that decide when, and whether, a file that could not
// be read is tried again.
var Restarts = flagvalue.Menu[NewRestart]{
	Title: "With -restart NAME, a file that could not be read is tried again",
	Entries: []flagvalue.Named[NewRestart]{
		{
			Name:    "exponential",
			Meaning: fmt.Sprintf("at once, and then after random delays that grow up to %v", restart.DefaultCap),
			Value:   restart.Default,
		},
		{
			Name:    "constant",
			Meaning: fmt.Sprintf("after %v each time", constantDelay),
			Value:   func() restart.Policy { return restart.Constant(constantDelay) },
		},
		{
			Name: "decorrelated",
			Meaning: fmt.Sprintf("after random delays that grow from %v up to %v, including the first",
				restart.DefaultBase, restart.DefaultCap),
			Value: func() restart.Policy { return restart.Decorrelated(0, 0) },
		},
		{
			Name:    "never",
			Meaning: "not at all",
			Value:   restart.Never,
		},
		{
			Name:    "intensity",
			Meaning: fmt.Sprintf("as exponential, but each file at most once in %v", intensityWindow),
			Value:   func() restart.Policy { return restart.Intensity(1, intensityWindow, nil) },
		},
		{
			Name: "budget",
			Meaning: fmt.Sprintf("as exponential, but over all files at most %d times, plus once for each %d files started",
				budgetBurst, budgetTasks),
			Value: func() restart.Policy { return restart.Budget(1.0/budgetTasks, budgetBurst, nil) },
		},
	},
}
