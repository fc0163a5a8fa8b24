// Package subcommand defines what a subcommand of the program is, and treats
// the arguments of all subcommands alike. Each subcommand is a package below
// this one.
package subcommand

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
)

// Status is an exit status of the program.
type Status int

// The exit statuses.
const (
	OK          Status = 0
	Failed      Status = 1
	BadUsage    Status = 2
	Interrupted Status = 130 // as shells report SIGINT
)

// Subcommand is an entry of the program's table of subcommands.
type Subcommand struct {
	Name      string
	Arguments string // in the usage line
	Summary   string // what the subcommand does, in a few words
	New       func() Command
}

// Command is one invocation of a subcommand.
type Command interface {
	// Declare declares the flags.
	Declare(flags *flag.FlagSet)
	// Explain writes the part of the help that follows the flags.
	Explain(help io.Writer)
	// Check reports everything that is wrong with the parsed flags.
	Check(flags *flag.FlagSet) error
	// Run executes the command. It writes results to stdout, and progress and
	// errors to stderr.
	Run(ctx context.Context, stdout, stderr io.Writer) Status
}

// Usage returns the usage line.
func (s Subcommand) Usage() string { return "tasklab " + s.Name + " " + s.Arguments }

// Execute executes the subcommand with the arguments that follow its name.
func (s Subcommand) Execute(ctx context.Context, args []string, stdout, stderr io.Writer) Status {
	c, err := s.Parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return OK
	case err != nil:
		output.Say(stderr, "%v\nTry tasklab %s -h.\n", err, s.Name)
		return BadUsage
	}
	return c.Run(ctx, stdout, stderr)
}

// Parse parses and checks the arguments. If they ask for help, Parse writes it
// and returns [flag.ErrHelp].
func (s Subcommand) Parse(args []string, help io.Writer) (Command, error) {
	c := s.New()
	flags := flag.NewFlagSet(s.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller reports errors
	c.Declare(flags)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			output.Say(help, "Usage: %s\n\n", s.Usage())
			flags.SetOutput(help)
			flags.PrintDefaults()
			c.Explain(help)
		}
		return nil, fmt.Errorf("tasklab: %w", err)
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("tasklab: unexpected argument %q; a directory is given with -dir, a trace with -trace", flags.Arg(0))
	}
	return c, c.Check(flags)
}
