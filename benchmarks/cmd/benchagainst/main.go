// Benchagainst compares the library in the working tree with an older revision of it:
//
//	benchagainst -rev HEAD~1
//
// Both versions are compiled into one program, the same code submits tasks to each, and they
// take turns. So the ratio of their times hardly depends on the state of the machine, which
// two separate runs of a benchmark would meet in different states.
//
// Each row of the table has a figure of the old version, of the new one, and the ratio of new
// to old: the median of the ratios of all rounds, with a 95 % confidence interval. A ratio of a
// time or a size below 1 means that the new version is better.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/benchagainst/internal/duel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := benchagainst(ctx, ".", os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "benchagainst:", err)
		os.Exit(1)
	}
}

// config has the values of the flags.
type config struct {
	duel.Config

	rev    string
	asJSON bool
}

// The default numbers of rounds.
const allRounds, quickRounds = 241, 61

func parse(args []string, usage io.Writer) (c config, err error) {
	flags := flag.NewFlagSet("benchagainst", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&c.rev, "rev", "", "compare with the library at this `REVISION`, such as HEAD~1")
	flags.IntVar(&c.Rounds, "rounds", 0, fmt.Sprintf("the `NUMBER` of rounds of short workloads; others have fewer (default %d, or %d with -quick)", allRounds, quickRounds))
	workers := flags.String("workers", "2,100", "the maximum `NUMBERS` of workers for which submits are measured")
	flags.StringVar(&c.Run, "run", "", "run only the workloads whose names match the regular `EXPRESSION`")
	flags.BoolVar(&c.asJSON, "json", false, "write all values as JSON instead of a table")
	flags.BoolVar(&c.Quick, "quick", false, "measure less, in a minute instead of five")
	flags.BoolVar(&c.Sleep, "sleep", false, "also run 1,000,000 tasks that sleep, and measure the peak of the memory")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if c.rev == "" {
		return c, errors.New("-rev is missing; give the revision to compare with, such as HEAD~1")
	}
	for text := range strings.SplitSeq(*workers, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return c, fmt.Errorf("-workers: %q is no positive number; give a list such as 2,100", text)
		}
		c.Workers = append(c.Workers, n)
	}
	switch {
	case c.Rounds < 0:
		return c, errors.New("-rounds must be positive")
	case c.Rounds == 0 && c.Quick:
		c.Rounds = quickRounds
	case c.Rounds == 0:
		c.Rounds = allRounds
	}
	_, err = c.Select()
	return c, err
}

// benchagainst compares the library in the repository that holds a directory.
func benchagainst(ctx context.Context, dir string, args []string, out, progress io.Writer) error {
	c, err := parse(args, progress)
	if err != nil {
		return err
	}
	r, err := openRepository(ctx, dir)
	if err != nil {
		return err
	}
	rep, err := r.versions(ctx, c.rev)
	if err != nil {
		return err
	}
	rep.Results, err = r.measure(ctx, c, rep.oldHash, progress)
	if len(rep.Results) == 0 {
		return err
	}
	if c.asJSON {
		return errors.Join(err, rep.writeJSON(out))
	}
	rep.write(out)
	return err
}

// measure builds the program in a new directory and runs it. If that is interrupted, it
// returns the results so far.
func (r repository) measure(ctx context.Context, c config, hash string, progress io.Writer) (results []duel.Result, err error) {
	old, err := r.files(ctx, hash)
	if err != nil {
		return nil, err
	}
	parent := filepath.Join(r.dir, ".bin")
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "against-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	_, _ = fmt.Fprintln(progress, "compiling both versions")
	w, err := prepare(ctx, dir, r.dir, old)
	if err != nil {
		return nil, err
	}
	program, err := w.build(ctx)
	if err != nil {
		return nil, err
	}
	return execute(ctx, program, c.Config, progress)
}

// execute runs the program and reads the results.
func execute(ctx context.Context, program string, c duel.Config, progress io.Writer) (results []duel.Result, err error) {
	argument, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, program, string(argument))
	command.Stderr = progress
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	for decoder := json.NewDecoder(out); ; {
		var r duel.Result
		if err = decoder.Decode(&r); err != nil {
			break
		}
		results = append(results, r)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if ended := command.Wait(); ctx.Err() != nil {
		return results, errors.New("interrupted")
	} else if ended != nil {
		return results, errors.Join(fmt.Errorf("the program that measures has failed: %w", ended), err)
	}
	return results, err
}
