// Package policy has what the command tune chooses: a discipline, a scaler, the bounds on the
// number of workers, and the idle timeout.
package policy

import (
	"context"
	"fmt"
	"go/format"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Policy is a setting of a manager. It does not change.
type Policy struct {
	Queue       flagvalue.Setting[taskmanager.Discipline]
	Scaler      flagvalue.Setting[settings.NewScaler]
	Min, Max    int // workers
	IdleTimeout time.Duration

	gene gene
}

// String returns the names of the queue and the scaler, the bounds, and the idle timeout.
func (p Policy) String() string {
	return fmt.Sprintf("%s, %s, %d to %d workers, idle timeout %v", p.Queue.Name, p.Scaler.Name, p.Min, p.Max, p.IdleTimeout)
}

// Options returns options of a new manager with the policy.
func (p Policy) Options() []taskmanager.Option {
	return []taskmanager.Option{
		taskmanager.WithWorkers(p.Min, p.Max),
		taskmanager.WithIdleTimeout(p.IdleTimeout),
		taskmanager.WithQueue(p.Queue.Value),
		taskmanager.WithScaler(p.Scaler.Value()),
	}
}

// try returns the error of a manager with the policy. Each parameter is within its bounds, but
// some exclude each other.
func (p Policy) try() error {
	m, err := taskmanager.Start(append(p.Options(), taskmanager.WithWorkers(0, 1))...)
	if err != nil {
		return err
	}
	return m.Stop(context.Background()) // there is no task that it would wait for
}

// Code returns the options as Go code, one for each line, formatted as by gofmt. It uses the
// packages taskmanager, scale and time.
func (p Policy) Code() []string {
	idle, err := format.Source([]byte("taskmanager.WithIdleTimeout(" + flagvalue.DurationCode(p.IdleTimeout) + ")"))
	if err != nil {
		panic(fmt.Sprintf("tasklab: the code of an idle timeout is wrong: %v", err))
	}
	return []string{
		fmt.Sprintf("taskmanager.WithWorkers(%d, %d)", p.Min, p.Max),
		string(idle),
		p.Queue.Option(),
		p.Scaler.Option(),
	}
}

// Start returns Go code that starts a manager with options.
func Start(options []string) string {
	code, err := format.Source([]byte("m, err := taskmanager.Start(\n" + strings.Join(options, ",\n") + ",\n)\n"))
	if err != nil {
		panic(fmt.Sprintf("tasklab: the code of the options is wrong: %v", err))
	}
	return string(code)
}
