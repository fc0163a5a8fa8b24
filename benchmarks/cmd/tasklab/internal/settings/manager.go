// Package settings has the flags that subcommands share: how the manager works,
// with the menus of its strategies, and the synthetic workload.
//
// A strategy is an entry of one menu: [Disciplines], [Overflows], [Scalers] or
// [Restarts]. Parsing, errors and help follow from the entry.
package settings

import (
	"context"
	"flag"
	"math"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Manager is the part of a manager's configuration that all subcommands have.
type Manager struct {
	Min, Max    int // workers
	IdleTimeout time.Duration
	Limit       int // the most tasks that wait for a worker
	Overflow    flagvalue.Choice[taskmanager.Overflow]
	Grace       time.Duration // how long an interrupt waits for running tasks
}

// Declare declares the flags. The present values are the defaults.
func (m *Manager) Declare(flags *flag.FlagSet) {
	m.DeclareWorkers(flags)
	flags.IntVar(&m.Limit, "limit", m.Limit, "let at most `N` tasks wait for a worker; 0: none, so that a task must find an idle worker")
	flags.Var(&m.Overflow, "overflow", "apply the policy `NAME` when a task finds the queue full; see below")
}

// DeclareWorkers declares the flags that are not about the queue.
func (m *Manager) DeclareWorkers(flags *flag.FlagSet) {
	flags.IntVar(&m.Min, "min", m.Min, "keep `N` workers at all times")
	flags.IntVar(&m.Max, "max", m.Max, "start up to `N` workers under load")
	flags.DurationVar(&m.IdleTimeout, "idle-timeout", m.IdleTimeout, "stop a worker above the minimum when it has been idle for `D`")
	flags.DurationVar(&m.Grace, "grace", m.Grace, "after an interrupt, wait up to `D` for running tasks")
}

// Check adds what is wrong with the flags.
func (m *Manager) Check(f *flagvalue.Faults) {
	f.Require(m.Min >= 0, "-min is %d; it must be 0 or more", m.Min)
	f.Require(m.Max >= 1 && m.Max <= math.MaxInt32, "-max is %d; it must be from 1 to %d", m.Max, math.MaxInt32)
	f.Require(m.Min <= m.Max || m.Max < 1, "-min, %d, exceeds -max, %d", m.Min, m.Max)
	f.Require(m.IdleTimeout > 0, "-idle-timeout is %v; it must be positive", m.IdleTimeout)
	f.Require(m.Limit >= 0, "-limit is %d; it must be 0 or more", m.Limit)
	f.Require(m.Grace >= 0, "-grace is %v; it must be 0 or more", m.Grace)
}

// Try reports why no manager can combine a queue, a scaler and a restart policy
// with the overflow policy, or nil if one can.
func (m *Manager) Try(queue taskmanager.Discipline, scaler Scaler, policy restart.Policy) error {
	t, err := taskmanager.Start(
		taskmanager.WithWorkers(0, 1),
		taskmanager.WithLimit(1, m.Overflow.Value),
		taskmanager.WithQueue(queue), taskmanager.WithScaler(scaler), taskmanager.WithRestart(policy))
	if err == nil {
		stop(t)
	}
	return err
}

// stop stops a manager that has no tasks.
func stop(m *taskmanager.TaskManager) {
	_ = m.Stop(context.Background()) // no task can prevent it
}

// Options returns the options of a manager with these settings.
func (m *Manager) Options() []taskmanager.Option {
	return []taskmanager.Option{
		taskmanager.WithWorkers(m.Min, m.Max),
		taskmanager.WithIdleTimeout(m.IdleTimeout),
		taskmanager.WithLimit(m.Limit, m.Overflow.Value),
	}
}
