// Package policy has what the command tune chooses: a discipline, a scaler, the bounds on the
// number of workers, and the idle timeout.
package policy

import (
	"context"
	"fmt"
	"go/format"
	"strings"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Policy is a setting of a manager, with an idle timeout of its own. It does not change.
type Policy struct {
	settings.Candidate
	gene gene
}

// String returns the names of the queue and the scaler, the bounds, and the idle timeout.
func (p Policy) String() string {
	return fmt.Sprintf("%s, %s, %d to %d workers, idle timeout %v", p.Queue.Name, p.Scaler.Name, p.Min, p.Max, p.Common.IdleTimeout)
}

// try returns the error of a manager with the policy. Each parameter is within its bounds, but
// some exclude each other.
func (p Policy) try() error {
	m, err := p.Start(taskmanager.WithWorkers(0, 1))
	if err != nil {
		return err
	}
	return m.Stop(context.Background()) // there is no task that it would wait for
}

// Code returns the options as Go code, formatted as by gofmt. It uses the packages taskmanager,
// scale, restart and time. The restart policy is among the options if restarts is true.
func (p Policy) Code(restarts bool) []string {
	code := []string{
		fmt.Sprintf("taskmanager.WithWorkers(%d, %d)", p.Min, p.Max),
		formatted("taskmanager.WithIdleTimeout(" + flagvalue.DurationCode(p.Common.IdleTimeout) + ")"),
		p.Queue.Option(),
		p.Scaler.Option(),
	}
	if p.Common.Limit > 0 {
		code = append(code, fmt.Sprintf("taskmanager.WithLimit(%d, %s)", p.Common.Limit, p.Common.Overflow.Option()))
	}
	if restarts {
		const prefix = "taskmanager.WithRestart("
		attempts := fmt.Sprintf("%srestart.MaxAttempts(%d, ", prefix, p.Common.Retries+1)
		code = append(code, formatted(strings.Replace(p.Common.Restart.Option(), prefix, attempts, 1)+")"))
	}
	return code
}

// formatted returns code as gofmt writes it.
func formatted(code string) string {
	f, err := format.Source([]byte(code))
	if err != nil {
		panic(fmt.Sprintf("tasklab: the code %s is wrong: %v", code, err))
	}
	return string(f)
}

// Start returns Go code that starts a manager with options.
func Start(options []string) string {
	return formatted("m, err := taskmanager.Start(\n" + strings.Join(options, ",\n") + ",\n)\n")
}
