package main

import (
	"flag"
	"io"
	"runtime"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// runConfig is what the flags of the command run say.
type runConfig struct {
	settings
	dir     string
	queue   choice[taskmanager.Discipline]
	scaler  choice[newScaler]
	restart choice[newRestart]
	retries int // the most restarts of one task
	list    string
}

// parseRun reads the arguments of the command run; see parse.
func parseRun(args []string, w io.Writer) (runConfig, error) {
	cfg := runConfig{
		settings: settings{
			min: 1,
			// A worker that waits for the disk leaves its processor to another one.
			max:         2 * runtime.GOMAXPROCS(0),
			idleTimeout: taskmanager.DefaultIdleTimeout,
			limit:       256,
			overflow:    choose(overflows),
			grace:       5 * time.Second,
		},
		queue:   choose(disciplines),
		scaler:  choose(scalers, scalerVariants...),
		restart: choose(restarts),
	}
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	cfg.declare(flags)
	flags.StringVar(&cfg.dir, "dir", "", "read every regular file below `DIR` (required)")
	flags.Var(&cfg.queue, "queue", "read waiting files in the order that `NAME` stands for; see below")
	flags.Var(&cfg.scaler, "scaler", "have as many workers as `NAME` stands for, within the bounds; see below")
	flags.Var(&cfg.restart, "restart", "try a file that cannot be read again when `NAME` says; see below")
	flags.IntVar(&cfg.retries, "retries", 3, "try it up to `N` more times")
	flags.StringVar(&cfg.list, "list", "", "write a line \"SHA-256  lines  path\" per file to `FILE`")
	err := parse(flags, args, w, "tasklab run -dir DIR [flags]", func() {
		cfg.queue.explain(w, queueTitle)
		cfg.overflow.explain(w, overflowTitle)
		cfg.scaler.explain(w, scalerTitle)
		cfg.restart.explain(w, "A file that could not be read is tried again, with -restart")
	})
	if err != nil {
		return cfg, err
	}
	return cfg, cfg.check()
}

const (
	queueTitle    = "Of the files that wait, the next one to be read is, with -queue"
	overflowTitle = "When there is no room for a file that was found, with -overflow"
	scalerTitle   = "Within the bounds, there are as many workers as follows, with -scaler"
)

// check reports everything that is wrong, in terms of the flags.
func (c runConfig) check() error {
	var f faults
	c.settings.check(&f)
	f.require(c.retries >= 0, "-retries is %d; it must be 0 or more", c.retries)
	f.require(c.dir != "", "-dir is missing")
	if c.dir != "" {
		f.directory(c.dir)
	}
	return f.join()
}
