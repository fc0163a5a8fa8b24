package main

import (
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// disciplines are the orders in which files that wait can be read. What they
// order by are the attributes of a fileTask.
var disciplines = []named[taskmanager.Discipline]{
	{"fifo", "the one that was found first", taskmanager.FIFO()},
	{"lifo", "the one that was found last", taskmanager.LIFO()},
	{"priority", fmt.Sprintf("the smallest; but a larger one lets at most %d pass for each doubling of the size", ageing), taskmanager.Priority(ageing)},
	{"deadline", fmt.Sprintf("the most urgent; a file is due %v + %v per KiB after it was found", leastAllowance, allowancePerKiB), taskmanager.Deadline(0)},
	{"fair", "one from the top-level folder whose turn it is; all get equal shares of the bytes", taskmanager.Fair(nil)},
	{"codel", "as fifo; but in overload those that have waited for too long are shed, that is not read", taskmanager.CoDel(taskmanager.CoDelConfig{})},
}

// overflows are what can be done with a file when the queue is full. Reject is
// none of them: the walk would have to do one of these then.
var overflows = []named[taskmanager.Overflow]{
	{"block", "the walk waits", taskmanager.Block},
	{"drop-newest", "that file is dropped, that is not read", taskmanager.DropNewest},
	{"drop-oldest", "the file that has waited longest is dropped", taskmanager.DropOldest},
	{"drop-worst", "the file is dropped that -queue can best do without, as a rule the last in its order", taskmanager.DropWorst},
	{"caller-runs", "the walk reads that file itself", taskmanager.CallerRuns},
}

// newScaler makes a scaler. It is made anew for each manager, since it keeps state.
type newScaler func() scaler

type scaler = scale.Scaler[scale.Snapshot]

// scalers are the ways to find the number of workers that there should be.
var scalers = []named[newScaler]{
	{"demand", "one for each task that runs or waits", func() scaler { return scale.Demand(1) }},
	{"fixed", "as many as -max allows, all the time", func() scaler { return scale.Fixed(0) }},
	{"step", fmt.Sprintf("half-way to -max whenever a task has waited for %v", scale.DefaultStepWait), func() scaler { return scale.Step(0) }},
	{"targetwait", "as many as let 95% of the tasks begin within 100ms", func() scaler {
		return scale.TargetWait(scale.TargetWaitConfig{})
	}},
	{"utilisation", "as many as are each busy for 70% of the time", func() scaler {
		return scale.Utilisation(scale.UtilisationConfig{})
	}},
	{"probe", fmt.Sprintf("one more or less each %v, in the direction that raises the throughput", scale.DefaultProbeInterval), func() scaler { return scale.Probe(0) }},
}

// scalerVariants are what can be done with the target of a scaler.
var scalerVariants = []named[func(newScaler) newScaler]{
	{"stabilise", fmt.Sprintf("the most that it came to in the last %v", stabiliseTime), func(inner newScaler) newScaler {
		return func() scaler { return scale.Stabilise(stabiliseTime, inner()) }
	}},
	{"tolerance", fmt.Sprintf("no change if it would be one of %.0f%% or less", 100*tolerated), func(inner newScaler) newScaler {
		return func() scaler { return scale.Tolerance(tolerated, inner()) }
	}},
	{"ratelimit", fmt.Sprintf("no more than %d new ones a second", newPerSecond), func(inner newScaler) newScaler {
		return func() scaler { return scale.RateLimit(newPerSecond, inner()) }
	}},
}

const (
	stabiliseTime = 5 * time.Second
	tolerated     = 0.1
	newPerSecond  = 10
)

// newRestart makes a restart policy. It is made anew for each manager, since some
// keep state.
type newRestart func() restart.Policy

// restarts are the ways to find out when a file that could not be read is tried
// again, if at all.
var restarts = []named[newRestart]{
	{"exponential", fmt.Sprintf("at once, and then after random times that grow up to %v", restart.DefaultCap), restart.Default},
	{"constant", fmt.Sprintf("after %v each time", constantDelay), func() restart.Policy { return restart.Constant(constantDelay) }},
	{"decorrelated", fmt.Sprintf("after random times that grow from %v up to %v, the first included", restart.DefaultBase, restart.DefaultCap), func() restart.Policy { return restart.Decorrelated(0, 0) }},
	{"never", "not at all", restart.Never},
	{"intensity", fmt.Sprintf("as exponential, but not when a file has been tried again in the last %v", intensityWindow), func() restart.Policy { return restart.Intensity(1, intensityWindow, nil) }},
	{"budget", fmt.Sprintf("as exponential, but for all files only %d times and once more for each %d of them", budgetBurst, budgetTasks), func() restart.Policy { return restart.Budget(1.0/budgetTasks, budgetBurst, nil) }},
}

const (
	constantDelay   = 100 * time.Millisecond
	intensityWindow = 5 * time.Second // with one restart, the default of OTP's supervisors
	budgetBurst     = 10
	budgetTasks     = 10
)
