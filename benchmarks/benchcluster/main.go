// Command benchcluster measures package nats next to River on PostgreSQL and Asynq on Redis: how many
// tasks a second it stores and runs, how soon a task starts, and what an idle worker costs.
//
// It starts private servers on the loopback interface, with their data in a temporary directory. All
// contenders run the same task, which does nothing, and refuse a name that is outstanding. They take turns
// in several rounds. Compare only those with the same durability.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"
)

func main() {
	if served, err := serveIfChild(); served {
		exit(err)
		return
	}
	rounds := flag.Int("rounds", 3, "the number of rounds")
	scale := flag.Float64("scale", 1, "multiplies the length of each measurement")
	only := flag.String("run", "", "measure only the contenders that match this regular expression")
	wide := flag.Bool("capacity", true, "measure also how much package nats can do in other situations")
	out := flag.String("out", "", "write the tables to this file as well")
	dir := flag.String("dir", "", "where the data is, on the disk to be measured; a temporary directory by default")
	flag.Parse()
	selected, err := regexp.Compile(*only)
	if err != nil {
		exit(fmt.Errorf("-run: %w", err))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, settings{rounds: *rounds, scale: *scale, selected: selected, capacity: *wide, out: *out, dir: *dir}))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type settings struct {
	rounds   int
	scale    float64
	selected *regexp.Regexp
	capacity bool
	out, dir string
}

// run measures, and prints the tables.
func run(ctx context.Context, set settings) (err error) {
	dir, err := os.MkdirTemp(set.dir, "benchcluster")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	begin := time.Now()
	all, stop := contenders(dir, set.selected)
	defer func() { err = errors.Join(err, stop()) }()
	sync, err := syncTime(dir)
	if err != nil {
		return err
	}
	results := make([]result, len(all))
	for i, c := range all {
		results[i].contender = c
	}
	for round := range set.rounds {
		for i, c := range all {
			progress(fmt.Sprintf("round %d of %d: %s", round+1, set.rounds, c.name))
			f, err := measure(ctx, c, planFor(c.durability, set.scale))
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			results[i].rounds = append(results[i].rounds, f)
		}
	}
	progress("idle workers")
	idle := idleContenders(all)
	if err := measureIdle(ctx, idle, time.Duration(set.scale*float64(idleWatch))); err != nil {
		return err
	}
	tables := ""
	if set.capacity {
		if tables, err = capacity(ctx, dir, set.scale, progress); err != nil {
			return err
		}
	}
	progress("")
	text := report(results, idle, sync, time.Since(begin)) + tables
	_, err = os.Stdout.WriteString(text)
	if set.out != "" {
		err = errors.Join(err, os.WriteFile(set.out, []byte(text), 0o644))
	}
	return err
}

// progress shows what is measured, in one line of the terminal.
func progress(what string) { fmt.Fprintf(os.Stderr, "\r%-70s\r%s", "", what) }
