// Package tune is the subcommand tune: it searches for the cheapest setting of the manager that
// meets objectives on a workload.
package tune

import (
	"context"
	"flag"
	"io"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/objective"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/policy"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/simulation"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/source"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/tuning"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// Subcommand is tune.
var Subcommand = subcommand.Subcommand{
	Name:      "tune",
	Arguments: "-objective TEXT [-trace FILE] [flags]",
	Summary:   "search for the cheapest setting that meets objectives",
	New:       func() subcommand.Command { return newCommand() },
}

// command has the values of the flags.
type command struct {
	source     source.Source
	objectives objectives
	minimise   quantity
	grid       settings.Grid // the lists of queues and scalers, and what all settings have in common
	least      int           // workers
	most       int
	cores      int
	settings   int // how many to try
	first      int // how many tasks to read
	split      float64
	margin     float64
	keepIdle   bool
	chart      string
	format     output.Format
}

func newCommand() *command {
	return &command{
		source:   source.New(),
		minimise: quantity{objective.Quantity{Measure: "worker-seconds"}},
		grid:     settings.NewGrid("fifo", "demand,fixed,step,targetwait,utilisation,probe,demand+stabilise,targetwait+stabilise", 1, 100),
		least:    1,
		most:     100,
		settings: 200,
		first:    tuning.MostJobs,
		split:    0.5,
		margin:   0.1,
	}
}

// Declare declares the flags.
func (c *command) Declare(flags *flag.FlagSet) {
	flags.Var(&c.objectives, "objective", "require what `TEXT` says, such as 'p99 wait <= 200ms'; may be repeated; see below")
	flags.Var(&c.minimise, "minimise", "among the settings that meet the objectives, choose the one with the least `QUANTITY`; see below")
	flags.IntVar(&c.settings, "settings", c.settings, "try `N` settings")
	flags.Float64Var(&c.split, "split", c.split, "choose on the first part of the time, with this `SHARE` of it, and check on the rest")
	flags.Float64Var(&c.margin, "margin", c.margin, "choose as if the bounds of the objectives were stricter by this `SHARE` of them, since other traffic differs")
	flags.IntVar(&c.first, "first", c.first, "read at most the first `N` tasks of the workload, which are kept in memory")
	c.source.Declare(flags)
	flags.Var(&c.grid.Queues, "queue", "search among the orders in `LIST`, a list of names separated by commas; see below")
	flags.Var(&c.grid.Scalers, "scaler", "search among the scalers in `LIST`; parameters that are given stay as they are; see below")
	flags.IntVar(&c.least, "min", c.least, "try no setting with fewer than `N` workers")
	flags.IntVar(&c.most, "max", c.most, "try no setting with more than `N` workers")
	c.grid.Common.Declare(flags)
	flags.Lookup("idle-timeout").Usage = "stop a worker above the minimum when it has been idle for `D` (default: part of the search)"
	flags.Lookup("idle-timeout").DefValue = "0s" // which the help leaves out
	flags.IntVar(&c.cores, "cores", c.cores, "let tasks share `N` processor cores; 0: each has one of its own")
	flags.StringVar(&c.chart, "chart", c.chart, "draw the settings that were tried to `FILE`, whose name ends in .svg or .png")
	c.format.Declare(flags)
}

// Explain writes the grammar, the menus and the meaning of the tables.
func (c *command) Explain(help io.Writer) {
	output.Say(help, "%s", explanation)
	c.source.Explain(help)
	c.grid.Explain(help)
}

// Check reports everything that is wrong with the flags.
func (c *command) Check(flags *flag.FlagSet) error {
	var f flagvalue.Faults
	f.Require(len(c.objectives) > 0, "-objective is missing; give one, such as -objective 'p99 wait <= 200ms'")
	if err := objective.Check(c.objectives); err != nil {
		f.Add("-objective: %w", err)
	}
	f.Require(c.settings >= 1, "-settings is %d; it must be 1 or more", c.settings)
	f.Require(c.split > 0 && c.split < 1, "-split is %v; it must be between 0 and 1", c.split)
	f.Require(c.margin >= 0 && c.margin < 1, "-margin is %v; it must be 0 or more, and below 1", c.margin)
	f.Require(c.first >= 2, "-first is %d; it must be 2 or more", c.first)
	f.Require(c.cores >= 0, "-cores is %d; it must be positive, or 0 for any number", c.cores)
	c.source.Check(&f, flags)
	c.grid.Mins, c.grid.Maxs = settings.Counts{c.least}, settings.Counts{c.most}
	c.grid.Check(&f, flags)
	flags.Visit(func(given *flag.Flag) { c.keepIdle = c.keepIdle || given.Name == "idle-timeout" })
	if c.chart != "" && len(f) == 0 {
		simulation.CheckChart(&f, c.chart)
	}
	c.grid.Weigh(c.source.Weights())
	return f.Err()
}

// Run searches and reports.
func (c *command) Run(ctx context.Context, stdout, stderr io.Writer) subcommand.Status {
	problem, more, err := c.problem(ctx)
	c.source.Remark(stderr)
	switch {
	case ctx.Err() != nil:
		output.Say(stderr, "tasklab: interrupted before any setting was tried\n")
		return subcommand.Interrupted
	case err != nil:
		output.Say(stderr, "%v\n", err)
		return subcommand.Failed
	case more:
		output.Say(stderr, "tasklab: the workload has more than %s tasks; the search uses the first ones only, see -first\n",
			output.English().Sprint(c.first))
	}
	result, err := c.tune(ctx, problem, progress.New(stderr))
	result.Title, result.Split, result.More = strings.ReplaceAll(c.source.String(), "\n", "; "), c.split, more
	if err == nil {
		err = c.format.Write(stdout, &result)
	}
	if err == nil && c.chart != "" && result.Any() {
		err = result.WriteChart(c.chart)
	}
	switch {
	case err != nil:
		output.Say(stderr, "%v\n", err)
		return subcommand.Failed
	case result.Interrupted:
		output.Say(stderr, "tasklab: interrupted; %d of %d settings were tried\n", len(result.Trials), c.settings)
		return subcommand.Interrupted
	case !result.Met():
		output.Say(stderr, "tasklab: no setting meets the objectives\n")
		return subcommand.Failed
	case !result.MetSecond():
		output.Say(stderr, "tasklab: the choice does not meet the objectives on the second part\n")
		return subcommand.Failed
	default:
		return subcommand.OK
	}
}

// problem reads the workload and returns what to search for.
func (c *command) problem(ctx context.Context) (p tuning.Problem, more bool, err error) {
	jobs, more, err := tuning.Load(ctx, c.source.Workload(ctx, c.source.Seed), c.first)
	if err != nil {
		return p, more, err
	}
	parts, err := tuning.Split(jobs, c.split)
	if err != nil {
		return p, more, err
	}
	p = tuning.Problem{
		Objectives: c.objectives,
		Minimise:   c.minimise.Quantity,
		Parts:      parts,
		Limits: policy.Limits{
			Queues: c.grid.Queues.Chosen, Scalers: c.grid.Scalers.Chosen, Min: c.least, Max: c.most,
			Load: parts[0].Offered(), Common: c.grid.Common, KeepIdle: c.keepIdle,
		},
		Settings: c.settings,
		Margin:   c.margin,
		Seed:     c.source.Seed,
	}
	p.Simulation = append(p.Simulation, simulate.WithSeed(c.source.Seed))
	if c.cores > 0 {
		p.Simulation = append(p.Simulation, simulate.WithCores(c.cores))
	}
	if weights := c.source.Weights(); len(weights) > 0 {
		p.Simulation = append(p.Simulation, simulate.WithWeights(flagvalue.Values{Weights: weights}.WeightOf))
	}
	return p, more, p.Check()
}

// tune searches and shows the progress.
func (c *command) tune(ctx context.Context, p tuning.Problem, d progress.Display) (tuning.Result, error) {
	t, begin := tuning.New(p), time.Now()
	replays, total := t.Planned()
	hide := progress.Show(d, func() progress.View {
		replayed, ended := t.Progress()
		return progress.View{
			Replays: max(replays, replayed), Replayed: replayed, Total: max(total, ended), Ended: ended, Elapsed: time.Since(begin),
		}
	})
	defer hide()
	return t.Tune(ctx)
}

// objectives is the value of the flag -objective.
type objectives []objective.Objective

// Set adds an objective.
func (o *objectives) Set(text string) error {
	parsed, err := objective.Parse(text)
	if err == nil {
		*o = append(*o, parsed)
	}
	return err
}

// String lists the objectives.
func (o *objectives) String() string {
	var texts []string
	for _, one := range *o {
		texts = append(texts, one.String())
	}
	return strings.Join(texts, ", ")
}

// quantity is the value of the flag -minimise.
type quantity struct{ objective.Quantity }

// Set reads a quantity.
func (q *quantity) Set(text string) error {
	parsed, err := objective.ParseQuantity(text)
	if err == nil {
		q.Quantity = parsed
	}
	return err
}

// String returns the quantity, or "" if there is none.
func (q *quantity) String() string {
	if q.Measure == "" {
		return ""
	}
	return q.Quantity.String()
}
