package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/internal/contest"
)

// rounds returns the number of rounds of a workload. It is odd, so that the median is one of
// the rounds, and larger for workloads with an aim.
func rounds(w contest.Workload, quick bool) int {
	switch {
	case quick && w.Isolated:
		return 1
	case quick:
		return 5
	case w.Isolated && aimed(w):
		return 5
	case w.Isolated && w.Producers == 1:
		return 3
	case w.Isolated:
		return 1
	case w.Tasks >= 1_000_000:
		return 5
	case aimed(w):
		return 31
	default:
		return 11
	}
}

// aimed reports whether a workload has an aim.
func aimed(w contest.Workload) bool {
	return slices.ContainsFunc(aims(), func(a aim) bool { return a.workload == w.Name })
}

// compete measures the contenders in all workloads.
func compete(ctx context.Context, c config) (results, error) {
	r := results{About: aboutThis(), Quick: c.quick}
	for i, w := range c.workloads {
		begin := time.Now()
		fmt.Fprintf(os.Stderr, "%2d of %d  %s", i+1, len(c.workloads), w.Name)
		others := watchOthers()
		var entries []entry
		var err error
		if w.Isolated {
			entries, err = apart(ctx, c, w)
		} else {
			entries, err = together(ctx, c, w)
		}
		if err != nil {
			return r, err
		}
		share := others()
		r.Tables = append(r.Tables, table{
			Workload: w.Name, About: w.About, Latency: entries[0].Rounds[0].Latencies != nil, Isolated: w.Isolated,
			Beside: w.Beside, Entries: entries, Others: &share,
		})
		fmt.Fprintf(os.Stderr, "  %.1f s\n", time.Since(begin).Seconds())
	}
	r.Elapsed = time.Since(r.Begun).Seconds()
	return r, nil
}

// together measures in this process. In each round the contenders take turns. Rounds in which
// the state of the machine changed are repeated, up to half as often as there are rounds.
func together(ctx context.Context, c config, w contest.Workload) (entries []entry, err error) {
	var bouts []*contest.Bout
	defer func() {
		for _, b := range bouts {
			err = errors.Join(err, b.Close())
		}
	}()
	for _, x := range c.contenders {
		if !w.Fits(x) {
			continue
		}
		b := &contest.Bout{Contender: x, Workload: w}
		bouts = append(bouts, b)
		if err := b.Open(); err != nil {
			return nil, err
		}
		entries = append(entries, entry{Contender: x.Name, Service: x.Service, Ours: x.Ours})
	}
	n, machine := rounds(w, c.quick), newWatch()
	for round := 0; round < n || round < n+n/2 && !enough(entries, n); round++ {
		for i, b := range bouts {
			if ctx.Err() != nil {
				return nil, errors.New("poolbench: interrupted")
			}
			m, _ := machine.measure(round, func() (contest.Measure, error) { return b.Round(), nil })
			if m.Err != "" {
				return nil, fmt.Errorf("poolbench: %s in %q: %s", b.Contender.Name, w.Name, m.Err)
			}
			entries[i].Rounds = append(entries[i].Rounds, m)
		}
	}
	return entries, nil
}

// patience is how long a process that measures once may take.
const patience = 2 * time.Minute

// apart measures each contender in a process of its own. That takes seconds, so nothing is
// repeated if the state of the machine changes meanwhile.
func apart(ctx context.Context, c config, w contest.Workload) (entries []entry, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("poolbench: %w", err)
	}
	machine := newWatch()
	for round := range rounds(w, c.quick) {
		i := 0
		for _, x := range c.contenders {
			if !w.Fits(x) {
				continue
			}
			if round == 0 {
				entries = append(entries, entry{Contender: x.Name, Service: x.Service, Ours: x.Ours})
			}
			m, err := machine.measure(round, func() (contest.Measure, error) { return inProcess(ctx, self, x.Name, w.Name) })
			if err != nil {
				return nil, err
			}
			entries[i].Rounds = append(entries[i].Rounds, m)
			i++
		}
	}
	return entries, nil
}

func inProcess(ctx context.Context, self, contender, workload string) (m contest.Measure, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	command := exec.CommandContext(ctx, self, "-alone", contender, "-alone-in", workload)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err == nil {
		err = json.Unmarshal(out, &m)
	}
	if err == nil && m.Err != "" {
		err = errors.New(m.Err)
	}
	if err != nil {
		return m, fmt.Errorf("poolbench: %s in %q: %w", contender, workload, err)
	}
	return m, nil
}
