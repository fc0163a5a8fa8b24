package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit statuses.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // what shells report for SIGINT
)

const usage = `Tasklab puts the task manager to work on real input.

Usage:

  tasklab run -dir DIR [flags]   read every file below DIR; see tasklab run -h
  tasklab compare [flags]        try queues and scalers on one workload; see tasklab compare -h
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal ends the program at once
	os.Exit(tasklab(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// tasklab is the program but for the process around it. It returns the exit
// status.
func tasklab(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command, args := "", args
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "run":
		return runCommand(ctx, args, stdout, stderr)
	case "compare":
		return compareCommand(ctx, args, stdout, stderr)
	case "help", "-h", "-help", "--help":
		say(stdout, usage)
		return exitOK
	case "":
		say(stderr, usage)
		return exitUsage
	default:
		say(stderr, "tasklab: there is no command %q\n\n%s", command, usage)
		return exitUsage
	}
}

// runCommand is the command run.
func runCommand(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := parseRun(args, stdout)
	if err != nil {
		return usageStatus("run", err, stderr)
	}
	export, err := newTelemetry(ctx)
	if err != nil {
		say(stderr, "%v\n", err)
		return exitFailed
	}
	rep, err := run(ctx, cfg, directory(cfg.dir), newDisplay(stderr), export.options...)
	if err == nil {
		err = rep.deliver(cfg, stdout)
	}
	if lost := export.close(ctx); lost != nil { // what the run is about is done all the same
		say(stderr, "%v\n", lost)
	}
	if err != nil {
		say(stderr, "%v\n", err)
	}
	switch {
	case rep.Interrupted:
		say(stderr, "tasklab: interrupted; %d files that were found are not done\n", rep.Unfinished)
		return exitInterrupted
	case err != nil, len(rep.Failures)+rep.Shed+rep.Dropped > 0:
		return exitFailed
	default:
		return exitOK
	}
}

// compareCommand is the command compare.
func compareCommand(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := parseCompare(args, stdout)
	if err != nil {
		return usageStatus("compare", err, stderr)
	}
	screen := func() display { return newDisplay(stderr) }
	w, err := cfg.workload(ctx, screen)
	if w == nil && ctx.Err() != nil {
		say(stderr, "tasklab: interrupted; none of the settings is measured\n")
		return exitInterrupted
	}
	if err != nil {
		say(stderr, "%v\n", err)
		return exitFailed
	}
	c, err := compare(ctx, cfg, w, screen)
	err = errors.Join(err, c.deliver(cfg, stdout))
	if err != nil {
		say(stderr, "%v\n", err)
	}
	for _, remark := range c.lagging() {
		say(stderr, "tasklab: %s\n", remark)
	}
	switch {
	case c.Interrupted:
		say(stderr, "tasklab: interrupted; %d of %d settings are measured in full\n", c.inFull(), len(cfg.settingsToCompare()))
		return exitInterrupted
	case err != nil, c.failed():
		return exitFailed
	default:
		return exitOK
	}
}

// usageStatus reports what is wrong with the arguments of a command, unless it is
// that help was asked for, and returns the exit status.
func usageStatus(command string, err error, stderr io.Writer) int {
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	say(stderr, "%v\nTry tasklab %s -h.\n", err, command)
	return exitUsage
}

// say tells the user something. There is nobody to tell if that fails.
func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}
