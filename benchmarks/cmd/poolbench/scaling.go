package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/internal/contest"
	"github.com/seed56799101/taskmanager/internal/yardstick"
)

// durations are the lengths of the tasks.
var durations = []time.Duration{0, time.Microsecond, 10 * time.Microsecond, 100 * time.Microsecond}

const (
	scalingRounds = 41
	// scalingTime is about how long the tasks of a measurement take on one processor, and
	// scalingTasks the largest number of them. It is short, so that in some of the rounds
	// no other program runs.
	scalingTime  = 5 * time.Millisecond
	scalingTasks = 20_000
)

// scaling measures our paths on 1, 2, 4 and more processors, up to GOMAXPROCS, with as many
// producers and workers, and writes the throughput beside the prediction that the model makes from the
// unit costs of this machine.
func scaling(ctx context.Context, c config, w io.Writer) error {
	rounds, lengths := scalingRounds, durations
	if c.quick {
		rounds, lengths = 5, lengths[:2]
	}
	u := measureUnits()
	p := &printer{w: w}
	p.printf("Unit costs: section with a lock %.1f ns, empty call %.1f ns, transfer of a cache line %.0f ns (%v), %d processors\n\n",
		u.section, u.call, u.transfer, yardstick.StateOf(u.transfer), runtime.GOMAXPROCS(0))
	p.printf("%-26s %8s %6s %9s %22s %21s\n", "", "", "", "transfer", "measured", "model, short and long")
	p.printf("%-26s %8s %6s %9s %11s %10s %10s %10s\n", "path", "task", "procs", "ns", "ns a task", "million/s", "million/s", "million/s")
	for _, x := range c.contenders {
		way, ok := pathOf(x)
		if !ok {
			continue
		}
		for _, d := range lengths {
			entries, err := scale(ctx, x, d, rounds)
			if err != nil {
				return err
			}
			p.rows(u, way, d, entries)
		}
	}
	return p.err
}

// scale measures a contender with tasks of one length, on each number of processors in turn.
func scale(ctx context.Context, x contest.Contender, d time.Duration, rounds int) (entries []entry, err error) {
	var bouts []*contest.Bout
	defer func() {
		for _, b := range bouts {
			err = errors.Join(err, b.Close())
		}
	}()
	tasks := scalingTasks
	if d > 0 {
		tasks = min(tasks, int(scalingTime/d))
	}
	for _, n := range steps(runtime.GOMAXPROCS(0)) {
		b := &contest.Bout{Contender: x, Workload: contest.Scaling(n, tasks, d)}
		bouts = append(bouts, b)
		if err := b.Open(); err != nil {
			return nil, err
		}
	}
	entries = make([]entry, len(bouts))
	machine := newWatch()
	for round := range rounds {
		for i, b := range bouts {
			if ctx.Err() != nil {
				return nil, errors.New("poolbench: interrupted")
			}
			m, _ := machine.measure(round, func() (contest.Measure, error) { return b.Round(), nil })
			if m.Err != "" {
				return nil, fmt.Errorf("poolbench: %s on %d processors: %s", x.Name, b.Workload.Procs, m.Err)
			}
			entries[i].Rounds = append(entries[i].Rounds, m)
		}
	}
	return entries, nil
}

// best returns the fastest measurement. Other programs only make a measurement slower, and the
// model knows nothing of them.
func (e entry) best() measurement {
	return slices.MinFunc(e.Rounds, func(a, b measurement) int { return cmp.Compare(perTask(a), perTask(b)) })
}

// rows prints the best measurements, beside the predictions for the transfer times before them.
func (p *printer) rows(u units, way path, d time.Duration, entries []entry) {
	single := perTask(entries[0].best())
	for i, procs := range steps(runtime.GOMAXPROCS(0)) {
		m := entries[i].best()
		u.transfer = m.Before.Nanoseconds
		slow, fast := u.perTask(way, procs, single, leastPause), u.perTask(way, procs, single, mostPause)
		p.printf("%-26s %8v %6d %9.0f %11.0f %10.3g %10.3g %10.3g\n",
			way.contender, d, procs, u.transfer, perTask(m), 1e3/perTask(m), 1e3/slow, 1e3/fast)
	}
}

// steps returns 1, 2, 4 and so on, and most.
func steps(most int) (list []int) {
	for n := 1; n < most; n *= 2 {
		list = append(list, n)
	}
	return append(list, most)
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
