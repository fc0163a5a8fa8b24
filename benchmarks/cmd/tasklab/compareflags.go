package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// compareConfig is what the flags of the command compare say.
type compareConfig struct {
	settings
	queues  selection[taskmanager.Discipline]
	scalers selection[newScaler]
	dir     string // "": a synthetic workload
	synth   syntheticConfig
	chart   string
}

// syntheticConfig is what they say of a synthetic workload.
type syntheticConfig struct {
	shape    choice[shape]
	rate     float64 // a second
	service  time.Duration
	duration time.Duration
	seed     uint64
	cpu      bool
}

const (
	defaultScalers = "demand,demand+stabilise,step,targetwait,utilisation"
	mostTasks      = 1_000_000 // of a synthetic workload, which is kept in memory
)

// parseCompare reads the arguments of the command compare; see parse.
func parseCompare(args []string, w io.Writer) (compareConfig, error) {
	cfg := compareConfig{
		settings: settings{
			min: 1, max: 100, idleTimeout: time.Second, limit: 10_000, overflow: choose(overflows), grace: 5 * time.Second,
		},
		queues:  selection[taskmanager.Discipline]{from: choose(disciplines)},
		scalers: selection[newScaler]{from: choose(scalers, scalerVariants...)},
		synth:   syntheticConfig{shape: choose(shapes)},
	}
	_ = cfg.queues.Set(disciplines[0].name) // both exist
	_ = cfg.scalers.Set(defaultScalers)
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	cfg.declare(flags)
	flags.Var(&cfg.queues, "queue", "compare the orders that the names in `LIST` stand for, with commas between; see below")
	flags.Var(&cfg.scalers, "scaler", "compare the numbers of workers that the names in `LIST` stand for; see below")
	flags.StringVar(&cfg.dir, "dir", "", "read every regular file below `DIR`, instead of a synthetic workload")
	flags.Float64Var(&cfg.synth.rate, "rate", 200, "have `N` tasks come each second")
	flags.DurationVar(&cfg.synth.service, "service", 100*time.Millisecond, "have a task take `D` on average; the times are distributed exponentially")
	flags.Var(&cfg.synth.shape, "shape", "have the tasks come as `NAME` says; see below")
	flags.DurationVar(&cfg.synth.duration, "duration", 25*time.Second, "have tasks come for `D`")
	flags.Uint64Var(&cfg.synth.seed, "seed", 1, "draw what is random from the seed `N`")
	flags.BoolVar(&cfg.synth.cpu, "cpu", false, "have a task compute for its time, not wait as for a remote call")
	flags.StringVar(&cfg.chart, "chart", "", "draw a chart to `FILE`, whose name ends in .svg or .png")
	err := parse(flags, args, w, "tasklab compare [flags]", func() {
		cfg.synth.shape.explain(w, "The tasks of a synthetic workload come, with -shape")
		cfg.queues.from.explain(w, queueTitle)
		say(w, syntheticAttributes)
		cfg.overflow.explain(w, overflowTitle)
		cfg.scalers.from.explain(w, scalerTitle)
	})
	if err != nil {
		return cfg, err
	}
	return cfg, cfg.check(given(flags))
}

const syntheticAttributes = `
A synthetic task has, in place of the size that is for priority, a level from 0 to
3; in place of a folder, one of four keys; and it is due 1 to 10 times -service
after it came.
`

// given lists the flags that were given.
func given(flags *flag.FlagSet) (names []string) {
	flags.Visit(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

// check reports everything that is wrong, in terms of the flags.
func (c compareConfig) check(given []string) error {
	var f faults
	c.settings.check(&f)
	if c.dir != "" {
		f.directory(c.dir)
		for _, name := range []string{"rate", "service", "shape", "duration", "seed", "cpu"} {
			f.require(!slices.Contains(given, name), "-%s is for a synthetic workload; leave it out, or -dir", name)
		}
	}
	s := c.synth
	f.require(s.rate > 0, "-rate is %v; it must be positive", s.rate)
	f.require(s.service > 0, "-service is %v; it must be positive", s.service)
	f.require(s.duration > 0, "-duration is %v; it must be positive", s.duration)
	tasks := s.rate * s.duration.Seconds()
	f.require(tasks <= mostTasks, "-rate times -duration is %.3g tasks; it must be at most %d", tasks, mostTasks)
	if c.chart != "" && len(f) == 0 {
		f.chart(c.chart)
	}
	return f.join()
}

// chart notes it if the chart cannot be written: better now than when all has been
// measured.
func (f *faults) chart(name string) {
	if !slices.Contains([]string{"svg", "png"}, chartFormat(name)) {
		f.require(false, "-chart: %s ends neither in .svg nor in .png", name)
		return
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		f.require(false, "-chart: %w", err)
	}
}

// chartFormat is the ending of a file's name, which says in what form to draw.
func chartFormat(name string) string {
	return strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))
}

// settingsToCompare are all combinations.
func (c compareConfig) settingsToCompare() (all []setting) {
	for _, q := range c.queues.chosen {
		for _, s := range c.scalers.chosen {
			all = append(all, setting{q, s})
		}
	}
	return all
}

// workload makes or finds the workload.
func (c compareConfig) workload(ctx context.Context, screen func() display) (workload, error) {
	if c.dir == "" {
		s := c.synth
		w := makeUp(s.shape.value, s.rate, s.service, s.duration, s.seed)
		if s.cpu {
			w.work = burner()
		}
		return w, nil
	}
	w, err := findFiles(ctx, directory(c.dir))
	if err != nil {
		return nil, err
	}
	// All are read once in advance, or the first setting would have to read from the
	// disk what the others find in memory.
	with := c.settings
	with.overflow = choose(overflows) // which blocks
	m, err := measure(ctx, with, setting{disciplines[0], scalers[0]}, w, "in advance", screen())
	w.every = max(seconds(m.Elapsed)/samplesWanted, time.Millisecond)
	return w, err
}

// title describes the workload.
func (c compareConfig) title() string {
	if c.dir != "" {
		return "the files below " + printable(c.dir)
	}
	s := c.synth
	rate, verb := fmt.Sprint(s.rate), "take"
	if s.shape.name == "step" {
		rate = fmt.Sprintf("%v, %v and again %v", s.rate/10, s.rate, s.rate/10)
	}
	if s.cpu {
		verb = "compute for"
	}
	return fmt.Sprintf("%s load, %s tasks/s that %s %v on average, for %v, seed %d", s.shape.name, rate, verb, s.service, s.duration, s.seed)
}
