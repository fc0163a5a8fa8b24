// Package compare is the subcommand compare: it runs one workload under several
// settings of the manager, one after the other, and compares the results.
package compare

import (
	"context"
	"errors"
	"flag"
	"io"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/comparison"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Subcommand is compare.
var Subcommand = subcommand.Subcommand{
	Name:      "compare",
	Arguments: "[flags]",
	Summary:   "try queues and scalers on one workload",
	New:       func() subcommand.Command { return newCommand() },
}

// command has the values of the flags.
type command struct {
	manager   settings.Manager
	queues    flagvalue.Selection[taskmanager.Discipline]
	scalers   flagvalue.Selection[settings.NewScaler]
	dir       string // empty for a synthetic workload
	synthetic settings.Synthetic
	chart     string
	format    output.Format
}

func newCommand() *command {
	return &command{
		manager: settings.Manager{
			Min: 1, Max: 100, IdleTimeout: time.Second, Limit: 10_000, Overflow: settings.Overflows.Choose(), Grace: 5 * time.Second,
		},
		queues:    settings.Disciplines.Select("fifo"),
		scalers:   settings.Scalers.Select("demand,demand+stabilise,step,targetwait,utilisation"),
		synthetic: settings.NewSynthetic(),
	}
}

// Declare declares the flags.
func (c *command) Declare(flags *flag.FlagSet) {
	c.manager.Declare(flags)
	flags.Var(&c.queues, "queue", "compare the orders in `LIST`, a list of names separated by commas; see below")
	flags.Var(&c.scalers, "scaler", "compare the scalers in `LIST`; see below")
	flags.StringVar(&c.dir, "dir", c.dir, "read every regular file below `DIR`, instead of a synthetic workload")
	c.synthetic.Declare(flags)
	flags.StringVar(&c.chart, "chart", c.chart, "draw a chart to `FILE`, whose name ends in .svg or .png")
	c.format.Declare(flags)
}

// Explain writes the menus.
func (c *command) Explain(help io.Writer) {
	workload.Shapes.Explain(help)
	settings.Disciplines.Explain(help)
	workload.ExplainAttributes(help)
	c.synthetic.ExplainAttributes(help)
	settings.Overflows.Explain(help)
	settings.Scalers.Explain(help)
}

// Check reports everything that is wrong with the flags.
func (c *command) Check(flags *flag.FlagSet) error {
	var f flagvalue.Faults
	c.manager.Check(&f)
	if c.dir != "" {
		f.RequireDirectory(c.dir)
		c.synthetic.RequireUnset(&f, flags)
	}
	c.synthetic.Check(&f)
	if c.chart != "" && len(f) == 0 {
		comparison.CheckChart(&f, c.chart)
	}
	return f.Err()
}

// Run measures the workload under each setting and reports.
func (c *command) Run(ctx context.Context, stdout, stderr io.Writer) subcommand.Status {
	screen := func() progress.Display { return progress.New(stderr) }
	w, err := c.workload(ctx, screen)
	if w == nil && ctx.Err() != nil {
		output.Say(stderr, "tasklab: interrupted; none of the settings is measured\n")
		return subcommand.Interrupted
	}
	if err != nil {
		output.Say(stderr, "%v\n", err)
		return subcommand.Failed
	}
	result, err := c.compare(ctx, w, screen)
	if err = errors.Join(err, c.deliver(result, stdout)); err != nil {
		output.Say(stderr, "%v\n", err)
	}
	for _, remark := range result.Lagging() {
		output.Say(stderr, "tasklab: %s\n", remark)
	}
	switch {
	case result.Interrupted:
		output.Say(stderr, "tasklab: interrupted; %d of %d settings are measured in full\n", result.InFull(), len(c.settings()))
		return subcommand.Interrupted
	case err != nil, result.AnyFailed():
		return subcommand.Failed
	default:
		return subcommand.OK
	}
}

// workload draws or finds the workload.
func (c *command) workload(ctx context.Context, screen func() progress.Display) (workload.Workload, error) {
	if c.dir == "" {
		return c.synthetic.Draw(), nil
	}
	w, err := workload.FindFiles(ctx, workload.Directory(c.dir))
	if err != nil {
		return nil, err
	}
	// Read all files once in advance. Otherwise the first setting would read from
	// the disk, and the others from memory.
	with := c.manager
	with.Overflow = settings.Overflows.Choose() // block
	first := setting{settings.Disciplines.Choose().Setting, settings.Scalers.Choose().Setting}
	m, err := run(ctx, with, first, w, "in advance", screen())
	w.Expect(measure.Seconds(m.Elapsed))
	return w, err
}

// deliver writes the comparison, and the chart if the user asked for it.
func (c *command) deliver(result comparison.Comparison, stdout io.Writer) error {
	err := c.format.Write(stdout, result)
	if c.chart != "" && len(result.Settings) > 0 {
		err = errors.Join(err, result.WriteChart(c.chart))
	}
	return err
}
