// Package run is the subcommand run: it reads every file below a directory, each
// in a task, and reports what was read and how long tasks waited and ran.
package run

import (
	"context"
	"errors"
	"flag"
	"io"
	"runtime"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/telemetry"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Subcommand is run.
var Subcommand = subcommand.Subcommand{
	Name:      "run",
	Arguments: "-dir DIR [flags]",
	Summary:   "read every file below DIR",
	New:       func() subcommand.Command { return newCommand() },
}

// command has the values of the flags.
type command struct {
	manager settings.Manager
	dir     string
	queue   flagvalue.Choice[taskmanager.Discipline]
	scaler  flagvalue.Choice[settings.NewScaler]
	restart flagvalue.Choice[settings.NewRestart]
	retries int // the most restarts of one task
	list    string
	record  string
	format  output.Format

	dashboard string
	live      live
	across    across
}

func newCommand() *command {
	return &command{
		manager: settings.Manager{
			Min: 1,
			// A worker that waits for the disk leaves its processor to another one.
			Max:         2 * runtime.GOMAXPROCS(0),
			IdleTimeout: taskmanager.DefaultIdleTimeout,
			Limit:       256,
			Overflow:    settings.Overflows.Choose(),
			Grace:       5 * time.Second,
		},
		queue:   settings.Disciplines.Choose(),
		scaler:  settings.Scalers.Choose(),
		restart: settings.Restarts.Choose(),
		retries: 3,
		across:  across{listen: "127.0.0.1:0", lease: cluster.DefaultLease},
	}
}

// Declare declares the flags.
func (c *command) Declare(flags *flag.FlagSet) {
	c.manager.Declare(flags)
	flags.StringVar(&c.dir, "dir", c.dir, "read every regular file below `DIR` (required)")
	flags.Var(&c.queue, "queue", "read waiting files in the order `NAME`; see below")
	flags.Var(&c.scaler, "scaler", "set the number of workers, within the bounds, by the scaler `NAME`; see below")
	flags.Var(&c.restart, "restart", "retry a file that could not be read by the policy `NAME`; see below")
	flags.IntVar(&c.retries, "retries", c.retries, "try a file up to `N` more times")
	flags.StringVar(&c.list, "list", c.list, "write a line \"SHA-256  lines  path\" per file to `FILE`")
	flags.StringVar(&c.record, "record", c.record, "record the run as a trace in `FILE`, with a row per file that was found")
	flags.StringVar(&c.dashboard, "dashboard", c.dashboard, "serve a live dashboard of the run at the loopback `ADDRESS`, such as 127.0.0.1:8080; the port 0 means any free one")
	c.across.declare(flags)
	c.format.Declare(flags)
}

// Explain writes the menus.
func (*command) Explain(help io.Writer) {
	settings.Disciplines.Explain(help)
	workload.ExplainAttributes(help)
	settings.Overflows.Explain(help)
	settings.Scalers.Explain(help)
	settings.Restarts.Explain(help)
}

// Check reports everything that is wrong with the flags.
func (c *command) Check(flags *flag.FlagSet) error {
	var f flagvalue.Faults
	c.manager.Check(&f)
	f.Require(c.retries >= 0, "-retries is %d; it must be 0 or more", c.retries)
	if err := c.manager.Try(c.queue.Value, c.scaler.Value(), c.restart.Value()); err != nil {
		f.Add("these settings do not go together: %w", err)
	}
	if c.dir == "" {
		f.Add("-dir is missing")
	} else {
		f.RequireDirectory(c.dir)
	}
	c.checkRecord(&f)
	c.checkDashboard(&f)
	c.across.check(flags, &f)
	return f.Err()
}

// Run reads the files and reports.
func (c *command) Run(ctx context.Context, stdout, stderr io.Writer) subcommand.Status {
	export, err := telemetry.New(ctx)
	if err != nil {
		output.Say(stderr, "%v\n", err)
		return subcommand.Failed
	}
	rec, err := c.startRecording()
	if err != nil {
		output.Say(stderr, "%v\n", errors.Join(err, export.Close(ctx)))
		return subcommand.Failed
	}
	c.live = c.startDashboard(stderr)
	observers := append(rec.observers(), c.live.observers()...)
	var rep Report
	if options := export.Options(observers...); c.across.at != "" {
		rep, err = c.readAcross(ctx, progress.New(stderr), stderr, options...)
	} else {
		rep, err = c.read(ctx, workload.Directory(c.dir), progress.New(stderr), options...)
	}
	if err == nil {
		err = c.deliver(rep, stdout)
	}
	err = errors.Join(err, rec.close())
	if lost := export.Close(ctx); lost != nil { // does not fail the run
		output.Say(stderr, "%v\n", lost)
	}
	if err != nil {
		output.Say(stderr, "%v\n", err)
	}
	switch {
	case rep.Interrupted:
		output.Say(stderr, "tasklab: interrupted; %d files that were found are not done%s\n", rep.Unfinished, c.across.resume())
		return subcommand.Interrupted
	case err != nil, len(rep.Failures)+rep.Shed+rep.Dropped > 0:
		return subcommand.Failed
	default:
		return subcommand.OK
	}
}
