// Package simulate is the subcommand simulate: it replays a workload, a trace or a
// synthetic load, under several settings of the manager, and compares the results.
package simulate

import (
	"context"
	"errors"
	"flag"
	"io"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/simulation"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/source"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
)

// Subcommand is simulate.
var Subcommand = subcommand.Subcommand{
	Name:      "simulate",
	Arguments: "[-trace FILE] [flags]",
	Summary:   "replay a workload under several queues and scalers",
	New:       func() subcommand.Command { return newCommand() },
}

// command has the values of the flags.
type command struct {
	source source.Source
	grid   settings.Grid
	cores  int
	runs   int
	real   bool
	cpu    bool
	chart  string
	format output.Format
}

func newCommand() *command {
	return &command{
		source: source.New(),
		grid:   settings.NewGrid("fifo", "demand,demand+stabilise,step,targetwait,utilisation", 1, 100),
		runs:   1,
	}
}

// Declare declares the flags.
func (c *command) Declare(flags *flag.FlagSet) {
	c.source.Declare(flags)
	c.grid.Declare(flags)
	flags.IntVar(&c.cores, "cores", c.cores, "let tasks share `N` processor cores; 0: each has one of its own")
	flags.IntVar(&c.runs, "runs", c.runs, "repeat the simulation with `N` seeds, and add the differences between the settings with confidence intervals")
	flags.BoolVar(&c.real, "real", c.real, "run in real time instead of virtual time, one setting after the other")
	flags.BoolVar(&c.cpu, "cpu", c.cpu, "with -real, let a task compute for its time instead of waiting as for a remote call")
	flags.StringVar(&c.chart, "chart", c.chart, "draw a chart to `FILE`, whose name ends in .svg or .png")
	c.format.Declare(flags)
}

// Explain writes the menus and the meaning of the columns.
func (c *command) Explain(help io.Writer) {
	c.source.Explain(help)
	c.grid.Explain(help)
	simulation.ExplainColumns(help)
}

// Check reports everything that is wrong with the flags.
func (c *command) Check(flags *flag.FlagSet) error {
	var f flagvalue.Faults
	c.source.Check(&f, flags)
	c.grid.Check(&f, flags)
	f.Require(c.cores >= 0, "-cores is %d; it must be positive, or 0 for any number", c.cores)
	f.Require(c.cores == 0 || !c.real, "-cores is for virtual time; leave it out, or -real")
	f.Require(c.runs >= 1, "-runs is %d; it must be 1 or more", c.runs)
	f.Require(c.runs <= 1 || !c.source.Traced(), "-runs is for a synthetic load, which each run draws anew; leave it out, or -trace")
	f.Require(c.real || !c.cpu, "-cpu is for real time; leave it out, or give -real")
	if c.chart != "" && len(f) == 0 {
		simulation.CheckChart(&f, c.chart)
	}
	c.grid.Weigh(c.source.Weights())
	return f.Err()
}

// Run simulates each setting and reports.
func (c *command) Run(ctx context.Context, stdout, stderr io.Writer) subcommand.Status {
	result, err := c.simulate(ctx, progress.New(stderr))
	if len(result.Settings) > 0 {
		err = errors.Join(err, c.deliver(result, stdout))
	}
	if err != nil {
		output.Say(stderr, "tasklab: %v\n", err)
	}
	c.source.Remark(stderr)
	switch {
	case ctx.Err() != nil:
		output.Say(stderr, "tasklab: interrupted; %d of %d settings are simulated in full\n", result.InFull(), len(c.grid.Candidates()))
		return subcommand.Interrupted
	case err != nil:
		return subcommand.Failed
	default:
		return subcommand.OK
	}
}

// deliver writes the result, and the chart if the user asked for it.
func (c *command) deliver(result simulation.Simulation, stdout io.Writer) error {
	err := c.format.Write(stdout, result)
	if c.chart != "" {
		err = errors.Join(err, result.WriteChart(c.chart))
	}
	return err
}
