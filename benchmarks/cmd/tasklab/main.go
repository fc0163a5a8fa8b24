package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/demo"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/democluster"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/run"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/simulate"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/tune"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/worker"
)

var subcommands = []subcommand.Subcommand{
	run.Subcommand,
	simulate.Subcommand,
	tune.Subcommand,
	demo.Subcommand,
	worker.Subcommand,
	democluster.Subcommand,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(int(tasklab(ctx, os.Args[1:], os.Stdout, os.Stderr)))
}

// tasklab is the program without its process.
func tasklab(ctx context.Context, args []string, stdout, stderr io.Writer) subcommand.Status {
	if len(args) == 0 {
		writeUsage(stderr)
		return subcommand.BadUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		writeUsage(stdout)
		return subcommand.OK
	}
	for _, s := range subcommands {
		if s.Name == args[0] {
			return s.Execute(ctx, args[1:], stdout, stderr)
		}
	}
	output.Say(stderr, "tasklab: there is no command %q\n\n", args[0])
	writeUsage(stderr)
	return subcommand.BadUsage
}

// writeUsage lists the subcommands.
func writeUsage(w io.Writer) {
	output.Say(w, "Tasklab tries the task manager on real files and synthetic workloads.\n\nUsage:\n\n")
	columns := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, s := range subcommands {
		output.Say(columns, "  %s\t%s; see tasklab %s -h\n", s.Usage(), s.Summary, s.Name)
	}
	_ = columns.Flush() // see Say
}
