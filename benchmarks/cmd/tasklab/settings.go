package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// settings are what the flags say that all commands have: how the manager works,
// and what becomes of the results.
type settings struct {
	min, max    int
	idleTimeout time.Duration
	limit       int // the most tasks that wait for a worker
	overflow    choice[taskmanager.Overflow]
	grace       time.Duration // how long an interrupt waits for the tasks that run
	json        bool
}

// declare declares the flags. Their defaults are the present values.
func (s *settings) declare(flags *flag.FlagSet) {
	flags.IntVar(&s.min, "min", s.min, "keep `N` workers at all times")
	flags.IntVar(&s.max, "max", s.max, "have up to `N` workers under load")
	flags.DurationVar(&s.idleTimeout, "idle-timeout", s.idleTimeout, "let a worker above the minimum leave when it has been idle for `D`")
	flags.IntVar(&s.limit, "limit", s.limit, "let at most `N` tasks wait for a worker")
	flags.Var(&s.overflow, "overflow", "when there is no room for a task to wait, do what `NAME` stands for; see below")
	flags.DurationVar(&s.grace, "grace", s.grace, "after an interrupt, wait up to `D` for the tasks that run")
	flags.BoolVar(&s.json, "json", s.json, "print JSON instead of the table")
}

// faults collects what is wrong with the flags.
type faults []error

// require notes a fault unless it is ok.
func (f *faults) require(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Errorf("tasklab: "+format, args...))
	}
}

func (f faults) join() error { return errors.Join(f...) }

// directory notes it if the directory is none.
func (f *faults) directory(dir string) {
	if info, err := os.Stat(dir); err != nil {
		f.require(false, "-dir: %w", err)
	} else {
		f.require(info.IsDir(), "-dir: %s is not a directory", dir)
	}
}

// check notes what is wrong.
func (s settings) check(f *faults) {
	f.require(s.min >= 0, "-min is %d; it must be 0 or more", s.min)
	f.require(s.max >= 1 && s.max <= math.MaxInt32, "-max is %d; it must be from 1 to %d", s.max, math.MaxInt32)
	f.require(s.min <= s.max || s.max < 1, "-min, %d, exceeds -max, %d", s.min, s.max)
	f.require(s.idleTimeout > 0, "-idle-timeout is %v; it must be positive", s.idleTimeout)
	f.require(s.limit >= 0, "-limit is %d; it must be 0 or more", s.limit)
	f.require(s.grace >= 0, "-grace is %v; it must be 0 or more", s.grace)
}

// parse parses the arguments of a command. Help that is asked for goes to w, what
// explain writes at its end, and the error is flag.ErrHelp then.
func parse(flags *flag.FlagSet, args []string, w io.Writer, usage string, explain func()) error {
	flags.SetOutput(io.Discard) // errors are the caller's to print
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			say(w, "Usage: %s\n\n", usage)
			flags.SetOutput(w)
			flags.PrintDefaults()
			explain()
		}
		return fmt.Errorf("tasklab: %w", err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("tasklab: unexpected argument %q; a directory is given with -dir", flags.Arg(0))
	}
	return nil
}
