// Package worker is the subcommand worker: it reads files for runs in other processes.
package worker

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/telemetry"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Subcommand is worker.
var Subcommand = subcommand.Subcommand{
	Name:      "worker",
	Arguments: "[-cluster URL] [flags]",
	Summary:   "read files for runs in other processes",
	New:       func() subcommand.Command { return newCommand() },
}

// command has the values of the flags.
type command struct {
	manager settings.Manager
	scaler  flagvalue.Choice[settings.NewScaler]
	restart flagvalue.Choice[settings.NewRestart]
	retries int

	url, name, dir string
	lease, pace    time.Duration
	attached       bool
	stdin          io.Reader
}

func newCommand() *command {
	return &command{
		manager: settings.Manager{
			Min: 1, Max: 2 * runtime.GOMAXPROCS(0), IdleTimeout: taskmanager.DefaultIdleTimeout,
			Limit: unlimited, Overflow: settings.Overflows.Choose(), Grace: 5 * time.Second,
		},
		scaler: settings.Scalers.Choose(), restart: settings.Restarts.Choose(), retries: 3,
		url: cluster.FromVariable, name: defaultName(), lease: cluster.DefaultLease, stdin: os.Stdin,
	}
}

// defaultName is unique on the machine.
func defaultName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// Declare declares the flags.
func (c *command) Declare(flags *flag.FlagSet) {
	flags.StringVar(&c.url, "cluster", c.url, "get tasks from the NATS server at `URL`; env: from the one that the environment variable "+cluster.Variable+" names")
	flags.StringVar(&c.name, "name", c.name, "set the name of this worker to `NAME`")
	flags.StringVar(&c.dir, "dir", c.dir, "read files below `DIR`, wherever the run has them; by default, where the run has them")
	c.manager.DeclareWorkers(flags)
	flags.Var(&c.scaler, "scaler", "set the number of workers, within the bounds, by the scaler `NAME`; see below")
	flags.Var(&c.restart, "restart", "retry a file that could not be read by the policy `NAME`; see below")
	flags.IntVar(&c.retries, "retries", c.retries, "try a file up to `N` more times")
	flags.DurationVar(&c.lease, "lease", c.lease, "let other workers have the tasks of this one after `D` without a sign of life; the same for all workers")
	flags.DurationVar(&c.pace, "pace", c.pace, "take at least `D` for each file, as if the disk were slow")
	flags.BoolVar(&c.attached, "attached", c.attached, "end when the standard input ends, and so with the program that started this one")
}

// Explain writes the menus.
func (*command) Explain(help io.Writer) {
	settings.Scalers.Explain(help)
	settings.Restarts.Explain(help)
	output.Say(help, `
A worker reads the files that tasklab run -cluster submits, and sends back their digests. It must have the same
files: it runs on the same machine, or has the directory mounted; -dir says where. Without -dir, every
program that may submit tasks can get digests of all files that this process may read.

All users of the machine can see the arguments of a process. So a URL with a secret belongs into the environment
variable `+cluster.Variable+`.
`)
}

// Check reports everything that is wrong with the flags.
func (c *command) Check(*flag.FlagSet) error {
	var f flagvalue.Faults
	if _, err := cluster.Address(c.url); err != nil {
		f.Add("%w", err)
	}
	if c.dir != "" {
		f.RequireDirectory(c.dir)
	}
	c.manager.Check(&f)
	f.Require(c.retries >= 0, "-retries is %d; it must be 0 or more", c.retries)
	f.Require(c.lease >= 100*time.Millisecond, "-lease is %v; it must be 100ms or more", c.lease)
	f.Require(c.pace >= 0, "-pace is %v; it must be 0 or more", c.pace)
	f.Require(c.name != "", "-name is empty; leave it out for the default")
	return f.Err()
}

// unlimited is a limit of the queue that is never reached: the cluster has the tasks that wait.
const unlimited = 1 << 30

// Run reads files until ctx ends.
func (c *command) Run(ctx context.Context, stdout, stderr io.Writer) subcommand.Status {
	if c.attached {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() { // ends with the program, which has nothing else to read
			_, _ = io.Copy(io.Discard, c.stdin)
			cancel()
		}()
	}
	if err := c.work(ctx, stdout, stderr); err != nil {
		output.Say(stderr, "%v\n", err)
		return subcommand.Failed
	}
	return subcommand.OK // an interrupt is how a worker ends
}

// work joins the cluster and works until ctx ends.
func (c *command) work(ctx context.Context, stdout, stderr io.Writer) (err error) {
	export, err := telemetry.New(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if lost := export.Close(ctx); lost != nil { // does not fail the work
			output.Say(stderr, "%v\n", lost)
		}
	}()
	address, err := cluster.Address(c.url)
	if err != nil {
		return fmt.Errorf("tasklab: %w", err)
	}
	joined, err := cluster.Join(ctx, address, c.lease, cluster.Log(stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, joined.Close(ctx)) }()
	reader := cluster.Reader{Name: c.name, Pace: c.pace}
	if c.dir != "" {
		if reader.Dir, err = filepath.Abs(c.dir); err != nil {
			return fmt.Errorf("tasklab: -dir: %w", err)
		}
	}
	w, err := joined.Serve(cluster.Workforce{Manager: c.manager, Scaler: c.scaler.Value(), Restart: c.restart.Value(), Retries: c.retries, Options: export.Options()}, reader)
	if err != nil {
		return err
	}
	output.Say(stdout, "%s reads files for %s. Press Ctrl-C to end.\n", output.Printable(c.name), joined.Shown)
	select {
	case <-ctx.Done():
	case <-w.Done(): // it cannot work
	}
	err = w.Stop(ctx, c.manager.Grace)
	output.Say(stdout, "%s has read %s.\n", output.Printable(c.name), output.Count(w.Read(), "file"))
	return err
}
