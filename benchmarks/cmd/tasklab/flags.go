package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// runConfig is what the flags of the command run say.
type runConfig struct {
	dir         string
	min, max    int
	idleTimeout time.Duration
	queue       choice[taskmanager.Discipline]
	limit       int // the most tasks that wait for a worker
	overflow    choice[taskmanager.Overflow]
	retries     int           // the most restarts of one task
	grace       time.Duration // how long an interrupt waits for the tasks that run
	json        bool
	list        string
}

// parseRun reads the arguments of the command run. Help that is asked for goes
// to w, and the error is flag.ErrHelp then.
func parseRun(args []string, w io.Writer) (runConfig, error) {
	cfg := runConfig{queue: choose(disciplines), overflow: choose(overflows)}
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.StringVar(&cfg.dir, "dir", "", "read every regular file below `DIR` (required)")
	flags.IntVar(&cfg.min, "min", 1, "keep `N` workers at all times")
	// A worker that waits for the disk leaves its processor to another one.
	flags.IntVar(&cfg.max, "max", 2*runtime.GOMAXPROCS(0), "have up to `N` workers under load")
	flags.DurationVar(&cfg.idleTimeout, "idle-timeout", taskmanager.DefaultIdleTimeout, "let a worker above the minimum leave when it has been idle for `D`")
	flags.Var(&cfg.queue, "queue", "read waiting files in the order that `NAME` stands for; see below")
	flags.IntVar(&cfg.limit, "limit", 256, "let at most `N` files wait for a worker")
	flags.Var(&cfg.overflow, "overflow", "when there is no room for a file to wait, do what `NAME` stands for; see below")
	flags.IntVar(&cfg.retries, "retries", 3, "try a file that cannot be read up to `N` more times")
	flags.DurationVar(&cfg.grace, "grace", 5*time.Second, "after an interrupt, wait up to `D` for the tasks that run")
	flags.BoolVar(&cfg.json, "json", false, "print JSON instead of the table")
	flags.StringVar(&cfg.list, "list", "", "write a line \"SHA-256  lines  path\" per file to `FILE`")

	flags.SetOutput(io.Discard) // errors are the caller's to print
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			say(w, "Usage: tasklab run -dir DIR [flags]\n\n")
			flags.SetOutput(w)
			flags.PrintDefaults()
			cfg.queue.explain(w, "Of the files that wait, the next one to be read is, with -queue")
			cfg.overflow.explain(w, "When there is no room for a file that was found, with -overflow")
		}
		return cfg, fmt.Errorf("tasklab: %w", err)
	}
	if flags.NArg() > 0 {
		return cfg, fmt.Errorf("tasklab: unexpected argument %q; the directory is given with -dir", flags.Arg(0))
	}
	return cfg, cfg.check()
}

// check reports everything that is wrong, in terms of the flags.
func (c runConfig) check() error {
	var faults []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("tasklab: "+format, args...))
		}
	}
	require(c.min >= 0, "-min is %d; it must be 0 or more", c.min)
	require(c.max >= 1 && c.max <= math.MaxInt32, "-max is %d; it must be from 1 to %d", c.max, math.MaxInt32)
	require(c.min <= c.max || c.max < 1, "-min, %d, exceeds -max, %d", c.min, c.max)
	require(c.idleTimeout > 0, "-idle-timeout is %v; it must be positive", c.idleTimeout)
	require(c.limit >= 0, "-limit is %d; it must be 0 or more", c.limit)
	require(c.retries >= 0, "-retries is %d; it must be 0 or more", c.retries)
	require(c.grace >= 0, "-grace is %v; it must be 0 or more", c.grace)
	if c.dir == "" {
		require(false, "-dir is missing")
	} else if info, err := os.Stat(c.dir); err != nil {
		require(false, "-dir: %w", err)
	} else {
		require(info.IsDir(), "-dir: %s is not a directory", c.dir)
	}
	return errors.Join(faults...)
}
