package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seed56799101/taskmanager/benchmarks/internal/contest"
	"github.com/seed56799101/taskmanager/internal/yardstick"
)

// aim is an upper bound on a ratio.
type aim struct {
	workload, ours, what string
	most                 limit
	measured             func(v view, ours entry) (other string, ratio float64, ok bool)
	why                  string // the ratio is not smaller, according to profiles
}

// limit has a bound for each state.
type limit map[yardstick.State]float64

// always is a bound that does not depend on the state.
func always(most float64) limit {
	return limit{yardstick.Far: most, yardstick.Near: most, yardstick.Unknown: most}
}

// to compares a number with that of another contender.
func to(name string, number func(measurement) float64) func(view, entry) (string, float64, bool) {
	return func(v view, ours entry) (string, float64, bool) {
		e, ok := v.of(name)
		if !ok {
			return "", 0, false
		}
		ratio, ok := ours.ratio(e, number)
		return name, ratio, ok
	}
}

// toBest compares a number with that of the best of the other pools with the same service.
func toBest(number func(measurement) float64) func(view, entry) (string, float64, bool) {
	return func(v view, ours entry) (string, float64, bool) {
		var pools []entry
		for _, e := range v.Entries {
			if !e.Ours && e.Service == ours.Service && e.Contender != "a goroutine each" {
				pools = append(pools, e)
			}
		}
		if len(pools) == 0 {
			return "", 0, false
		}
		best := slices.MinFunc(pools, func(x, y entry) int { return cmp.Compare(x.median(number), y.median(number)) })
		return best.Contender, ours.median(number) / best.median(number), true
	}
}

// toParts compares the time with that of the same tasks, few at a time.
func toParts(v view, ours entry) (string, float64, bool) {
	return fmt.Sprintf("%d outstanding", v.Beside), ours.median(beside), v.Beside > 0
}

// What the costs consist of.
const (
	turns = "With one worker on one processor an item takes 17 ns: 6 for the task, which counts itself, 4 for the lock, " +
		"and the rest for the queue and the counters. Two workers on two processors add 2 to 4 ns, as the lock and the " +
		"data that it guards move between the processors."
	named = "Of the processor time of a named task, the memory of its handle takes three tenths (allocation, first write " +
		"and garbage collection), the table of names a fifth, and two readings of the clock for the status an eighth. " +
		"Much of the rest is cache lines that move between submitter and worker. On processors that are far from each " +
		"other, a named task takes a sixth longer."
	stacks = "The memory holds the waiting tasks and the tasks that sleep at the same time, each on a goroutine of 3 KiB " +
		"with its stack. By Little's law, the number of sleeping tasks is 10 ms divided by the time per task, so a slower " +
		"pool needs less memory. In the first 10 ms, before any task has ended, even more tasks start."
	memory = "A million tasks take more than 200 MB with their names. Most accesses to a handle or to the table of names then " +
		"miss the caches of the processor, and the garbage collector visits all of them."
	wakeUp = "In addition to the work of a channel, the submit and the worker that it wakes each take the lock of the pool " +
		"once, and the item passes through the queue. Handing the item directly to the worker would save half of that. It " +
		"was rejected: on busy processors, other workers then ran items that were submitted later before it."
)

// aims returns the aims of the project.
func aims() []aim {
	const two, hundred, sleep, million = "empty, 2 workers", "empty, 100 workers", "sleep, 1 × 1000000", "1000000 outstanding"
	const pool, submit = "scheduler.Pool", "TaskManager.SubmitFunc"
	return []aim{
		{two, pool, "time", always(0.6), to("pond.Go", perTask), turns},
		{hundred, pool, "time", always(0.6), to("pond.Go", perTask), turns},
		{two, pool, "time", always(0.2), to("ants.Pool", perTask), turns},
		{hundred, pool, "time", always(0.2), to("ants.Pool", perTask), turns},
		{two, submit, "time", limit{yardstick.Far: 0.6, yardstick.Near: 0.4}, to("ants.Pool", perTask), named},
		{two, "taskmanager.Async", "time", always(0.42), to("pond.ResultPool", perTask), named},
		{two, "scheduler.Pool, SubmitAll", "time", always(0.5), to(contest.Yardstick, perTask), turns},
		{million, submit, "time", always(1.35), toParts, memory},
		{sleep, pool, "time", always(1), toBest(perTask), stacks},
		{sleep, pool, "peak memory", always(1.35), toBest(peakMiB), stacks},
		{"latency", pool, "p99", always(1.2), to(contest.Yardstick, p99), wakeUp},
		{"latency", pool, "p99.9", always(1.5), to(contest.Yardstick, p999), wakeUp},
	}
}

// verdict reports which aims are met, in each state that was measured.
func (r results) verdict() string {
	var b, missed strings.Builder
	b.WriteString("\n## Aims\n\n|workload|ours|ratio to|aim|measured|met|state|\n|---|---|---|---:|---:|---|---|\n")
	for _, a := range aims() {
		t, ok := r.table(a.workload)
		if !ok {
			continue
		}
		reason := false
		for _, v := range t.views() {
			ours, found := v.of(a.ours)
			if !found {
				continue
			}
			other, ratio, ok := a.measured(v, ours)
			if !ok {
				continue
			}
			most, met := "depends on the state", "–"
			if bound, known := a.most[v.state]; known {
				most, met = fmt.Sprintf("≤ %g", bound), "yes"
				if ratio > bound {
					met, reason = "**no**", true
				}
			}
			fmt.Fprintf(&b, "|%s|%s|%s of %s|%s|%.2f|%s|%s|\n", a.workload, a.ours, a.what, other, most, ratio, met, v.name())
		}
		if reason {
			fmt.Fprintf(&missed, "- %s, %s of %s: %s\n", a.workload, a.what, a.ours, a.why)
		}
	}
	if missed.Len() > 0 {
		b.WriteString("\nReasons for the aims that are not met:\n\n" + missed.String())
	}
	return b.String()
}
