// Package democluster is the subcommand demo-cluster: worker processes share a job, and one of them is killed.
package democluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/run"
)

// Subcommand is demo-cluster.
var Subcommand = subcommand.Subcommand{
	Name:      "demo-cluster",
	Arguments: "-dir DIR [flags]",
	Summary:   "read DIR in several processes, of which one is killed",
	New:       func() subcommand.Command { return newCommand() },
}

// command has the values of the flags.
type command struct {
	dir       string
	processes int
	lease     time.Duration
	start     func(ctx context.Context, args []string) *exec.Cmd // a process of this program
}

func newCommand() *command {
	return &command{processes: 3, lease: 2 * time.Second, start: startSelf}
}

// Declare declares the flags.
func (c *command) Declare(flags *flag.FlagSet) {
	flags.StringVar(&c.dir, "dir", c.dir, "read every regular file below `DIR` (required)")
	flags.IntVar(&c.processes, "processes", c.processes, "start `N` worker processes")
	flags.DurationVar(&c.lease, "lease", c.lease, "let other workers have the files of a dead one after `D`")
}

// Explain describes the demonstration.
func (*command) Explain(help io.Writer) {
	output.Say(help, `
The command first reads the files in this process, for comparison. Then it starts a NATS server in this process, and
worker processes that read the files. After a third of the files it kills a worker process (SIGKILL). When the lease of
that process has expired, the other workers get the files that it had taken. At the end, both digests must be equal.
`)
}

// Check reports everything that is wrong with the flags.
func (c *command) Check(*flag.FlagSet) error {
	var f flagvalue.Faults
	if c.dir == "" {
		f.Add("-dir is missing")
	} else {
		f.RequireDirectory(c.dir)
	}
	f.Require(c.processes >= 2 && c.processes <= 100, "-processes is %d; it must be from 2 to 100, since one is killed", c.processes)
	f.Require(c.lease >= 100*time.Millisecond, "-lease is %v; it must be 100ms or more", c.lease)
	return f.Err()
}

// Run shows the demonstration.
func (c *command) Run(ctx context.Context, stdout, stderr io.Writer) subcommand.Status {
	err := c.show(ctx, stdout, stderr)
	switch {
	case ctx.Err() != nil:
		output.Say(stderr, "tasklab: interrupted\n")
		return subcommand.Interrupted
	case err != nil:
		output.Say(stderr, "%v\n", err)
		return subcommand.Failed
	}
	return subcommand.OK
}

// show reads the files twice, and compares.
func (c *command) show(ctx context.Context, stdout, stderr io.Writer) (err error) {
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return fmt.Errorf("tasklab: -dir: %w", err)
	}
	local, err := run.Locally(ctx, dir, progress.New(stderr))
	if err != nil {
		return err
	}
	output.Say(stdout, "%s in this process: %s, %s in %s, digest %s\n", output.Printable(dir), output.Count(local.Read, "file"), output.Size(local.Bytes),
		seconds(local.Elapsed), local.Digest[:16])
	joined, err := cluster.Embed(ctx, cluster.Place{Listen: "127.0.0.1:0"}, c.lease, cluster.Log(stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, joined.Close(ctx)) }()
	s := &scene{stdout: stdout, third: max(1, local.Found/3)}
	output.Say(stdout, "An embedded server listens at %s.\n", joined.Shown)
	if err := s.startAll(ctx, c, joined.URL); err != nil {
		return errors.Join(err, s.endAll())
	}
	shared, err := s.read(ctx, joined, dir, progress.New(stderr))
	if err = errors.Join(err, s.endAll()); err != nil || ctx.Err() != nil {
		return err
	}
	return s.tell(local, shared)
}

// seconds formats a number of seconds.
func seconds(s float64) string { return output.Short(time.Duration(s * float64(time.Second))) }
