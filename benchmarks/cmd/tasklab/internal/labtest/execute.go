package labtest

import (
	"bytes"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
)

// Execute executes a subcommand as the program does.
func Execute(t *testing.T, s subcommand.Subcommand, args ...string) (status subcommand.Status, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = s.Execute(t.Context(), args, &out, &err)
	return status, out.String(), err.String()
}

// IgnoreBubbles lets the goroutine be to which all bubbles of simulations belong.
func IgnoreBubbles() goleak.Option {
	return goleak.IgnoreAnyFunction("github.com/seed56799101/taskmanager/taskmanager/simulate/internal/bubble.init.func1.1")
}
