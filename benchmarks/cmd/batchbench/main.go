// Batchbench measures an ordered map over many items: batch.Map of this module, the stream and the
// iterator of conc, and errgroup. It prints the cost of an item that does nothing, and the peak
// of the memory, as a table in Markdown.
//
//	batchbench [flags]
//
// make bench-batch runs it with 1,000,000 items. The contenders take turns in one process, in several
// rounds, and the table has the medians; the ratios are medians of the ratios in each round. Then
// each contender runs once in a process of its own, whose peak of memory is measured.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// config has the values of the flags.
type config struct {
	items, rounds, workers int
	alone                  string // for a process that measures the memory of one contender
}

func parse(args []string) (c config, err error) {
	flags := flag.NewFlagSet("batchbench", flag.ContinueOnError)
	flags.IntVar(&c.items, "items", 1_000_000, "the `NUMBER` of items")
	flags.IntVar(&c.rounds, "rounds", 9, "the `NUMBER` of rounds")
	flags.IntVar(&c.workers, "workers", 2, "the `NUMBER` of workers, or goroutines")
	flags.StringVar(&c.alone, "alone", "", "run only the contender `NAME`, once, and print the peak of memory in bytes")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("batchbench: unexpected argument %q", flags.Arg(0))
	}
	if c.items < 1 || c.rounds < 1 || c.workers < 1 {
		return c, fmt.Errorf("batchbench: %d items, %d rounds, %d workers; all must be positive", c.items, c.rounds, c.workers)
	}
	return c, nil
}

func run(ctx context.Context, w io.Writer, args []string) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	all := contenders()
	if c.alone != "" {
		i := slices.IndexFunc(all, func(x contender) bool { return x.name == c.alone })
		if i < 0 {
			return fmt.Errorf("batchbench: there is no contender %q", c.alone)
		}
		return alone(w, all[i], c)
	}
	entries := make([]entry, len(all))
	for round := range c.rounds + 1 {
		for i, x := range all {
			if ctx.Err() != nil {
				return errors.New("batchbench: interrupted")
			}
			m, err := measure(x, c)
			if err != nil {
				return err
			}
			if round > 0 { // the first one warms up
				entries[i].rounds = append(entries[i].rounds, m)
			}
		}
	}
	for i, x := range all {
		entries[i].contender = x
		if entries[i].peak, err = peakOf(ctx, x, c); err != nil {
			return err
		}
	}
	return report(w, c, entries)
}

// measurement is one run of a contender, per item.
type measurement struct{ nanoseconds, allocs, bytes float64 }

// entry is the line of a contender in the table.
type entry struct {
	contender contender
	rounds    []measurement
	peak      uint64 // of the memory, in bytes
}

// measure runs a contender once. Garbage of the one before is collected first.
func measure(x contender, c config) (m measurement, err error) {
	var took time.Duration
	objects, bytes := drive.Allocated(func() {
		begin := time.Now()
		err = x.run(c.items, c.workers)
		took = time.Since(begin)
	})
	if err != nil {
		return m, fmt.Errorf("batchbench: %s: %w", x.name, err)
	}
	n := float64(c.items)
	return measurement{float64(took.Nanoseconds()) / n, float64(objects) / n, float64(bytes) / n}, nil
}

// alone runs a contender in this process and prints the peak of the memory.
func alone(w io.Writer, x contender, c config) error {
	if err := x.run(c.items, c.workers); err != nil {
		return fmt.Errorf("batchbench: %s: %w", x.name, err)
	}
	peak, err := drive.PeakMemory()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, peak)
	return err
}

// patience is how long a process with one contender may take.
const patience = 5 * time.Minute

// peakOf runs a contender in a process of its own, and returns the peak of its memory.
func peakOf(ctx context.Context, x contender, c config) (uint64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	command := exec.CommandContext(ctx, self, "-alone", x.name, "-items", strconv.Itoa(c.items), "-workers", strconv.Itoa(c.workers))
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return 0, fmt.Errorf("batchbench: %s, alone: %w", x.name, err)
	}
	return strconv.ParseUint(strings.TrimSpace(string(out)), 10, 64)
}

// report prints the table.
func report(w io.Writer, c config, entries []entry) error {
	p := &printer{w: w}
	p.printf("%d items that do nothing, %d workers, results in order; medians of %d rounds\n\n", c.items, c.workers, c.rounds)
	p.printf("| | ns an item | relative | allocations | bytes | peak memory | items in |\n|---|---|---|---|---|---|---|\n")
	for _, e := range entries {
		in := "a slice"
		if e.contender.constant {
			in = "a sequence"
		}
		p.printf("| %s | %.0f | %.2f | %.1f | %.0f | %.1f MB | %s |\n", e.contender.name,
			median(e.rounds, func(_ int, m measurement) float64 { return m.nanoseconds }),
			median(e.rounds, func(i int, m measurement) float64 { return m.nanoseconds / entries[0].rounds[i].nanoseconds }),
			median(e.rounds, func(_ int, m measurement) float64 { return m.allocs }),
			median(e.rounds, func(_ int, m measurement) float64 { return m.bytes }),
			float64(e.peak)/1e6, in)
	}
	return p.err
}

// median returns the median of a figure over all rounds.
func median(rounds []measurement, figure func(round int, m measurement) float64) float64 {
	var all []float64
	for i, m := range rounds {
		all = append(all, figure(i, m))
	}
	slices.SortFunc(all, cmp.Compare)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// printer prints until the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
