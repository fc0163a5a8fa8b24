// Poolbench measures the task manager, its worker pool and other pools on the same work,
// and writes tables of ratios and charts.
//
//	poolbench [flags]
//
// make bench runs all workloads, in about 25 minutes; make bench-quick runs some of
// them, in two minutes. The results go to RESULTS.md, and to a folder with the charts and
// the raw data beside it.
//
// The contenders take turns, in several rounds. Each time is compared to the time of a plain
// pool, workers behind a buffered channel, in the same round, since an absolute time says
// little on a machine with other work. Where memory is measured, each measurement is a
// process of its own. Before and after each measurement the program determines how far apart
// the processors are, because times and ratios depend on it.
//
// make bench-scaling runs poolbench -scaling: it measures the throughput of our paths on 1, 2, 4 and
// more processors, and prints it beside what a model predicts from the unit costs of the
// machine. The model is in DESIGN.md of package scheduler.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"

	"github.com/seed56799101/taskmanager/benchmarks/internal/contest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := poolbench(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// config has the values of the flags.
type config struct {
	quick, scaling       bool
	out, from            string
	workload, contender  string // patterns
	workloads            []contest.Workload
	contenders           []contest.Contender
	aloneIn, aloneByName string // for a process that measures once
}

func poolbench(ctx context.Context, args []string) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	if c.aloneIn != "" {
		return alone(c)
	}
	if c.scaling {
		return scaling(ctx, c, os.Stdout)
	}
	var r results
	if c.from != "" {
		r, err = read(c.from)
	} else {
		r, err = compete(ctx, c)
	}
	if err != nil {
		return err
	}
	return r.write(c.out)
}

func parse(args []string) (c config, err error) {
	flags := flag.NewFlagSet("poolbench", flag.ContinueOnError)
	flags.BoolVar(&c.quick, "quick", false, "run some of the workloads, in two minutes")
	flags.BoolVar(&c.scaling, "scaling", false, "only measure our paths on 1, 2, 4 and more processors, beside the predictions of a model")
	flags.StringVar(&c.out, "out", ".", "write the results to `DIR`")
	flags.StringVar(&c.from, "from", "", "measure nothing; write the results from the raw data in `FILE`")
	flags.StringVar(&c.workload, "workload", "", "run only workloads whose names match `PATTERN`")
	flags.StringVar(&c.contender, "contender", "", "run only contenders whose names match `PATTERN`, and the buffered channel")
	flags.StringVar(&c.aloneIn, "alone-in", "", "measure once in the workload `NAME` and write the result as JSON; needs -alone")
	flags.StringVar(&c.aloneByName, "alone", "", "the contender `NAME` for -alone-in")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("poolbench: unexpected argument %q", flags.Arg(0))
	}
	workloads, err := regexp.Compile(c.workload)
	if err != nil {
		return c, fmt.Errorf("poolbench: -workload: %w", err)
	}
	contenders, err := regexp.Compile(c.contender)
	if err != nil {
		return c, fmt.Errorf("poolbench: -contender: %w", err)
	}
	for _, x := range contest.All() {
		if contenders.MatchString(x.Name) || x.Name == contest.Yardstick {
			c.contenders = append(c.contenders, x)
		}
	}
	for _, w := range contest.Workloads() {
		if workloads.MatchString(w.Name) && (!c.quick || quickly(w)) && slices.ContainsFunc(c.contenders, w.Fits) {
			c.workloads = append(c.workloads, w)
		}
	}
	if len(c.workloads) == 0 {
		return c, fmt.Errorf("poolbench: no workload matches %q that a contender matching %q can do", c.workload, c.contender)
	}
	return c, nil
}

// quickly reports whether a workload is part of the quick run.
func quickly(w contest.Workload) bool {
	switch w.Name {
	case "empty, 2 workers", "empty, 100 workers", "1 µs", "latency", "bursts", "nested", "1000 outstanding", "sleep, 1 × 1000000":
		return true
	}
	return false
}

// alone measures once, for the parent process.
func alone(c config) error {
	for _, w := range contest.Workloads() {
		for _, x := range contest.All() {
			if w.Name != c.aloneIn || x.Name != c.aloneByName {
				continue
			}
			m, err := (&contest.Bout{Contender: x, Workload: w}).Alone()
			if err != nil {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(m)
		}
	}
	return fmt.Errorf("poolbench: there is no workload %q with a contender %q", c.aloneIn, c.aloneByName)
}
